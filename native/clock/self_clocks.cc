#include "clock/self_clocks.h"

#include <algorithm>

#include "capture/capture.h"
#include "capture/clocks.h"
#include "capture/handler.h"
#include "capture/self_clock.h"

namespace strobe::clock {

namespace {

constexpr uint64_t kWatchNs = 100'000'000;
// A thread that computes, and is not kept from its core, is known sooner: a tick of the sampler costs twice a shot of the thread's own
// timer, and going to sleep costs some three shots for nothing, which behind twenty periods of work is the smaller part.
constexpr uint64_t kRecentPeriods = 20;
constexpr uint64_t kShortestRecentNs = 20'000'000;
constexpr uint64_t kBeginsPercent = 95;
constexpr uint64_t kGoesOnPercent = 90;
constexpr uint64_t kLongestPeriodNs = 50'000'000;  // 20 Hz
// A signal that does not come in so much CPU is blocked.
constexpr uint64_t kPatiencePeriods = 20;
constexpr uint64_t kPatienceNs = 50'000'000;
constexpr uint64_t kBlockedPauseNs = 5'000'000'000;

// Ready to run, and its clock stands: a thread on a core is in the same state.
bool WaitsForCore(ClockedThread* thread) {
  const uint64_t cpu_ns = ReadCpuNs(*thread);
  return ReadCpuNs(*thread) == cpu_ns && IsRunnable(thread);
}

}  // namespace

void SelfClocked::Watch(ClockedThread* thread, uint64_t cpu_ns, uint64_t now_ns) {
  since_ns_ = recent_since_ns_ = now_ns;
  cpu_ns_ = recent_cpu_ns_ = cpu_ns;
  Schedule schedule;
  waits_known_ = ReadSchedule(thread, &schedule);
  waited_ns_ = schedule.waited_ns;
}

bool SelfClocked::WasBusy(ClockedThread* thread, uint64_t cpu_ns, uint64_t now_ns, uint64_t percent, uint64_t longest_wait_ns) const {
  if (cpu_ns < cpu_ns_) return false;  // it is gone
  uint64_t busy_ns = cpu_ns - cpu_ns_;
  const uint64_t needed_ns = (now_ns - since_ns_) / 100 * percent;
  if (busy_ns >= needed_ns) return true;
  Schedule schedule;
  if (!waits_known_ || !ReadSchedule(thread, &schedule)) return false;
  busy_ns += schedule.waited_ns - waited_ns_;
  // The kernel counts a wait when it is over: what is missing may be the wait of this moment.
  return busy_ns >= needed_ns || (needed_ns - busy_ns < longest_wait_ns && WaitsForCore(thread));
}

bool SelfClocked::ComputedRecently(uint64_t cpu_ns, uint64_t now_ns, uint64_t period_ns) {
  const uint64_t watched_ns = now_ns - recent_since_ns_;
  if (watched_ns < std::max(kShortestRecentNs, kRecentPeriods * period_ns)) return false;
  const bool computed = recent_since_ns_ != 0 && cpu_ns >= recent_cpu_ns_ + watched_ns / 100 * kBeginsPercent;
  recent_since_ns_ = now_ns;
  recent_cpu_ns_ = cpu_ns;
  return computed;
}

bool SelfClocked::Begins(capture::ThreadState* state, ClockedThread* thread, uint64_t cpu_ns, uint64_t now_ns, uint64_t period_ns) {
  // A wait that goes on began after the last look behind which the thread ran.
  if (cpu_ns != looked_cpu_ns_) ran_ns_ = looked_ns_;
  looked_ns_ = now_ns;
  looked_cpu_ns_ = cpu_ns;
  const bool computed = ComputedRecently(cpu_ns, now_ns, period_ns);
  if (!computed && now_ns < since_ns_ + kWatchNs) return false;
  // A thread that used no CPU to speak of is not asked about its waits at each turn.
  const uint64_t used_ns = cpu_ns > cpu_ns_ ? cpu_ns - cpu_ns_ : 0;
  const bool busy = since_ns_ != 0 && period_ns <= kLongestPeriodNs && now_ns >= not_before_ns_ &&
                    (computed || (used_ns > kWatchNs / 20 &&
                                  WasBusy(thread, cpu_ns, now_ns, kBeginsPercent, std::min(now_ns - ran_ns_, (now_ns - since_ns_) / 5))));
  if (used_ns > kWatchNs / 20) {
    Watch(thread, cpu_ns, now_ns);
  } else {
    since_ns_ = now_ns;
    cpu_ns_ = cpu_ns;
    waits_known_ = false;
  }
  // Its signal would end the process; the sampler's next look says why there is none.
  if (!busy || !capture::HandlerInPlace()) return false;
  capture::SelfClock& clock = state->self_clock;
  // Made in an earlier run, for a signal that somebody has taken since.
  if (signal_ != capture::SampleSignal()) Forget(state);
  if (clock.timer.load(std::memory_order_relaxed) < 0) {
    int32_t timer = -1;
    if (!MakeThreadTimer(*thread, capture::MakeToken(state->index, {}), &timer)) {
      // A limit on timers or pending signals, or a filter: the sampler goes on as before.
      not_before_ns_ = now_ns + kBlockedPauseNs;
      return false;
    }
    clock.timer.store(timer, std::memory_order_relaxed);
    signal_ = capture::SampleSignal();
  }
  // Threads that begin at one tick are not to stay in step.
  if (clock.random == 0) clock.random = (static_cast<uint32_t>(now_ns) ^ (static_cast<uint32_t>(thread->tid) * 0x9e3779b9u)) | 1;
  clock.asleep = 0;
  clock.next_ns = now_ns;
  clock.switches = ~uint64_t{0};  // not known: the first shot, when it is late, takes no sample
  fired_ = clock.fired.load(std::memory_order_relaxed);
  fired_cpu_ns_ = cpu_ns;
  // The timer's first shot comes after `on`: the order in which the handler may see them.
  clock.on.store(true, std::memory_order_release);
  Renew(state);
  return true;
}

bool SelfClocked::GoesOn(capture::ThreadState* state, ClockedThread* thread, uint64_t now_ns, uint64_t period_ns) {
  if (!state->self_clock.on.load(std::memory_order_acquire)) {
    // It was found asleep. Watched from here: what it did before counts for nothing.
    Watch(thread, ReadCpuNs(*thread), now_ns);
    return false;
  }
  if (now_ns < since_ns_ + kWatchNs) return true;
  const uint64_t cpu_ns = ReadCpuNs(*thread);
  const uint64_t fired = state->self_clock.fired.load(std::memory_order_relaxed);
  if (fired != fired_) {
    fired_ = fired;
    fired_cpu_ns_ = cpu_ns;
  }
  const bool blocked = cpu_ns > fired_cpu_ns_ + std::max(kPatienceNs, kPatiencePeriods * period_ns);
  if (blocked) not_before_ns_ = now_ns + kBlockedPauseNs;
  // Nobody looked at it meanwhile: a wait that goes on may be as long as the kernel lets threads wait.
  const bool goes_on =
      !blocked && period_ns <= kLongestPeriodNs && WasBusy(thread, cpu_ns, now_ns, kGoesOnPercent, (now_ns - since_ns_) / 5);
  if (!goes_on) Stop(state);
  Watch(thread, cpu_ns, now_ns);
  return goes_on;
}

void SelfClocked::Renew(capture::ThreadState* state) {
  // The handler may do the same at this moment: both write gaps that are good, and the later one holds.
  SetThreadTimer(state->self_clock.timer.load(std::memory_order_relaxed), capture::MonotonicNowNs() + 1);
}

void SelfClocked::Stop(capture::ThreadState* state) {
  state->self_clock.on.store(false, std::memory_order_release);
  const int32_t timer = state->self_clock.timer.load(std::memory_order_relaxed);
  if (timer >= 0) SetThreadTimer(timer, 0);
}

void SelfClocked::Forget(capture::ThreadState* state) {
  state->self_clock.on.store(false, std::memory_order_release);
  const int32_t timer = state->self_clock.timer.exchange(-1, std::memory_order_acq_rel);
  if (timer >= 0) DropThreadTimer(timer);
}

}  // namespace strobe::clock
