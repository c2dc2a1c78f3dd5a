#include "capture/gc_stack.h"

#include "capture/capture.h"
#include "capture/clocks.h"
#include "capture/js_walk.h"

namespace strobe::capture {

void GcBegins(ThreadState* state, uint32_t gc_type) {
  // One inside another belongs to the outer one's stack, and ends nothing when it ends.
  if (state->gc_depth++ != 0 || state->gc_frames == nullptr || !state->armed.load(std::memory_order_acquire)) return;
  const uint64_t start = ThreadCpuNowNs();
  // V8 keeps the way back to JavaScript (the exit frame) itself: these registers only say that this is native code on this stack.
  v8api::RegisterState registers;
  registers.pc = __builtin_return_address(0);
  registers.fp = __builtin_frame_address(0);
  registers.sp = __builtin_frame_address(0);
  v8api::SampleInfo info;
  const uint64_t events = state->code_events->load(std::memory_order_acquire);
  state->get_stack_sample(state->isolate, registers, state->gc_frames, state->max_depth + 1, &info);
  state->gc_frame_count = static_cast<uint32_t>(info.frames_count);
  state->gc_walked = false;
  if (info.frames_count == 0) {
    const uint32_t walked = WalkFromExitFrame(*state, reinterpret_cast<uint64_t>(registers.sp),
                                              reinterpret_cast<WalkedFrame*>(state->gc_frames), state->max_depth / kWordsAFrame);
    state->gc_frame_count = walked * kWordsAFrame;
    state->gc_walked = walked != 0;
  }
  state->gc_type = gc_type;
  state->gc_label = CurrentLabel(state);
  state->gc_since.store(events, std::memory_order_release);
  state->gc_ns.store(state->gc_ns.load(std::memory_order_relaxed) + ThreadCpuNowNs() - start, std::memory_order_relaxed);
}

void GcEnds(ThreadState* state) {
  if (state->gc_depth != 0) state->gc_depth--;
  if (state->gc_depth == 0) state->gc_since.store(ThreadState::kNoGc, std::memory_order_release);
}

}  // namespace strobe::capture
