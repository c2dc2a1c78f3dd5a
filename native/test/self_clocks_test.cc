// Tests of clock/self_clocks.h with the real sampler: a busy thread clocks itself, and is sampled as truly as by the sampler; one that
// sleeps goes back to it; no CPU is lost on the way from one clock to the other.
//
// Contract: ratios to the threads' own clocks, measured until there is enough CPU. Not under ThreadSanitizer: it delivers signals when it
// likes.
#if !defined(__SANITIZE_THREAD__)

#include "clock/self_clocks.h"

#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "test/clocked_worker.h"

namespace strobe::clock {
namespace {

bool ClocksItself(Worker* worker) { return worker->state()->self_clock.on.load(); }

// The calling thread is sampled from here on, and no longer.
void BeginSampling(capture::ThreadState* state, Sampler* sampler) {
  const auto tid = static_cast<int32_t>(syscall(SYS_gettid));
  state->pending = 0;
  state->samples = 0;
  state->sampled_cpu_ns = 0;
  state->wall_began_ns = 0;
  state->last_cpu_ns = ThreadCpuNowNs();
  state->tid.store(tid, std::memory_order_release);
  state->armed.store(true, std::memory_order_release);
  sampler->Add(state, tid);
}
void EndSampling(capture::ThreadState* state, Sampler* sampler) {
  state->armed.store(false);
  sampler->Remove(state);
  state->tid.store(0);
}

TEST(self_clock_busy_threads_leave_the_sampler_in_peace) {
  if (!Install()) return;
  constexpr double kHz = 1000;
  Sampler sampler;
  sampler.Start(kHz, {});
  bool good = false;
  std::string measured;
  {
    Worker worker(&sampler, true);
    Worker asleep(&sampler);
    SleepMs(20);
    const uint64_t on_its_way = asleep.samples();  // into its first sleep
    for (uint64_t tries = 1; tries <= 4 && !good; tries++) {
      if (!Eventually([&] { return ClocksItself(&worker); })) break;
      const uint64_t samples = worker.samples();
      const uint64_t sampled = worker.sampled_ns();
      const uint64_t cpu = worker.CpuNs();
      const uint64_t wakeups = sampler.wakeups();
      const uint64_t fired = worker.state()->self_clock.fired.load();
      while (worker.CpuNs() - cpu < (500 * kMillisecond) << tries) {
        SleepMs(50);
        worker.DropRecords();
      }
      const double used = static_cast<double>(worker.CpuNs() - cpu);
      const double share = static_cast<double>(worker.sampled_ns() - sampled) / used;
      const auto taken = static_cast<double>(worker.samples() - samples);
      const double rate = taken / (used / 1e9);
      const auto woken = static_cast<double>(sampler.wakeups() - wakeups);
      char line[160];
      snprintf(line, sizeof line, "try %d: share %.4f rate %.0f wakeups %.0f of %.0f samples; ", static_cast<int>(tries), share, rate,
               woken, taken);
      measured += line;
      good = share > 0.97 && share < 1.03 && rate > 0.85 * kHz && rate < 2 * kHz && woken < 0.5 * taken &&
             worker.state()->self_clock.fired.load() > fired;
    }
    CHECK_EQ(asleep.samples(), on_its_way);
    CHECK(!ClocksItself(&asleep));
  }
  if (!CHECK(good)) CHECK_EQ(measured, "");
  sampler.Stop();
}

// Nobody else is there: from the moment at which the thread clocks itself the sampler has nothing to wake up for but its checks.
TEST(self_clock_of_the_only_thread_parks_the_sampler_at_once) {
  if (!Install()) return;
  Sampler sampler;
  sampler.Start(1000, {});
  {
    Worker worker(&sampler);
    bool good = false;
    std::string measured;
    for (int round = 0; round < 20 && !good; round++) {
      worker.Busy(false);
      SleepMs(300);
      const uint64_t cpu = worker.CpuNs();
      const uint64_t samples = worker.samples();
      worker.Busy(true);
      if (!Eventually([&] { return ClocksItself(&worker); })) break;
      const uint64_t begins = (worker.CpuNs() - cpu) / kMillisecond;
      const uint64_t wakeups = sampler.wakeups();
      // Less than the tenth of a second after which a quiet process parks.
      SleepMs(80);
      const uint64_t woken = sampler.wakeups() - wakeups;
      const uint64_t taken = worker.samples() - samples;
      worker.DropRecords();
      char line[100];
      snprintf(line, sizeof line, "after %d ms, %d wakeups, %d samples; ", static_cast<int>(begins), static_cast<int>(woken),
               static_cast<int>(taken));
      measured += line;
      good = begins < 80 && woken < 20 && taken > 30;
    }
    if (!CHECK(good)) CHECK_EQ(measured, "");
  }
  sampler.Stop();
}

TEST(self_clock_ends_when_its_thread_sleeps_and_loses_nothing) {
  if (!Install()) return;
  Sampler sampler;
  sampler.Start(1000, {});
  Worker worker(&sampler, true);
  for (int round = 0; round < 5; round++) {
    if (!CHECK(Eventually([&] { return ClocksItself(&worker); }))) break;
    worker.Busy(false);
    if (!CHECK(Eventually([&] { return !ClocksItself(&worker); }))) break;
    SleepMs(20);
    const uint64_t samples = worker.samples();
    const uint64_t fired = worker.state()->self_clock.fired.load();
    SleepMs(200);
    CHECK_EQ(worker.samples(), samples);  // asleep: neither samples nor signals
    CHECK_EQ(worker.state()->self_clock.fired.load(), fired);
    worker.Busy(true);
    CHECK(Eventually([&] { return worker.samples() > samples + 20; }));
    worker.DropRecords();
  }
  worker.Busy(false);
  SleepMs(20);
  // What was sampled is all up to the last sample, exactly.
  CHECK_EQ(worker.sampled_ns(), worker.state()->last_cpu_ns.load() - worker.start_cpu_ns());
  CHECK(static_cast<double>(worker.sampled_ns()) > 0.9 * static_cast<double>(worker.CpuNs()));
  sampler.Stop();
}

// A signal that finds its thread in a system call that waits takes no sample, and the third ends the clock, at once and not at the next
// check: by what the kernel leaves in the registers, for calls that are made again and for those that fail with EINTR.
TEST(self_clock_knows_a_thread_that_sleeps_by_its_registers) {
  if (!Install()) return;
  int pipes[2];
  if (!CHECK_EQ(pipe(pipes), 0)) return;
  const int poller = epoll_create1(0);
  std::atomic<uint32_t> word{0};
  const std::vector<std::pair<const char*, std::function<void()>>> waits = {{"poll", [] { poll(nullptr, 0, 60); }},
                                                                            {"epoll_wait",
                                                                             [&] {
                                                                               epoll_event event;
                                                                               epoll_wait(poller, &event, 1, 60);
                                                                             }},
                                                                            {"nanosleep", [] { SleepMs(60); }},
                                                                            {"futex with a limit",
                                                                             [&] {
                                                                               const timespec limit{0, 60'000'000};
                                                                               syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word),
                                                                                       FUTEX_WAIT_PRIVATE, 0, &limit, nullptr, 0);
                                                                             }},
                                                                            {"read", [&] {
                                                                               std::thread writer([&] {
                                                                                 SleepMs(60);
                                                                                 if (write(pipes[1], "x", 1) != 1) abort();
                                                                               });
                                                                               char byte;
                                                                               if (read(pipes[0], &byte, 1) != 1) abort();
                                                                               writer.join();
                                                                             }}};
  for (const auto& entry : waits) {
    const char* const name = entry.first;
    const std::function<void()>& wait = entry.second;  // clang before 16 captures no structured binding
    Sampler sampler;
    sampler.Start(1000, {});
    capture::ThreadState* state = Pool().Take();
    int known = 0;
    int rounds = 0;
    std::thread thread([&] {
      BeginSampling(state, &sampler);
      // Checks of the sampler, four a second, end the clock, too, in some rounds.
      for (rounds = 0; rounds < 20 && known < 3; rounds++) {
        for (int i = 0; i < 2000 && !state->self_clock.on.load(); i++) Compute(kMillisecond);
        if (!state->self_clock.on.load()) break;
        uint32_t bytes = 0;
        const uint64_t head = state->ring.Head();
        while (state->ring.Next(head, &bytes) != nullptr) state->ring.Release(bytes);
        const uint64_t fired = state->self_clock.fired.load();
        const uint64_t samples = state->samples.load();
        // The signal ends some of these calls.
        const uint64_t until = capture::MonotonicNowNs() + 60 * kMillisecond;
        while (capture::MonotonicNowNs() < until) wait();
        // Three signals in the wait ended it; one or two may have come between the calls.
        const uint64_t more = state->samples.load() - samples;
        const uint64_t came = state->self_clock.fired.load() - fired;
        if (!state->self_clock.on.load() && came >= capture::kAsleepShots && came <= capture::kAsleepShots + 3 && more <= 2) known++;
      }
      EndSampling(state, &sampler);
    });
    thread.join();
    if (!CHECK(known >= 3)) CHECK_EQ(name, "");
    sampler.Stop();
    Pool().Give(state);
  }
  close(poller);
  close(pipes[0]);
  close(pipes[1]);
}

// From 20 to 1000 Hz: the gap of the old rate is not waited for.
TEST(self_clock_takes_a_new_rate_at_once) {
  if (!Install()) return;
  Sampler sampler;
  sampler.Start(20, {});
  Worker worker(&sampler, true);
  int at_once = 0;
  constexpr int kRounds = 8;
  for (int round = 0; round < kRounds; round++) {
    sampler.SetFrequency(20);
    if (!CHECK(Eventually([&] { return ClocksItself(&worker); }))) break;
    const uint64_t slow = worker.CpuNs();
    while (worker.CpuNs() < slow + 30 * kMillisecond) SleepMs(5);
    const uint64_t fired = worker.state()->self_clock.fired.load();
    const uint64_t cpu = worker.CpuNs();
    sampler.SetFrequency(1000);
    while (worker.CpuNs() < cpu + 15 * kMillisecond) SleepMs(1);
    // Some 15; of the old rate's gaps every fourth would have ended by now.
    if (worker.state()->self_clock.fired.load() >= fired + 4) at_once++;
    worker.DropRecords();
  }
  CHECK(at_once >= kRounds - 2);
  sampler.Stop();
}

// As a thread that waits for the others of a parallel collection: less than a twentieth of the time, a moment each.
TEST(self_clock_is_for_threads_that_sleep_for_a_moment) {
  if (!Install()) return;
  constexpr double kHz = 1000;
  Sampler sampler;
  sampler.Start(kHz, {});
  capture::ThreadState* state = Pool().Take();
  bool good = false;
  std::string measured;
  std::thread thread([&] {
    BeginSampling(state, &sampler);
    for (uint64_t tries = 1; tries <= 4 && !good; tries++) {
      const uint64_t samples = state->samples.load();
      const uint64_t sampled = state->sampled_cpu_ns.load();
      const uint64_t fired = state->self_clock.fired.load();
      const uint64_t cpu = ThreadCpuNowNs();
      while (ThreadCpuNowNs() - cpu < (1000 * kMillisecond) << tries) {
        Compute(25 * kMillisecond);
        const timespec moment{0, 300'000};
        nanosleep(&moment, nullptr);
        uint32_t bytes = 0;
        const uint64_t head = state->ring.Head();
        while (state->ring.Next(head, &bytes) != nullptr) state->ring.Release(bytes);
      }
      const double used = static_cast<double>(ThreadCpuNowNs() - cpu);
      const double share = static_cast<double>(state->sampled_cpu_ns.load() - sampled) / used;
      const auto taken = static_cast<double>(state->samples.load() - samples);
      const double own = static_cast<double>(state->self_clock.fired.load() - fired) / taken;
      char line[160];
      snprintf(line, sizeof line, "try %d: share %.4f rate %.0f by its own clock %.2f; ", static_cast<int>(tries), share,
               taken / (used / 1e9), own);
      measured += line;
      good = share > 0.97 && share < 1.03 && taken / (used / 1e9) > 0.85 * kHz && own > 0.7;
    }
    EndSampling(state, &sampler);
  });
  thread.join();
  if (!CHECK(good)) CHECK_EQ(measured, "");
  sampler.Stop();
  Pool().Give(state);
}

// Sleeps of two milliseconds, often: never 95 % of the time busy, whatever the window. The thread sends itself to sleep: told by another
// one, which may be late, it would compute for as long as a thread that clocks itself. Others may keep it from its core in the middle of a
// burst, which is as good as computing: so seldom, not never.
TEST(self_clock_is_not_for_threads_that_sleep_now_and_then) {
  if (!Install()) return;
  Sampler sampler;
  sampler.Start(1000, {});
  capture::ThreadState* state = Pool().Take();
  int clocked = 0;
  uint64_t taken = 0;
  constexpr int kRounds = 150;
  std::thread thread([&] {
    BeginSampling(state, &sampler);
    for (int i = 0; i < kRounds; i++) {
      Compute(5 * kMillisecond);
      SleepMs(2);
      clocked += state->self_clock.on.load() ? 1 : 0;
      uint32_t bytes = 0;
      const uint64_t head = state->ring.Head();
      while (state->ring.Next(head, &bytes) != nullptr) state->ring.Release(bytes);
    }
    taken = state->samples.load();
    EndSampling(state, &sampler);
  });
  thread.join();
  CHECK(taken > kRounds);
  CHECK(clocked < kRounds / 10);
  sampler.Stop();
  Pool().Give(state);
}

TEST(self_clock_follows_the_rate_the_modes_and_the_stop) {
  if (!Install()) return;
  Sampler sampler;
  sampler.Start(100, {});
  Worker worker(&sampler, true);
  CHECK(Eventually([&] { return ClocksItself(&worker); }));
  const auto rate = [&] {
    const uint64_t samples = worker.samples();
    const uint64_t cpu = worker.CpuNs();
    while (worker.CpuNs() - cpu < 500 * kMillisecond) SleepMs(20);
    worker.DropRecords();
    return static_cast<double>(worker.samples() - samples) / (static_cast<double>(worker.CpuNs() - cpu) / 1e9);
  };
  bool good = false;
  for (int tries = 0; tries < 3 && !good; tries++) {
    sampler.SetFrequency(100);
    const double slow = rate();
    sampler.SetFrequency(1000);
    const double fast = rate();
    good = fast > 5 * slow && slow > 50;
  }
  CHECK(good);
  sampler.SetModes({.cpu = true, .wall = true});
  CHECK(Eventually([&] { return !ClocksItself(&worker); }));
  SleepMs(150);
  CHECK(!ClocksItself(&worker));
  sampler.SetModes({});
  CHECK(Eventually([&] { return ClocksItself(&worker); }));
  // Too slow to be worth a timer.
  sampler.SetFrequency(10);
  CHECK(Eventually([&] { return !ClocksItself(&worker); }));
  sampler.SetFrequency(1000);
  CHECK(Eventually([&] { return ClocksItself(&worker); }));
  sampler.Stop();
  CHECK(!ClocksItself(&worker));
  SleepMs(20);
  const uint64_t stopped = worker.samples();
  SleepMs(50);
  CHECK_EQ(worker.samples(), stopped);
}

// A thread that blocks the signal goes back to the sampler, whose patience grows.
TEST(self_clock_gives_up_where_signals_are_blocked) {
  if (!Install()) return;
  Sampler sampler;
  sampler.Start(1000, {});
  std::atomic<int> phase{0};
  capture::ThreadState* state = Pool().Take();
  std::thread thread([&] {
    BeginSampling(state, &sampler);
    while (phase.load() == 0) Compute(kMillisecond);
    sigset_t own;
    sigemptyset(&own);
    sigaddset(&own, capture::SampleSignal());
    pthread_sigmask(SIG_BLOCK, &own, nullptr);
    while (phase.load() == 1) Compute(kMillisecond);
    pthread_sigmask(SIG_UNBLOCK, &own, nullptr);
    while (phase.load() == 2) Compute(kMillisecond);
    EndSampling(state, &sampler);
  });
  const auto drop = [&] {
    uint32_t bytes = 0;
    const uint64_t head = state->ring.Head();
    while (state->ring.Next(head, &bytes) != nullptr) state->ring.Release(bytes);
  };
  CHECK(Eventually([&] { return state->self_clock.on.load(); }));
  phase = 1;
  CHECK(Eventually([&] { return !state->self_clock.on.load(); }));
  drop();
  const uint64_t before = state->samples.load();
  phase = 2;
  CHECK(Eventually([&] { return state->samples.load() > before + 20; }));
  CHECK(Eventually([&] { return state->self_clock.timer.load() >= 0; }));
  const int32_t timer = state->self_clock.timer.load();
  itimerspec left;
  CHECK_EQ(syscall(SYS_timer_gettime, timer, &left), 0);
  phase = 3;
  thread.join();
  CHECK_EQ(syscall(SYS_timer_gettime, timer, &left), -1);
  CHECK_EQ(state->self_clock.timer.load(), -1);  // freed with its thread
  sampler.Stop();
  Pool().Give(state);
}

}  // namespace
}  // namespace strobe::clock

#endif
