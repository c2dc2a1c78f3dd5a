#include "clock/self_clocks.h"

#include <algorithm>

#include "capture/capture.h"
#include "capture/clocks.h"
#include "capture/handler.h"
#include "capture/self_clock.h"

namespace strobe::clock {

namespace {

constexpr uint64_t kWatchNs = 100'000'000;
// A thread that computes is known sooner: a tick of the sampler costs twice a shot of the thread's own timer, and going to sleep costs some
// three shots for nothing, which behind twenty periods of work is the smaller part.
constexpr uint64_t kRecentPeriods = 20;
constexpr uint64_t kShortestRecentNs = 20'000'000;
constexpr uint64_t kRecentRanPercent = 60;
constexpr uint64_t kStandsNs = 2'000'000;
// One that was found to sleep too much is not believed so soon again.
constexpr uint64_t kRecentPauseNs = 1'000'000'000;
// Nobody looked for so long (wall mode, no run, not armed): what the thread did meanwhile says nothing of now.
constexpr uint64_t kStaleNs = 1'000'000'000;
constexpr uint64_t kBeginsPercent = 95;
constexpr uint64_t kGoesOnPercent = 90;
constexpr uint64_t kLongestPeriodNs = 50'000'000;  // 20 Hz
// A signal that does not come in so much CPU is blocked.
constexpr uint64_t kPatiencePeriods = 20;
constexpr uint64_t kPatienceNs = 50'000'000;
constexpr uint64_t kBlockedPauseNs = 5'000'000'000;

uint64_t RecentNs(uint64_t period_ns) { return std::max(kShortestRecentNs, kRecentPeriods * period_ns); }

// Ready to run, and its clock stands: a thread on a core is in the same state.
bool WaitsForCore(ClockedThread* thread) {
  const uint64_t cpu_ns = ReadCpuNs(*thread);
  return ReadCpuNs(*thread) == cpu_ns && IsRunnable(thread);
}

}  // namespace

void SelfClocked::Watch(Watched* watched, ClockedThread* thread, uint64_t cpu_ns, uint64_t now_ns) const {
  *watched = {now_ns, cpu_ns};
  Schedule schedule;
  watched->waits_known = ReadSchedule(thread, &schedule);
  watched->waited_ns = schedule.waited_ns;
  watched->uncounted_ns = stood_ ? now_ns - ran_ns_ : 0;
}

void SelfClocked::WatchAnew(ClockedThread* thread, uint64_t cpu_ns, uint64_t now_ns) {
  looked_ns_ = ran_ns_ = now_ns;
  looked_cpu_ns_ = cpu_ns;
  stood_ = ran_most_ = false;
  Watch(&long_, thread, cpu_ns, now_ns);
  recent_.since_ns = 0;
}

bool SelfClocked::WasBusy(const Watched& watched, ClockedThread* thread, uint64_t cpu_ns, uint64_t now_ns, uint64_t percent,
                          uint64_t longest_wait_ns) {
  if (cpu_ns < watched.cpu_ns) return false;  // it is gone
  uint64_t busy_ns = cpu_ns - watched.cpu_ns;
  const uint64_t needed_ns = (now_ns - watched.since_ns) / 100 * percent;
  if (busy_ns >= needed_ns) return true;
  Schedule schedule;
  if (!watched.waits_known || !ReadSchedule(thread, &schedule)) return false;
  const uint64_t waited_ns = schedule.waited_ns - watched.waited_ns;
  busy_ns += waited_ns - std::min(waited_ns, watched.uncounted_ns);
  return busy_ns >= needed_ns || (needed_ns - busy_ns < longest_wait_ns && WaitsForCore(thread));
}

bool SelfClocked::WasBusyRecently(ClockedThread* thread, uint64_t cpu_ns, uint64_t now_ns, uint64_t period_ns) {
  // What it does from now on is a look of its own: it begins when the thread runs again.
  if (stood_ && now_ns - ran_ns_ > kStandsNs) recent_.since_ns = 0;
  if (recent_.since_ns == 0) {
    // One that runs for a moment now and then is not asked about its waits each time.
    if (ran_most_) Watch(&recent_, thread, cpu_ns, now_ns);
    return false;
  }
  const uint64_t watched_ns = now_ns - recent_.since_ns;
  if (watched_ns < RecentNs(period_ns)) return false;
  const bool busy = now_ns >= recent_not_before_ns_ && cpu_ns >= recent_.cpu_ns + watched_ns / 100 * kRecentRanPercent &&
                    WasBusy(recent_, thread, cpu_ns, now_ns, kGoesOnPercent, std::min(now_ns - ran_ns_, watched_ns / 5));
  Watch(&recent_, thread, cpu_ns, now_ns);
  return busy;
}

bool SelfClocked::Begins(capture::ThreadState* state, ClockedThread* thread, uint64_t cpu_ns, uint64_t now_ns, uint64_t period_ns) {
  if (now_ns > looked_ns_ + std::max(kStaleNs, kRecentPeriods * period_ns)) {
    WatchAnew(thread, cpu_ns, now_ns);
    return false;
  }
  // A wait that goes on began after the last look behind which the thread ran.
  stood_ = cpu_ns == looked_cpu_ns_;
  ran_most_ = cpu_ns > looked_cpu_ns_ + (now_ns - looked_ns_) / 2;
  if (!stood_) ran_ns_ = looked_ns_;
  looked_ns_ = now_ns;
  looked_cpu_ns_ = cpu_ns;
  bool busy = WasBusyRecently(thread, cpu_ns, now_ns, period_ns);
  // What it did before says nothing of whether it goes on.
  if (busy) long_ = recent_;
  if (now_ns >= long_.since_ns + kWatchNs) {
    const uint64_t used_ns = cpu_ns > long_.cpu_ns ? cpu_ns - long_.cpu_ns : 0;
    if (used_ns > kWatchNs / 20) {
      const uint64_t longest_wait_ns = std::min(now_ns - ran_ns_, (now_ns - long_.since_ns) / 5);
      busy = busy || WasBusy(long_, thread, cpu_ns, now_ns, kBeginsPercent, longest_wait_ns);
      Watch(&long_, thread, cpu_ns, now_ns);
    } else {
      long_ = {now_ns, cpu_ns};
    }
  }
  busy = busy && period_ns <= kLongestPeriodNs && now_ns >= not_before_ns_;
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
  began_ns_ = now_ns;
  // The timer's first shot comes after `on`: the order in which the handler may see them.
  clock.on.store(true, std::memory_order_release);
  Renew(state);
  return true;
}

bool SelfClocked::GoesOn(capture::ThreadState* state, ClockedThread* thread, uint64_t now_ns, uint64_t period_ns) {
  if (!state->self_clock.on.load(std::memory_order_acquire)) {
    // It was found asleep. Watched from here: what it did before counts for nothing. One that went to sleep sooner than it had been watched
    // for has cost more than it saved.
    if (now_ns < began_ns_ + RecentNs(period_ns)) recent_not_before_ns_ = now_ns + kRecentPauseNs;
    WatchAnew(thread, ReadCpuNs(*thread), now_ns);
    return false;
  }
  if (now_ns < long_.since_ns + kWatchNs) return true;
  const uint64_t cpu_ns = ReadCpuNs(*thread);
  const uint64_t fired = state->self_clock.fired.load(std::memory_order_relaxed);
  if (fired != fired_) {
    fired_ = fired;
    fired_cpu_ns_ = cpu_ns;
  }
  const bool blocked = cpu_ns > fired_cpu_ns_ + std::max(kPatienceNs, kPatiencePeriods * period_ns);
  if (blocked) not_before_ns_ = now_ns + kBlockedPauseNs;
  // Nobody looked at it meanwhile: how long a wait goes on is not known.
  const bool busy = WasBusy(long_, thread, cpu_ns, now_ns, kGoesOnPercent, (now_ns - long_.since_ns) / 5);
  const bool goes_on = !blocked && period_ns <= kLongestPeriodNs && busy;
  if (!goes_on) Stop(state);
  if (!busy) recent_not_before_ns_ = now_ns + kRecentPauseNs;
  WatchAnew(thread, cpu_ns, now_ns);
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
