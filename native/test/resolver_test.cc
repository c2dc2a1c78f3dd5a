// Tests of resolver.h: which frames the addresses of one sample stand for: lines and inlined functions, an interpreted leaf's own place,
// and what frames of V8's and of the walk in collections become. Callers that V8 lost have a file of their own (resolver_caller_test.cc).
#include "resolver.h"

#include <string>
#include <vector>

#include "capture/js_walk.h"
#include "test/check.h"
#include "test/resolver_world.h"

namespace strobe {
namespace {

using test::InliningBytes;
using test::PositionBytes;
using test::RawPosition;
using test::ResolverWorld;
using test::SampleParts;
using v8api::VmState;

constexpr uint64_t kNative = 0x7f00'0000'0000;

// Optimised code of `outer`, lines of 10 characters: offset 4 in line 1, offset 8 in `inner` (line 3) called in line 2, offset 12 in
// `innermost` (line 5) called in `inner`, line 4.
void AddOptimised(ResolverWorld* world, uint64_t start, uint64_t inner_bytecode, uint64_t innermost_bytecode) {
  test::DetailParts parts;
  parts.kind = v8::DetailKind::kOptimised;
  parts.functions = {test::FunctionWithLines(0, 0, {10}), test::FunctionWithLines(2, 20, {10}, inner_bytecode),
                     test::FunctionWithLines(4, 40, {}, innermost_bytecode)};
  parts.positions = PositionBytes({{4, RawPosition(3)}, {8, RawPosition(25, 0)}, {12, RawPosition(41, 1)}, {16, RawPosition(14)}});
  parts.inlinings = InliningBytes({{RawPosition(12), 0}, {RawPosition(33, 0), 1}});
  world->AddCode(start, 0x40, "JS:*outer /a.js:1:1", parts);
}

TEST(resolver_inlined_leaf_first_with_lines) {
  ResolverWorld world;
  world.AddBytecode(0x1000, "JS:~inner /a.js:3:1");
  world.AddBytecode(0x2000, "JS:~innermost /a.js:5:1");
  AddOptimised(&world, 0x5000, 0x1000, 0x2000);
  CHECK_EQ(world.Resolve({{}, 0x5000 + 4, VmState::kJs}), "outer:1:4");
  CHECK_EQ(world.Resolve({{}, 0x5000 + 8, VmState::kJs}), "inner:3:6 outer:2:3");
  CHECK_EQ(world.Resolve({{}, 0x5000 + 12, VmState::kJs}), "innermost:5:2 inner:4:4 outer:2:3");
  CHECK_EQ(world.Resolve({{}, 0x5000 + 16, VmState::kJs}), "outer:2:5");
  CHECK_EQ(world.Resolve({{}, 0x5000, VmState::kJs}), "outer");  // before the first position: only the name
}

TEST(resolver_return_addresses_are_looked_up_one_below) {
  ResolverWorld world;
  world.AddBytecode(0x1000, "JS:~inner /a.js:3:1");
  world.AddBytecode(0x2000, "JS:~innermost /a.js:5:1");
  AddOptimised(&world, 0x5000, 0x1000, 0x2000);
  // A call that ends at offset 12 was made by what stands before it; the same address as pc is what stands there.
  CHECK_EQ(world.Resolve({{0x5000 + 12}, kNative}), "inner:3:6 outer:2:3");
  CHECK_EQ(world.Resolve({{0x5000 + 13}, kNative}), "innermost:5:2 inner:4:4 outer:2:3");
  CHECK_EQ(world.Resolve({{0x5000 + 8}, kNative}), "outer:1:4");
  CHECK_EQ(world.Resolve({{0x5000 + 0x40}, kNative}), "outer:2:5");  // a call at the very end
  CHECK_EQ(world.Resolve({{0x5000}, kNative}), "outer");
  CHECK_EQ(world.Resolve({{0x5000 - 1}, kNative}), "outer");  // at the function's entry
  CHECK_EQ(world.counts.unresolved, 0);
}

TEST(resolver_bytecode_offsets_are_exact) {
  ResolverWorld world;
  world.AddBytecode(0x1000, "JS:~f /a.js:1:1", {{0, RawPosition(3)}, {4, RawPosition(14), false}, {6, RawPosition(2)}});
  CHECK_EQ(world.Resolve({{0x1000}, kNative}), "f:1:4");
  CHECK_EQ(world.Resolve({{0x1003}, kNative}), "f:1:4");
  CHECK_EQ(world.Resolve({{0x1004}, kNative}), "f:2:5");
  CHECK_EQ(world.Resolve({{0x1006}, kNative}), "f:1:3");
}

TEST(resolver_baseline_lines_need_the_bytecodes_of_the_version) {
  for (const bool known : {true, false}) {
    ResolverWorld world;
    if (!known) world.code.bytecode_sizes = nullptr;
    test::DetailParts parts;
    parts.kind = v8::DetailKind::kBaseline;
    parts.functions = {test::FunctionWithLines(0, 0, {10})};
    parts.positions = PositionBytes({{0, RawPosition(3)}, {1, RawPosition(14)}});
    parts.bytecode = {test::kLdaZero, test::kLdaSmi, 1};
    parts.offset_table = test::LengthBytes({20, 8, 8});
    world.AddCode(0x5000, 0x40, "JS:^f /a.js:1:1", parts);
    CHECK_EQ(world.Resolve({{}, 0x5000 + 20, VmState::kJs}), known ? "f:1:4" : "f");
    CHECK_EQ(world.Resolve({{}, 0x5000 + 28, VmState::kJs}), known ? "f:2:5" : "f");
    CHECK_EQ(world.Resolve({{0x5000 + 28}, kNative}), known ? "f:1:4" : "f");
  }
}

TEST(resolver_names_inlined_functions_as_of_their_moment) {
  ResolverWorld world;
  world.AddBytecode(0x1000, "JS:~inner /a.js:3:1");
  AddOptimised(&world, 0x5000, 0x1000, 0x9999);  // the innermost function is not known: its caller's call stands for it
  CHECK_EQ(world.Resolve({{}, 0x5000 + 12, VmState::kJs}), "inner:4:4 outer:2:3");
  // Then the bytecode moves, and something else comes to its old place.
  world.code.map.Move(0x1000, 0x3000);
  world.AddBytecode(0x1000, "JS:~other /a.js:9:1");
  CHECK_EQ(world.Resolve({{}, 0x5000 + 8, VmState::kJs}), "inner:3:6 outer:2:3");
  world.code.map.Move(0x5000, 0x7000);
  CHECK_EQ(world.Resolve({{}, 0x7000 + 8, VmState::kJs}), "inner:3:6 outer:2:3");
}

TEST(resolver_details_that_make_no_sense_leave_the_name) {
  ResolverWorld world;
  v8::CodeEvent event;
  event.code_type = v8api::JitCodeEvent::kJitCode;
  event.start = 0x5000;
  event.length_or_new_start = 0x40;
  event.name = "JS:*f /a.js:1:1";
  for (const std::vector<uint8_t>& noise : {std::vector<uint8_t>{3}, std::vector<uint8_t>(100, 0xff), std::vector<uint8_t>(64, 0)}) {
    event.detail = noise;
    world.code.Add(event, &world.functions);
    CHECK_EQ(world.Resolve({{0x5010}, 0x5004, VmState::kJs}), "f f");
  }
}

// --- the interpreter ---

TEST(resolver_interpreted_leaf_by_register) {
  ResolverWorld world;
  world.AddBytecode(0x1000, "JS:~f /a.js:1:1", {{0, RawPosition(3)}, {4, RawPosition(14)}, {8, RawPosition(5)}});
  world.AddCode(0x3000, 0x100, "BytecodeHandler:AddHandler");
  world.AddCode(0x4000, 0x100, "Builtin:InterpreterEntryTrampoline");
  // The frame's slot is at the last call (offset 0), the register at the instruction that runs (offset 4).
  SampleParts sample{{0x1000, 0x1000 + 8}, 0x3010, VmState::kJs};
  sample.leaf.frame_bytecode = sample.leaf.interpreter_bytecode = world.TaggedBytecode(0x1000);
  sample.leaf.frame_offset = world.BytecodeOffset(0) << 32;
  sample.leaf.interpreter_offset = world.BytecodeOffset(4);
  CHECK_EQ(world.Resolve(sample), "f:2:5 f:1:6");
  // V8 does not give the frame (its handlers run in a copy that it does not know as such): it is the leaf all the same.
  SampleParts missed = sample;
  missed.frames = {0x1000 + 8};
  CHECK_EQ(world.Resolve(missed), "f:2:5 f:1:6");
  missed.frames.clear();
  CHECK_EQ(world.Resolve(missed), "f:2:5");
  // Not in a bytecode handler: the registers hold anything.
  sample.pc = 0x4010;
  CHECK_EQ(world.Resolve(sample), "f:1:4 f:1:6");
  // Another function's, beyond the function's end, before its first instruction: the slot.
  sample.pc = 0x3010;
  for (const uint64_t wrong : {world.TaggedBytecode(0x1000) + 8, uint64_t{0}, ~uint64_t{0}}) {
    sample.leaf.interpreter_bytecode = wrong;
    CHECK_EQ(world.Resolve(sample), "f:1:4 f:1:6");
  }
  sample.leaf.interpreter_bytecode = world.TaggedBytecode(0x1000);
  for (const uint64_t wrong : {world.BytecodeOffset(0x20), world.BytecodeOffset(0) - 1, uint64_t{0}, ~uint64_t{0}, uint64_t{4} << 32}) {
    sample.leaf.interpreter_offset = wrong;
    CHECK_EQ(world.Resolve(sample), "f:1:4 f:1:6");
  }
  // No interpreter's frame at fp, or a V8 whose objects are not known: what V8 says.
  sample.leaf.interpreter_offset = world.BytecodeOffset(4);
  world.code.bytecode_header = 0;
  CHECK_EQ(world.Resolve(sample), "f:1:4 f:1:6");
  world.code.bytecode_header = ResolverWorld::kBytecodeHeader;
  for (const uint64_t wrong : {world.TaggedBytecode(0x1000) - 1, uint64_t{0}, ~uint64_t{0}}) {
    SampleParts other = sample;
    other.leaf.frame_bytecode = other.leaf.interpreter_bytecode = wrong;
    CHECK_EQ(world.Resolve(other), "f:1:4 f:1:6");
  }
  CHECK_EQ(world.counts.mended, 0);
}

// --- collections ---

TEST(resolver_collections_with_the_stack_of_their_trigger) {
  ResolverWorld world;
  world.AddBytecode(0x1000, "JS:~f /a.js:1:1", {{0, RawPosition(3)}, {4, RawPosition(14)}});
  world.AddBytecode(0x2000, "JS:~g /a.js:5:1");
  AddOptimised(&world, 0x5000, 0x2000, 0);
  // The pc is V8's own; where code seems to be is not looked at, the frames are those that were running.
  SampleParts sample{{0x5000 + 12, 0x1004}, 0x5000 + 4, VmState::kGc};
  sample.flags = capture::kGcPrologue;
  test::PutAtReturn(&sample.leaf, 0x5000 + 8);
  CHECK_EQ(world.Resolve(sample), "(garbage collector) g:3:6 outer:2:3 f:2:5");
  CHECK_EQ(world.counts.mended, 0);
  sample.frames.clear();
  CHECK_EQ(world.Resolve(sample), "(garbage collector)");
  sample.frames = {0x9000};
  CHECK_EQ(world.Resolve(sample), "(garbage collector) (unresolved)");
  CHECK_EQ(world.counts.unresolved, 1);
}

TEST(resolver_walked_frames) {
  ResolverWorld world;
  world.AddBytecode(0x1000, "JS:~f /a.js:1:1", {{0, RawPosition(3)}, {4, RawPosition(14)}});
  world.AddCode(0x4000, 0x100, "Builtin:InterpreterEntryTrampoline");
  world.AddCode(0x4100, 0x100, "Builtin:CEntry_Return1");
  world.AddBytecode(0x2000, "JS:~g /a.js:5:1");
  AddOptimised(&world, 0x5000, 0x2000, 0);
  const uint64_t slots[] = {world.TaggedBytecode(0x1000), world.BytecodeOffset(4) << 32};
  SampleParts sample{{}, kNative, VmState::kGc};
  sample.flags = capture::kWalked;
  // From the exit frame: V8's entry to C++, optimised code (its slots are something else), an interpreted frame, and C++ that called it.
  sample.frames = {0x4110, 1, 2, 0x5000 + 12, slots[0], slots[1], 0x4010, slots[0], slots[1], kNative, 0, 0, 0x5000 + 12, 0, 0};
  CHECK_EQ(world.Resolve(sample), "(garbage collector) g:3:6 outer:2:3 f:2:5");
  CHECK_EQ(world.counts.unresolved, 0);
  // Slots that are no interpreter's: no tag, another object, a place beyond the function.
  for (const auto& [bytecode, offset] : std::vector<std::pair<uint64_t, uint64_t>>{{slots[0] - 1, slots[1]},
                                                                                   {slots[0] + 8, slots[1]},
                                                                                   {slots[0], world.BytecodeOffset(0x40) << 32},
                                                                                   {slots[0], slots[1] | 1},
                                                                                   {0, 0}}) {
    sample.frames = {0x4010, bytecode, offset};
    CHECK_EQ(world.Resolve(sample), "(garbage collector)");
  }
  // The first return address leads into bytecode, which no code returns to.
  sample.frames = {0x1004, slots[0], slots[1], 0x5000 + 12, 0, 0};
  CHECK_EQ(world.Resolve(sample), "(garbage collector)");
}

// --- what is no code ---

TEST(resolver_unresolved_and_native) {
  ResolverWorld world;
  world.AddBytecode(0x1000, "JS:~f /a.js:1:1");
  const auto in_executable = reinterpret_cast<uint64_t>(&v8::ParseCodeName);
  CHECK_EQ(world.Resolve({{0x9000, 0x1000, in_executable, 0}, kNative}), "(unresolved) f (unresolved)");
  CHECK_EQ(world.counts.unresolved, 2);
  CHECK_EQ(world.Resolve({{}, kNative, VmState::kIdle}), "(idle)");
  CHECK_EQ(world.Resolve({{}, kNative, VmState::kOther}), "(program)");
  CHECK_EQ(world.Resolve({{0x1000}, 0x1004, VmState::kJs}), "f");  // no pc lies in bytecode: a dead entry
  SampleParts truncated{{0x1000}, kNative};
  truncated.flags = capture::kTruncated;
  CHECK_EQ(world.Resolve(truncated), "f (truncated)");
}

TEST(resolver_a_leaf_that_v8_never_announced_is_not_its_caller) {
  ResolverWorld world;
  world.code.builtins.code_start = 0x10000;
  world.code.builtins.code_length = 0x10000;
  world.AddBytecode(0x1000, "JS:~caller /a.js:1:1");
  CHECK_EQ(world.Resolve({{0x1000}, 0x18000, VmState::kJs}), "(unresolved) caller");
  CHECK_EQ(world.counts.unresolved, 1);
  CHECK_EQ(world.Resolve({{0x1000}, 0x20000, VmState::kJs}), "caller");  // not V8's: native code that JavaScript called
  CHECK_EQ(world.counts.unresolved, 0);
}

// --- source maps ---

TEST(resolver_source_maps_of_functions) {
  ResolverWorld world;
  test::DetailParts parts;
  parts.functions = {test::FunctionWithLines(0, 0)};
  parts.script_id = 5;
  const auto map_of = [&](uint64_t start) {
    uint64_t at = 0;
    const v8::CodeMap::Entry* entry = world.code.map.Find(start, &at);
    if (entry == nullptr) return std::string("no code");
    const auto& function = *entry->function;
    return std::to_string(static_cast<int>(function.map_kind())) + (function.map_url() ? *function.map_url() : "");
  };
  const auto add = [&](uint64_t start, const char* name, v8::MapKind kind) {
    parts.map_kind = kind;
    world.AddCode(start, 0x10, name, parts, v8api::JitCodeEvent::kByteCode);
    return map_of(start);
  };
  CHECK_EQ(add(0x1000, "JS:~a /a.js:1:1", v8::MapKind::kNone), "0");
  CHECK_EQ(add(0x1100, "JS:~b /a.js:2:1", v8::MapKind::kInFile), "2");
  // Said to be announced, but it was not (memory ran out): looked for in the file.
  CHECK_EQ(add(0x1200, "JS:~c /a.js:3:1", v8::MapKind::kUrl), "2");
  v8::CodeEvent script;
  script.type = v8::CodeEvent::Type::kScript;
  script.start = 5;
  script.name = "a.js.map";
  world.code.Announce(script);
  CHECK_EQ(add(0x1300, "JS:~d /a.js:4:1", v8::MapKind::kUrl), "1a.js.map");
  // Every tier of the function knows it.
  world.AddCode(0x5000, 0x40, "JS:*d /a.js:4:1", {});
  CHECK_EQ(map_of(0x5000), "1a.js.map");
  // Bounded: with too many URLs the old ones go, functions keep theirs.
  const std::string large(1 << 20, 'x');
  script.name = large;
  for (uint64_t id = 100; id < 120; id++) {
    script.start = id;
    world.code.Announce(script);
  }
  CHECK(world.code.map_url_bytes <= ThreadCode::kMaxMapUrlBytes + large.size());
  CHECK(world.code.map_urls.size() < 20);
  CHECK_EQ(map_of(0x1300), "1a.js.map");
  CHECK_EQ(add(0x1400, "JS:~e /a.js:5:1", v8::MapKind::kUrl), "2");
}

TEST(resolver_source_urls_are_files) {
  ResolverWorld world;
  test::DetailParts parts;
  parts.functions = {test::FunctionWithLines(0, 0)};
  const auto file_of = [&](uint64_t start, const char* name, uint32_t script_id) {
    parts.script_id = script_id;
    world.AddCode(start, 0x10, name, parts, v8api::JitCodeEvent::kByteCode);
    uint64_t at = 0;
    const v8::CodeName& parsed = world.code.map.Find(start, &at)->function->name();
    return parsed.name + "|" + parsed.file + "|" + std::to_string(parsed.line);
  };
  CHECK_EQ(file_of(0x1000, "JS:~made :3:1", 5), "made||3");
  const std::string url = "lib/made.js";
  v8::CodeEvent script;
  script.type = v8::CodeEvent::Type::kScript;
  script.start = 5;
  script.detail = std::span(reinterpret_cast<const uint8_t*>(url.data()), url.size());
  world.code.Announce(script);
  CHECK_EQ(file_of(0x1100, "JS:~made :3:1", 5), "made|lib/made.js|3");
  CHECK_EQ(file_of(0x1200, "JS:~made :3:1", 6), "made||3");  // another script
  CHECK_EQ(file_of(0x1300, "JS:~made /a.js:3:1", 5), "made|/a.js|3");
  CHECK_EQ(file_of(0x1400, "JS:~nothing", 5), "nothing||0");
}

}  // namespace
}  // namespace strobe
