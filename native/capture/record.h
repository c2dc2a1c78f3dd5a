// The record that the handler writes for one sample, as it stands in the ring: this header, then `frame_count` addresses, leaf first.
//
// Addresses are raw: the collector turns them into functions. `code_events` is how many code events of the isolate were published when the
// sample was taken: the collector applies exactly those before it resolves the sample, so that a name can be neither too old nor too new.
#pragma once

#include <cstdint>

namespace strobe::capture {

// Enough for the instructions between taking a frame down and returning (x64: 28 bytes; arm64: 10 instructions).
inline constexpr uint32_t kLeafCodeBytes = 48;

// What the current label says of a sample; integers only, copied raw by the handler. All zero: no label. A `label_set` without a
// generation: labels that found no room in the table.
struct SampleLabel {
  uint64_t trace_id_high = 0;
  uint64_t trace_id_low = 0;
  uint64_t span_id = 0;
  uint64_t local_root_id = 0;
  uint32_t attribution_slot = 0;
  uint32_t attribution_generation = 0;
  uint32_t label_set = 0;
  uint32_t label_set_generation = 0;
};

// What the collector needs to set a leaf right whose frame was just being made or taken down, and an interpreted leaf's place. Copied as
// they are, judged later. Zero where they could not be read.
struct LeafContext {
  uint64_t stack[2] = {};     // the words at sp and above it
  uint64_t lr = 0;            // arm64; x64: a return address that an epilogue holds in a register
  uint64_t frame_marker = 0;  // one word below fp: a context in frames of functions, a small number in those of stubs
  // Slots of the frame at fp, when it is an interpreter's: the caller's, while a callee has no frame yet.
  uint64_t frame_bytecode = 0;
  uint64_t frame_offset = 0;
  // Registers that hold the running bytecode and the offset in it while a bytecode handler runs.
  uint64_t interpreter_bytecode = 0;
  uint64_t interpreter_offset = 0;
  uint8_t code[kLeafCodeBytes] = {};  // from pc on
  uint8_t code_length = 0;            // how many were read: not beyond pc's page
  uint8_t unused[7] = {};
};

struct SampleRecord {
  uint64_t size;  // bytes, written by Ring::Commit
  uint64_t code_events;
  uint64_t time_ns;    // CLOCK_MONOTONIC
  uint64_t weight_ns;  // kCpu: CPU since the thread's last CPU sample; else 0
  // kWall: the sample stands for the time from here to time_ns. What lies between the thread's last wall sample and here it spent asleep in
  // that one's stack (wall_watch.h).
  uint64_t wall_from_ns;
  // kWall: up to when the thread was seen asleep when wall time was last switched off before `wall_run`.
  uint64_t wall_before_idle_ns;
  uint64_t idle_ticks;  // kWall: ticks at which the thread was found asleep, since it was armed
  uint64_t rest_ns;     // CPU charged to the label: since the last charge, measured sections taken off; 0 inside one
  uint64_t pc;
  uint16_t vm_state;  // v8api::VmState
  uint16_t flags;     // SampleFlags
  uint32_t frame_count;
  uint32_t gc_type;   // v8api::GcType of the collection that the thread is in, 0 for none
  uint32_t wall_run;  // kWall: ThreadState::wall_runs
  SampleLabel label;
  LeafContext leaf;
  // followed by: uint64_t frames[frame_count]
};
static_assert(sizeof(SampleRecord) % 8 == 0);

enum SampleFlags : uint16_t {
  kTruncated = 1,     // deeper than maxDepth: the root side is missing
  kFromCaller = 2,    // V8 saw no stack at pc; frames[0] is the return address, the rest V8's answer for the caller
  kWalked = 8,        // frames are WalkedFrame (js_walk.h), three words each; `frame_count` counts words
  kGcPrologue = 4,    // inside a collection: frames and label are those of its trigger, `code_events` of that moment
  kCpu = 16,          // a sample of the CPU profile
  kWall = 32,         // a sample of the wall profile
  kCpuProfile = 256,  // kCpu, and not only for attribution
  kAtWait = 64,       // stood at a wait of the kernel (epoll, futex, poll, sleep)
  kWallLoss = 128,    // wall samples before this one found no room: what lies before wall_from_ns is lost
};

// The word at the end of the stack that GetStackSample was given; the handler asks for one frame more than maxDepth to know a cut stack.
inline constexpr uint32_t kMaxDepthLimit = 4096;

}  // namespace strobe::capture
