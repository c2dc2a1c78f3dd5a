// Which instructions run while a function has no frame: before it is made, after it is taken down. There fp is still, or again, the
// caller's, V8 walks from it as if it were the callee's, and the caller is missing from the stack.
//
// Pure functions over the bytes at pc; used by the handler (x64, when V8 gives no stack) and by the collector. What V8's code generators
// emit: macro-assembler-x64.cc EnterFrame/LeaveFrame/DropArguments and code-generator-x64.cc AssembleReturn; the same files for arm64.
#pragma once

#include <cstddef>
#include <cstdint>

namespace strobe::capture {

enum class ReturnAddress : uint8_t {
  kInFrame,  // the frame stands (or nothing is known): V8's answer is right
  kAtSp,     // x64: the word at sp
  kAboveSp,  // x64: the word above it
  kInLr,     // arm64: the link register
};

// For `length` bytes of x64 code, the first one at pc.
ReturnAddress ReturnAddressX64(const uint8_t* code, size_t length);
ReturnAddress ReturnAddressArm64(const uint8_t* code, size_t length);

// The number (8 to 11) of the register that holds the return address between its pop and its push in an epilogue; 0 when pc is not there.
uint32_t ReturnRegisterX64(const uint8_t* code, size_t length);

// Sparkplug makes its frame in a builtin. In front of the call of it, at a function's first instructions:
bool BeforeBaselinePrologueX64(const uint8_t* code, size_t length);
bool BeforeBaselinePrologueArm64(const uint8_t* code, size_t length);
// … and in that builtin (BaselineOutOfLinePrologue) before it takes its return address off: the function's address is at sp, its caller's
// above it. arm64 keeps its own in lr and the caller's nowhere simple: not looked for.
bool InBaselinePrologueX64(const uint8_t* code, size_t length);

inline ReturnAddress ReturnAddressAt(const uint8_t* code, size_t length) {
#if defined(__aarch64__)
  return ReturnAddressArm64(code, length);
#else
  return ReturnAddressX64(code, length);
#endif
}

// Offset of the instruction that makes fp this function's, looked for in `length` bytes from pc on; kNoFrameSetup when there is none.
inline constexpr uint32_t kNoFrameSetup = 0xffff;
uint32_t FindFrameSetupX64(const uint8_t* code, size_t length);
uint32_t FindFrameSetupArm64(const uint8_t* code, size_t length);

inline bool BeforeBaselinePrologue(const uint8_t* code, size_t length) {
#if defined(__aarch64__)
  return BeforeBaselinePrologueArm64(code, length);
#else
  return BeforeBaselinePrologueX64(code, length);
#endif
}

// At the first instruction of a function, before anything was pushed.
#if defined(__aarch64__)
inline constexpr ReturnAddress kReturnAtEntry = ReturnAddress::kInLr;
#else
inline constexpr ReturnAddress kReturnAtEntry = ReturnAddress::kAtSp;
#endif

inline uint32_t FindFrameSetup(const uint8_t* code, size_t length) {
#if defined(__aarch64__)
  return FindFrameSetupArm64(code, length);
#else
  return FindFrameSetupX64(code, length);
#endif
}

}  // namespace strobe::capture
