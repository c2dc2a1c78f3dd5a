// V8's heap as noise, and valid heaps with damage, for each known layout: code_reader answers or refuses, what it composes is whole, and as
// long as every field holds a value that V8 could have there, no read leaves an object.
//
// An input is a choice of layout and mode, then operations: eight bytes each for damage, nine for noise.
#include <iterator>
#include <memory>
#include <random>
#include <string_view>

#include "test/fuzz/fuzz.h"
#include "test/heap/fake_heap.h"
#include "test/heap/sample_program.h"
#include "v8/code_reader.h"

namespace strobe::fuzz {
namespace {

using test::FakeHeap;
using test::SampleProgram;

constexpr size_t kArenaBytes = 8 * 1024;
constexpr size_t kNoiseBytes = 2 * 1024;
constexpr const char* kNames[] = {"JS:~f /a.js:1:1", "JS:^f /a.js:1:1", "JS:+f /a.js:1:1", "JS:*f /a.js:1:1",
                                  "JS:o*f",          "Script:*",        "Builtin:*",       "JS:"};

// Reads one piece of code, and all that may be asked of what was read.
void Read(FakeHeap* heap, const v8api::JitCodeEvent& event) {
  v8::CodeReader reader(heap->layout());
  v8::ScriptNote note;
  bool announce = false;
  const v8::Bytes bytes = reader.Read(event, &note, &announce);
  FUZZ_CHECK(reader.details.load() + reader.refused.load() <= 1 && reader.details.load() == (bytes.empty() ? 0u : 1u));
  FUZZ_CHECK(!announce || reader.refused.load() == 0);
  if (announce) {
    for (const std::string_view text : {note.map_url, note.source_url}) {
      const auto* first = reinterpret_cast<const uint8_t*>(text.data());
      FUZZ_CHECK(text.empty() || (first >= heap->bytes() && first + text.size() <= heap->bytes() + heap->size()));
    }
  }
  if (bytes.empty()) return;
  v8::DetailView view;
  FUZZ_CHECK(v8::ParseDetail(bytes, &view) && !view.functions.empty());
  v8::CodeDetail detail(bytes);
  const v8::BytecodeSizes* sizes = v8::BytecodeSizesOf(heap->layout().v8_major, heap->layout().v8_minor);
  std::vector<v8::Place> places;
  for (const uint32_t offset : {0, 1, 3, 4, 8, 12, 16, 20, 24, 30, 1000}) {
    if (!detail.Lookup(offset, sizes, &places)) continue;
    FUZZ_CHECK(!places.empty() && places.back().function == 0 && places.size() <= v8::CodeDetail::kMaxInlined);
    for (const v8::Place& place : places) FUZZ_CHECK(place.function < view.functions.size());
  }
}

// A valid program, damaged and put right again for each input.
class Damaged {
 public:
  explicit Damaged(const v8::Layout& layout) : heap_(layout, kArenaBytes), program_(&heap_) {
    FUZZ_CHECK(program_.complete());
    fields_ = heap_.Fields();
    for (const FakeHeap::Extent& extent : heap_.objects()) {
      if (extent.is_object) objects_.push_back(extent.start + v8::kHeapTag);
    }
    whole_.assign(heap_.bytes(), heap_.bytes() + heap_.size());
  }

  void Run(Input input) {
    heap_.Use();
    std::memcpy(heap_.bytes(), whole_.data(), whole_.size());
    heap_.outside = heap_.stray = 0;
    bool tame = true;
    for (int i = 0; i < 32 && input.left() != 0; i++) tame &= Damage(&input);
    for (const SampleProgram::Code* code : program_.all()) Read(&heap_, code->event);
    FUZZ_CHECK(!tame || heap_.outside + heap_.stray == 0);
  }

 private:
  // False when V8 could not have what comes out.
  bool Damage(Input* input) {
    const uint8_t kind = input->Take<uint8_t>() % 8;
    const auto place = input->Take<uint16_t>();
    const auto extra = input->Take<uint8_t>();
    const auto value = input->Take<uint32_t>();
    const FakeHeap::Field& field = fields_[place % fields_.size()];
    const uint64_t object = objects_[value % objects_.size()];
    const size_t at = place % heap_.used();
    switch (kind) {
      case 0:
        heap_.Set(field.object, field.offset, FakeHeap::Smi(static_cast<int32_t>(value)));
        return true;
      case 1:
        heap_.Set(field.object, field.offset, object);
        return true;
      case 2:
        heap_.Set(field.object, field.offset, extra == 0 ? 3 : FakeHeap::Weak(object));
        return true;
      case 3: {
        // Two fields change places.
        const FakeHeap::Field& other = fields_[value % fields_.size()];
        const uint64_t before = heap_.Get(field.object, field.offset);
        heap_.Set(field.object, field.offset, heap_.Get(other.object, other.offset));
        heap_.Set(other.object, other.offset, before);
        return true;
      }
      case 4:
        heap_.bytes()[at] = extra;
        return false;
      case 5:
        // A tagged pointer to anywhere, or just beyond.
        heap_.Set(FakeHeap::kBase + at / 8 * 8 + v8::kHeapTag, 0, FakeHeap::kBase + value % (heap_.size() + 64) + (extra & 3));
        return false;
      case 6:
        std::memcpy(heap_.bytes() + at / 4 * 4, &value, at / 4 * 4 + sizeof value <= heap_.size() ? sizeof value : 0);
        return false;
      default:
        heap_.Set(FakeHeap::kBase + at / 8 * 8 + v8::kHeapTag, 0, FakeHeap::Smi(static_cast<int32_t>(value)));
        return false;
    }
  }

  FakeHeap heap_;
  SampleProgram program_;
  std::vector<FakeHeap::Field> fields_;
  std::vector<uint64_t> objects_;
  ByteVector whole_;
};

// Maps of all types that matter, then noise that likes to point to them.
void RunNoise(const v8::Layout& layout, Input input) {
  FakeHeap heap(layout, kNoiseBytes);
  std::vector<uint64_t> maps;
  for (const uint16_t type :
       {layout.type_code, layout.type_shared, layout.type_bytecode, layout.type_interpreter_data, layout.type_script,
        layout.type_fixed_array, layout.types_bytes[0], layout.types_bytes[1], layout.types_deopt[0], layout.types_deopt[1],
        layout.type_one_byte_internalized, FakeHeap::kTwoByteInternalizedType, FakeHeap::kOddballType}) {
    const uint64_t object = heap.Allocate(type, 8);
    FUZZ_CHECK(object != 0);
    maps.push_back(heap.Get(object, 0));
  }
  const size_t first = (heap.used() + 7) / 8 * 8;
  const uint8_t where = input.Take<uint8_t>();
  for (size_t at = first; at + 8 <= heap.size() && input.left() != 0; at += 8) {
    const auto kind = input.Take<uint8_t>();
    const auto raw = input.Take<uint64_t>();
    uint64_t word = raw;
    switch (kind % 5) {
      case 0:
        word = maps[raw % maps.size()];
        break;
      case 1:
        word = FakeHeap::kBase + first + raw % (heap.size() - first) / 8 * 8 + v8::kHeapTag;
        break;
      case 2:
        word = FakeHeap::Smi(static_cast<int32_t>(raw % 64));
        break;
      case 3:
        word = FakeHeap::kBase + raw % (heap.size() + 16);
        break;
      default:
        break;
    }
    std::memcpy(heap.bytes() + at, &word, sizeof word);
  }
  const size_t tier = where / 8 % std::size(kNames);
  const std::string_view name = kNames[tier];
  v8api::JitCodeEvent event{};
  event.code_type = tier == 0 ? v8api::JitCodeEvent::kByteCode : v8api::JitCodeEvent::kJitCode;
  event.name.str = name.data();
  event.name.len = name.size();
  for (size_t at = first + where % 8; at < heap.size() + 16; at += 8) {
    event.code_start = FakeHeap::kBase + at;
    event.script = reinterpret_cast<void*>(FakeHeap::kBase + first + (at * 5 + where) % (heap.size() - first) / 8 * 8);
    Read(&heap, event);
  }
}

}  // namespace

std::vector<ByteVector> Seeds() {
  std::vector<ByteVector> seeds;
  std::minstd_rand random(1);
  for (uint8_t layout = 0; layout < 4; layout++) {
    seeds.push_back({layout});
    for (int n = 1; n < 12; n++) {
      ByteVector seed = {layout};
      // Tame operations first: those get deepest.
      for (int i = 0; i < n; i++) {
        seed.push_back(static_cast<uint8_t>(n < 8 ? random() % 4 : random() % 8));
        AppendValue(static_cast<uint16_t>(random()), &seed);
        seed.push_back(static_cast<uint8_t>(random() % 4));
        AppendValue(static_cast<uint32_t>(random() % 4 == 0 ? random() : random() % 40), &seed);
      }
      seeds.push_back(seed);
    }
    for (uint8_t tier = 0; tier < 4; tier++) {
      ByteVector noise = {static_cast<uint8_t>(layout | 4), static_cast<uint8_t>(tier * 8)};
      for (int i = 0; i < 150; i++) {
        noise.push_back(static_cast<uint8_t>(random() % 5));
        AppendValue(uint64_t{random()}, &noise);
      }
      seeds.push_back(noise);
    }
  }
  return seeds;
}

}  // namespace strobe::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace strobe;
  using namespace strobe::fuzz;
  static std::unique_ptr<Damaged> damaged[4];
  Input input(data, size);
  const auto choice = input.Take<uint8_t>();
  const size_t version = choice & 3;
  const v8::Layout* layout = v8::TableLayout(test::kVersions[version][0], test::kVersions[version][1]);
  FUZZ_CHECK(layout != nullptr);
  if ((choice & 4) != 0) {
    RunNoise(*layout, input);
    return 0;
  }
  if (!damaged[version]) damaged[version] = std::make_unique<Damaged>(*layout);
  damaged[version]->Run(input);
  return 0;
}
