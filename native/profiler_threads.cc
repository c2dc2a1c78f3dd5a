// The registry's threads: how one joins, follows its isolate's code and collections, and ends. See profiler.h for which lock guards what.
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "capture/capture.h"
#include "capture/gc_stack.h"
#include "capture/own_core.h"
#include "capture/own_stack.h"
#include "profiler.h"

namespace strobe {

namespace {

constexpr uint32_t kGcStackBytes = (capture::kMaxDepthLimit + 1) * sizeof(void*);

int32_t CurrentTid() { return static_cast<int32_t>(syscall(SYS_gettid)); }

void OnGcBegins(v8api::Isolate*, uint32_t gc_type, uint32_t /*flags*/, void* state) {
  capture::GcBegins(static_cast<capture::ThreadState*>(state), gc_type);
}
void OnGcEnds(v8api::Isolate*, uint32_t /*gc_type*/, uint32_t /*flags*/, void* state) {
  capture::GcEnds(static_cast<capture::ThreadState*>(state));
}

}  // namespace

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

}  // namespace strobe
