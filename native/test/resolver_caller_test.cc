// Tests of resolver.h: the caller that V8 loses while a frame is made or taken down is put back, from the return address or from the
// interpreter's slots; never twice, and never from a word that is no return address.
#include <string>
#include <vector>

#include "test/check.h"
#include "test/resolver_world.h"

namespace strobe {
namespace {

using test::PositionBytes;
using test::RawPosition;
using test::ResolverWorld;
using test::SampleParts;
using v8api::VmState;

// leaf, middle and root are optimised; interpreted is bytecode; trampoline is what the interpreter runs in.
struct World : ResolverWorld {
  World() {
    AddCode(0x1000, 0x100, "JS:*leaf /a.js:1:1");
    test::DetailParts parts;
    parts.kind = v8::DetailKind::kOptimised;
    parts.functions = {test::FunctionWithLines(0, 0, {10}), test::FunctionWithLines(2, 20, {}, 0x6000)};
    // Offset 8 is in a function inlined at line 2.
    parts.positions = PositionBytes({{0, RawPosition(3)}, {8, RawPosition(25, 0)}, {16, RawPosition(14)}});
    parts.inlinings = test::InliningBytes({{RawPosition(12), 0}});
    AddBytecode(0x6000, "JS:~interpreted /a.js:7:1", {{0, RawPosition(3)}, {4, RawPosition(14)}});
    AddCode(0x2000, 0x100, "JS:*middle /a.js:2:1", parts);
    AddCode(0x3000, 0x100, "JS:*root /a.js:3:1");
    AddCode(0x4000, 0x100, "Builtin:InterpreterEntryTrampoline");
    AddCode(0x4100, 0x100, "BytecodeHandler:CallProperty1Handler");
    AddCode(0x4200, 0x100, "Builtin:ArrayPrototypeForEach");
  }
  // `leaf` called from `caller`; V8 reports what is behind it.
  SampleParts InLeaf(uint64_t caller, void (*put)(capture::LeafContext*, uint64_t) = test::PutAtReturn) {
    SampleParts sample{{0x3010}, 0x1080, VmState::kJs};
    put(&sample.leaf, caller);
    return sample;
  }
};

TEST(resolver_caller_from_the_return_address) {
  World world;
  CHECK_EQ(world.Resolve(world.InLeaf(0x2000 + 12)), "leaf interpreted:3:6 middle:2:3 root");
  CHECK_EQ(world.counts.mended, 1);
  // It is a return address: what stands one below counts.
  CHECK_EQ(world.Resolve(world.InLeaf(0x2000 + 16)), "leaf interpreted:3:6 middle:2:3 root");
  CHECK_EQ(world.Resolve(world.InLeaf(0x2000 + 17)), "leaf middle:2:5 root");
  CHECK_EQ(world.Resolve(world.InLeaf(0x2000 + 0x100)), "leaf middle:2:5 root");  // a call at the very end
  CHECK_EQ(world.Resolve(world.InLeaf(0x4210)), "leaf ArrayPrototypeForEach root");
  // With no frame of V8's at all it is still the caller.
  SampleParts alone = world.InLeaf(0x2000 + 17);
  alone.frames.clear();
  CHECK_EQ(world.Resolve(alone), "leaf middle:2:5");
  CHECK_EQ(world.counts.mended, 1);
  CHECK_EQ(world.counts.unresolved, 0);
}

TEST(resolver_caller_while_the_frame_is_made) {
  World world;
  SampleParts sample = world.InLeaf(0x2000 + 17, test::PutBeforeFrame);
  // Bytes that make a frame some instructions ahead mean something at the beginning of code only.
  for (const uint64_t offset : {0, 4, 20, 63}) {
    sample.pc = 0x1000 + offset;
    CHECK_EQ(world.Resolve(sample), "leaf middle:2:5 root");
  }
  sample.pc = 0x1000 + 64;
  CHECK_EQ(world.Resolve(sample), "leaf root");
  CHECK_EQ(world.counts.mended, 0);
#if defined(__x86_64__)
  // Behind `push rbp` the return address is one word up.
  sample = {{0x3010}, 0x1001, VmState::kJs};
  test::PutCode(&sample.leaf, {0x48, 0x89, 0xe5, 0x56});
  sample.leaf.stack[0] = 0x2000 + 12;
  sample.leaf.stack[1] = 0x2000 + 17;
  CHECK_EQ(world.Resolve(sample), "leaf middle:2:5 root");
#endif
}

TEST(resolver_caller_is_not_put_back_where_a_frame_stands) {
  World world;
  CHECK_EQ(world.Resolve(world.InLeaf(0x2000 + 17, test::PutInFrame)), "leaf root");
  SampleParts no_code = world.InLeaf(0x2000 + 17);
  no_code.leaf.code_length = 0;
  CHECK_EQ(world.Resolve(no_code), "leaf root");
  // V8's answer is already that of the caller.
  SampleParts from_caller = world.InLeaf(0x2000 + 17);
  from_caller.flags = capture::kFromCaller;
  from_caller.frames = {0x2000 + 17, 0x3010};
  CHECK_EQ(world.Resolve(from_caller), "leaf middle:2:5 root");
  CHECK_EQ(world.counts.mended, 0);
  // The pc in no code, in bytecode, or in a collection.
  for (const uint64_t pc : {uint64_t{0x9000}, uint64_t{0x6004}}) {
    SampleParts elsewhere = world.InLeaf(0x2000 + 17);
    elsewhere.pc = pc;
    CHECK_EQ(world.Resolve(elsewhere), "root");
  }
}

TEST(resolver_caller_is_not_put_back_twice) {
  World world;
  SampleParts sample = world.InLeaf(0x2000 + 17);
  sample.frames = {0x2000 + 17, 0x3010};
  CHECK_EQ(world.Resolve(sample), "leaf middle:2:5 root");
  CHECK_EQ(world.counts.mended, 0);
  // The same function at another place of it is another activation.
  sample.frames = {0x2000 + 18, 0x3010};
  CHECK_EQ(world.Resolve(sample), "leaf middle:2:5 middle:2:5 root");
}

TEST(resolver_caller_candidates_that_are_no_code) {
  World world;
  for (const uint64_t word : {uint64_t{0}, uint64_t{1}, ~uint64_t{0}, uint64_t{0x9000}, uint64_t{42} << 32, uint64_t{0x7ffc'0000'1000},
                              reinterpret_cast<uint64_t>(&v8::ParseCodeName), uint64_t{0x6004},  // in bytecode: data, nothing returns there
                              uint64_t{0x2000},                                                  // behind nothing
                              uint64_t{0x3000 + 0x101}}) {
    const std::string stack = world.Resolve(world.InLeaf(word));
    if (!CHECK_EQ(stack, "leaf root")) CHECK_EQ(word, 0);
    CHECK_EQ(world.counts.mended, 0);
    CHECK_EQ(world.counts.unresolved, 0);
  }
}

TEST(resolver_caller_of_a_stub_without_a_frame) {
  World world;
  world.AddCode(0x4300, 0x100, "Builtin:Add_Baseline");
  SampleParts sample = world.InLeaf(0x2000 + 17, test::PutInFrame);
  sample.pc = 0x4380;
  // The frame at fp is a function's (its word is a context): the stub has none, and V8 left its caller out.
  sample.leaf.frame_marker = 0x7f12'3456'7891;
  CHECK_EQ(world.Resolve(sample), "middle:2:5 root");
  CHECK_EQ(world.counts.mended, 1);
  // Not twice.
  sample.frames = {0x2000 + 17, 0x3010};
  CHECK_EQ(world.Resolve(sample), "middle:2:5 root");
  CHECK_EQ(world.counts.mended, 0);
  // A stub's own frame holds a small number there.
  sample.frames = {0x3010};
  for (const uint64_t marker : {uint64_t{0}, uint64_t{34}, uint64_t{3}, uint64_t{17} << 32}) {
    sample.leaf.frame_marker = marker;
    CHECK_EQ(world.Resolve(sample), "root");
  }
  // What lies at sp is no return address.
  sample.leaf.frame_marker = 0x7f12'3456'7891;
  for (const uint64_t word : {uint64_t{0}, uint64_t{0x9000}, uint64_t{0x6004}, ~uint64_t{0}}) {
    test::PutInFrame(&sample.leaf, word);
    CHECK_EQ(world.Resolve(sample), "root");
    CHECK_EQ(world.counts.mended, 0);
  }
  // A function shows itself: its frame is its own.
  SampleParts shown = world.InLeaf(0x2000 + 17, test::PutInFrame);
  shown.leaf.frame_marker = 0x7f12'3456'7891;
  CHECK_EQ(world.Resolve(shown), "leaf root");
}

TEST(resolver_caller_from_the_interpreters_slots) {
  World world;
  for (const uint64_t machinery : {0x4010, 0x4110}) {
    SampleParts sample = world.InLeaf(machinery);
    sample.leaf.frame_bytecode = world.TaggedBytecode(0x6000);
    sample.leaf.frame_offset = world.BytecodeOffset(4) << 32;
    CHECK_EQ(world.Resolve(sample), "leaf interpreted:2:5 root");
    CHECK_EQ(world.counts.mended, 1);
    // Already there.
    sample.frames = {0x6004, 0x3010};
    CHECK_EQ(world.Resolve(sample), "leaf interpreted:2:5 root");
    CHECK_EQ(world.counts.mended, 0);
    // The same function at another place.
    sample.frames = {0x6000, 0x3010};
    CHECK_EQ(world.Resolve(sample), "leaf interpreted:2:5 interpreted:1:4 root");
  }
}

TEST(resolver_caller_slots_that_are_no_interpreters) {
  World world;
  const uint64_t bytecode = world.TaggedBytecode(0x6000);
  const uint64_t offset = world.BytecodeOffset(4) << 32;
  SampleParts sample = world.InLeaf(0x4010);
  for (const auto& [wrong_bytecode, wrong_offset] : std::vector<std::pair<uint64_t, uint64_t>>{
           {0, 0},
           {bytecode, offset | 1},                        // no Smi
           {bytecode, world.BytecodeOffset(4)},           // not shifted
           {bytecode - 1, offset},                        // no tag
           {bytecode + 8, offset},                        // another object
           {bytecode, world.BytecodeOffset(0x20) << 32},  // beyond its end
           {bytecode, uint64_t{0xffffffff} << 32},        // negative
           {world.TaggedBytecode(0x2000), offset},        // machine code
           {0x6000, uint64_t{4} << 32},                   // sums to the right address
           {~uint64_t{0}, ~uint64_t{0}},
       }) {
    sample.leaf.frame_bytecode = wrong_bytecode;
    sample.leaf.frame_offset = wrong_offset;
    if (!CHECK_EQ(world.Resolve(sample), "leaf root")) CHECK_EQ(wrong_bytecode, wrong_offset);
    CHECK_EQ(world.counts.mended, 0);
  }
  // Called by compiled code, what lies at fp is not looked at.
  sample = world.InLeaf(0x2000 + 17);
  sample.leaf.frame_bytecode = bytecode;
  sample.leaf.frame_offset = offset;
  CHECK_EQ(world.Resolve(sample), "leaf middle:2:5 root");
  // Of a V8 whose objects are not known.
  sample = world.InLeaf(0x4010);
  sample.leaf.frame_bytecode = bytecode;
  sample.leaf.frame_offset = offset;
  world.code.bytecode_header = 0;
  CHECK_EQ(world.Resolve(sample), "leaf root");
}

}  // namespace
}  // namespace strobe
