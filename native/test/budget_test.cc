// The overhead budget against a model of a process: cost a sample, cost besides, CPU used; a second a step.
#include "clock/budget.h"

#include <cmath>
#include <functional>
#include <random>

#include "test/check.h"

namespace strobe::clock {
namespace {

struct Plant {
  double sample_ns = 60'000;                                   // CPU of ours a sample
  double fixed_ns = 0;                                         // … a second, whatever the rate
  double cores = 1;                                            // what the process uses
  std::function<double(int)> spike = [](int) { return 0.0; };  // of ours at that second
};

struct Run {
  double hz = 0;
  double share = 0;  // of strobe's CPU over the last ten seconds
  int changes = 0;   // in the last ten seconds
};

Run Follow(const Plant& plant, double share, double asked, int seconds) {
  Budget budget;
  Budget::Totals totals;
  totals.now_ns = 5'000'000'000;
  budget.Begin(share, asked, totals);
  Run run;
  run.hz = asked;
  double own = 0;
  double all = 0;
  for (int i = 0; i < seconds; i++) {
    const double sampling = run.hz * plant.sample_ns * plant.cores;
    const double rest = plant.fixed_ns + plant.spike(i);
    const double process = plant.cores * 1e9 + sampling + rest;
    totals.now_ns += 1'000'000'000;
    totals.sampling_ns += static_cast<uint64_t>(sampling);
    totals.rest_ns += static_cast<uint64_t>(rest);
    totals.process_ns += static_cast<uint64_t>(process);
    if (i >= seconds - 10) {
      own += sampling + rest;
      all += process;
    }
    const double next = budget.Step(totals, run.hz);
    if (next == 0) continue;
    CHECK(next >= std::fmin(1, asked) && next <= asked);
    if (i >= seconds - 10) run.changes++;
    run.hz = next;
  }
  run.share = own / all;
  return run;
}

TEST(budget_is_held) {
  const Run run = Follow({}, 0.005, 1000, 20);
  CHECK_NEAR(run.share, 0.005, 0.0005);
  CHECK(run.hz > 60 && run.hz < 100);
  CHECK_EQ(run.changes, 0);  // a steady process has a steady rate
}

TEST(budget_makes_way_for_what_does_not_go_with_the_rate) {
  const Run run = Follow({.fixed_ns = 2'000'000}, 0.005, 1000, 60);
  CHECK_NEAR(run.share, 0.005, 0.0005);
  const Run encoding = Follow({.spike = [](int i) { return i % 15 == 14 ? 30e6 : 0.0; }}, 0.01, 1000, 60);
  CHECK_NEAR(encoding.share, 0.01, 0.004);
}

TEST(budget_leaves_a_slow_profile_when_code_events_take_it_all) {
  const Run run = Follow({.fixed_ns = 50'000'000}, 0.005, 1000, 60);
  CHECK(run.hz > 10 && run.hz < 20);  // a fifth of 0.5 % at 60 us a sample
}

TEST(budget_that_is_enough_changes_nothing) {
  const Run run = Follow({}, 0.2, 100, 20);
  CHECK_EQ(run.hz, 100);
  CHECK_EQ(run.changes, 0);
}

TEST(budget_follows_a_load_that_changes) {
  Budget budget;
  Budget::Totals totals;
  budget.Begin(0.005, 1000, totals);
  double hz = 1000;
  double sample_ns = 100'000;
  for (int i = 0; i < 60; i++) {
    if (i == 20) sample_ns = 20'000;
    if (i == 40) sample_ns = 200'000;
    totals.now_ns += 1'000'000'000;
    totals.sampling_ns += static_cast<uint64_t>(hz * sample_ns);
    totals.process_ns += 1'000'000'000;
    if (const double next = budget.Step(totals, hz); next != 0) hz = next;
    if (i == 19) CHECK_NEAR(hz, 50, 8);
    if (i == 39) CHECK_NEAR(hz, 250, 40);
  }
  CHECK_NEAR(hz, 25, 4);
}

TEST(budget_of_an_idle_process_is_that_of_a_tenth_of_a_core) {
  Budget budget;
  Budget::Totals totals;
  budget.Begin(0.01, 100, totals);
  double hz = 100;
  for (int i = 0; i < 30; i++) {
    totals.now_ns += 1'000'000'000;
    totals.sampling_ns += static_cast<uint64_t>(hz * 10'000);  // 1 ms a second at 100 Hz
    totals.process_ns += 2'000'000;
    if (const double next = budget.Step(totals, hz); next != 0) hz = next;
  }
  CHECK_NEAR(hz, 100, 11);
}

TEST(budget_takes_noise_and_totals_that_run_backwards) {
  std::mt19937 random(7);
  Budget budget;
  Budget::Totals totals;
  totals.sampling_ns = 1'000'000'000;
  budget.Begin(0.005, 1000, totals);
  double hz = 1000;
  for (int i = 0; i < 200; i++) {
    totals.now_ns += 1'000'000'000 + random() % 300'000'000;
    const double noise = 0.5 + (random() % 1000) / 1000.0;
    totals.sampling_ns += static_cast<uint64_t>(hz * 60'000 * noise);
    if (i % 17 == 3) totals.sampling_ns -= 900'000;
    totals.process_ns += 1'000'000'000;
    if (const double next = budget.Step(totals, hz); next != 0) hz = next;
    CHECK(hz >= 1 && hz <= 1000 && std::isfinite(hz));
  }
  CHECK(hz > 40 && hz < 160);
}

TEST(budget_knows_a_rounded_rate) {
  // The clock keeps whole nanoseconds: 99 Hz reads 99.00000099.
  for (const double asked : {99.0, 300.0, 7.0}) {
    Budget budget;
    Budget::Totals totals;
    budget.Begin(0.5, asked, totals);
    const double hz = 1e9 / static_cast<double>(static_cast<uint64_t>(1e9 / asked));
    for (int i = 0; i < 10; i++) {
      totals.now_ns += 1'000'000'000;
      totals.sampling_ns += 1'000'000;
      totals.process_ns += 1'000'000'000;
      CHECK_EQ(budget.Step(totals, hz), 0);
    }
  }
}

TEST(budget_takes_a_thread_that_is_missing_in_one_sum) {
  Budget budget;
  Budget::Totals totals;
  totals.sampling_ns = 20'000'000'000;
  budget.Begin(0.005, 1000, totals);
  double hz = 80;
  for (int i = 0; i < 20; i++) {
    totals.now_ns += 1'000'000'000;
    totals.sampling_ns += static_cast<uint64_t>(hz * 60'000);
    totals.process_ns += 1'000'000'000;
    Budget::Totals seen = totals;
    if (i == 10) seen.sampling_ns -= 19'000'000'000;
    if (const double next = budget.Step(seen, hz); next != 0) hz = next;
  }
  CHECK_NEAR(hz, 83, 12);
}

TEST(budget_begins_on_the_safe_side) {
  CHECK_EQ(Budget::FirstHz(0.005, 1000), 50);
  CHECK_EQ(Budget::FirstHz(0.5, 1000), 1000);
  CHECK_EQ(Budget::FirstHz(0.00001, 1000), 1);
  CHECK_EQ(Budget::FirstHz(0.00001, 1), 1);
}

TEST(budget_is_not_asked_more_than_once_a_second) {
  Budget budget;
  budget.Begin(0.001, 1000, {});
  CHECK_EQ(budget.Step({.now_ns = 500'000'000, .sampling_ns = 400'000'000, .rest_ns = 0, .process_ns = 500'000'000}, 1000), 0);
  CHECK(budget.Step({.now_ns = 1'000'000'000, .sampling_ns = 400'000'000, .rest_ns = 0, .process_ns = 1'000'000'000}, 1000) > 0);
  Budget off;
  off.Begin(0, 1000, {});
  CHECK_EQ(off.Step({.now_ns = 9'000'000'000, .sampling_ns = 9, .rest_ns = 0, .process_ns = 9}, 1000), 0);
}

}  // namespace
}  // namespace strobe::clock
