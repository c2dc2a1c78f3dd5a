// What is recorded, how often, and at what cost: modes and rate of a running profiler, wall time of each thread, the overhead budget.
#include <time.h>

#include <algorithm>

#include "capture/clocks.h"
#include "profiler.h"

namespace strobe {

namespace {

constexpr uint64_t kStartTakesNs = 2'000'000'000;

}  // namespace

void Profiler::CountUnsampled(capture::ThreadState* state) {
  if (!state->cpu_recorded.load()) return;
  const uint64_t cpu_ns = probe::ThreadCpuNs(state->tid.load());
  const uint64_t last_ns = state->last_cpu_ns.load();
  if (cpu_ns > last_ns) state->unsampled_ns_since_taken.fetch_add(cpu_ns - last_ns);
}

// Wall time begins for a thread: whoever arms it or switches the mode on, under the registry's lock.
void Profiler::BeginWall(capture::ThreadState* state) {
  const uint64_t now = capture::MonotonicNowNs();
  state->last_wall_ns.store(now);
  state->stood_at_syscall.store(false);
  state->wall_before_idle_ns.store(state->wall_ended_idle_ns.load());
  state->wall_runs.fetch_add(1);
  state->wall_began_ns.store(now, std::memory_order_release);
}

// … and ends. Time behind the last sample, but for what the thread slept in its stack, is shown as `(unsampled)`. No lock: DisarmAll calls
// it.
void Profiler::EndWall(capture::ThreadState* state) {
  if (state->wall_began_ns.exchange(0) == 0) return;
  const uint64_t now = capture::MonotonicNowNs();
  const uint64_t idle_until = state->idle_until_ns.load();
  const uint64_t seen = std::max(state->last_wall_ns.load(), idle_until);
  state->wall_ended_idle_ns.store(idle_until);
  state->wall_ended_seen_ns.store(seen);
  state->wall_ended_run.store(state->wall_runs.load());
  // At least a nanosecond: the collector takes it as the sign to close the account.
  state->wall_unsampled_ns_since_taken.fetch_add(now > seen ? now - seen : 1, std::memory_order_release);
}

void Profiler::SetFrequency(double hz) {
  std::lock_guard<std::mutex> lock(mutex_);
  asked_hz_ = hz;
  budget_.Ask(hz);
  collector_.SetFrequency(hz, stack::RateReason::kAsked);
  // Under a budget a higher rate is climbed to, as far as it holds.
  if (budget_share_ > 0 && sampler_.frequency_hz() < hz) {
    collector_.SetFrequency(sampler_.frequency_hz(), stack::RateReason::kBudget);
    return;
  }
  sampler_.SetFrequency(hz);
}

// CPU used so far belongs to what was recorded so far. Between the two reads at most one sample is taken.
void Profiler::SetCpuRecorded(capture::ThreadState* state, bool record) {
  if (state->cpu_recorded.load() == record) return;
  if (!record) CountUnsampled(state);
  state->last_cpu_ns.store(probe::ThreadCpuNs(state->tid.load()));
  state->cpu_recorded.store(record);
}

bool Profiler::SetModes(clock::Modes modes) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!running_) return false;
  const bool had_wall = modes_.wall;
  modes_ = modes;
  for (const SampledThread* thread : threads_) {
    capture::ThreadState* state = thread->state;
    if (!state->armed.load()) continue;
    if (modes.wall && !had_wall) BeginWall(state);
    if (!modes.wall && had_wall) EndWall(state);
    SetCpuRecorded(state, modes.cpu);
  }
  sampler_.SetModes(modes);
  // Accounts that were closed are not to wait for the next sample.
  collector_.Wake();
  return true;
}

clock::Budget::Totals Profiler::CostSoFar(uint64_t now_ns) {
  const Stats stats = ReadStats();
  clock::Budget::Totals totals;
  totals.now_ns = now_ns;
  totals.sampling_ns = stats.handler_ns + stats.signal_ns + stats.gc_ns + stats.sampler_ns + collector_.counters().cpu_ns.load();
  totals.rest_ns = stats.code_event_ns + stats.encoder_ns;
  totals.process_ns = capture::ReadClockNs(CLOCK_PROCESS_CPUTIME_ID);
  return totals;
}

void Profiler::StepBudget(uint64_t now_ns) {
  if (!has_budget_.load(std::memory_order_relaxed)) return;
  {
    // Held through a whole listing of code: this thread has rings to drain, and takes the next round.
    std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock() || !running_ || budget_share_ == 0 || now_ns < next_budget_step_ns_) return;
    next_budget_step_ns_ = now_ns + 1'000'000'000;
  }
  const clock::Budget::Totals totals = CostSoFar(now_ns);
  std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock() || !running_) return;
  if (!budget_begun_) {
    // What the start took (the encoder's isolate most of all, its self-test, V8's list of code) is paid once: counted here it would starve
    // the first half minute of samples.
    if (now_ns < started_ns_ + kStartTakesNs) return;
    budget_.Begin(budget_share_, asked_hz_, totals);
    budget_begun_ = true;
    return;
  }
  const double next = budget_.Step(totals, sampler_.frequency_hz());
  if (next == 0) return;
  collector_.SetFrequency(next, stack::RateReason::kBudget);
  sampler_.SetFrequency(next);
}

}  // namespace strobe
