// Async-signal-safe: reads the given bytes, calls nothing but memcpy.
#include "capture/no_frame.h"

#include <cstring>

namespace strobe::capture {

namespace {

// Between taking a frame down and `ret` there are at most six instructions (compare the argument count, jump, drop the arguments).
constexpr int kEpilogueInstructions = 8;

constexpr uint8_t kPushRbp = 0x55;
constexpr uint8_t kMovRbpRsp[3] = {0x48, 0x89, 0xe5};
constexpr uint8_t kRet = 0xc3;
constexpr uint8_t kRetImmediate = 0xc2;
constexpr uint8_t kPopR10[2] = {0x41, 0x5a};

bool Matches(const uint8_t* code, size_t length, const uint8_t* bytes, size_t count) {
  return length >= count && std::memcmp(code, bytes, count) == 0;
}

// lea rsp,[rsp+reg*8]. Followed by push r10; both stand behind pop r10 and are reached only when the walk began before it.
bool DropsArguments(const uint8_t* code, size_t length) {
  return length >= 4 && (code[0] & 0xf8) == 0x48 && code[1] == 0x8d && code[2] == 0x24;
}

// Length of an instruction that stands between `pop rbp` and `ret`; 0 when it is none of them.
size_t EpilogueInstruction(const uint8_t* code, size_t length) {
  if (length < 2) return 0;
  // jcc rel8, jcc rel32
  if ((code[0] & 0xf0) == 0x70) return 2;
  if (code[0] == 0x0f && (code[1] & 0xf0) == 0x80) return 6;
  if (std::memcmp(code, kPopR10, 2) == 0) return 2;
  if (length < 4 || (code[0] & 0xf8) != 0x48) return 0;
  // cmp reg,imm8 / imm32; cmp reg,reg
  if (code[1] == 0x83 && (code[2] & 0xf8) == 0xf8) return 4;
  if (code[1] == 0x81 && (code[2] & 0xf8) == 0xf8) return 7;
  if ((code[1] == 0x39 || code[1] == 0x3b) && code[2] >= 0xc0) return 3;
  return DropsArguments(code, length) ? 4 : 0;
}

constexpr uint32_t kArmRet = 0xd65f03c0;
constexpr int kArmEpilogueInstructions = 10;

uint32_t Word(const uint8_t* code) {
  uint32_t word;
  std::memcpy(&word, code, sizeof word);
  return word;
}

// ldp x29, x30, [sp…]: the frame is taken down here.
bool LoadsFrame(uint32_t word) { return (word & 0xfe400000) == 0xa8400000 && (word & 0x1f) == 29 && ((word >> 10) & 0x1f) == 30; }
// b, bl, br, blr, b.cond, cbz, tbz: what follows may never be reached.
bool Branches(uint32_t word) {
  return (word & 0x7c000000) == 0x14000000 || (word & 0xfe000000) == 0xd6000000 || (word & 0xff000000) == 0x54000000 ||
         (word & 0x7c000000) == 0x34000000;
}
// add x29, sp, #imm (mov fp, sp with imm 0).
bool MakesFrame(uint32_t word) { return (word & 0xffc003ff) == 0x910003fd; }

}  // namespace

ReturnAddress ReturnAddressX64(const uint8_t* code, size_t length) {
  if (length >= 4 && code[0] == kPushRbp && Matches(code + 1, length - 1, kMovRbpRsp, 3)) return ReturnAddress::kAtSp;
  if (Matches(code, length, kMovRbpRsp, 3)) return ReturnAddress::kAboveSp;
  size_t at = 0;
  bool popped = false;  // the return address is in r10 for two instructions; only when pc stood before that is it at sp
  for (int i = 0; i < kEpilogueInstructions && at < length; i++) {
    if (code[at] == kRet || (code[at] == kRetImmediate && length - at >= 3)) return ReturnAddress::kAtSp;
    if (popped && length - at >= 2 && code[at] == 0x41 && code[at + 1] == 0x52) {
      at += 2;
      continue;
    }
    const size_t size = EpilogueInstruction(code + at, length - at);
    if (size == 0 || (DropsArguments(code + at, length - at) && !popped)) return ReturnAddress::kInFrame;
    popped |= Matches(code + at, length - at, kPopR10, 2);
    at += size;
  }
  return ReturnAddress::kInFrame;
}

ReturnAddress ReturnAddressArm64(const uint8_t* code, size_t length) {
  for (int i = 0; i < kArmEpilogueInstructions && length >= 4; i++, code += 4, length -= 4) {
    const uint32_t word = Word(code);
    if (word == kArmRet || MakesFrame(word)) return ReturnAddress::kInLr;
    if (LoadsFrame(word) || Branches(word)) return ReturnAddress::kInFrame;
  }
  return ReturnAddress::kInFrame;
}

uint32_t FindFrameSetupX64(const uint8_t* code, size_t length) {
  for (size_t at = 0; at + 4 <= length; at++) {
    if (code[at] == kPushRbp && std::memcmp(code + at + 1, kMovRbpRsp, 3) == 0) return static_cast<uint32_t>(at + 1);
  }
  return kNoFrameSetup;
}

uint32_t FindFrameSetupArm64(const uint8_t* code, size_t length) {
  for (size_t at = 0; at + 4 <= length; at += 4) {
    if (MakesFrame(Word(code + at))) return static_cast<uint32_t>(at);
  }
  return kNoFrameSetup;
}

}  // namespace strobe::capture
