// Tests of capture/no_frame.h on the instructions that V8's code generators emit: at each of their borders, cut at every length, for both
// architectures on any machine.
#include "capture/no_frame.h"

#include <random>
#include <vector>

#include "test/check.h"

namespace strobe::capture {
namespace {

using Code = std::vector<uint8_t>;

// In a buffer of its own size, so that AddressSanitizer sees a byte too much.
Code From(const Code& code, size_t at, size_t length = 40) {
  const size_t end = at + length < code.size() ? at + length : code.size();
  return Code(code.begin() + static_cast<std::ptrdiff_t>(at), code.begin() + static_cast<std::ptrdiff_t>(end));
}
ReturnAddress X64(const Code& code, size_t at, size_t length = 40) {
  const Code window = From(code, at, length);
  return ReturnAddressX64(window.data(), window.size());
}
uint32_t SetupX64(const Code& code, size_t at, size_t length = 40) {
  const Code window = From(code, at, length);
  return FindFrameSetupX64(window.data(), window.size());
}

using enum ReturnAddress;

// TurboFan's AssembleReturn where the number of arguments may vary.
const Code kReturn = {0x5d,                    // 0   pop rbp
                      0x48, 0x83, 0xf9, 0x02,  // 1   cmp rcx,2
                      0x7f, 0x03,              // 5   jg 10
                      0xc2, 0x10, 0x00,        // 7   ret 16
                      0x41, 0x5a,              // 10  pop r10
                      0x48, 0x8d, 0x24, 0xcc,  // 12  lea rsp,[rsp+rcx*8]
                      0x41, 0x52,              // 16  push r10
                      0xc3,                    // 18  ret
                      0xcc, 0xcc, 0xcc};

TEST(no_frame_x64_return) {
  CHECK(X64(kReturn, 0) == kInFrame);  // pop rbp: the frame stands until it has run
  CHECK(X64(kReturn, 1) == kAtSp);
  CHECK(X64(kReturn, 5) == kAtSp);
  CHECK(X64(kReturn, 7) == kAtSp);
  CHECK(X64(kReturn, 10) == kAtSp);
  // Between pop r10 and push r10 the return address is in r10, which the handler records as lr.
  CHECK(X64(kReturn, 12) == kInLr);
  CHECK(X64(kReturn, 16) == kInLr);
  CHECK(X64(kReturn, 18) == kAtSp);
  CHECK(X64(kReturn, 19) == kInFrame);
}

TEST(no_frame_x64_returns_of_other_shapes) {
  CHECK(X64({0xc3}, 0) == kAtSp);
  CHECK(X64({0xc2, 0x08, 0x00}, 0) == kAtSp);
  // With long comparisons and jumps: cmp rcx,imm32; jg rel32; ret 16.
  CHECK(X64({0x48, 0x81, 0xf9, 0, 1, 0, 0, 0x0f, 0x8f, 3, 0, 0, 0, 0xc2, 0x10, 0}, 0) == kAtSp);
  // cmp rcx,rdx / cmp rdx,rcx in registers.
  CHECK(X64({0x48, 0x39, 0xd1, 0x7f, 0x03, 0xc2, 0x10, 0}, 0) == kAtSp);
  CHECK(X64({0x48, 0x3b, 0xca, 0x7f, 0x03, 0xc2, 0x10, 0}, 0) == kAtSp);
  // cmp rcx,[rbp-8] reads a frame: it stands.
  CHECK(X64({0x48, 0x3b, 0x4d, 0xf8, 0x7f, 0x03, 0xc2, 0x10, 0}, 0) == kInFrame);
  // mov rsp,rbp; pop rbp; ret.
  const Code leave = {0x48, 0x89, 0xec, 0x5d, 0xc3};
  CHECK(X64(leave, 0) == kInFrame);
  CHECK(X64(leave, 3) == kInFrame);
  CHECK(X64(leave, 4) == kAtSp);
  // A jump whose distance looks like an instruction.
  CHECK(X64({0x0f, 0x8d, 3, 0, 0, 0, 0xc2, 0x10, 0}, 0) == kAtSp);
  CHECK(X64({0x7f, 0x8d, 0xc2, 0x10, 0}, 0) == kAtSp);
  // A body: no tear-down follows without something else in between.
  CHECK(X64({0x48, 0x8b, 0x45, 0xf8, 0x48, 0x89, 0xec, 0x5d, 0xc3}, 0) == kInFrame);
  CHECK(X64({0xe8, 0, 0, 0, 0, 0xc3}, 0) == kInFrame);
  // lea rsp without push behind it is something else, as is a pop of another register than the one that is pushed.
  CHECK(X64({0x48, 0x8d, 0x24, 0xcc, 0xc3}, 0) == kInFrame);
  CHECK(X64({0x41, 0x5a, 0x48, 0x8d, 0x24, 0xcc, 0x41, 0x53, 0xc3}, 0) == kInFrame);
  CHECK(X64({0x41, 0x5a, 0xc3}, 0) == kInFrame);
  CHECK(X64({}, 0) == kInFrame);
}

uint32_t Held(const Code& code, size_t at, size_t length = 40) {
  const Code window = From(code, at, length);
  return ReturnRegisterX64(window.data(), window.size());
}

TEST(no_frame_x64_register_that_holds_the_return_address) {
  for (size_t at = 0; at < kReturn.size(); at++) CHECK_EQ(Held(kReturn, at), at == 12 || at == 16 ? 10 : 0);
  for (uint32_t number = 8; number <= 11; number++) {
    const auto low = static_cast<uint8_t>(number - 8);
    for (const uint8_t rex : {0x48, 0x4a}) {
      const Code code = {0x41, static_cast<uint8_t>(0x58 + low), rex, 0x8d, 0x24, 0xcc, 0x41, static_cast<uint8_t>(0x50 + low), 0xc3};
      CHECK(X64(code, 0) == kAtSp);
      CHECK_EQ(Held(code, 2), number);
      CHECK_EQ(Held(code, 6), number);
      CHECK(X64(code, 2) == kInLr);
      for (size_t length = 0; length < 7; length++) CHECK_EQ(Held(code, 2, length), 0);
      for (size_t length = 0; length < 3; length++) CHECK_EQ(Held(code, 6, length), 0);
    }
  }
  CHECK_EQ(Held({0x41, 0x54, 0xc3}, 0), 0);  // push r12: saved by its callee, never a return address
  CHECK_EQ(Held({0x52, 0xc3}, 0), 0);
}

TEST(no_frame_x64_long_runs_end) {
  Code jumps;
  for (int i = 0; i < 20; i++) jumps.insert(jumps.end(), {0x7f, 0x00});
  jumps.push_back(0xc3);
  CHECK(X64(jumps, 0, jumps.size()) == kInFrame);  // more than any epilogue has
  CHECK(X64(jumps, jumps.size() - 3) == kAtSp);
}

// push rbp; mov rbp,rsp; push rsi.
const Code kPrologue = {0x55, 0x48, 0x89, 0xe5, 0x56, 0x57, 0x50, 0x48, 0x83, 0xec, 0x18, 0x90, 0x90};

TEST(no_frame_x64_prologue) {
  CHECK(X64(kPrologue, 0) == kAtSp);
  CHECK(X64(kPrologue, 1) == kAboveSp);  // rbp is pushed
  CHECK(X64(kPrologue, 4) == kInFrame);
  CHECK(X64(kPrologue, 5) == kInFrame);
  CHECK_EQ(SetupX64(kPrologue, 0), 1);
  CHECK_EQ(SetupX64(kPrologue, 1), kNoFrameSetup);
  CHECK_EQ(SetupX64(kPrologue, 4), kNoFrameSetup);
  // push rbp alone is an argument or a saved register.
  CHECK(X64({0x55, 0x48, 0x89, 0xe6}, 0) == kInFrame);
}

TEST(no_frame_x64_turbofan_prologue) {
  // mov rbx,[rcx-8]; test byte [rbx+53],1; jne deoptimise; push rbp; mov rbp,rsp.
  const Code code = {0x48, 0x8b, 0x59, 0xf8, 0xf6, 0x43, 0x35, 0x01, 0x0f, 0x85,
                     0x12, 0x34, 0x56, 0x07, 0x55, 0x48, 0x89, 0xe5, 0x56, 0x57};
  for (const size_t at : {0, 4, 8}) {
    CHECK(X64(code, at) == kInFrame);  // by itself it could be anywhere: the offset in the code decides
    CHECK_EQ(SetupX64(code, at), 15 - at);
  }
  CHECK(X64(code, 14) == kAtSp);
  CHECK(X64(code, 15) == kAboveSp);
  CHECK_EQ(SetupX64(code, 15), kNoFrameSetup);
  CHECK_EQ(SetupX64(code, 18), kNoFrameSetup);
}

TEST(no_frame_x64_sparkplug) {
  const auto before = [](const Code& code, size_t length = 40) {
    const Code window = From(code, 0, length);
    return BeforeBaselinePrologueX64(window.data(), window.size());
  };
  // mov r12,bytecode; mov ebx,registers; call BaselineOutOfLinePrologue.
  const Code code = {0x49, 0xbc, 0xc3, 0xe8, 3, 4, 5, 6, 7, 8, 0xbb, 9, 0, 0, 0, 0xe8, 1, 2, 3, 4};
  CHECK(before(code));
  CHECK(before(From(code, 10)));
  CHECK(before(From(code, 15)));
  CHECK(!before(From(code, 3, 0)));
  for (size_t length = 0; length <= 15; length++) CHECK(!before(code, length));
  CHECK(before({0x33, 0xdb, 0xe8}));  // no registers: xor ebx,ebx
  CHECK(!before({0x33, 0xdc, 0xe8}));
  CHECK(!before({0x49, 0xbd, 0xc3, 0xe8, 3, 4, 5, 6, 7, 8, 0xe8}));
  CHECK(!before({0x90, 0xe8}));
  CHECK(!before({}));

  const auto in = [](const Code& bytes) { return InBaselinePrologueX64(bytes.data(), bytes.size()); };
  CHECK(in({0x41, 0x5b, 0x55, 0x48, 0x89, 0xe5}));
  CHECK(in({0x48, 0x8b, 0xf0, 0x41, 0x5b, 0x55, 0x48, 0x89, 0xe5, 0x56}));
  CHECK(!in({0x5b, 0x55, 0x48, 0x89, 0xe5, 0x56}));  // its return address is off: the frame is being made
  CHECK(!in({0x41, 0x5b, 0x55, 0x48, 0x89}));
  CHECK(!in({}));
}

TEST(no_frame_x64_cut_at_every_length) {
  // What is seen of an epilogue is never more than what is there: the answer is the whole one's or "nothing known".
  for (const Code& code : {kReturn, kPrologue}) {
    for (size_t at = 0; at < code.size(); at++) {
      const ReturnAddress whole = X64(code, at);
      for (size_t length = 0; length <= code.size() - at; length++) {
        const ReturnAddress cut = X64(code, at, length);
        if (!CHECK(cut == whole || cut == kInFrame)) CHECK_EQ(at, length);
        const uint32_t setup = SetupX64(code, at, length);
        CHECK(setup == kNoFrameSetup || setup + 3 <= length);
      }
    }
  }
  CHECK(X64(kReturn, 7, 2) == kInFrame);  // ret imm16 without its number
  CHECK(X64(kReturn, 7, 3) == kAtSp);
  CHECK(X64(kPrologue, 0, 3) == kInFrame);
  CHECK(X64(kPrologue, 1, 2) == kInFrame);
}

// --- arm64 ---

constexpr uint32_t kStpFpLr = 0xa9bf7bfd;  // stp x29,x30,[sp,#-16]!
constexpr uint32_t kMovFpSp = 0x910003fd;  // mov x29,sp
constexpr uint32_t kAddFpSp = 0x910043fd;  // add x29,sp,#16
constexpr uint32_t kMovSpFp = 0x910003bf;  // mov sp,x29
constexpr uint32_t kLdpFpLr = 0xa8c17bfd;  // ldp x29,x30,[sp],#16
constexpr uint32_t kLdpAtSp = 0xa9417bfd;  // ldp x29,x30,[sp,#16]
constexpr uint32_t kAddSp = 0x910083ff;    // add sp,sp,#32
constexpr uint32_t kCmp = 0xeb03001f;      // cmp x0,x3
constexpr uint32_t kCsel = 0x9a83a000;     // csel x0,x0,x3,ge
constexpr uint32_t kRet = 0xd65f03c0;
constexpr uint32_t kAddBody = 0x8b010000;   // add x0,x0,x1
constexpr uint32_t kLdpOther = 0xa9407be0;  // ldp x0,x30,[sp]
constexpr uint32_t kBranches[] = {0x14000004, 0x94000010, 0xd61f0200, 0xd63f0200, 0x54000040,
                                  0xb4000040, 0x35000040, 0x36080040, 0xb7080040};

Code Words(const std::vector<uint32_t>& words) {
  Code code;
  for (const uint32_t word : words) {
    for (int shift = 0; shift < 32; shift += 8) code.push_back(static_cast<uint8_t>(word >> shift));
  }
  return code;
}
ReturnAddress Arm64(const std::vector<uint32_t>& words, size_t length = 40) {
  const Code code = From(Words(words), 0, length);
  return ReturnAddressArm64(code.data(), code.size());
}
uint32_t SetupArm64(const std::vector<uint32_t>& words, size_t length = 40) {
  const Code code = From(Words(words), 0, length);
  return FindFrameSetupArm64(code.data(), code.size());
}

TEST(no_frame_arm64_prologue) {
  CHECK(Arm64({kStpFpLr, kMovFpSp, kAddBody}) == kInLr);
  CHECK(Arm64({kMovFpSp, kAddBody}) == kInLr);
  CHECK(Arm64({kAddFpSp, kAddBody}) == kInLr);
  CHECK(Arm64({kAddBody, kAddBody}) == kInFrame);
  CHECK_EQ(SetupArm64({kAddBody, kStpFpLr, kMovFpSp}), 8);
  CHECK_EQ(SetupArm64({kMovFpSp}), 0);
  CHECK_EQ(SetupArm64({kAddBody, kStpFpLr}), kNoFrameSetup);
}

TEST(no_frame_arm64_return) {
  const std::vector<uint32_t> words = {kMovSpFp, kLdpFpLr, kCmp, kCsel, kAddSp, kRet};
  CHECK(Arm64({kMovSpFp, kLdpFpLr, kCmp, kCsel, kAddSp, kRet}) == kInFrame);
  CHECK(Arm64({kLdpFpLr, kCmp, kCsel, kAddSp, kRet}) == kInFrame);
  CHECK(Arm64({kCmp, kCsel, kAddSp, kRet}) == kInLr);
  CHECK(Arm64({kRet}) == kInLr);
  CHECK(Arm64({kLdpAtSp, kAddSp, kRet}) == kInFrame);
  CHECK(Arm64({kLdpOther, kRet}) == kInLr);  // another pair is no frame
}

TEST(no_frame_arm64_sparkplug) {
  const auto before = [](const std::vector<uint32_t>& words, size_t length = 40) {
    const Code code = From(Words(words), 0, length);
    return BeforeBaselinePrologueArm64(code.data(), code.size());
  };
  constexpr uint32_t kBl = 0x94000010;
  CHECK(before({kBl}));
  CHECK(before({kAddBody, kAddBody, kBl}));
  CHECK(!before({kAddBody, kAddBody, kBl}, 11));
  CHECK(!before({kMovFpSp, kBl}));
  CHECK(!before({kLdpFpLr, kBl}));
  CHECK(!before({0x14000004, kBl}));
  CHECK(!before({kRet, kBl}));
  std::vector<uint32_t> body(7, kAddBody);
  body.push_back(kBl);
  CHECK(before(body));
  body.insert(body.begin(), kAddBody);
  CHECK(!before(body));
  CHECK(!before({}));
}

TEST(no_frame_arm64_branches_end_the_look) {
  for (const uint32_t branch : kBranches) {
    if (!CHECK(Arm64({branch, kRet}) == kInFrame) || !CHECK(Arm64({kAddBody, branch, kMovFpSp}) == kInFrame)) CHECK_EQ(branch, 0);
  }
  std::vector<uint32_t> body(9, kAddBody);
  body.push_back(kRet);
  CHECK(Arm64(body) == kInLr);
  body.insert(body.begin(), kAddBody);
  CHECK(Arm64(body, 44) == kInFrame);  // farther than any epilogue reaches
}

TEST(no_frame_arm64_cut_at_every_length) {
  const std::vector<uint32_t> words = {kStpFpLr, kMovFpSp};
  for (size_t length = 0; length < 8; length++) {
    CHECK(Arm64(words, length) == kInFrame);
    CHECK_EQ(SetupArm64(words, length), kNoFrameSetup);
  }
  CHECK(Arm64({kRet}, 3) == kInFrame);
}

TEST(no_frame_noise) {
  // No answer reads beyond the bytes (AddressSanitizer), and a set-up that is found is there.
  std::mt19937 random(3);
  constexpr uint8_t kLikely[] = {0x55, 0x48, 0x89, 0xe5, 0x5d, 0xc3, 0xc2, 0x41, 0x5a, 0x52,
                                 0x8d, 0x24, 0x0f, 0x8f, 0x7f, 0x83, 0xf9, 0x81, 0x3b};
  for (int round = 0; round < 100'000; round++) {
    Code code(random() % 41);
    for (uint8_t& byte : code) byte = random() % 4 == 0 ? static_cast<uint8_t>(random()) : kLikely[random() % sizeof kLikely];
    const ReturnAddress x64 = ReturnAddressX64(code.data(), code.size());
    const ReturnAddress arm64 = ReturnAddressArm64(code.data(), code.size());
    if (!CHECK((x64 == kInLr) == (ReturnRegisterX64(code.data(), code.size()) != 0) && (arm64 == kInLr || arm64 == kInFrame))) return;
    const uint32_t setup = FindFrameSetupX64(code.data(), code.size());
    if (setup == kNoFrameSetup) continue;
    if (!CHECK(setup >= 1 && setup + 3 <= code.size() && code[setup - 1] == 0x55 && code[setup] == 0x48)) return;
  }
}

}  // namespace
}  // namespace strobe::capture
