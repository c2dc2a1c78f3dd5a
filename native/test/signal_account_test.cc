// Tests of clock/signal_account.h.
#include "clock/signal_account.h"

#include "test/check.h"

namespace strobe::clock {
namespace {

TEST(signals_before_the_first_measure_are_charged_with_it) {
  SignalAccount account;
  CHECK(!account.known());
  CHECK_EQ(account.TotalNs(100), 0);
  account.Measured(100, 0);  // could not be measured
  CHECK(!account.known());
  account.Measured(100, 50);
  CHECK(account.known());
  CHECK_EQ(account.TotalNs(100), 5000);
  CHECK_EQ(account.TotalNs(110), 5500);
}

TEST(a_signal_is_charged_with_the_mean_of_its_time) {
  SignalAccount account;
  account.Measured(0, 30);
  CHECK_EQ(account.TotalNs(1000), 30'000);
  account.Measured(1000, 50);  // the mean is 40 from here on
  CHECK_EQ(account.TotalNs(1000), 30'000);
  CHECK_EQ(account.TotalNs(2000), 70'000);
  account.Measured(2000, 0);
  CHECK_EQ(account.TotalNs(2000), 70'000);
  CHECK_EQ(account.Since(2600), 1600);
}

TEST(signals_before_the_beginning_of_an_account_cost_nothing) {
  SignalAccount account;
  account.BeginAt(100);
  account.Measured(100, 50);
  CHECK_EQ(account.TotalNs(100), 0);
  CHECK_EQ(account.TotalNs(90), 0);
  CHECK_EQ(account.TotalNs(110), 500);
  account.Measured(110, 70);
  CHECK_EQ(account.TotalNs(120), 1100);
}

TEST(a_signal_account_never_shrinks) {
  SignalAccount account;
  account.Measured(10, 900);
  uint64_t latest = account.TotalNs(10);
  for (uint64_t count = 20; count < 2000; count += 10) {
    account.Measured(count, 1);
    const uint64_t total = account.TotalNs(count);
    CHECK(total >= latest);
    latest = total;
  }
  // A count that is behind (it was read before the measure) changes nothing.
  CHECK_EQ(account.TotalNs(5), latest);
}

TEST(one_odd_measure_hardly_moves_a_signal_account) {
  SignalAccount account;
  for (int i = 0; i < 7; i++) account.Measured(0, 30);
  account.Measured(0, 300);
  CHECK_EQ(account.TotalNs(1000), 33'750);
}

TEST(a_signal_account_follows_a_machine_that_changed) {
  SignalAccount account;
  for (int i = 0; i < 100; i++) account.Measured(0, 1000);
  for (int i = 0; i < 100; i++) account.Measured(0, 100);
  const uint64_t one = account.TotalNs(1);
  CHECK(one >= 100);
  CHECK(one < 110);
}

}  // namespace
}  // namespace strobe::clock
