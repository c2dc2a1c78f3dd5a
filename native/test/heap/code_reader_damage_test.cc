// Tests of v8/code_reader.h: heaps in which something is not what it should be. Each damage is refused and counted or does no harm; no read
// leaves the objects that were checked; and an isolate whose heap is never understood is left alone.
#include <string>
#include <vector>

#include "test/check.h"
#include "test/heap/fake_heap.h"
#include "test/heap/sample_program.h"
#include "v8/code_reader.h"

namespace strobe::v8 {
namespace {

using test::FakeHeap;
using test::SampleProgram;

struct Counts {
  uint64_t details = 0;
  uint64_t refused = 0;
  uint64_t empty = 0;
};

// Reads one piece of code with a new reader. What is read must be whole, what is not must be counted.
bool ReadOne(FakeHeap* heap, const v8api::JitCodeEvent& event, Counts* counts) {
  const Layout& layout = heap->layout();
  CodeReader reader(layout);
  ScriptNote note;
  bool announce = false;
  const Bytes bytes = reader.Read(event, &note, &announce);
  bool fine = CHECK(reader.details.load() + reader.refused.load() <= 1) && CHECK_EQ(reader.details.load(), bytes.empty() ? 0 : 1);
  if (announce) {
    const auto* url = reinterpret_cast<const uint8_t*>(note.map_url.data());
    fine &= CHECK(url >= heap->bytes() && url + note.map_url.size() <= heap->bytes() + heap->size());
  }
  counts->details += reader.details.load();
  counts->refused += reader.refused.load();
  counts->empty += reader.details.load() + reader.refused.load() == 0 ? 1 : 0;
  if (bytes.empty()) return fine;
  DetailView view;
  fine &= CHECK(ParseDetail(bytes, &view));
  CodeDetail detail(bytes);
  std::vector<Place> places;
  for (const uint32_t offset : {0, 1, 3, 4, 8, 12, 16, 20, 24, 30, 64}) {
    if (!detail.Lookup(offset, BytecodeSizesOf(layout.v8_major, layout.v8_minor), &places)) continue;
    fine &= CHECK(!places.empty() && places.back().function == 0 && places.size() <= CodeDetail::kMaxInlined);
    for (const Place& place : places) fine &= CHECK(place.function < view.functions.size());
  }
  return fine;
}

std::string Where(const FakeHeap& heap, uint64_t object, uint64_t word, uint64_t value) {
  return "V8 " + std::to_string(heap.layout().v8_major) + ": object at " + std::to_string(object - FakeHeap::kBase) + ", word " +
         std::to_string(word) + " = " + std::to_string(value);
}

TEST(code_reader_damage_a_field_is_another_value) {
  // Every field of every object in turn becomes each of: Smis, a cleared weak reference, two objects of each type, weak and strong. That is
  // a heap which V8 could have: the reader may refuse it, but must not read beside an object.
  for (const auto& version : test::kVersions) {
    FakeHeap heap(*TableLayout(version[0], version[1]), 8 * 1024);
    SampleProgram program(&heap);
    if (!CHECK(program.complete())) return;
    std::vector<uint64_t> values = {FakeHeap::Smi(0),    FakeHeap::Smi(1),          FakeHeap::Smi(-1),
                                    FakeHeap::Smi(1000), FakeHeap::Smi(0x7fffffff), uint64_t{3}};
    for (const uint64_t object : heap.TwoOfEachType()) {
      values.push_back(object);
      values.push_back(FakeHeap::Weak(object));
    }
    Counts counts;
    heap.outside = heap.stray = 0;
    for (const FakeHeap::Field& field : heap.Fields()) {
      const uint64_t before = heap.Get(field.object, field.offset);
      for (const uint64_t value : values) {
        heap.Set(field.object, field.offset, value);
        bool fine = true;
        for (SampleProgram::Code* code : program.all()) fine &= ReadOne(&heap, code->event, &counts);
        fine &= CHECK_EQ(heap.stray + heap.outside, 0);
        if (!fine) {
          CHECK_EQ(Where(heap, field.object, field.offset, value), "");
          return;
        }
      }
      heap.Set(field.object, field.offset, before);
    }
    CHECK(counts.refused > 1000);
    CHECK(counts.details > 1000);
  }
}

TEST(code_reader_damage_pointers_out_of_the_heap) {
  for (const auto& version : test::kVersions) {
    FakeHeap heap(*TableLayout(version[0], version[1]), 8 * 1024);
    SampleProgram program(&heap);
    const std::vector<FakeHeap::Extent> objects = heap.objects();
    const uint64_t end = FakeHeap::kBase + heap.size();
    Counts counts;
    for (const FakeHeap::Extent& object : objects) {
      const uint64_t tagged = object.start + kHeapTag;
      for (uint32_t word = 0; word + 8 <= object.size; word += 8) {
        const uint64_t before = heap.Get(tagged, word);
        for (const uint64_t value : {uint64_t{1}, uint64_t{0x10001}, FakeHeap::kBase - 7, end + 1, end - 7, end - 3,
                                     uint64_t{0x7fff'ffff'fff1}, ~uint64_t{0}, ~uint64_t{2}, uint64_t{0x8000'0000'0000'0001}}) {
          heap.Set(tagged, word, value);
          bool fine = true;
          for (SampleProgram::Code* code : program.all()) fine &= ReadOne(&heap, code->event, &counts);
          if (!fine) {
            CHECK_EQ(Where(heap, tagged, word, value), "");
            return;
          }
        }
        heap.Set(tagged, word, before);
      }
    }
    CHECK(counts.refused > 1000);
  }
}

TEST(code_reader_damage_lengths) {
  for (const auto& version : test::kVersions) {
    const Layout& layout = *TableLayout(version[0], version[1]);
    FakeHeap heap(layout, 8 * 1024);
    SampleProgram program(&heap);
    struct Case {
      const char* what;
      uint64_t object;
      uint32_t field;
      const v8api::JitCodeEvent* event;
    };
    const uint64_t optimised_positions =
        heap.Get(heap.Get(program.optimised.start - layout.stream_start + kHeapTag, layout.stream_code), layout.code_positions);
    const Case cases[] = {
        {"literals", program.literals, layout.array_length, &program.optimised.event},
        {"deoptimisation data", program.deopt_data, layout.array_length, &program.optimised.event},
        {"position table", optimised_positions, layout.array_length, &program.optimised.event},
        {"bytecode", program.outer_bytecode, layout.bytecode_length, &program.baseline.event},
    };
    for (const Case& one : cases) {
      const uint64_t before = heap.Get(one.object, one.field);
      for (const uint64_t value :
           {FakeHeap::Smi(-1), FakeHeap::Smi(kMaxArrayLength + 1), FakeHeap::Smi(0x7fffffff), program.outer, uint64_t{3}}) {
        heap.Set(one.object, one.field, value);
        Counts counts;
        CHECK(ReadOne(&heap, *one.event, &counts));
        if (!CHECK_EQ(counts.refused, 1)) CHECK_EQ(one.what, "");
      }
      // Larger than the arena, which in the product is what V8 says: here it ends at the arena's end.
      heap.Set(one.object, one.field, FakeHeap::Smi(kMaxArrayLength));
      Counts counts;
      CHECK(ReadOne(&heap, *one.event, &counts));
      heap.Set(one.object, one.field, before);
    }
    // More inlined functions than literals, than there may be, than none.
    for (const uint64_t count : {FakeHeap::Smi(5), FakeHeap::Smi(-1), FakeHeap::Smi(1 << 20), program.outer}) {
      heap.Set(program.deopt_data, layout.array_data + layout.deopt_inlined_count * 8, count);
      Counts counts;
      CHECK(ReadOne(&heap, program.optimised.event, &counts));
      CHECK_EQ(counts.refused, 1);
    }
    // A literal that is no function among the first.
    heap.Set(program.literals, layout.array_data + 2 * 8, FakeHeap::Smi(5));
    heap.Set(program.deopt_data, layout.array_data + layout.deopt_inlined_count * 8, FakeHeap::Smi(3));
    Counts counts;
    CHECK(ReadOne(&heap, program.optimised.event, &counts));
    CHECK_EQ(counts.refused, 1);
  }
}

TEST(code_reader_damage_the_event_leads_elsewhere) {
  for (const auto& version : test::kVersions) {
    const Layout& layout = *TableLayout(version[0], version[1]);
    FakeHeap heap(layout, 8 * 1024);
    SampleProgram program(&heap);
    Counts counts;
    // Each piece of code announced at each other address, also beside and beyond the heap.
    for (SampleProgram::Code* code : program.all()) {
      v8api::JitCodeEvent event = code->event;
      for (uint64_t start = FakeHeap::kBase - 100; start < FakeHeap::kBase + heap.used() + 100; start++) {
        if (start == code->start) continue;
        event.code_start = start;
        CHECK(ReadOne(&heap, event, &counts));
      }
      for (const uint64_t start : {uint64_t{0}, uint64_t{1}, uint64_t{40}, ~uint64_t{0}}) {
        event.code_start = start;
        CHECK(ReadOne(&heap, event, &counts));
      }
      // The handle of the function leads out of the heap, or to something else.
      event = code->event;
      const uint64_t before = counts.refused;
      for (const uint64_t handle : {uint64_t{8}, FakeHeap::kBase - 8, FakeHeap::kBase + heap.size() - 4, program.script - kHeapTag}) {
        event.script = reinterpret_cast<void*>(handle);
        CHECK(ReadOne(&heap, event, &counts));
      }
      CHECK_EQ(counts.refused, before + 4);
    }
    // Tables of another function are still tables; most addresses are no code at all.
    CHECK(counts.refused > counts.details * 10);
  }
}

TEST(code_reader_damage_switches_reading_off) {
  for (const auto& version : test::kVersions) {
    const Layout& layout = *TableLayout(version[0], version[1]);
    FakeHeap heap(layout);
    SampleProgram program(&heap);
    CodeReader reader(layout);
    v8api::JitCodeEvent bad = program.bytecode.event;
    bad.code_start += 8;
    const auto read = [&](const v8api::JitCodeEvent& event) {
      ScriptNote note;
      bool announce = false;
      return !reader.Read(event, &note, &announce).empty();
    };
    // One good one in between starts the count anew.
    for (int round = 0; round < 3; round++) {
      for (uint32_t i = 0; i + 1 < CodeReader::kRefusedIsOff; i++) CHECK(!read(bad));
      CHECK(read(program.optimised.event));
    }
    const uint64_t refused = reader.refused.load();
    for (uint32_t i = 0; i < CodeReader::kRefusedIsOff; i++) CHECK(!read(bad));
    CHECK_EQ(reader.refused.load(), refused + CodeReader::kRefusedIsOff);
    // Off: nothing is touched any more, good or bad.
    CHECK(!read(program.optimised.event));
    CHECK(!read(bad));
    CHECK_EQ(reader.refused.load(), refused + CodeReader::kRefusedIsOff);
    CHECK_EQ(reader.details.load(), 3);
  }
}

}  // namespace
}  // namespace strobe::v8
