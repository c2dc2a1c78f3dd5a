#include "profiler.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "capture/capture.h"
#include "capture/clocks.h"
#include "capture/gc_stack.h"
#include "capture/handler.h"
#include "capture/own_core.h"
#include "capture/own_stack.h"
#include "lifecycle.h"

namespace strobe {

namespace {

// A handler takes microseconds, unless its thread waits for a core.
constexpr uint64_t kHandlersMayTakeNs = 50'000'000;

constexpr uint32_t kGcStackBytes = (capture::kMaxDepthLimit + 1) * sizeof(void*);

int32_t CurrentTid() { return static_cast<int32_t>(syscall(SYS_gettid)); }

void OnGcBegins(v8api::Isolate*, uint32_t gc_type, uint32_t /*flags*/, void* state) {
  capture::GcBegins(static_cast<capture::ThreadState*>(state), gc_type);
}
void OnGcEnds(v8api::Isolate*, uint32_t /*gc_type*/, uint32_t /*flags*/, void* state) {
  capture::GcEnds(static_cast<capture::ThreadState*>(state));
}

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

SampledThread* Profiler::FindCurrent() {
  const int32_t tid = CurrentTid();
  for (SampledThread* thread : threads_) {
    if (thread->tid == tid) return thread;
  }
  return nullptr;
}

capture::ThreadState* Profiler::TakeState() {
  std::lock_guard<std::mutex> lock(states_mutex_);
  if (!free_states_.empty()) {
    capture::ThreadState* state = free_states_.back();
    free_states_.pop_back();
    return state;
  }
  if (states_made_ == capture::kMaxThreads) return nullptr;
  void* memory = mmap(nullptr, kRingBytes + kGcStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  auto* state = new capture::ThreadState;
  state->index = states_made_++;
  state->ring.Init(static_cast<uint8_t*>(memory), kRingBytes);
  state->gc_frames = reinterpret_cast<void**>(static_cast<uint8_t*>(memory) + kRingBytes);
  capture::g_thread_table[state->index].store(state, std::memory_order_release);
  return state;
}

SampledThread* Profiler::JoinLocked(const std::string& name, int32_t node_thread_id, std::string* error) {
  if (SampledThread* known = FindCurrent()) return known;
  const v8api::Symbols* symbols = v8api::LoadSymbols(error);
  if (symbols == nullptr) return nullptr;
  v8api::Isolate* isolate = symbols->get_current();
  capture::ThreadState* state = isolate != nullptr ? TakeState() : nullptr;
  if (state == nullptr) {
    *error = isolate == nullptr ? "this thread has no isolate" : "more than 4096 threads, or no memory for a ring";
    return nullptr;
  }
  auto* thread = new SampledThread;
  thread->key = next_key_++;
  thread->state = state;
  thread->tid = CurrentTid();
  thread->node_thread_id = node_thread_id;
  thread->name = name;
  if (const auto found = names_to_come_.find(node_thread_id); found != names_to_come_.end()) {
    thread->name = found->second;
    names_to_come_.erase(found);
  }
  if (symbols->get_code_range != nullptr && symbols->get_embedded_code_range != nullptr) {
    void* code = nullptr;
    const void* blob = nullptr;
    size_t code_length = 0;
    size_t blob_length = 0;
    symbols->get_code_range(isolate, &code, &code_length);
    symbols->get_embedded_code_range(isolate, &blob, &blob_length);
    thread->code.builtins = {reinterpret_cast<uint64_t>(code), code_length, reinterpret_cast<uint64_t>(blob), blob_length};
  }
  const v8::Layout* layout = v8::FindLayout(nullptr);
  state->layout = layout;
  if (layout != nullptr) {
    thread->events.ReadDetails(*layout);
    thread->code.bytecode_sizes = v8::BytecodeSizesOf(layout->v8_major, layout->v8_minor);
    thread->code.bytecode_header = layout->bytecode_data;
  }
  const capture::StackBounds stack = capture::OwnStack();
  state->stack_low = stack.low;
  state->stack_high = stack.high;
  state->core = capture::OwnCoreWord();
  state->gc_depth = 0;
  state->gc_announced = false;
  state->gc_since.store(capture::ThreadState::kNoGc);
  state->gc_ns.store(0);
  state->labels_refused.store(0);
  state->isolate = isolate;
  state->get_stack_sample = symbols->get_stack_sample;
  state->max_depth = max_depth_;
  state->code_events = &thread->events.published();
  state->pending.store(0);
  state->samples.store(0);
  state->sampled_cpu_ns.store(0);
  state->wall_samples.store(0);
  state->wall_began_ns.store(0);
  state->idle_until_ns.store(0);
  state->idle_ticks.store(0);
  state->wall_lost = false;
  state->kept_pending.store(0);
  state->handler_ns.store(0);
  state->signals.store(0);
  state->self_clock.fired.store(0);
  state->armed.store(false);
  BindLabels(thread);
  state->tid.store(thread->tid, std::memory_order_release);
  const bool collected = collector_.EnsureStarted();
  if (!collected || !sampler_.Add(state, thread->tid)) {
    *error = collected ? "the CPU clock of this thread can not be read" : "no further thread can be made (a limit on threads or memory)";
    state->tid.store(0);
    state->labels.store(nullptr);
    if (capture::LabelSource* labels = OwnLabels()) labels->state = nullptr;
    std::lock_guard<std::mutex> states_lock(states_mutex_);
    free_states_.push_back(state);
    delete thread;
    return nullptr;
  }
  threads_.push_back(thread);
  collector_.Add(thread);
  return thread;
}

bool Profiler::Attach(SampledThread* thread) {
  if (thread->code_attached) return true;
  const v8api::Symbols* symbols = v8api::LoadSymbols(nullptr);
  if (thread->events.published().load() != 0) {
    // Attached before and detached since: what the map knows may be gone.
    v8::CodeEvent reset;
    reset.type = v8::CodeEvent::Type::kReattach;
    thread->events.Push(reset);
  }
  if (symbols->add_gc_prologue != nullptr && !thread->gc_attached) {
    symbols->add_gc_prologue(thread->state->isolate, OnGcBegins, thread->state, v8api::kGcAll);
    symbols->add_gc_epilogue(thread->state->isolate, OnGcEnds, thread->state, v8api::kGcAll);
    thread->gc_attached = true;
    thread->state->gc_announced = true;
  }
  thread->code_attached = v8::AttachCodeEvents(*symbols, thread->state->isolate, &thread->events, true);
  return thread->code_attached;
}

void Profiler::Detach(SampledThread* thread) {
  const v8api::Symbols* symbols = v8api::LoadSymbols(nullptr);
  if (thread->code_attached) v8::DetachCodeEvents(*symbols, thread->state->isolate);
  thread->code_attached = false;
  // Each by its own remover: the other one's corrupts V8's list.
  if (thread->gc_attached) {
    symbols->remove_gc_prologue(thread->state->isolate, OnGcBegins, thread->state);
    symbols->remove_gc_epilogue(thread->state->isolate, OnGcEnds, thread->state);
    capture::GcEnds(thread->state);
  }
  thread->gc_attached = false;
  thread->state->gc_announced = false;
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

bool Profiler::Join(const std::string& name, int32_t node_thread_id, bool from_start, std::string* error) {
  std::lock_guard<std::mutex> lock(mutex_);
  SampledThread* thread = JoinLocked(name, node_thread_id, error);
  if (thread == nullptr) return false;
  if (!Attach(thread)) {
    *error = "too many isolates announce code";
    return false;
  }
  if (running_ && !thread->state->armed.load()) {
    Arm(thread);
    if (from_start && modes_.cpu) thread->state->unsampled_ns_since_taken.fetch_add(thread->state->last_cpu_ns.load());
  }
  return true;
}

void Profiler::NameThread(int32_t node_thread_id, const std::string& name) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (const SampledThread* thread : threads_) {
    if (thread->node_thread_id == node_thread_id) {
      collector_.Rename(node_thread_id, name);
      return;
    }
  }
  // A Worker that never joins (it failed to start) would leave its name here.
  if (names_to_come_.size() >= capture::kMaxThreads) names_to_come_.clear();
  names_to_come_[node_thread_id] = name;
}

void Profiler::ThreadEnds() {
  bool owner_ends = false;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    SampledThread* thread = FindCurrent();
    if (thread == nullptr) {
      UnbindLabels(nullptr);
      return;
    }
    if (thread->state->armed.exchange(false)) {
      CountUnsampled(thread->state);
      EndWall(thread->state);
    }
    Detach(thread);
    sampler_.Remove(thread->state);
    UnbindLabels(thread);
    thread->state->tid.store(0, std::memory_order_release);
    threads_.erase(std::find(threads_.begin(), threads_.end(), thread));
    CountEnded(*thread);
    owner_ends = (running_ || stopping_) && thread->tid == owner_tid_;
    thread->ended.store(true, std::memory_order_release);
  }
  collector_.Wake();
  // Terminated before it could stop the profiler: nobody else will.
  if (!owner_ends) return;
  Stop();
  Release();
}

// As it leaves the registry, not when the collector has drained it: in between it would be counted nowhere, while its samples are in a
// profile already. Nothing of it counts any more: its handler ran on this thread, its code events are detached.
void Profiler::CountEnded(const SampledThread& thread) {
  std::lock_guard<std::mutex> lock(states_mutex_);
  ended_samples_ += thread.state->samples.load();
  ended_wall_samples_ += thread.state->wall_samples.load();
  ended_cpu_ns_ += thread.state->sampled_cpu_ns.load();
  ended_handler_ns_ += thread.state->handler_ns.load();
  ended_signals_ += thread.state->signals.load();
  ended_fired_ += thread.state->self_clock.fired.load();
  ended_spread_ += thread.spread_samples.load();
  ended_code_event_ns_ += thread.events.callback_ns.load();
  ended_gc_ns_ += thread.state->gc_ns.load();
  ended_labels_refused_ += thread.state->labels_refused.load();
  if (const v8::CodeReader* reader = thread.events.reader()) {
    ended_details_ += reader->details.load();
    ended_refused_ += reader->refused.load();
  }
}

void Profiler::OnDrained(SampledThread* thread) {
  // Everything in it is read. A thread that lived long went around its ring and left all of it resident; the next one may need a page.
  madvise(thread->state->ring.memory(), kRingBytes, MADV_DONTNEED);
  std::lock_guard<std::mutex> lock(states_mutex_);
  free_states_.push_back(thread->state);
  delete thread;
}

bool Profiler::running() {
  std::lock_guard<std::mutex> lock(mutex_);
  return running_;
}

}  // namespace strobe
