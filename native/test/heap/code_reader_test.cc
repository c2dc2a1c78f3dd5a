// Tests of v8/code_reader.h over a fake heap, for each known layout: what is read of each tier, which source maps are announced, and what
// is refused. Damage has a file of its own (code_reader_damage_test.cc).
#include "v8/code_reader.h"

#include <functional>
#include <string>
#include <vector>

#include "test/check.h"
#include "test/heap/fake_heap.h"
#include "test/heap/sample_program.h"

namespace strobe::v8 {
namespace {

using test::ByteVector;
using test::FakeHeap;
using test::RawPosition;
using test::SampleProgram;

void ForEachLayout(const std::function<void(const Layout&)>& check) {
  for (const auto& [major, minor] : test::kVersions) {
    const Layout* layout = TableLayout(major, minor);
    if (CHECK(layout != nullptr)) check(*layout);
  }
}

struct Answer {
  ByteVector detail;
  ScriptNote note;
  bool announced = false;
};
Answer Read(CodeReader* reader, const v8api::JitCodeEvent& event) {
  Answer answer;
  const Bytes detail = reader->Read(event, &answer.note, &answer.announced);
  answer.detail.assign(detail.begin(), detail.end());
  return answer;
}

// "function:line:column …", leaf first.
std::string At(const ByteVector& bytes, uint32_t offset, const Layout& layout) {
  CodeDetail detail(bytes);
  std::vector<Place> places;
  if (!detail.Lookup(offset, BytecodeSizesOf(layout.v8_major, layout.v8_minor), &places)) return "-";
  std::string out;
  for (const Place& place : places) {
    out +=
        (out.empty() ? "" : " ") + std::to_string(place.function) + ":" + std::to_string(place.line) + ":" + std::to_string(place.column);
  }
  return out;
}

// One heap, one program in it, one reader.
struct World {
  explicit World(const Layout& layout, size_t bytes = 16 * 1024) : heap(layout, bytes), program(&heap), reader(layout) {
    CHECK(program.complete());
  }
  ~World() {
    CHECK_EQ(heap.outside, 0);
    CHECK_EQ(heap.stray, 0);
  }
  FakeHeap heap;
  SampleProgram program;
  CodeReader reader;
};

TEST(code_reader_bytecode) {
  ForEachLayout([](const Layout& layout) {
    World world(layout);
    const Answer answer = Read(&world.reader, world.program.bytecode.event);
    DetailView view;
    if (!CHECK(ParseDetail(answer.detail, &view)) || !CHECK_EQ(view.functions.size(), 1)) return;
    CHECK(view.header.kind == DetailKind::kBytecode && view.header.map_kind == MapKind::kUrl);
    CHECK_EQ(view.header.script_id, 7);
    CHECK(ByteVector(view.positions.begin(), view.positions.end()) == world.program.table);
    CHECK(view.offset_table.empty() && view.bytecode.empty() && view.inlinings.empty());
    CHECK_EQ(At(answer.detail, 0, layout), "0:4:6");
    CHECK_EQ(At(answer.detail, 2, layout), "0:5:9");
    CHECK_EQ(At(answer.detail, 3, layout), "0:7:3");
    // Only the lines of the function's own part of the script are copied.
    CHECK_EQ(view.functions[0].first_line, 3);
    CHECK_EQ(view.functions[0].first_start, 30);
    CHECK_EQ(view.lines[0].size(), 3);
    CHECK_EQ(world.reader.details.load(), 1);
    CHECK_EQ(world.reader.refused.load() + world.reader.without_table.load(), 0);
  });
}

TEST(code_reader_baseline) {
  ForEachLayout([](const Layout& layout) {
    World world(layout);
    for (const auto* code : {&world.program.baseline, &world.program.baseline_interpreted}) {
      const Answer answer = Read(&world.reader, code->event);
      DetailView view;
      if (!CHECK(ParseDetail(answer.detail, &view))) return;
      CHECK(view.header.kind == DetailKind::kBaseline);
      CHECK_EQ(view.bytecode.size(), 4);
      CHECK_EQ(At(answer.detail, 19, layout), "-");
      CHECK_EQ(At(answer.detail, 20, layout), "0:4:6");
      CHECK_EQ(At(answer.detail, 24, layout), "0:5:9");
      CHECK_EQ(At(answer.detail, 30, layout), "0:7:3");
    }
    CHECK_EQ(world.reader.details.load(), 2);
  });
}

TEST(code_reader_optimised) {
  ForEachLayout([](const Layout& layout) {
    World world(layout);
    const Answer answer = Read(&world.reader, world.program.optimised.event);
    DetailView view;
    if (!CHECK(ParseDetail(answer.detail, &view)) || !CHECK_EQ(view.functions.size(), 3)) return;
    CHECK(view.header.kind == DetailKind::kOptimised);
    CHECK_EQ(view.functions[0].bytecode_start, 0);  // the code's own function needs no name
    CHECK_EQ(view.functions[1].bytecode_start, world.heap.BytecodeStart(world.program.inner_bytecode));
    CHECK_EQ(view.functions[2].bytecode_start, world.heap.BytecodeStart(world.program.inner2_bytecode));
    CHECK_EQ(At(answer.detail, 3, layout), "-");
    CHECK_EQ(At(answer.detail, 4, layout), "0:4:6");
    CHECK_EQ(At(answer.detail, 8, layout), "1:12:3 0:5:9");
    // The other script stands in line 101 of its document; its first line begins at column 41.
    CHECK_EQ(At(answer.detail, 12, layout), "2:101:43 1:12:9 0:5:9");
    CHECK_EQ(At(answer.detail, 16, layout), "2:103:3 1:12:9 0:5:9");
    CHECK_EQ(At(answer.detail, 20, layout), "0:5:9");
  });
}

TEST(code_reader_optimised_without_inlining) {
  ForEachLayout([](const Layout& layout) {
    World world(layout);
    const Answer answer = Read(&world.reader, world.program.maglev.event);
    DetailView view;
    if (!CHECK(ParseDetail(answer.detail, &view))) return;
    CHECK_EQ(view.functions.size(), 1);
    CHECK(view.inlinings.empty());
    CHECK_EQ(At(answer.detail, 1, layout), "0:5:9");
  });
}

TEST(code_reader_tiers) {
  ForEachLayout([](const Layout& layout) {
    World world(layout);
    const SampleProgram& program = world.program;
    const auto kind_of = [&](const SampleProgram::Code& code, const char* name) {
      v8api::JitCodeEvent event = code.event;
      event.name.str = name;
      event.name.len = std::char_traits<char>::length(name);
      const Answer answer = Read(&world.reader, event);
      if (answer.detail.empty()) return 0;
      return static_cast<int>(CodeDetail(answer.detail).header().kind);
    };
    for (const char* name : {"JS:*f /a.js:1:1", "JS:+f /a.js:1:1", "JS:+'f /a.js:1:1", "JS:o*f /a.js:1:1", "JS:o+f /a.js:1:1",
                             "Script:*/a.js:1:1", "Eval:*f /a.js:1:1", "Function:*f", "LazyCompile:*f", "JS:*"}) {
      if (!CHECK_EQ(kind_of(program.optimised, name), static_cast<int>(DetailKind::kOptimised))) CHECK_EQ(name, "");
    }
    CHECK_EQ(kind_of(program.baseline, "JS:^f /a.js:1:1"), static_cast<int>(DetailKind::kBaseline));
    // What is no JavaScript function has no objects before its first instruction; nothing is read, nothing refused.
    for (const char* name : {"Builtin:*f", "RegExp:*", "Stub:+", "BytecodeHandler:^", "JS", "JS:", "JS:f /a.js:1:1", "*f", "", "JS:~f"}) {
      if (!CHECK_EQ(kind_of(program.optimised, name), 0)) CHECK_EQ(name, "");
    }
    CHECK_EQ(world.reader.refused.load(), 0);
    v8api::JitCodeEvent no_script = program.bytecode.event;
    no_script.script = nullptr;
    CHECK(Read(&world.reader, no_script).detail.empty());
    CHECK_EQ(world.reader.refused.load(), 0);
  });
}

TEST(code_reader_lines) {
  ForEachLayout([](const Layout& layout) {
    World world(layout);
    FakeHeap& heap = world.heap;
    const auto lines_at = [&](uint64_t ends, int32_t offset) {
      const uint64_t script = heap.Script({9, {}, 0, 0, 0});
      heap.Set(script, layout.script_line_ends, ends);
      const uint64_t code = heap.Bytecode({test::kLdaZero}, heap.Positions({{0, RawPosition(offset)}}));
      const auto event = heap.Event(heap.BytecodeStart(code), "JS:~f", heap.Shared(code, script), v8api::JitCodeEvent::kByteCode);
      return At(Read(&world.reader, event).detail, 0, layout);
    };
    const uint64_t ends = heap.Array(layout.type_fixed_array, {FakeHeap::Smi(4), FakeHeap::Smi(5), FakeHeap::Smi(20)});
    CHECK_EQ(lines_at(ends, 0), "0:1:1");
    CHECK_EQ(lines_at(ends, 4), "0:1:5");  // the terminator belongs to its line
    CHECK_EQ(lines_at(ends, 5), "0:2:1");
    CHECK_EQ(lines_at(ends, 6), "0:3:1");
    CHECK_EQ(lines_at(ends, 20), "0:3:15");
    // Beyond the last line, no lines, or not computed yet: only the name.
    CHECK_EQ(lines_at(ends, 21), "0:0:0");
    CHECK_EQ(lines_at(heap.Array(layout.type_fixed_array, {}), 3), "0:0:0");
    CHECK_EQ(lines_at(heap.Oddball(), 3), "0:0:0");
    CHECK_EQ(lines_at(FakeHeap::Smi(0), 3), "0:0:0");
    // Disorder in the array is not V8's; it must end, and say something about the function at least.
    const uint64_t disorder = heap.Array(layout.type_fixed_array, {FakeHeap::Smi(40), FakeHeap::Smi(-5), FakeHeap::Smi(3), heap.Oddball()});
    for (const int32_t offset : {0, 3, 39, 40, 50}) CHECK(lines_at(disorder, offset) != "-");
    CHECK_EQ(world.reader.refused.load(), 0);
  });
}

TEST(code_reader_functions_without_positions) {
  ForEachLayout([](const Layout& layout) {
    World world(layout);
    FakeHeap& heap = world.heap;
    const auto read = [&](uint64_t script, uint64_t positions) {
      const uint64_t code = heap.Bytecode({test::kLdaZero}, positions);
      return Read(&world.reader, heap.Event(heap.BytecodeStart(code), "JS:~f", heap.Shared(code, script), v8api::JitCodeEvent::kByteCode));
    };
    const uint64_t no_map = heap.Script({11, {9}, 0, 0, 0});
    CHECK(read(no_map, heap.ByteArray({})).detail.empty());
    CHECK(read(no_map, heap.Oddball()).detail.empty());
    CHECK(read(no_map, FakeHeap::Smi(0)).detail.empty());
    CHECK_EQ(world.reader.without_table.load(), 3);
    CHECK_EQ(world.reader.details.load(), 0);
    // Its script has a source map: worth an event, which says so and nothing else.
    const Answer with_map = read(world.program.script, heap.Oddball());
    CHECK(with_map.announced);
    CHECK_EQ(CodeDetail(with_map.detail).header().script_id, 7);
    CHECK_EQ(At(with_map.detail, 0, layout), "-");
    CHECK_EQ(world.reader.without_table.load(), 4);
    // The same of its Sparkplug code.
    const uint64_t code = heap.Bytecode({test::kLdaZero}, heap.Oddball());
    const FakeHeap::Machine machine = heap.MachineCode(code, heap.ByteArray(test::LengthBytes({5, 5})));
    CHECK(Read(&world.reader, heap.Event(heap.MachineStart(machine), "JS:^f", heap.Shared(code, no_map), v8api::JitCodeEvent::kJitCode))
              .detail.empty());
    CHECK_EQ(world.reader.without_table.load(), 5);
    CHECK_EQ(world.reader.refused.load(), 0);
  });
}

}  // namespace
}  // namespace strobe::v8
