// Tests of v8/code_reader.h: what scripts say of themselves (source map, source URL), announced once a script, and never lost to a function
// that was refused.
#include <string>

#include "test/check.h"
#include "test/heap/fake_heap.h"
#include "v8/code_reader.h"

namespace strobe::v8 {
namespace {

using test::FakeHeap;
using test::RawPosition;

constexpr int32_t kMaxMapUrl = 128 * 1024;

struct World {
  explicit World(const Layout& layout, size_t bytes = 16 * 1024) : heap(layout, bytes), reader(layout) {}

  struct Answer {
    MapKind kind = MapKind::kNone;
    std::string announced;  // '' when nothing was
    std::string source;     // the source URL announced with it
    uint32_t id = 0;
    bool detail = false;
  };
  Answer Read(const v8api::JitCodeEvent& event) {
    ScriptNote note;
    bool announce = false;
    const Bytes detail = reader.Read(event, &note, &announce);
    Answer answer;
    answer.detail = !detail.empty();
    if (answer.detail) answer.kind = CodeDetail(detail).header().map_kind;
    if (announce) answer.announced = std::string(note.map_url);
    if (announce) answer.id = note.id;
    if (announce) answer.source = std::string(note.source_url);
    return answer;
  }
  uint64_t Function(uint64_t script) { return heap.Shared(heap.Bytecode({test::kLdaZero}, heap.Positions({{0, RawPosition(3)}})), script); }
  // The event of one more function of the script.
  Answer ReadFunction(uint64_t script) {
    const uint64_t shared = Function(script);
    const uint64_t bytecode = heap.Get(shared, heap.layout().shared_data);
    return Read(heap.Event(heap.BytecodeStart(bytecode), "JS:~f", shared, v8api::JitCodeEvent::kByteCode));
  }
  Answer ReadUrl(int32_t id, uint64_t url) { return ReadFunction(heap.Script({id, {9}, url, 0, 0})); }
  uint64_t OneByte(std::string_view text) { return heap.String(heap.layout().type_one_byte_internalized, text); }

  FakeHeap heap;
  CodeReader reader;
};

const Layout& LayoutOf(const int (&version)[2]) { return *TableLayout(version[0], version[1]); }

TEST(code_reader_maps_that_are_none) {
  for (const auto& version : test::kVersions) {
    World world(LayoutOf(version));
    for (const uint64_t url : {world.heap.Oddball(), FakeHeap::Smi(0), FakeHeap::Smi(7), world.OneByte("")}) {
      const World::Answer answer = world.ReadUrl(1, url);
      CHECK(answer.detail && answer.kind == MapKind::kNone && answer.announced.empty());
    }
    CHECK_EQ(world.reader.refused.load(), 0);
    CHECK_EQ(world.heap.stray + world.heap.outside, 0);
  }
}

TEST(code_reader_maps_announced_once_a_script) {
  for (const auto& version : test::kVersions) {
    World world(LayoutOf(version));
    const uint64_t one = world.heap.Script({5, {9}, world.OneByte("one.map"), 0, 0});
    const uint64_t two = world.heap.Script({6, {9}, world.OneByte("data:two"), 0, 0});
    World::Answer answer = world.ReadFunction(one);
    CHECK(answer.kind == MapKind::kUrl && answer.announced == "one.map" && answer.id == 5);
    answer = world.ReadFunction(two);
    CHECK(answer.kind == MapKind::kUrl && answer.announced == "data:two" && answer.id == 6);
    answer = world.ReadFunction(one);
    CHECK(answer.kind == MapKind::kUrl && answer.announced.empty());
    // Two scripts of one place in the table of the announced: again each time, which is harmless.
    const uint64_t collides = world.heap.Script({5 + 1024, {9}, world.OneByte("three.map"), 0, 0});
    CHECK_EQ(world.ReadFunction(collides).announced, "three.map");
    CHECK_EQ(world.ReadFunction(collides).announced, "");
    CHECK_EQ(world.ReadFunction(one).announced, "one.map");
    CHECK_EQ(world.ReadFunction(two).announced, "");
  }
}

TEST(code_reader_maps_not_copied) {
  for (const auto& version : test::kVersions) {
    World world(LayoutOf(version), 1024 * 1024);
    const FakeHeap& heap = world.heap;
    const auto in_file = [&](uint64_t url) {
      const World::Answer answer = world.ReadUrl(3, url);
      return answer.detail && answer.kind == MapKind::kInFile && answer.announced.empty();
    };
    CHECK(in_file(world.OneByte(std::string(kMaxMapUrl + 1, 'x'))));
    CHECK(in_file(world.heap.String(FakeHeap::kTwoByteInternalizedType, "t\0w\0o\0")));
    CHECK(in_file(world.heap.String(0x28, "sequential, not internalized")));
    CHECK(in_file(world.heap.String(0x21, "a cons string: flat bytes are elsewhere")));
    const World::Answer longest = world.ReadUrl(4, world.OneByte(std::string(kMaxMapUrl, 'y')));
    CHECK(longest.kind == MapKind::kUrl && longest.announced == std::string(kMaxMapUrl, 'y'));
    CHECK_EQ(world.reader.refused.load(), 0);
    CHECK_EQ(heap.stray + heap.outside, 0);
  }
}

TEST(code_reader_maps_survive_a_refused_function) {
  // A script's first function fails a check: the announcement comes with the next one.
  for (const auto& version : test::kVersions) {
    World world(LayoutOf(version));
    FakeHeap& heap = world.heap;
    const uint64_t script = heap.Script({12, {9}, world.OneByte("kept.map"), 0, 0});
    const uint64_t shared = world.Function(script);
    // Code that is not what was announced.
    const FakeHeap::Machine machine = heap.MachineCode(shared, shared);
    const World::Answer refused = world.Read(heap.Event(heap.MachineStart(machine), "JS:*f", shared, v8api::JitCodeEvent::kJitCode));
    CHECK(!refused.detail && refused.announced.empty());
    CHECK_EQ(world.reader.refused.load(), 1);
    CHECK_EQ(world.ReadFunction(script).announced, "kept.map");
    CHECK_EQ(world.ReadFunction(script).announced, "");
  }
}

TEST(code_reader_maps_source_urls_of_scripts_without_a_file) {
  for (const auto& version : test::kVersions) {
    World world(LayoutOf(version));
    const auto read = [&](int32_t id, uint64_t name, uint64_t source, uint64_t map) {
      return world.ReadFunction(world.heap.Script({id, {9}, map, 0, 0, name, source}));
    };
    World::Answer answer = read(20, 0, world.OneByte("made.js"), 0);
    CHECK(answer.detail && answer.kind == MapKind::kNone && answer.id == 20 && answer.source == "made.js" && answer.announced.empty());
    answer = read(20, 0, world.OneByte("made.js"), 0);
    CHECK(answer.detail && answer.source.empty());  // once
    answer = read(21, world.OneByte(""), world.OneByte("empty-name.js"), world.OneByte("m.map"));
    CHECK(answer.source == "empty-name.js" && answer.announced == "m.map" && answer.kind == MapKind::kUrl);
    // A script with a file keeps its name, however it is stored.
    answer = read(22, world.OneByte("/app.js"), world.OneByte("not-this.js"), 0);
    CHECK(answer.detail && answer.source.empty() && answer.id == 0);
    answer = read(23, world.heap.String(FakeHeap::kTwoByteInternalizedType, "a\0"), world.OneByte("not-this.js"), world.OneByte("m.map"));
    CHECK(answer.source.empty() && answer.announced == "m.map");
    // Neither says anything; not read when it is long or of another form.
    CHECK(read(24, 0, 0, 0).id == 0);
    CHECK(read(25, 0, world.OneByte(std::string(1025, 's')), 0).source.empty());
    CHECK(read(26, 0, world.heap.String(FakeHeap::kTwoByteInternalizedType, "s\0"), 0).source.empty());
    CHECK_EQ(read(27, 0, world.OneByte(std::string(1024, 's')), 0).source, std::string(1024, 's'));
    CHECK_EQ(world.reader.refused.load(), 0);
    CHECK_EQ(world.heap.stray + world.heap.outside, 0);
  }
}

TEST(code_reader_maps_of_broken_scripts) {
  for (const auto& version : test::kVersions) {
    World world(LayoutOf(version));
    FakeHeap& heap = world.heap;
    const Layout& layout = heap.layout();
    // No script at all, or an id that is no number: refused.
    CHECK(!world.ReadFunction(heap.Oddball()).detail);
    CHECK(!world.ReadFunction(FakeHeap::Smi(0)).detail);
    const uint64_t script = heap.Script({12, {9}, 0, 0, 0});
    heap.Set(script, layout.script_id, heap.Oddball());
    CHECK(!world.ReadFunction(script).detail);
    CHECK_EQ(world.reader.refused.load(), 3);
    // A negative length is an empty URL.
    heap.Set(script, layout.script_id, FakeHeap::Smi(12));
    const uint64_t url = world.OneByte("abc");
    heap.Set(url, layout.string_length, 0xffffffff);
    heap.Set(script, layout.script_map_url, url);
    const World::Answer answer = world.ReadFunction(script);
    CHECK(answer.detail && answer.kind == MapKind::kNone);
    // The URL leads out of the heap.
    for (const uint32_t field : {layout.script_map_url, layout.script_source_url}) {
      const uint64_t before = heap.Get(script, field);
      heap.Set(script, field, 0x7000'0000'0001);
      CHECK(!world.ReadFunction(script).detail);
      heap.Set(script, field, before);
    }
    CHECK(world.ReadFunction(script).detail);
  }
}

}  // namespace
}  // namespace strobe::v8
