// Bytecode as noise, for the opcodes of every known version: a length never reaches beyond the bytes, and is the same however many follow.
#include "test/fuzz/fuzz.h"
#include "v8/bytecode_sizes.h"

namespace strobe::fuzz {

std::vector<ByteVector> Seeds() {
  ByteVector all;
  for (int opcode = 0; opcode < 256; opcode++) all.push_back(static_cast<uint8_t>(opcode));
  return {{test::kLdaZero, test::kLdaSmi, 1, test::kLdar, 2},
          {test::kWide, test::kLdaSmi, 1, 2, test::kExtraWide, test::kLdaSmi, 1, 2, 3, 4, test::kLdaZero},
          {test::kWide, test::kExtraWide, test::kWide},
          all};
}

}  // namespace strobe::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace strobe;
  const auto length = static_cast<uint32_t>(size);
  constexpr int kVersions[][2] = {{11, 3}, {12, 4}, {13, 6}, {14, 6}};
  for (const auto& [major, minor] : kVersions) {
    const v8::BytecodeSizes* sizes = v8::BytecodeSizesOf(major, minor);
    FUZZ_CHECK(sizes != nullptr);
    uint32_t reached = 0;
    for (uint32_t at = 0; at < length; at++) {
      const uint32_t instruction = v8::BytecodeLength(*sizes, data, length, at);
      FUZZ_CHECK(instruction <= length - at);
      if (instruction != 0) {
        FUZZ_CHECK(v8::BytecodeLength(*sizes, data, at + instruction, at) == instruction);
        FUZZ_CHECK(v8::BytecodeLength(*sizes, data, at + instruction - 1, at) == 0);
      }
      if (at == reached) reached += instruction;
    }
    FUZZ_CHECK(reached <= length);
    FUZZ_CHECK(v8::BytecodeLength(*sizes, data, length, length) == 0);
    FUZZ_CHECK(v8::BytecodeLength(*sizes, data, length, 0xffffffff) == 0);
  }
  return 0;
}
