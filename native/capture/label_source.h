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
//
// The counters of spans and the words of a call into sections lie in memory that JavaScript reads and writes itself (typed arrays): a call
// into the engine costs a small request more than what it does (docs/spans.md). It gives slots out, too; here is only the memory.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "capture/record.h"
#include "v8/layout.h"

namespace strobe::capture {

struct ThreadState;

// CPU of one span, nanoseconds. As doubles, exact for 104 days of CPU: JavaScript can read no other 64 bits at once, and between two halves
// a sample might change both. src/labels/span-slots.ts knows this layout. `generation` is odd while the slot is in use.
struct SpanUse {
  std::atomic<uint32_t> generation{0};
  uint32_t unused = 0;
  std::atomic<double> exact_ns{0};  // sections, at their exit
  std::atomic<double> rest_ns{0};   // the handler writes
};
static_assert(sizeof(SpanUse) == 24 && std::atomic<double>::is_always_lock_free);

// Memory for living spans' counters; slot 0 stands for none. Grows by chunks, which stay: the handler may hold no stale pointer. Each chunk
// is given to one copy of the package in this isolate, which alone hands out its slots.
class SpanSlots {
 public:
  static constexpr uint32_t kChunk = 1024;
  static constexpr uint32_t kChunks = 128;
  static constexpr uint32_t kCapacity = kChunk * kChunks;

  ~SpanSlots();
  // Its slots are `*first` to `*first` + kChunk - 1. Null when all are given. Own thread only.
  SpanUse* GiveChunk(uint32_t* first);
  // Null when the slot's span has ended. Async-signal-safe.
  SpanUse* Find(uint32_t slot, uint32_t generation) const;

 private:
  std::atomic<SpanUse*> chunks_[kChunks] = {};
  uint32_t given_ = 0;
};

// The one of `counter`'s thread that is written now: no other writer can come between, only a handler in the midst of JavaScript's side,
// and each counter has one writer. Async-signal-safe.
inline void AddNs(std::atomic<double>* counter, uint64_t ns) {
  counter->store(counter->load(std::memory_order_relaxed) + static_cast<double>(ns), std::memory_order_relaxed);
}

// What JavaScript says to enterSection and exitSection, and what they answer.
struct SectionWords {
  uint32_t span_slot = 0;
  uint32_t span_generation = 0;
  uint32_t label_set = 0;
  uint32_t label_generation = 0;
  uint32_t depth = 0;  // enter: how many are open now, 0 when nothing is sampled; exit: the one that is left
  uint32_t open = 0;   // how many are open; the engine writes
  uint32_t stale = 1;  // the thread may have waited since its clock was read: JavaScript sets it when a callback is over
  uint32_t exact = 0;  // entry and exit of what asked to be measured exactly: JavaScript sets it around them
};

// Sections measured from entry to exit on this thread, innermost last.
struct OpenSection {
  uint64_t cpu_start_ns;
  uint64_t wall_start_ns;
  uint64_t nested_cpu_ns;
  uint64_t nested_wall_ns;
  uint64_t since_cpu_ns;  // when sampling began, as it was when `nested_cpu_ns` was counted
  int64_t ahead_ns;       // how far `cpu_start_ns` was ahead of the clock, as far as readings have shown since
  uint32_t span_slot;
  uint32_t span_generation;
  uint32_t label_set;
  uint32_t label_generation;
};

// The last time that the thread's clock was read for a section; see label/sections.h.
struct ClockReading {
  uint64_t cpu_ns = 0;
  uint64_t at_ns = 0;      // CLOCK_MONOTONIC, later by `waited_ns`
  uint64_t idle_ns = 0;    // how long the loop had waited for events when it was looked at last
  uint64_t waited_ns = 0;  // how much of that was after the reading
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
  SectionWords words;
  // JavaScript's side only. `state`: null while the thread is not registered.
  ThreadState* state = nullptr;
  uint64_t thread_key = 0;
  std::vector<OpenSection> open;
  ClockReading last_reading;
  uint64_t closed_ns = 0;  // of the time since then, what outermost sections were charged that are closed
  uint64_t debt_ns = 0;    // what closed sections were charged too much: the next ones are charged less
  // How long the thread's event loop has waited for events since it began, nanoseconds; `loop` null: not known.
  uint64_t (*loop_idle_ns)(void* loop) = nullptr;
  void* loop = nullptr;
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
