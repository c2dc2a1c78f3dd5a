// Instructions as noise: no answer needs a byte that is not there, and what is said to be a frame's set-up is one.
#include "capture/no_frame.h"
#include "test/fuzz/fuzz.h"

namespace strobe::fuzz {

std::vector<ByteVector> Seeds() {
  return {
      {0x5d, 0x48, 0x83, 0xf9, 0x02, 0x7f, 0x03, 0xc2, 0x10, 0x00, 0x41, 0x5a, 0x48, 0x8d, 0x24, 0xcc, 0x41, 0x52, 0xc3},
      {0x48, 0x81, 0xf9, 0, 1, 0, 0, 0x0f, 0x8f, 3, 0, 0, 0, 0xc2, 0x10, 0},
      {0x48, 0x8b, 0x59, 0xf8, 0xf6, 0x43, 0x35, 0x01, 0x0f, 0x85, 0x12, 0x34, 0x56, 0x07, 0x55, 0x48, 0x89, 0xe5, 0x56, 0x57},
      {0xfd, 0x7b, 0xbf, 0xa9, 0xfd, 0x03, 0x00, 0x91, 0x00, 0x00, 0x01, 0x8b},
      {0xbf, 0x03, 0x00, 0x91, 0xfd, 0x7b, 0xc1, 0xa8, 0xff, 0x83, 0x00, 0x91, 0xc0, 0x03, 0x5f, 0xd6},
      {0x49, 0xbc, 1, 2, 3, 4, 5, 6, 7, 8, 0xbb, 4, 0, 0, 0, 0xe8, 1, 2, 3, 4},
      {0x33, 0xdb, 0xe8, 0, 0, 0, 0},
      {0x48, 0x8b, 0xf0, 0x41, 0x5b, 0x55, 0x48, 0x89, 0xe5, 0x56, 0x57, 0x41, 0x53},
      {0x01, 0x00, 0x80, 0xd2, 0x10, 0x00, 0x00, 0x94},
      {0x48, 0x39, 0xd1, 0x7f, 0x03, 0xc2, 0x10, 0, 0xcc, 0xcc},
  };
}

}  // namespace strobe::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace strobe::capture;
  const ReturnAddress x64 = ReturnAddressX64(data, size);
  const ReturnAddress arm64 = ReturnAddressArm64(data, size);
  const uint32_t held = ReturnRegisterX64(data, size);
  FUZZ_CHECK(held == 0 || (held >= 8 && held <= 11 && size >= 3));
  FUZZ_CHECK((x64 == ReturnAddress::kInLr) == (held != 0));
  FUZZ_CHECK(arm64 == ReturnAddress::kInFrame || arm64 == ReturnAddress::kInLr);
  // Bytes behind those that were enough change nothing.
  for (size_t length = 0; length < size && length < 64; length++) {
    const ReturnAddress cut_x64 = ReturnAddressX64(data, length);
    FUZZ_CHECK(cut_x64 == x64 || cut_x64 == ReturnAddress::kInFrame);
    const ReturnAddress cut_arm64 = ReturnAddressArm64(data, length);
    FUZZ_CHECK(cut_arm64 == arm64 || cut_arm64 == ReturnAddress::kInFrame);
    // … and what was there is still there.
    FUZZ_CHECK(!BeforeBaselinePrologueX64(data, length) || BeforeBaselinePrologueX64(data, size));
    FUZZ_CHECK(!InBaselinePrologueX64(data, length) || InBaselinePrologueX64(data, size));
    FUZZ_CHECK(!BeforeBaselinePrologueArm64(data, length) || BeforeBaselinePrologueArm64(data, size));
  }
  const uint32_t setup_x64 = FindFrameSetupX64(data, size);
  if (setup_x64 != kNoFrameSetup) {
    FUZZ_CHECK(setup_x64 >= 1 && setup_x64 + 3 <= size);
    FUZZ_CHECK(data[setup_x64 - 1] == 0x55 && data[setup_x64] == 0x48 && data[setup_x64 + 1] == 0x89 && data[setup_x64 + 2] == 0xe5);
  }
  const uint32_t setup_arm64 = FindFrameSetupArm64(data, size);
  if (setup_arm64 != kNoFrameSetup) FUZZ_CHECK(setup_arm64 % 4 == 0 && setup_arm64 + 4 <= size && data[setup_arm64 + 3] == 0x91);
  return 0;
}
