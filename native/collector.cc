#include "collector.h"

#include <algorithm>

#include "capture/capture.h"
#include "capture/clocks.h"
#include "capture/js_walk.h"

namespace strobe {

namespace {

// A node of a slice with its part of the slice's other tables, roughly.
constexpr size_t kNodeBytes = 64;

// `gc_type` 0: V8 says that it collects, and announced no collection: a step of marking or sweeping.
stack::GcKind GcKind(uint32_t gc_type) {
  if ((gc_type & v8api::kGcScavenge) != 0) return stack::GcKind::kScavenge;
  if ((gc_type & v8api::kGcMinorMarkSweep) != 0) return stack::GcKind::kMinorMarkSweep;
  if ((gc_type & v8api::kGcMarkSweepCompact) != 0) return stack::GcKind::kMarkSweepCompact;
  if ((gc_type & v8api::kGcIncrementalMarking) != 0) return stack::GcKind::kIncrementalMarking;
  return (gc_type & v8api::kGcWeakCallbacks) != 0 ? stack::GcKind::kWeakCallbacks : stack::GcKind::kStep;
}

void Bump(std::atomic<uint64_t>* counter, uint64_t by) { counter->fetch_add(by, std::memory_order_relaxed); }

}  // namespace

void Collector::Add(SampledThread* thread) {
  {
    std::lock_guard<std::mutex> lock(threads_mutex_);
    threads_.push_back(thread);
  }
  Wake();
}

void Collector::Rename(int32_t node_thread_id, const std::string& name) {
  std::lock_guard<std::mutex> lock(threads_mutex_);
  for (SampledThread* thread : threads_) {
    if (thread->node_thread_id == node_thread_id && !thread->ended.load()) thread->name = name;
  }
}

bool Collector::Drain() {
  std::vector<SampledThread*> threads;
  {
    std::lock_guard<std::mutex> lock(threads_mutex_);
    threads = threads_;
  }
  bool worked = false;
  uint64_t entries = 0;
  uint64_t code_bytes = 0;
  uint64_t url_bytes = 0;
  uint64_t overlap = ended_overlap_;
  uint64_t bound = ended_bound_;
  uint64_t dead = ended_dead_;
  for (SampledThread* thread : threads) {
    // Read before the drain: what an ended thread wrote was written before it ended.
    const bool ended = thread->ended.load(std::memory_order_acquire);
    worked |= DrainThread(thread);
    names_freed_ |= DropDeadCode(thread);
    entries += thread->code.map.size();
    code_bytes += thread->code.map.bytes();
    url_bytes += thread->code.map_url_bytes;
    overlap += thread->code.map.evicted_by_overlap();
    bound += thread->code.map.evicted_by_bound();
    dead += thread->code.map.evicted_as_dead();
    if (ended) {
      ended_dead_ += thread->code.map.evicted_as_dead();
      ended_overlap_ += thread->code.map.evicted_by_overlap();
      ended_bound_ += thread->code.map.evicted_by_bound();
      {
        std::lock_guard<std::mutex> lock(threads_mutex_);
        threads_.erase(std::find(threads_.begin(), threads_.end(), thread));
      }
      // What was evicted with sections of this thread first: folded later it would bring the thread's key back for ever.
      labels_.TakeRetired([this](const label::LabelSet& set) { attribution_.Fold(set); });
      attribution_.ForgetThread(thread->key);
      on_drained_(thread);
      names_freed_ = true;
    }
  }
  if (names_freed_) functions_.Sweep();
  names_freed_ = false;
  FindDeadCode();
  // None is held here: what samples said of them is in the builder as text.
  labels_.TakeRetired([this](const label::LabelSet& set) { attribution_.Fold(set); });
  counters_.code_entries.store(entries, std::memory_order_relaxed);
  counters_.code_bytes.store(code_bytes, std::memory_order_relaxed);
  counters_.name_bytes.store(functions_.bytes(), std::memory_order_relaxed);
  counters_.script_url_bytes.store(url_bytes, std::memory_order_relaxed);
  {
    std::lock_guard<std::mutex> lock(slices_mutex_);
    counters_.slice_bytes.store((waiting_nodes_ + builder_.nodes()) * kNodeBytes, std::memory_order_relaxed);
  }
  counters_.evicted_overlap.store(overlap, std::memory_order_relaxed);
  counters_.evicted_bound.store(bound, std::memory_order_relaxed);
  counters_.evicted_dead.store(dead, std::memory_order_relaxed);
  return worked;
}

// Of maps that grew by half since they were last looked through: what it costs stays a small part of what filled them.
void Collector::FindDeadCode() {
  std::vector<SampledThread*> grown;
  {
    std::lock_guard<std::mutex> lock(threads_mutex_);
    for (SampledThread* thread : threads_) {
      if (!thread->dead_code.suspected && thread->code.map.size() > thread->dead_code.look_at) grown.push_back(thread);
    }
  }
  v8::MappedRanges mapped;
  if (grown.empty() || !mapped.Read()) return;
  for (SampledThread* thread : grown) {
    thread->code.map.Suspect(mapped);
    thread->dead_code.suspected = true;
    // Read behind the ranges: a move away from a page was announced before the page went, and is among these.
    thread->dead_code.events = thread->events.published().load(std::memory_order_acquire);
  }
}

// Behind a drain that began after the suspects were found: every sample taken before is resolved. While a collection runs its moves wait.
bool Collector::DropDeadCode(SampledThread* thread) {
  auto& dead = thread->dead_code;
  if (!dead.suspected || thread->events.consumed() < dead.events) return false;
  dead.suspected = false;
  const size_t dropped = thread->code.map.DropSuspects();
  dead.look_at = std::max(SampledThread::kFirstLook, thread->code.map.size() + thread->code.map.size() / 2);
  return dropped != 0;
}

bool Collector::DrainThread(SampledThread* thread) {
  capture::ThreadState* state = thread->state;
  uint64_t events = thread->events.published().load(std::memory_order_acquire);
  events = std::min(events, state->gc_since.load(std::memory_order_acquire));
  const uint64_t head = state->ring.Head();
  bool worked = false;
  uint32_t bytes = 0;
  for (;;) {
    FollowRun();
    const uint8_t* at = state->ring.Next(head, &bytes);
    if (at == nullptr) break;
    const auto& record = *reinterpret_cast<const capture::SampleRecord*>(at);
    ApplyEvents(thread, record.code_events);
    Resolve(thread, record, reinterpret_cast<const uint64_t*>(at + sizeof(capture::SampleRecord)));
    state->ring.Release(bytes);
    worked = true;
  }
  ApplyEvents(thread, events);
  const uint64_t lost = state->lost_since_taken.exchange(0, std::memory_order_relaxed);
  const uint64_t lost_ns = state->lost_ns_since_taken.exchange(0, std::memory_order_relaxed);
  if (lost != 0 || lost_ns != 0) {
    AddLost(thread, 0, lost, lost_ns);
    worked = true;
  }
  worked |= TakeLostWall(thread);
  const uint64_t unsampled_ns = state->unsampled_ns_since_taken.exchange(0, std::memory_order_relaxed);
  if (unsampled_ns != 0) {
    AddUnsampled(thread, 0, unsampled_ns);
    worked = true;
  }
  const uint64_t wall_unsampled_ns = state->wall_unsampled_ns_since_taken.exchange(0, std::memory_order_acquire);
  if (wall_unsampled_ns != 0) {
    // Switched off: what it slept until then, and the rest, which no sample saw.
    const uint32_t ended = state->wall_ended_run.load();
    uint64_t ns = wall_unsampled_ns;
    if (ended == thread->wall.run) {
      const uint64_t seen = state->wall_ended_seen_ns.load();
      AddIdle(thread, seen, state->idle_ticks.load(std::memory_order_relaxed));
      // A sample that was being taken at that moment has its time.
      if (thread->wall.done_ns > seen) ns -= std::min(ns, thread->wall.done_ns - seen);
    }
    thread->wall.closed_run = ended;
    if (ns != 0) AddUnsampled(thread, kWallMode, ns);
    worked = true;
  }
  return worked;
}

// The slice in the making gets its first row.
void Collector::Begin() {
  if (builder_.empty()) builder_since_ns_ = capture::MonotonicNowNs();
}

void Collector::AddLost(SampledThread* thread, uint8_t mode, uint64_t lost, uint64_t ns) {
  Begin();
  const uint32_t node = builder_.Child(builder_.Root(), {VmFunction("(lost)")});
  builder_.AddSample({node, ThreadRow(thread), mode, stack::GcKind::kNone}, static_cast<uint32_t>(lost), static_cast<double>(ns));
  builder_.totals(mode).lost += lost;
  Bump(mode == 0 ? &counters_.lost : &counters_.wall_lost, lost);
}

void Collector::AddUnsampled(SampledThread* thread, uint8_t mode, uint64_t ns) {
  Begin();
  const uint32_t node = builder_.Child(builder_.Root(), {VmFunction("(unsampled)")});
  builder_.AddSample({node, ThreadRow(thread), mode, stack::GcKind::kNone}, 0, static_cast<double>(ns));
}

void Collector::ApplyEvents(SampledThread* thread, uint64_t limit) {
  v8::CodeEvent event;
  uint64_t applied = 0;
  while (thread->events.Next(limit, &event)) {
    applied++;
    switch (event.type) {
      case v8::CodeEvent::Type::kAdded:
        thread->code.Add(event, &functions_);
        break;
      case v8::CodeEvent::Type::kScript:
        thread->code.Announce(event);
        break;
      case v8::CodeEvent::Type::kMoved:
        thread->code.map.Move(event.start, event.length_or_new_start);
        break;
      case v8::CodeEvent::Type::kRemoved:
        thread->code.map.Remove(event.start);
        break;
      case v8::CodeEvent::Type::kReattach:
        thread->code.map.Clear();
        names_freed_ = true;
        break;
      case v8::CodeEvent::Type::kReset:
        thread->code.map.Clear();
        names_freed_ = true;
        Bump(&counters_.code_resets, 1);
        break;
    }
  }
  if (applied != 0) Bump(&counters_.code_events, applied);
}

uint32_t Collector::ThreadRow(SampledThread* thread) {
  std::lock_guard<std::mutex> lock(threads_mutex_);
  return builder_.Thread(thread->key, thread->tid, thread->name);
}

uint32_t Collector::LabelRow(const capture::SampleLabel& label) {
  if (label.label_set == 0 && label.span_id == 0) return 0;
  const label::LabelSet* set = label.label_set != 0 ? labels_.Find(label.label_set, label.label_set_generation) : nullptr;
  return builder_.Label({.set = set,
                         .evicted = set == nullptr && label.label_set != 0,
                         .trace_id_high = label.trace_id_high,
                         .trace_id_low = label.trace_id_low,
                         .span_id = label.span_id,
                         .local_root_id = label.local_root_id});
}

void Collector::Attribute(SampledThread* thread, const capture::SampleRecord& record) {
  const capture::SampleLabel& label = record.label;
  const label::LabelSet* set = label.label_set != 0 ? labels_.Find(label.label_set, label.label_set_generation) : nullptr;
  const bool evicted = set == nullptr && label.label_set != 0;
  attribution_.AddSample(set, evicted, thread->key, record.rest_ns);
  if (evicted) Bump(&counters_.evicted_labels, 1);
  if (label.label_set != 0 || label.span_id != 0) Bump(&counters_.labelled, 1);
}

void Collector::Resolve(SampledThread* thread, const capture::SampleRecord& record, const uint64_t* frames) {
  // A sample of wall time alone stands where the thread waits: it says nothing of the code that the thread runs through.
  if ((record.flags & capture::kCpu) != 0) {
    Bump(&thread->spread_samples, static_cast<uint64_t>(thread->spread.Add(record.pc) * SampledThread::kSpreadUnits));
  }
  Resolver::Counts counts;
  const std::vector<stack::Frame>& stack = resolver_.Resolve(&thread->code, record, frames, &counts);
  const bool truncated = (record.flags & capture::kTruncated) != 0;
  const bool gc = record.vm_state == static_cast<uint16_t>(v8api::VmState::kGc);
  const stack::GcKind gc_kind = gc ? GcKind(record.gc_type) : stack::GcKind::kNone;
  const uint32_t frame_count = (record.flags & capture::kWalked) != 0 ? record.frame_count / capture::kWordsAFrame : record.frame_count;
  const auto count = [&](uint8_t mode) {
    stack::SliceTotals& totals = builder_.totals(mode);
    totals.samples++;
    totals.truncated += truncated ? 1 : 0;
    totals.frames += frame_count;
    totals.unresolved_frames += counts.unresolved;
    totals.mended += counts.mended;
    Bump(mode == 0 ? &counters_.samples : &counters_.wall_samples, 1);
  };
  if ((record.flags & capture::kWall) != 0) {
    AddWall(thread, record, stack, gc_kind);
    count(kWallMode);
  }
  if ((record.flags & capture::kCpu) != 0) {
    Attribute(thread, record);
    if ((record.flags & capture::kCpuProfile) != 0) {
      Begin();
      uint32_t node = builder_.Root();
      for (size_t i = stack.size(); i-- > 0;) node = builder_.Child(node, stack[i]);
      const auto weight_ns = static_cast<double>(record.weight_ns);
      const uint32_t row = builder_.AddSample({node, ThreadRow(thread), 0, gc_kind, LabelRow(record.label)}, 1, weight_ns);
      if (record_times_.load()) builder_.AddTime(row, record.time_ns, weight_ns);
      count(0);
    }
  }
  Bump(&counters_.truncated, truncated ? 1 : 0);
  Bump(&counters_.frames, frame_count);
  Bump(&counters_.unresolved_frames, counts.unresolved);
  if (counts.mended != 0) Bump(&counters_.mended, 1);
  if (gc) Bump(&counters_.gc_samples, 1);
  if (gc && stack.size() > 1) Bump(&counters_.gc_with_stack, 1);
}

}  // namespace strobe
