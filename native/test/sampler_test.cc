// Tests of clock/sampler.h with the real thread, the real signal and a fake GetStackSample: busy threads are sampled for the CPU they used,
// sleeping ones not at all, an idle process lets the sampler sleep, and threads may come, go and be removed at any moment.
//
// Contract: ratios to the threads' own clocks, measured until there is enough CPU to measure; a loaded machine takes longer, it doesn't
// fail. Not under ThreadSanitizer: it delivers signals when it likes.
#if !defined(__SANITIZE_THREAD__)

#include "clock/sampler.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "capture/record.h"
#include "test/clocked_worker.h"

namespace strobe::clock {
namespace {

TEST(sampler_samples_what_busy_threads_use) {
  if (!Install()) return;
  constexpr double kHz = 1000;
  Sampler sampler;
  sampler.Start(kHz, {});
  CHECK(sampler.running());
  CHECK_NEAR(sampler.frequency_hz(), kHz, 0.01);
  std::string measured;
  bool good = false;
  {
    Worker one(&sampler, true);
    Worker two(&sampler, true);
    Worker asleep(&sampler);
    CHECK(one.added() && two.added() && asleep.added());
    for (uint64_t tries = 1; tries <= 3 && !good; tries++) {
      // Two CPU seconds, then four, then eight.
      const uint64_t enough = (kMillisecond * 1000) << tries;
      while (one.CpuNs() + two.CpuNs() < enough) {
        SleepMs(50);
        one.DropRecords();
        two.DropRecords();
      }
      good = true;
      for (Worker* worker : {&one, &two}) {
        const uint64_t samples = worker->samples();
        const uint64_t sampled = worker->sampled_ns();
        const uint64_t cpu = worker->CpuNs();
        const double share = static_cast<double>(sampled) / static_cast<double>(cpu);
        const double rate = static_cast<double>(samples) / (static_cast<double>(cpu) / 1e9);
        char line[128];
        snprintf(line, sizeof line, "try %d: share %.4f rate %.0f; ", static_cast<int>(tries), share, rate);
        measured += line;
        good = good && share > 0.97 && share < 1.03 && rate >= 0.85 * kHz && rate < 2 * kHz;
      }
    }
    CHECK_EQ(asleep.samples(), 0);
    CHECK_EQ(one.state()->lost_since_taken.load() + two.state()->lost_since_taken.load(), 0);
  }
  if (!CHECK(good)) CHECK_EQ(measured, "");
  sampler.Stop();
  CHECK(!sampler.running());
  CHECK(sampler.cpu_ns() > 0);
  CHECK(!sampler.signal_taken());
}

// Where a tick takes the core from the thread that it looks at, the thread never runs then. At a rate at which no thread clocks itself.
TEST(sampler_meets_a_thread_whose_core_it_takes) {
  if (!Install()) return;
  Sampler sampler;
  sampler.Start(15, {});
  Worker busy(&sampler, true);
  CHECK(Eventually([] { return capture::g_self_clock_rate.sampler_tid.load() != 0; }));
  const int core = sched_getcpu();
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(core, &one);
  CHECK(busy.Pin(core));
  CHECK_EQ(sched_setaffinity(capture::g_self_clock_rate.sampler_tid.load(), sizeof one, &one), 0);
  const uint64_t before = busy.samples();
  CHECK(Eventually([&] { return busy.samples() >= before + 20; }));
  CHECK(!busy.state()->self_clock.on.load());
  CHECK(busy.state()->core == nullptr || *busy.state()->core == static_cast<uint32_t>(core));
  sampler.Stop();
}

TEST(sampler_sleeping_and_disarmed_threads_get_no_sample) {
  if (!Install()) return;
  Sampler sampler;
  sampler.Start(1000, {});
  Worker asleep(&sampler);
  Worker disarmed(&sampler, true);
  Worker busy(&sampler, true);
  disarmed.state()->armed = false;
  SleepMs(10);  // a signal that was on its way
  const uint64_t before = disarmed.samples();
  CHECK(Eventually([&] { return busy.samples() >= 100; }));
  CHECK_EQ(asleep.samples(), 0);
  CHECK_EQ(disarmed.samples(), before);
  sampler.Stop();
}

TEST(sampler_cpu_of_a_thread_that_sleeps_waits_for_its_next_sample) {
  if (!Install()) return;
  Sampler sampler;
  sampler.Start(100, {});
  Worker worker(&sampler);
  // Bursts shorter than half a period.
  for (int i = 0; i < 40; i++) {
    worker.Busy(true);
    SleepMs(2);
    worker.Busy(false);
    SleepMs(2);
  }
  worker.Busy(true);
  CHECK(Eventually([&] { return worker.samples() > 0 && worker.CpuNs() > 500 * kMillisecond; }));
  const uint64_t sampled = worker.sampled_ns();
  const uint64_t cpu = worker.CpuNs();
  CHECK(static_cast<double>(sampled) > 0.85 * static_cast<double>(cpu));
  CHECK(sampled <= cpu);
  sampler.Stop();
}

TEST(sampler_parks_and_wakes) {
  if (!Install()) return;
  Sampler sampler;
  sampler.Start(1000, {});
  Worker worker(&sampler);
  Worker other(&sampler);
  for (int round = 0; round < 3; round++) {
    if (!CHECK(Parked(sampler))) break;
    const uint64_t samples = worker.samples();
    const uint64_t others = other.samples();
    const uint64_t wakeups = sampler.wakeups();
    worker.Busy(true);
    if (!CHECK(Eventually([&] { return worker.samples() > samples + 50; }))) break;
    CHECK(sampler.wakeups() > wakeups);
    CHECK_EQ(other.samples(), others);
    worker.Busy(false);
  }
  // A thread that joins a parked sampler is seen.
  CHECK(Parked(sampler));
  {
    Worker late(&sampler, true);
    CHECK(Eventually([&] { return late.samples() > 50; }));
  }
  // Stopped and changed while parked.
  CHECK(Parked(sampler));
  sampler.SetFrequency(500);
  CHECK_NEAR(sampler.frequency_hz(), 500, 0.01);
  CHECK(Parked(sampler));
  sampler.Stop();
  sampler.Stop();
}

TEST(sampler_restarts) {
  if (!Install()) return;
  Sampler sampler;
  Worker worker(&sampler, true);
  CHECK_EQ(worker.samples(), 0);  // registered before the start: waits
  for (int round = 0; round < 5; round++) {
    sampler.Start(1000, {});
    sampler.Start(10, {});  // running already
    const uint64_t before = worker.samples();
    CHECK(Eventually([&] { return worker.samples() > before + 20; }));
    sampler.Stop();
    SleepMs(20);
    const uint64_t stopped = worker.samples();
    SleepMs(20);
    CHECK_EQ(worker.samples(), stopped);
    worker.DropRecords();
  }
  // Start and Stop at once: the thread may not have begun.
  for (int i = 0; i < 50; i++) {
    sampler.Start(1000, {});
    sampler.Stop();
  }
}

TEST(sampler_frequency_changes_live) {
  if (!Install()) return;
  Sampler sampler;
  sampler.Start(50, {});
  Worker worker(&sampler, true);
  const auto rate = [&] {
    const uint64_t samples = worker.samples();
    const uint64_t cpu = worker.CpuNs();
    while (worker.CpuNs() - cpu < 600 * kMillisecond) SleepMs(20);
    worker.DropRecords();
    return static_cast<double>(worker.samples() - samples) / (static_cast<double>(worker.CpuNs() - cpu) / 1e9);
  };
  bool good = false;
  for (int tries = 0; tries < 3 && !good; tries++) {
    sampler.SetFrequency(50);
    const double slow = rate();
    sampler.SetFrequency(1000);
    const double fast = rate();
    sampler.SetFrequency(50);
    const double slow_again = rate();
    good = slow > 25 && slow < 100 && slow_again > 25 && slow_again < 100 && fast > 8 * slow && fast > 8 * slow_again;
  }
  CHECK(good);
  sampler.Stop();
}

TEST(sampler_remove_while_busy) {
  if (!Install()) return;
  Sampler sampler;
  sampler.Start(1000, {});
  Worker keeps(&sampler, true);
  Worker worker(&sampler, true);
  CHECK(Eventually([&] { return worker.samples() > 20; }));
  sampler.Remove(worker.state());
  SleepMs(20);  // the last signal on its way
  const uint64_t removed = worker.samples();
  const uint64_t kept = keeps.samples();
  CHECK(Eventually([&] { return keeps.samples() > kept + 50; }));
  CHECK_EQ(worker.samples(), removed);
  sampler.Remove(worker.state());  // once more is nothing
  sampler.Stop();
}

TEST(sampler_threads_come_and_go) {
  if (!Install()) return;
  Sampler sampler;
  sampler.Start(1000, {});
  std::atomic<uint64_t> samples{0};
  std::atomic<uint64_t> refused{0};
  const auto cycles = [&](int how_many, uint64_t cpu_ns) {
    for (int i = 0; i < how_many; i++) {
      Worker worker(&sampler, true);
      if (!worker.added()) refused++;
      if (cpu_ns != 0) {
        while (worker.CpuNs() < cpu_ns) SleepMs(1);
      }
      samples += worker.samples();
    }
  };
  std::vector<std::thread> makers;
  makers.emplace_back(cycles, 100, 5 * kMillisecond);
  makers.emplace_back(cycles, 100, 2 * kMillisecond);
  makers.emplace_back(cycles, 300, 0);  // gone at once
  for (int i = 0; i < 20; i++) {
    SleepMs(20);
    sampler.SetFrequency(i % 2 == 0 ? 2000 : 1000);
    if (i % 5 == 4) {
      sampler.Stop();
      sampler.Start(1000, {});
    }
  }
  for (std::thread& maker : makers) maker.join();
  CHECK_EQ(refused.load(), 0);
  CHECK(samples.load() > 20);
  // All gone: the sampler parks on nothing.
  CHECK(Parked(sampler));
  sampler.Stop();
}

TEST(sampler_add_refuses_a_thread_that_is_not) {
  Sampler sampler;
  capture::ThreadState* state = Pool().Take();
  CHECK(!sampler.Add(state, 0x3fffffff));
  sampler.Remove(state);
  Pool().Give(state);
}

TEST(sampler_stops_when_the_signal_is_taken) {
  if (!Install()) return;
  Sampler sampler;
  sampler.Start(1000, {});
  Worker worker(&sampler, true);
  CHECK(Eventually([&] { return worker.samples() > 20; }));
  struct sigaction theirs;
  struct sigaction ours;
  memset(&theirs, 0, sizeof theirs);
  theirs.sa_handler = SIG_IGN;
  CHECK_EQ(sigaction(capture::SampleSignal(), &theirs, &ours), 0);
  CHECK(Eventually([&] { return sampler.signal_taken(); }));
  sampler.Stop();
  CHECK_EQ(sigaction(capture::SampleSignal(), &ours, nullptr), 0);
  // A new start works again.
  worker.state()->pending = 0;  // the one that SIG_IGN swallowed
  const uint64_t before = worker.samples();
  sampler.Start(1000, {});
  CHECK(!sampler.signal_taken());
  CHECK(Eventually([&] { return worker.samples() > before + 20; }));
  sampler.Stop();
}

// A signal that never arrived (somebody had taken it) leaves the thread marked as having one on its way: a new start must sample it all the
// same.
TEST(sampler_samples_again_after_a_swallowed_signal) {
  if (!Install()) return;
  Sampler sampler;
  Worker worker(&sampler, true);
  worker.state()->pending = 1;
  sampler.Start(1000, {});
  CHECK(Eventually([&] { return worker.samples() > 20; }));
  sampler.Stop();
}

// The disposition goes to default while the sampler is parked, minutes after its last look at it: the first signal after the pause would
// end the process.
TEST(sampler_looks_at_the_signal_before_it_samples_after_a_pause) {
  const pid_t child = fork();
  if (!CHECK(child >= 0)) return;
  if (child == 0) {
    std::string error;
    if (capture::InstallHandler(&error) == 0) _exit(1);
    Sampler sampler;
    sampler.Start(1000, {});
    Worker worker(&sampler);
    if (!Parked(sampler)) _exit(2);
    SleepMs(1100);  // longer than the interval of its checks
    signal(capture::SampleSignal(), SIG_DFL);
    worker.Busy(true);
    if (!Eventually([&] { return sampler.signal_taken(); })) _exit(3);
    _exit(0);
  }
  int status = 0;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK(!WIFSIGNALED(status));
  if (WIFEXITED(status)) CHECK_EQ(WEXITSTATUS(status), 0);
}

// The first sample of a sleep finds it, at most a few more settle it (the thread may be put off its core in the handler): then ticks only
// note that it still sleeps.
TEST(sampler_leaves_sleeping_threads_alone_in_wall_mode) {
  if (!Install()) return;
  Sampler sampler;
  Worker worker(&sampler);
  sampler.Start(200, {.cpu = false, .wall = true});
  CHECK(Eventually([&] { return worker.state()->idle_ticks.load() >= 3; }));
  const uint64_t samples = worker.state()->wall_samples.load();
  const uint64_t ticks = worker.state()->idle_ticks.load();
  // A crowded machine puts the thread off its core in the middle, or makes going back to sleep slow: then it is asked again.
  CHECK(samples >= 1 && samples <= 30);
  CHECK(Eventually([&] { return worker.state()->idle_ticks.load() >= ticks + 50; }));
  CHECK_EQ(worker.state()->wall_samples.load(), samples);
  CHECK(sampler.batches_idle());
  const uint64_t until = worker.state()->idle_until_ns.load();
  CHECK(until > worker.state()->last_wall_ns.load() && until <= capture::MonotonicNowNs());
  // It works: sampled again, and again when it has gone back to sleep.
  worker.Busy(true);
  CHECK(Eventually([&] { return worker.state()->wall_samples.load() >= samples + 5; }));
  worker.Busy(false);
  const uint64_t after = worker.state()->idle_ticks.load();
  CHECK(Eventually([&] { return worker.state()->idle_ticks.load() >= after + 10; }));
  worker.DropRecords();
  sampler.Stop();
}

TEST(sampler_changes_modes_while_it_runs) {
  if (!Install()) return;
  Sampler sampler;
  Worker worker(&sampler, true);
  sampler.Start(500, {});
  CHECK(Eventually([&] { return worker.samples() >= 20; }));
  CHECK_EQ(worker.state()->wall_samples.load(), 0);
  sampler.SetModes({.cpu = true, .wall = true});
  CHECK(Eventually([&] { return worker.state()->wall_samples.load() >= 20; }));
  sampler.SetModes({.cpu = true, .wall = false});
  const uint64_t wall = worker.state()->wall_samples.load();
  const uint64_t cpu = worker.samples();
  CHECK(Eventually([&] { return worker.samples() >= cpu + 20; }));
  CHECK(worker.state()->wall_samples.load() <= wall + 1);  // one may have been on its way
  worker.Busy(false);
  CHECK(Parked(sampler));
  // A parked sampler wakes for wall mode, and parks again without it.
  sampler.SetModes({.cpu = false, .wall = true});
  const uint64_t ticks = worker.state()->idle_ticks.load();
  CHECK(Eventually([&] { return worker.state()->idle_ticks.load() >= ticks + 10; }));
  sampler.SetModes({.cpu = true, .wall = false});
  CHECK(Parked(sampler));
  worker.DropRecords();
  sampler.Stop();
}

}  // namespace
}  // namespace strobe::clock

#endif
