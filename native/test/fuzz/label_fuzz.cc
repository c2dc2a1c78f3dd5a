// The label in V8's heap (capture/label_source.h) as noise, and in valid heaps with damage, for each layout: it is found, not there or
// refused; as long as every field holds a value that V8 could have there, no read leaves an object.
//
// An input is a choice of layout and mode and the shape of the map, then operations: which field, which value.
#include <iterator>
#include <vector>

#include "test/fuzz/fuzz.h"
#include "test/heap/label_heap.h"

namespace strobe::fuzz {
namespace {

using capture::LabelRead;
using test::FakeHeap;
using test::LabelHeap;

constexpr uint8_t kNoise = 4;  // in the choice: the damage is raw bytes
constexpr uint32_t kMostOthers = 40;

bool SameLabel(const capture::SampleLabel& a, const capture::SampleLabel& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

void Read(const LabelHeap& labels) {
  const v8::Layout& layout = labels.heap.layout();
  capture::SampleLabel first;
  const LabelRead answer = labels.ReadFrame(&first);
  FUZZ_CHECK(answer == LabelRead::kNone || answer == LabelRead::kFound || answer == LabelRead::kRefused);
  // Asking changes nothing.
  capture::SampleLabel again;
  FUZZ_CHECK(labels.ReadFrame(&again) == answer);
  FUZZ_CHECK(answer != LabelRead::kFound || SameLabel(first, again));
  capture::ReadFromHolder(layout, labels.holder, &again);
}

// The heap is what V8 could have: each field becomes another object or a Smi.
void Damage(LabelHeap* labels, Input* input) {
  FakeHeap& heap = labels->heap;
  const std::vector<FakeHeap::Field> fields = heap.Fields();
  const std::vector<uint64_t> objects = heap.TwoOfEachType();
  while (input->left() >= 8) {
    const FakeHeap::Field& field = fields[input->Take<uint16_t>() % fields.size()];
    const auto kind = input->Take<uint8_t>();
    const auto pick = input->Take<uint8_t>();
    const auto number = input->Take<int32_t>();
    uint64_t value = FakeHeap::Smi((kind & 4) != 0 ? number : number & 0x3f);
    if ((kind & 3) == 1) value = objects[pick % objects.size()];
    if ((kind & 3) == 2) value = FakeHeap::Weak(objects[pick % objects.size()]);
    if ((kind & 3) == 3 && pick % 2 == 0) value = labels->storage;
    heap.Set(field.object, field.offset, value);
    Read(*labels);
    FUZZ_CHECK(heap.outside == 0 && heap.stray == 0);
  }
}

void Noise(LabelHeap* labels, Input* input) {
  while (input->left() >= 9) {
    const size_t at = input->Take<uint16_t>() % (labels->heap.used() - 8);
    const auto size = input->Take<uint8_t>() % 8 + 1;
    const auto word = input->Take<uint64_t>();
    std::memcpy(labels->heap.bytes() + at, &word, static_cast<size_t>(size));
    Read(*labels);
  }
}

}  // namespace

std::vector<ByteVector> Seeds() {
  std::vector<ByteVector> seeds;
  for (uint8_t choice = 0; choice < 8; choice++) {
    for (const uint8_t others : {0, 3, 40}) {
      ByteVector seed = {choice, others, static_cast<uint8_t>(others / 2), 1};
      for (uint8_t i = 0; i < 64; i++) AppendValue(static_cast<uint32_t>(i * 0x01030507u), &seed);
      seeds.push_back(seed);
    }
  }
  return seeds;
}

}  // namespace strobe::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace strobe;
  using namespace strobe::fuzz;
  Input input(data, size);
  const auto choice = input.Take<uint8_t>();
  const auto& version = test::kVersions[choice & 3];
  const v8::Layout* layout = v8::TableLayout(version[0], version[1]);
  const uint32_t others = input.Take<uint8_t>() % (kMostOthers + 1);
  const auto at = input.Take<uint8_t>();
  const uint32_t deleted = others == 0 ? 0 : input.Take<uint8_t>() % others;
  LabelHeap labels(*layout, {.others = others, .at = at > others ? LabelHeap::kAbsent : at, .deleted = deleted});
  capture::SampleLabel label;
  FUZZ_CHECK(layout->type_ordered_hash_map == 0 || labels.ReadFrame(&label) == (at > others ? LabelRead::kNone : LabelRead::kFound));
  if ((choice & kNoise) != 0) {
    Noise(&labels, &input);
  } else {
    Damage(&labels, &input);
  }
  return 0;
}
