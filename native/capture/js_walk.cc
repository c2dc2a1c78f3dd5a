// WalkFromExitFrame: async-signal-safe, loads only.
#include "capture/js_walk.h"

#include "capture/stack_word.h"

namespace strobe::capture {

std::atomic<uint32_t> g_exit_frame_slot{0};

namespace {

// The slot is among the isolate's first words, which compiled code reaches with short offsets.
constexpr uint32_t kSearchBytes = 4096;
// Frame types are small numbers, kept as Smi-like markers (type << 1) one word below the frame pointer.
constexpr uint64_t kHighestMarker = 128;

bool InCode(const CodeRanges& code, uint64_t address) {
  return address - code.start[0] < code.length[0] || address - code.start[1] < code.length[1];
}

}  // namespace

uint32_t WalkFromExitFrame(const ThreadState& state, uint64_t sp, WalkedFrame* out, uint32_t limit) {
  const uint32_t slot = g_exit_frame_slot.load(std::memory_order_relaxed);
  if (slot == 0 || !OnOwnStack(state, sp)) return 0;
  uint64_t fp = StackWord(reinterpret_cast<uint64_t>(state.isolate) + slot);
  uint32_t count = 0;
  while (count < limit) {
    // Two words at fp, five below the next one.
    if ((fp & 7) != 0 || fp < sp || fp > state.stack_high - 2 * sizeof(uint64_t)) break;
    const uint64_t next = StackWord(fp);
    const uint64_t pc = StackWord(fp + sizeof(uint64_t));
    if ((next & 7) != 0 || next <= fp + v8api::kFrameSlotsBelowFp || next > state.stack_high - 2 * sizeof(uint64_t)) break;
    out[count++] = {pc, StackWord(next - v8api::kFrameBytecodeArray), StackWord(next - v8api::kFrameBytecodeOffset)};
    fp = next;
  }
  return count;
}

uint32_t FindExitFrameSlot(const void* isolate, const CodeRanges& code, uint64_t stack_high) {
  const auto base = reinterpret_cast<uint64_t>(isolate);
  const auto sp = reinterpret_cast<uint64_t>(__builtin_frame_address(0));
  uint32_t found = 0;
  for (uint32_t at = 8; at < kSearchBytes; at += 8) {
    const uint64_t fp = StackWord(base + at);
    if ((fp & 7) != 0 || fp < sp || fp > stack_high - 2 * sizeof(uint64_t)) continue;
    const uint64_t next = StackWord(fp);
    const uint64_t marker = StackWord(fp - sizeof(uint64_t));
    if (next <= fp || next >= stack_high || (next & 7) != 0 || (marker & 1) != 0 || marker == 0 || marker > kHighestMarker ||
        !InCode(code, StackWord(fp + sizeof(uint64_t)))) {
      continue;
    }
    if (found != 0) return 0;
    found = at;
  }
  return found;
}

}  // namespace strobe::capture
