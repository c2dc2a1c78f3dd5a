// Walks JavaScript frames without V8's help, for the one place where V8 gives none though nothing moves: its allocation slow path and the
// steps of incremental marking, which run in VM state GC but outside of any announced collection.
//
// Contract: async-signal-safe; reads the isolate's word that V8 keeps its last exit frame in, then the chain of frame pointers from there
// to the end of the thread's stack. Each frame pointer must be aligned, above the one before and below the end of the stack. What the
// addresses mean is judged by the collector: an entry that is no code of V8's ends the stack there.
//
// Where the word is: V8 exports no offset. `FindExitFrameSlot` looks for it in the encoder's isolate, in a native function that JavaScript
// called: the one word at the isolate's beginning that points to an exit frame on this stack. Not found, or found twice: no such walks.
#pragma once

#include <atomic>
#include <cstdint>

#include "capture/thread_state.h"

namespace strobe::capture {

// Bytes into the isolate; 0: not known.
extern std::atomic<uint32_t> g_exit_frame_slot;

// What one frame is recorded as.
struct WalkedFrame {
  uint64_t pc;  // return address
  // The slots of an interpreter's frame, whatever they hold in another kind.
  uint64_t bytecode;
  uint64_t offset;
};
inline constexpr uint32_t kWordsAFrame = sizeof(WalkedFrame) / sizeof(uint64_t);

// At most `limit` frames, leaf first; how many. `sp` is the interrupted stack pointer.
uint32_t WalkFromExitFrame(const ThreadState& state, uint64_t sp, WalkedFrame* out, uint32_t limit);

struct CodeRanges {
  uint64_t start[2];
  uint64_t length[2];
};
// Must be called by a native function that JavaScript called, on the isolate's thread.
uint32_t FindExitFrameSlot(const void* isolate, const CodeRanges& code, uint64_t stack_high);

}  // namespace strobe::capture
