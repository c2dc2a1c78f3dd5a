// What one isolate's labels look like to the handler of its thread: where the current label is found, the counters of its spans, the
// sections that are measured now.
//
// Contract: one a isolate that uses labels, made and freed on its own thread (the addon's environment), reached by the handler of that
// thread through ThreadState::labels, which is cleared before the source is freed. So JavaScript's side and the handler never run at the
// same time, they only interrupt: the handler comes between any two instructions of the other, never the other way round. Plain ordering by
// the compiler (relaxed atomics and signal fences) is all that is needed; no word is written by two threads.
//
// The label itself is a JavaScript object of one class (src/labels/label.ts) whose first fields are the integers of SampleLabel. Two ways
// lead to it:
//   kFrame   V8's continuation-preserved data is a JSMap (Node 24 on, Node 22 by a flag: the async context frame); its value for our
//            AsyncLocalStorage is the label. No code of ours runs on the way.
//   kHolder  a JavaScript object whose first field is the current label, kept by `before` and `after` hooks (Node 20, 22).
// Both start at a global handle, which V8 updates when it moves the object.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "capture/record.h"
#include "v8/layout.h"

namespace strobe::capture {

struct ThreadState;

// CPU of one span, nanoseconds. `generation` is odd while the slot is in use.
struct SpanUse {
  std::atomic<uint32_t> generation{0};
  std::atomic<uint64_t> exact_ns{0};  // JavaScript's side writes
  std::atomic<uint64_t> rest_ns{0};   // the handler writes
};

// Slots for living spans; slot 0 stands for none. Grows by chunks, which stay: the handler may hold no stale pointer.
class SpanSlots {
 public:
  static constexpr uint32_t kChunk = 1024;
  static constexpr uint32_t kChunks = 128;
  static constexpr uint32_t kCapacity = kChunk * kChunks;

  ~SpanSlots();
  // 0 when all are taken.
  uint32_t Open(uint32_t* generation);
  // Null when the slot's span has ended. Async-signal-safe.
  SpanUse* Find(uint32_t slot, uint32_t generation) const;
  void Close(uint32_t slot, uint32_t generation);
  uint32_t open() const { return open_; }

 private:
  std::atomic<SpanUse*> chunks_[kChunks] = {};
  std::vector<uint32_t> free_;
  uint32_t made_ = 1;
  uint32_t open_ = 0;
};

// Sections measured from entry to exit on this thread, innermost last.
struct OpenSection {
  uint64_t cpu_start_ns;
  uint64_t wall_start_ns;
  uint64_t nested_cpu_ns;
  uint64_t nested_wall_ns;
  uint64_t since_cpu_ns;  // when sampling began, as it was when `nested_cpu_ns` was counted
  uint32_t span_slot;
  uint32_t span_generation;
  uint32_t label_set;
  uint32_t label_generation;
};

struct LabelSource {
  enum Kind : uint32_t { kOff, kFrame, kHolder };

  // JavaScript's side writes, the handler reads.
  std::atomic<uint32_t> kind{kOff};
  // Slots of global handles: the AsyncLocalStorage (kFrame) or the holder (kHolder).
  const uint64_t* handle = nullptr;
  // 1 while a section is open; the CPU of all that are over (outermost ones, which contain the nested).
  std::atomic<uint32_t> in_section{0};
  std::atomic<uint64_t> sections_ns{0};

  SpanSlots spans;
  // JavaScript's side only. `state`: null while the thread is not registered.
  ThreadState* state = nullptr;
  uint64_t thread_key = 0;
  std::vector<OpenSection> open;
  bool measured = false;  // any section was closed on this thread
};

// Where V8 keeps the continuation-preserved data in the isolate, bytes; 0: not known yet.
inline constexpr uint32_t kNoContinuationSlot = ~uint32_t{0};  // the self-test failed: nothing is read through it any more
extern std::atomic<uint32_t> g_continuation_slot;
// The self-test found that labels are laid out otherwise: none is read.
extern std::atomic<bool> g_labels_forbidden;

enum class LabelRead : uint8_t { kNone, kFound, kRefused };

// The label that is current on the calling thread. Async-signal-safe: loads only. Not inside a collection that moves objects.
LabelRead ReadLabel(const LabelSource& source, const v8::Layout& layout, const void* isolate, SampleLabel* out);
// The two ways, apart: for the self-test.
LabelRead ReadFromFrame(const v8::Layout& layout, uint64_t frame, uint64_t storage, SampleLabel* out);
LabelRead ReadFromHolder(const v8::Layout& layout, uint64_t holder, SampleLabel* out);

}  // namespace strobe::capture
