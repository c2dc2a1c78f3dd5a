// Tests of capture/self_clock.h: what the handler of a thread's own timer does, shot by shot; the calling thread stands for the sampled
// one.
//
// Contract: with the real timer and clocks. Not under ThreadSanitizer: it delivers signals when it likes.
#if !defined(__SANITIZE_THREAD__)

#include "capture/self_clock.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "test/clocked_worker.h"

namespace strobe::clock {
namespace {

using capture::CaptureByTimer;
using capture::CaptureResult;
using capture::Registers;

// A registered, armed state of the calling thread, without a sampler.
struct Own {
  Own() : state(Pool().Take()) {
    state->tid.store(static_cast<int32_t>(syscall(SYS_gettid)));
    state->last_cpu_ns = ThreadCpuNowNs();
    state->samples = 0;
    state->sampled_cpu_ns = 0;
    state->handler_ns = 0;
    state->signals = 0;
    state->self_clock.fired = 0;
    state->pending = 0;
    state->wall_began_ns = 0;
    state->self_clock.random = 1;
    state->self_clock.asleep = 0;
    state->self_clock.next_ns = capture::MonotonicNowNs();
    state->self_clock.switches = capture::VoluntarySwitches();
    state->self_clock.on = true;
    state->armed = true;
    capture::g_self_clock_rate.period_ns = kMillisecond;
  }
  ~Own() {
    state->armed = false;
    state->self_clock.on = false;
    uint32_t bytes = 0;
    const uint64_t head = state->ring.Head();
    while (state->ring.Next(head, &bytes) != nullptr) state->ring.Release(bytes);
    state->tid.store(0);
    Pool().Give(state);
  }
  capture::ThreadState* state;
};

TEST(self_clock_handler_samples_and_leaves_the_samplers_signal_alone) {
  Own own;
  own.state->pending = 1;
  const uint64_t start = own.state->last_cpu_ns;
  Compute(kMillisecond);
  CHECK(CaptureByTimer(own.state, Registers{}) == CaptureResult::kRecorded);
  CHECK_EQ(own.state->samples.load(), 1);
  CHECK(own.state->sampled_cpu_ns.load() >= kMillisecond);
  CHECK(own.state->last_cpu_ns.load() >= start + kMillisecond);
  CHECK_EQ(own.state->pending.load(), 1);
  CHECK_EQ(own.state->signals.load(), 0);
  CHECK_EQ(own.state->self_clock.fired.load(), 1);
  CHECK(own.state->handler_ns.load() > 0);
}

TEST(self_clock_handler_waits_for_the_dead_time) {
  Own own;
  capture::g_self_clock_rate.period_ns = 1000 * kMillisecond;
  const uint64_t start = own.state->last_cpu_ns;
  CHECK(CaptureByTimer(own.state, Registers{}) == CaptureResult::kTooSoon);
  CHECK_EQ(own.state->samples.load(), 0);
  CHECK_EQ(own.state->last_cpu_ns.load(), start);
  CHECK(own.state->self_clock.on.load());
}

TEST(self_clock_handler_leaves_a_thread_that_slept) {
  Own own;
  const uint64_t start = own.state->last_cpu_ns;
  Compute(kMillisecond);
  Registers registers;
  registers.at_syscall = capture::AtSyscall::kWait;
  registers.asleep = true;
  for (uint32_t shot = 1; shot <= capture::kAsleepShots; shot++) {
    CHECK(own.state->self_clock.on.load());
    own.state->self_clock.next_ns = 0;
    CHECK(CaptureByTimer(own.state, registers) == CaptureResult::kAsleep);
    CHECK_EQ(own.state->samples.load(), 0);
    CHECK_EQ(own.state->last_cpu_ns.load(), start);                              // the CPU waits
    CHECK_EQ(own.state->self_clock.next_ns != 0, shot < capture::kAsleepShots);  // set again, but for the last
  }
  CHECK(!own.state->self_clock.on.load());
  CHECK(CaptureByTimer(own.state, Registers{}) == CaptureResult::kDisarmed);
  CHECK_EQ(own.state->samples.load(), 0);
}

// Only signals in a row count: one that finds the thread at work is a sample, and the next sleep is met as often again.
TEST(self_clock_handler_goes_on_with_a_thread_that_slept_for_a_moment) {
  Own own;
  Registers asleep;
  asleep.at_syscall = capture::AtSyscall::kWait;
  asleep.asleep = true;
  for (int round = 1; round <= 3; round++) {
    for (uint32_t shot = 1; shot < capture::kAsleepShots; shot++) CHECK(CaptureByTimer(own.state, asleep) == CaptureResult::kAsleep);
    Compute(kMillisecond);
    CHECK(CaptureByTimer(own.state, Registers{}) == CaptureResult::kRecorded);
    CHECK(own.state->self_clock.on.load());
    CHECK_EQ(own.state->samples.load(), round);
  }
}

TEST(self_clock_handler_does_nothing_for_a_disarmed_thread) {
  Own own;
  own.state->armed = false;
  own.state->pending = 1;
  Compute(kMillisecond);
  const uint64_t next = own.state->self_clock.next_ns;
  CHECK(CaptureByTimer(own.state, Registers{}) == CaptureResult::kDisarmed);
  CHECK_EQ(own.state->samples.load(), 0);
  CHECK_EQ(own.state->pending.load(), 1);
  CHECK_EQ(own.state->self_clock.next_ns, next);
}

// Gaps: a dead time and an exponential rest, a period in all.
TEST(self_clock_gaps_are_exponential_behind_a_dead_time) {
  Own own;
  capture::PrepareSelfClocks();
  constexpr int kGaps = 20'000;
  constexpr uint64_t kPeriod = kMillisecond;
  double sum = 0;
  double squares = 0;
  int below_median = 0;
  uint64_t least = kPeriod * 100;
  for (int i = 0; i < kGaps; i++) {
    own.state->self_clock.next_ns = 0;
    const uint64_t before = capture::MonotonicNowNs();
    capture::SetSelfClock(own.state, true);
    const uint64_t gap = own.state->self_clock.next_ns - before;
    least = std::min(least, gap);
    sum += static_cast<double>(gap);
    squares += static_cast<double>(gap) * static_cast<double>(gap);
    // The median of an exponential of mean 0.75 is 0.75 ln 2.
    if (static_cast<double>(gap) < (0.25 + 0.75 * std::log(2.0)) * kPeriod) below_median++;
  }
  const double mean = sum / kGaps;
  const double deviation = std::sqrt(squares / kGaps - mean * mean);
  CHECK_NEAR(mean / kPeriod, 1.0, 0.03);
  CHECK_NEAR(deviation / kPeriod, 0.75, 0.04);
  CHECK_NEAR(static_cast<double>(below_median) / kGaps, 0.5, 0.02);
  CHECK(least >= kPeriod / 4);
}

// A shot that came late to a thread that left its core of its own accord since the timer was set: it slept. One that only waited for its
// core did not.
TEST(self_clock_handler_tells_a_sleep_from_a_wait_for_a_core) {
  Own own;
  const auto late = [&] { own.state->self_clock.next_ns = capture::MonotonicNowNs() - 50 * kMillisecond; };
  Compute(kMillisecond);
  late();
  own.state->self_clock.switches = capture::VoluntarySwitches();
  CHECK(CaptureByTimer(own.state, Registers{}) == CaptureResult::kRecorded);
  Compute(kMillisecond);
  late();
  own.state->self_clock.switches = capture::VoluntarySwitches();
  const uint64_t before = own.state->last_cpu_ns;
  SleepMs(1);
  CHECK(CaptureByTimer(own.state, Registers{}) == CaptureResult::kTooSoon);
  CHECK_EQ(own.state->last_cpu_ns.load(), before);  // the CPU waits
  CHECK(own.state->self_clock.on.load());
  // … and a shot in time is a sample, whatever the thread did before.
  own.state->self_clock.switches = 0;
  own.state->self_clock.next_ns = capture::MonotonicNowNs() + kMillisecond;
  CHECK(CaptureByTimer(own.state, Registers{}) == CaptureResult::kRecorded);
}

TEST(self_clock_handler_tells_the_sampler_that_its_thread_sleeps) {
  Own own;
  sigset_t told;
  sigemptyset(&told);
  sigaddset(&told, SIGURG);
  pthread_sigmask(SIG_BLOCK, &told, nullptr);
  capture::g_self_clock_rate.sampler_tid = static_cast<int32_t>(syscall(SYS_gettid));
  Registers registers;
  registers.asleep = true;
  for (uint32_t shot = 1; shot <= capture::kAsleepShots; shot++) {
    CHECK(CaptureByTimer(own.state, registers) == CaptureResult::kAsleep);
    sigset_t waiting;
    sigpending(&waiting);
    CHECK_EQ(sigismember(&waiting, SIGURG), shot == capture::kAsleepShots ? 1 : 0);
  }
  const timespec limit{5, 0};
  siginfo_t info;
  CHECK_EQ(sigtimedwait(&told, &info, &limit), SIGURG);
  capture::g_self_clock_rate.sampler_tid = 0;
  pthread_sigmask(SIG_UNBLOCK, &told, nullptr);
}

}  // namespace
}  // namespace strobe::clock

#endif
