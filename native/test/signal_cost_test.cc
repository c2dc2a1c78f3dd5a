// Tests of clock/signal_cost.h. Costs are times, and no test asserts times: only that there are some, of the size of a signal and not of a
// wait, and that nothing of the measuring stays.
#include "clock/signal_cost.h"

#include <pthread.h>
#include <signal.h>

#include <string>

#include "capture/handler.h"
#include "test/check.h"

namespace strobe::clock {
namespace {

bool Install() {
  std::string error;
  return CHECK(capture::InstallHandler(&error) != 0);
}

TEST(signal_cost_is_measured_for_both_ways_and_for_spread_work) {
  if (!Install()) return;
  SignalCost cost;
  // A neighbour's interrupts may hide a signal in one go.
  const auto all = [&] { return cost.sent_ns > 0 && cost.timer_ns > 0 && cost.spread_ns > 0; };
  for (int tries = 0; tries < 3 && !all(); tries++) cost = MeasureSignalCost();
  CHECK(all());
  CHECK(cost.sent_ns < 5'000'000);
  CHECK(cost.timer_ns < 5'000'000);
  CHECK(cost.spread_ns < 5'000'000);
}

TEST(signal_cost_is_not_measured_where_the_signal_is_blocked) {
  if (!Install()) return;
  sigset_t own;
  sigemptyset(&own);
  sigaddset(&own, capture::SampleSignal());
  pthread_sigmask(SIG_BLOCK, &own, nullptr);
  const SignalCost cost = MeasureSignalCost();
  CHECK_EQ(cost.sent_ns, 0);
  CHECK_EQ(cost.timer_ns, 0);
  CHECK_EQ(cost.spread_ns, 0);
  sigset_t waiting;
  sigpending(&waiting);
  CHECK_EQ(sigismember(&waiting, capture::SampleSignal()), 0);
  pthread_sigmask(SIG_UNBLOCK, &own, nullptr);
}

}  // namespace
}  // namespace strobe::clock
