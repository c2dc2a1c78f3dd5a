#include "capture/self_clock.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "capture/clocks.h"
#include "capture/thread_state.h"

namespace strobe::capture {

SelfClockRate g_self_clock_rate;

namespace {

// Quantiles of the exponential distribution with mean 1: the handler must not call libm. So many that a gap's share of the mean is never
// more than a thousandth off.
constexpr uint32_t kQuantiles = 1024;
double g_gaps[kQuantiles];

uint64_t NextGap(SelfClock* clock, uint64_t period_ns) {
  clock->random ^= clock->random << 13;
  clock->random ^= clock->random >> 17;
  clock->random ^= clock->random << 5;
  return static_cast<uint64_t>(g_gaps[clock->random % kQuantiles] * static_cast<double>(period_ns) * (1 - kDeadTime)) + 1;
}

// As a system call: libc's timer_t is not the kernel's id. `at_ns` 0: off.
void SetTimer(const SelfClock& clock, uint64_t at_ns) {
  itimerspec when{};
  when.it_value.tv_sec = static_cast<time_t>(at_ns / 1'000'000'000u);
  when.it_value.tv_nsec = static_cast<long>(at_ns % 1'000'000'000u);
  syscall(SYS_timer_settime, clock.timer.load(std::memory_order_relaxed), TIMER_ABSTIME, &when, nullptr);
}

}  // namespace

void PrepareSelfClocks() {
  for (uint32_t i = 0; i < kQuantiles; i++) g_gaps[i] = -std::log((i + 0.5) / kQuantiles);
}

uint64_t VoluntarySwitches() {
  rusage usage{};
  syscall(SYS_getrusage, RUSAGE_THREAD, &usage);
  return static_cast<uint64_t>(usage.ru_nvcsw);
}

bool SleptAtShot(const SelfClock& clock) {
  constexpr uint64_t kLateNs = 100'000;  // an interrupt and a signal take less, on any machine that is not displaced itself
  return MonotonicNowNs() > clock.next_ns + kLateNs && VoluntarySwitches() != clock.switches;
}

void SetSelfClock(ThreadState* state, bool after_sample) {
  SelfClock& clock = state->self_clock;
  const uint64_t period_ns = g_self_clock_rate.period_ns.load(std::memory_order_relaxed);
  const uint64_t dead_ns = after_sample ? DeadTimeNs(period_ns) : 0;
  const uint64_t now = MonotonicNowNs();
  // An absolute schedule, so that what a sample takes does not thin out the samples. A shot that was missed (the thread waited for a core)
  // is not made up for, and a new gap is drawn: the one that was missed is known to be short.
  // It was made to fire before its time when the rate changed: the old gap is over.
  const uint64_t fired_ns = std::min(clock.next_ns, now);
  uint64_t next = fired_ns + dead_ns + NextGap(&clock, period_ns);
  if (next <= now) next = now + dead_ns + NextGap(&clock, period_ns);
  clock.next_ns = next;
  clock.switches = VoluntarySwitches();
  SetTimer(clock, next);
  // Switched off meanwhile: the other call may have come first.
  if (!clock.on.load()) SetTimer(clock, 0);
}

void LeaveSelfClock(ThreadState* state) {
  state->self_clock.on.store(false, std::memory_order_release);
  const int32_t sampler = g_self_clock_rate.sampler_tid.load(std::memory_order_relaxed);
  if (sampler != 0) syscall(SYS_tgkill, getpid(), sampler, SIGURG);
}

}  // namespace strobe::capture
