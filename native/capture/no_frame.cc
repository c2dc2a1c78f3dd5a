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

bool Matches(const uint8_t* code, size_t length, const uint8_t* bytes, size_t count) {
  return length >= count && std::memcmp(code, bytes, count) == 0;
}

// The way out with a variable number of arguments keeps the return address in one of r8 to r11:
//   41 58+r pop r, 48/4a 8d 24 xx lea rsp,[rsp+r'*8], 41 50+r push r, c3 ret
bool IsPop(const uint8_t* code, size_t length) { return length >= 2 && code[0] == 0x41 && (code[1] & 0xfc) == 0x58; }
bool IsPush(const uint8_t* code, size_t length) { return length >= 2 && code[0] == 0x41 && (code[1] & 0xfc) == 0x50; }
bool IsLeaRsp(const uint8_t* code, size_t length) {
  return length >= 4 && (code[0] == 0x48 || code[0] == 0x4a) && code[1] == 0x8d && code[2] == 0x24;
}
constexpr size_t kPopBytes = 2;
constexpr size_t kPushBytes = 2;
constexpr size_t kLeaBytes = 4;

// Length of an instruction that stands between `pop rbp` and `ret` and leaves the stack alone; 0 when it is none of them.
size_t EpilogueInstruction(const uint8_t* code, size_t length) {
  if (length < 2) return 0;
  // jcc rel8, jcc rel32
  if ((code[0] & 0xf0) == 0x70) return 2;
  if (code[0] == 0x0f && (code[1] & 0xf0) == 0x80) return 6;
  if (length < 4 || (code[0] & 0xf8) != 0x48) return 0;
  // cmp reg,imm8 / imm32; cmp reg,reg
  if (code[1] == 0x83 && (code[2] & 0xf8) == 0xf8) return 4;
  if (code[1] == 0x81 && (code[2] & 0xf8) == 0xf8) return 7;
  if ((code[1] == 0x39 || code[1] == 0x3b) && code[2] >= 0xc0) return 3;
  return 0;
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
  if (ReturnRegisterX64(code, length) != 0) return ReturnAddress::kInLr;
  size_t at = 0;
  for (int i = 0; i < kEpilogueInstructions && at < length; i++) {
    const uint8_t* here = code + at;
    const size_t left = length - at;
    if (here[0] == kRet || (here[0] == kRetImmediate && left >= 3)) return ReturnAddress::kAtSp;
    if (IsPop(here, left)) {
      const uint8_t* behind = here + kPopBytes;
      return ReturnRegisterX64(behind, left - kPopBytes) == (here[1] & 3) + 8u ? ReturnAddress::kAtSp : ReturnAddress::kInFrame;
    }
    const size_t size = EpilogueInstruction(here, left);
    if (size == 0) return ReturnAddress::kInFrame;
    at += size;
  }
  return ReturnAddress::kInFrame;
}

uint32_t ReturnRegisterX64(const uint8_t* code, size_t length) {
  if (IsLeaRsp(code, length)) {
    code += kLeaBytes;
    length -= kLeaBytes;
  }
  if (!IsPush(code, length) || length < kPushBytes + 1 || code[kPushBytes] != kRet) return 0;
  return (code[1] & 3u) + 8;
}

bool BeforeBaselinePrologueX64(const uint8_t* code, size_t length) {
  size_t at = 0;
  while (at < length) {
    if (code[at] == 0xe8) return true;  // call BaselineOutOfLinePrologue
    if (code[at] == 0xbb) {             // mov ebx,imm32
      at += 5;
    } else if (length - at >= 2 && code[at] == 0x33 && code[at + 1] == 0xdb) {  // xor ebx,ebx
      at += 2;
    } else if (length - at >= 2 && code[at] == 0x49 && code[at + 1] == 0xbc) {  // mov r12,imm64: the bytecode
      at += 10;
    } else {
      return false;
    }
  }
  return false;
}

bool InBaselinePrologueX64(const uint8_t* code, size_t length) {
  // pop r11 (V8 11: r15), push rbp, mov rbp,rsp
  for (size_t at = 0; at + 6 <= length; at++) {
    if (code[at] == 0x41 && (code[at + 1] & 0xf8) == 0x58 && code[at + 2] == kPushRbp &&
        Matches(code + at + 3, length - at - 3, kMovRbpRsp, 3))
      return true;
  }
  return false;
}

bool BeforeBaselinePrologueArm64(const uint8_t* code, size_t length) {
  constexpr int kInstructions = 8;
  for (int i = 0; i < kInstructions && length >= 4; i++, code += 4, length -= 4) {
    const uint32_t word = Word(code);
    if ((word & 0xfc000000) == 0x94000000) return true;  // bl
    if (MakesFrame(word) || LoadsFrame(word) || Branches(word)) return false;
  }
  return false;
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
