#include "profiler.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capture/capture.h"
#include "capture/clocks.h"
#include "capture/handler.h"
#include "lifecycle.h"

namespace strobe {

namespace {

// A handler takes microseconds, unless its thread waits for a core.
constexpr uint64_t kHandlersMayTakeNs = 50'000'000;

int32_t CurrentTid() { return static_cast<int32_t>(syscall(SYS_gettid)); }

// Async-signal-safe: one futex wake at most.
void WakeForSignal() { capture::g_doorbell.Ring(true); }

void AtExit() { Profiler::Get().Disarm(); }

}  // namespace

Profiler& Profiler::Get() {
  static auto* profiler = new Profiler;
  return *profiler;
}

Profiler::Profiler() : collector_([this](SampledThread* thread) { OnDrained(thread); }) {
  collector_.SetHousekeeping([this](uint64_t now_ns) { StepBudget(now_ns); });
}

void Profiler::Arm(SampledThread* thread) {
  // A signal that was swallowed while an earlier run ended must not stop this one from sending.
  thread->state->pending.store(0);
  const uint64_t cpu_ns = probe::ThreadCpuNs(thread->tid);
  thread->state->last_cpu_ns.store(cpu_ns);
  thread->state->armed_cpu_ns.store(cpu_ns);
  thread->state->cpu_recorded.store(modes_.cpu);
  thread->state->charged_cpu_ns.store(cpu_ns);
  // The source can't be freed now: that takes the registry's lock, which is ours.
  const capture::LabelSource* labels = thread->state->labels.load();
  thread->state->charged_sections_ns.store(labels != nullptr ? labels->sections_ns.load() : 0);
  if (modes_.wall) BeginWall(thread->state);
  thread->state->armed.store(true, std::memory_order_release);
}

StartResult Profiler::Start(const StartOptions& options, StartTimings* timings, std::string* error) {
  const uint64_t start = capture::MonotonicNowNs();
  std::lock_guard<std::mutex> lock(mutex_);
  if (running_ || stopping_) return StartResult::kAlreadyRunning;
  if (v8api::LoadSymbols(error) == nullptr) return StartResult::kUnsupportedRuntime;
  if (capture::InstallHandler(error) == 0) return StartResult::kUnsupportedRuntime;
  const uint64_t symbols_done = capture::MonotonicNowNs();

  max_depth_ = options.max_depth;
  SampledThread* current = JoinLocked(options.thread_name, options.thread_id, error);
  if (current == nullptr) return StartResult::kUnsupportedRuntime;
  lifecycle::InstallExitAndFork(AtExit, capture::MakeInert);
  const uint64_t joined = capture::MonotonicNowNs();
  if (!Attach(current)) {
    *error = "too many isolates announce code";
    return StartResult::kUnsupportedRuntime;
  }
  const uint64_t enumerated = capture::MonotonicNowNs();

  modes_ = options.modes;
  asked_hz_ = options.frequency_hz;
  collector_.SetFrequency(options.frequency_hz, stack::RateReason::kStart);
  collector_.RecordTimes(options.times);
  collector_.MarkStart();
  collector_.attribution().Reset(&label::LabelTable::Get());
  {
    std::lock_guard<std::mutex> encoder_lock(encoder_mutex_);
    // It may have attached itself already: it is started before the engine.
    encoder_comes_ = encoder_tid_ == 0;
  }
  collector_.SetFlushHooks({[] { return lifecycle::PendingSignal() != 0; },
                            [this] {
                              std::lock_guard<std::mutex> encoder_lock(encoder_mutex_);
                              if (encoder_comes_) return Collector::Delivery::kNotYet;
                              if (!encoder_wake_) return Collector::Delivery::kNobody;
                              encoder_wake_('f');
                              return Collector::Delivery::kAsked;
                            },
                            [this] {
                              DisarmAll();
                              StepAside();
                            },
                            [] { lifecycle::EndByPendingSignal(); }},
                           options.exit_timeout_ms);
  double hz = options.frequency_hz;
  if (options.budget_share > 0) hz = clock::Budget::FirstHz(options.budget_share, hz);
  if (hz != options.frequency_hz) collector_.SetFrequency(hz, stack::RateReason::kBudget);
  if (!sampler_.Start(hz, options.modes)) {
    *error = "no further thread can be made (a limit on threads or memory)";
    return StartResult::kUnsupportedRuntime;
  }
  handle_signals_ = options.handle_signals;
  if (handle_signals_) lifecycle::InstallEndingSignals(WakeForSignal);
  for (SampledThread* thread : threads_) {
    // A state's depth is constant while it is armed; it isn't now.
    thread->state->max_depth = max_depth_;
    Arm(thread);
  }
  owner_tid_ = current->tid;
  running_ = true;
  running_word_.store(1);

  budget_share_ = options.budget_share;
  has_budget_.store(options.budget_share > 0);
  budget_begun_ = false;
  started_ns_ = capture::MonotonicNowNs();
  next_budget_step_ns_ = 0;
  const uint64_t done = capture::MonotonicNowNs();
  *timings = {symbols_done - start, (joined - symbols_done) + (done - enumerated), enumerated - joined, done - start};
  return StartResult::kStarted;
}

void Profiler::DisarmAll() {
  // Called on the collector's thread too, when the flush of an ending signal begins; a thread that registers at the same moment may stay
  // armed, which costs samples behind the flush, nothing else.
  running_word_.store(0);
  const uint64_t until_ns = capture::MonotonicNowNs() + kHandlersMayTakeNs;
  for (uint32_t i = 0; i < capture::kMaxThreads; i++) {
    capture::ThreadState* state = capture::g_thread_table[i].load(std::memory_order_acquire);
    if (state == nullptr) break;
    if (!state->armed.exchange(false)) continue;
    capture::WaitForHandler(*state, until_ns);
    CountUnsampled(state);
    EndWall(state);
  }
}

void Profiler::Disarm() {
  DisarmAll();
  sampler_.Stop();
}

void Profiler::StepAside() {
  // No lock, as DisarmAll: called on the collector's thread too.
  constexpr int kLowest = 19;
  const int32_t own = CurrentTid();
  for (uint32_t i = 0; i < capture::kMaxThreads; i++) {
    const capture::ThreadState* state = capture::g_thread_table[i].load(std::memory_order_acquire);
    if (state == nullptr) break;
    const int32_t tid = state->tid.load();
    // Linux: the priority of one thread. Lowering it needs no privilege; raising our own again would.
    if (tid != 0 && tid != own) setpriority(PRIO_PROCESS, static_cast<id_t>(tid), kLowest);
  }
}

bool Profiler::Stop() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!running_) return false;
  running_ = false;
  running_word_.store(0);
  stopping_ = true;
  Disarm();
  // This thread's code is no longer followed; other threads' isolates can only be detached by themselves and stay attached until they end.
  if (SampledThread* current = FindCurrent(); current != nullptr) Detach(current);
  return true;
}

void Profiler::Release() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!stopping_) return;
  stopping_ = false;
  {
    std::lock_guard<std::mutex> encoder_lock(encoder_mutex_);
    encoder_comes_ = false;
  }
  lifecycle::RemoveEndingSignals();
}

void Profiler::FollowSignals() {
  std::lock_guard<std::mutex> lock(mutex_);
  if ((running_ || stopping_) && handle_signals_) lifecycle::FollowEndingSignals();
}

bool Profiler::running() {
  std::lock_guard<std::mutex> lock(mutex_);
  return running_;
}

}  // namespace strobe
