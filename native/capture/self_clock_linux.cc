#include "capture/self_clock.h"

#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

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

}  // namespace

void PrepareSelfClocks() {
  for (uint32_t i = 0; i < kQuantiles; i++) g_gaps[i] = -std::log((i + 0.5) / kQuantiles);
}

void SetSelfClock(ThreadState* state, bool after_sample) {
  SelfClock& clock = state->self_clock;
  const uint64_t period_ns = g_self_clock_rate.period_ns.load(std::memory_order_relaxed);
  const uint64_t gap = NextGap(&clock, period_ns) + (after_sample ? DeadTimeNs(period_ns) : 0);
  const uint64_t now = MonotonicNowNs();
  // An absolute schedule, so that what a sample takes does not thin out the samples. One that was missed (the thread waited for a core) is
  // not made up for: gaps have no memory.
  uint64_t next = clock.next_ns + gap;
  const uint64_t longest = now + kLongestGapPeriods * period_ns;
  if (next <= now || next > longest) next = now + gap;
  clock.next_ns = next;
  clock.set_ns = now;
  // The kernel's 64-bit itimerspec; musl and 32-bit systems are no different on the platforms that we build for.
  itimerspec when{};
  when.it_value.tv_sec = static_cast<time_t>(next / 1'000'000'000u);
  when.it_value.tv_nsec = static_cast<long>(next % 1'000'000'000u);
  // As a system call: libc's timer_t is not the kernel's id.
  syscall(SYS_timer_settime, clock.timer.load(std::memory_order_relaxed), TIMER_ABSTIME, &when, nullptr);
}

void LeaveSelfClock(ThreadState* state) {
  state->self_clock.on.store(false, std::memory_order_release);
  const int32_t sampler = g_self_clock_rate.sampler_tid.load(std::memory_order_relaxed);
  if (sampler != 0) syscall(SYS_tgkill, getpid(), sampler, SIGURG);
}

}  // namespace strobe::capture
