#include "clock/wall_watch.h"

namespace strobe::clock {

namespace {

// Enough to return from the signal and to make the system call again.
constexpr uint64_t kBackToSleepNs = 50'000;

}  // namespace

bool ThreadLook::Running() {
  if (running_ == Known::kNotAsked) running_ = ReadCpuNs(*thread_) != cpu_ns_ ? Known::kYes : Known::kNo;
  return running_ == Known::kYes;
}

bool ThreadLook::Runnable() {
  if (Running()) return false;
  if (runnable_ == Known::kNotAsked) runnable_ = IsRunnable(thread_) ? Known::kYes : Known::kNo;
  return runnable_ == Known::kYes;
}

bool WallWatch::Due(capture::ThreadState* state, ClockedThread* thread, ThreadLook* look, uint64_t now_ns, uint64_t dead_ns) {
  const uint32_t run = state->wall_runs.load(std::memory_order_acquire);
  if (run != run_) {
    run_ = run;
    sampled_ = false;
    asleep_ = false;
    sent_asleep_ = false;
    next_ns_ = 0;
  }
  if (now_ns < next_ns_) return false;
  // A signal is on its way: the thread's state is the handler's to write. The sampler tries the signal again when it was swallowed.
  if (state->pending.load(std::memory_order_acquire) != 0) return true;
  if (!sampled_) return true;
  if (asleep_ && look->cpu_ns() != settled_cpu_ns_) asleep_ = false;
  if (!asleep_ && sent_asleep_ && state->stood_at_syscall.load(std::memory_order_relaxed)) {
    // The clock was read first: a run behind that shows at the next tick, one before it is in the count.
    Schedule schedule;
    asleep_ = look->cpu_ns() < state->wall_cpu_ns.load(std::memory_order_relaxed) + kBackToSleepNs && !look->Running() &&
              !look->Runnable() && ReadSchedule(thread, &schedule) && schedule.slices == slices_ + 1;
    settled_cpu_ns_ = look->cpu_ns();
    sent_asleep_ = asleep_;
  }
  if (!asleep_) return true;
  sent_asleep_ = false;
  next_ns_ = now_ns + dead_ns;
  state->idle_ticks.store(state->idle_ticks.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  state->idle_until_ns.store(now_ns, std::memory_order_release);
  return false;
}

void WallWatch::Sends(ClockedThread* thread, ThreadLook* look, uint64_t next_ns) {
  sampled_ = true;
  asleep_ = false;
  next_ns_ = next_ns;
  sent_asleep_ = !look->Running() && !look->Runnable();
  if (sent_asleep_) {
    Schedule schedule;
    batches_ = ReadSchedule(thread, &schedule);
    slices_ = schedule.slices;
    sent_asleep_ = batches_;
  }
}

}  // namespace strobe::clock
