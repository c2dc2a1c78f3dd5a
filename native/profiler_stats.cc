// What the profiler says of itself: counters of its threads, live and ended, and which thread is which.
#include <unistd.h>

#include "clock/signal_cost.h"
#include "profiler.h"

namespace strobe {

namespace {

// Between two measures that are to join the mean: fewer signals cost less than the measuring.
constexpr uint64_t kSignalsBetweenMeasures = 1000;

}  // namespace

Profiler::SignalCounts Profiler::CountSignals() {
  SignalCounts counts;
  {
    std::lock_guard<std::mutex> states_lock(states_mutex_);
    counts = {ended_signals_, ended_fired_, ended_spread_};
  }
  for (const SampledThread* thread : threads_) {
    counts.sent += thread->state->signals.load();
    counts.fired += thread->state->self_clock.fired.load();
    counts.spread += thread->spread_samples.load();
  }
  return counts;
}

bool Profiler::MeasureSignals(bool again) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!again && sent_signals_.known() && fired_signals_.known()) return false;
    const SignalCounts counts = CountSignals();
    if (again && sent_signals_.Since(counts.sent) + fired_signals_.Since(counts.fired) < kSignalsBetweenMeasures) return false;
  }
  // Not under the lock: it takes milliseconds.
  const clock::SignalCost cost = clock::MeasureSignalCost();
  std::lock_guard<std::mutex> lock(mutex_);
  const SignalCounts counts = CountSignals();
  sent_signals_.Measured(counts.sent, cost.sent_ns);
  fired_signals_.Measured(counts.fired, cost.timer_ns);
  // What came before is not charged: a first measure that was late would put all of it into one moment, and a budget would answer to that.
  if (!spread_signals_.known()) spread_signals_.BeginAt(counts.spread);
  spread_signals_.Measured(counts.spread, cost.spread_ns);
  return true;
}

Profiler::Stats Profiler::ReadStats() {
  Stats stats;
  std::lock_guard<std::mutex> lock(mutex_);
  stats.running = running_ || stopping_;
  const v8api::Symbols* symbols = v8api::LoadSymbols(nullptr);
  stats.gc_stacks = symbols != nullptr && symbols->add_gc_prologue != nullptr;
  v8::FindLayout(&stats.lines_off);
  stats.frequency_hz = sampler_.frequency_hz();
  stats.asked_hz = asked_hz_;
  stats.modes = modes_;
  stats.batches_idle = sampler_.batches_idle();
  {
    std::lock_guard<std::mutex> states_lock(states_mutex_);
    stats.ring_bytes = uint64_t{states_made_} * kRingBytes;
    stats.samples = ended_samples_;
    stats.wall_samples = ended_wall_samples_;
    stats.sampled_cpu_ns = ended_cpu_ns_;
    stats.handler_ns = ended_handler_ns_;
    stats.code_event_ns = ended_code_event_ns_;
    stats.gc_ns = ended_gc_ns_;
    stats.labels_refused = ended_labels_refused_;
    stats.details = ended_details_;
    stats.details_refused = ended_refused_;
  }
  for (const SampledThread* thread : threads_) {
    const uint64_t samples = thread->state->samples.load();
    const uint64_t cpu_ns = thread->state->sampled_cpu_ns.load();
    stats.threads.push_back({thread->tid, thread->name, samples, cpu_ns});
    stats.samples += samples;
    stats.wall_samples += thread->state->wall_samples.load();
    stats.sampled_cpu_ns += cpu_ns;
    stats.handler_ns += thread->state->handler_ns.load();
    if (thread->state->self_clock.on.load()) stats.self_clocked++;
    stats.code_event_ns += thread->events.callback_ns.load();
    stats.gc_ns += thread->state->gc_ns.load();
    stats.labels_refused += thread->state->labels_refused.load();
    if (const v8::CodeReader* reader = thread->events.reader()) {
      stats.details += reader->details.load();
      stats.details_refused += reader->refused.load();
      stats.without_positions += reader->without_table.load();
    }
  }
  {
    std::lock_guard<std::mutex> encoder_lock(encoder_mutex_);
    stats.encoder_ns = ended_encoder_ns_ + (encoder_tid_ != 0 ? probe::ThreadCpuNs(encoder_tid_) : 0);
  }
  const SignalCounts counts = CountSignals();
  stats.signal_ns = sent_signals_.TotalNs(counts.sent) + fired_signals_.TotalNs(counts.fired) +
                    spread_signals_.TotalNs(counts.spread) / SampledThread::kSpreadUnits;
  stats.sampler_ns = sampler_.cpu_ns();
  stats.sampler_wakeups = sampler_.wakeups();
  stats.signal_taken = sampler_.signal_taken();
  stats.signals_refused = sampler_.refused();
  stats.refused_errno = sampler_.refused_errno();
  return stats;
}

bool Profiler::KnownKind(int32_t tid, probe::ThreadKind* kind) {
  {
    std::lock_guard<std::mutex> lock(encoder_mutex_);
    if (tid == encoder_tid_ && tid != 0) {
      *kind = probe::ThreadKind::kStrobe;
      return true;
    }
  }
  std::lock_guard<std::mutex> lock(mutex_);
  for (const SampledThread* thread : threads_) {
    if (thread->tid != tid) continue;
    *kind = tid == getpid() ? probe::ThreadKind::kMain : probe::ThreadKind::kWorker;
    return true;
  }
  return false;
}

}  // namespace strobe
