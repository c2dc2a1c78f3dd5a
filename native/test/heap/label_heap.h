// A label as it stands in V8's heap (capture/label_source.h): the value of a key in a JSMap, and the first field of a holder.
#pragma once

#include <cstdint>

#include "capture/label_source.h"
#include "test/heap/fake_heap.h"

namespace strobe::test {

// The label's integers, some of them negative as JavaScript has them.
constexpr uint32_t LabelField(uint32_t i) { return (0x81000000u >> (i % 2)) | (i << 8) | (i + 1); }
constexpr uint64_t LabelWide(uint32_t i) { return (uint64_t{LabelField(i)} << 32) | LabelField(i + 1); }
inline constexpr capture::SampleLabel kLabelExpected{.trace_id_high = LabelWide(4),
                                                     .trace_id_low = LabelWide(6),
                                                     .span_id = LabelWide(8),
                                                     .local_root_id = LabelWide(10),
                                                     .attribution_slot = LabelField(2),
                                                     .attribution_generation = LabelField(3),
                                                     .label_set = LabelField(0),
                                                     .label_set_generation = LabelField(1)};

class LabelHeap {
 public:
  static constexpr uint32_t kAbsent = ~0u;
  struct Shape {
    uint32_t others = 3;   // entries of other storages
    uint32_t at = 0;       // before which of them the label stands; kAbsent: nowhere
    uint32_t deleted = 0;  // the first so many of the others were deleted
  };

  LabelHeap(const v8::Layout& layout, const Shape& shape) : heap(layout, 8192 + shape.others * 256) {
    label = heap.Allocate(layout.type_js_object, kFields + 15 * 8);
    for (uint32_t i = 0; i < 12; i++) heap.Set(label, kFields + 8 * i, FakeHeap::Smi(static_cast<int32_t>(Field(i))));
    const uint64_t hole = heap.Oddball();
    for (uint32_t i = 12; i < 15; i++) heap.Set(label, kFields + 8 * i, hole);
    holder = Object(layout, label);
    storage = Object(layout, hole);
    const uint32_t entries = shape.others + (shape.at == kAbsent ? 0 : 1);
    uint32_t buckets = 2;
    while (2 * buckets < entries) buckets *= 2;
    table = heap.Allocate(layout.type_ordered_hash_map, layout.array_data + 8 * (3 + buckets + 6 * buckets));
    frame = heap.Allocate(layout.type_js_map, 32);
    if (frame == 0 || table == 0) return;
    heap.Set(frame, kFields, table);
    heap.Set(frame, 8, hole);
    heap.Set(frame, 16, hole);
    heap.Set(table, layout.array_length, FakeHeap::Smi(static_cast<int32_t>(3 + buckets + 6 * buckets)));
    heap.Set(table, 16, FakeHeap::Smi(static_cast<int32_t>(entries - shape.deleted)));
    heap.Set(table, 24, FakeHeap::Smi(static_cast<int32_t>(shape.deleted)));
    heap.Set(table, 32, FakeHeap::Smi(static_cast<int32_t>(buckets)));
    for (uint32_t i = 0; i < buckets; i++) heap.Set(table, 40 + 8 * i, FakeHeap::Smi(-1));
    const uint64_t other = Object(layout, hole);
    uint32_t of_others = 0;
    for (uint32_t i = 0; i < 2 * buckets; i++) {
      const uint32_t at = 40 + 8 * buckets + 24 * i;
      const bool deleted = i != shape.at && of_others < shape.deleted;
      of_others += i != shape.at ? 1 : 0;
      if (i == shape.at) value_at_ = at + 8;
      // Behind the last entry V8 has undefined.
      const bool used = i < entries;
      heap.Set(table, at, !used || deleted ? hole : i == shape.at ? storage : other);
      heap.Set(table, at + 8, !used || deleted ? hole : i == shape.at ? label : other);
      heap.Set(table, at + 16, FakeHeap::Smi(-1));
    }
  }

  capture::LabelRead ReadFrame(capture::SampleLabel* out) const { return capture::ReadFromFrame(heap.layout(), frame, storage, out); }
  void SetValue(uint64_t value) { heap.Set(table, value_at_, value); }

  static constexpr uint32_t Field(uint32_t i) { return LabelField(i); }
  static constexpr capture::SampleLabel kExpected = kLabelExpected;

  FakeHeap heap;
  uint64_t label = 0;
  uint64_t holder = 0;
  uint64_t storage = 0;
  uint64_t frame = 0;
  uint64_t table = 0;

 private:
  static constexpr uint32_t kFields = 24;

  // As large as a label: only labels are ever a value of the storage, so the reader takes an object of JavaScript's there for one.
  uint64_t Object(const v8::Layout& layout, uint64_t field) {
    const uint64_t object = heap.Allocate(layout.type_js_object, kFields + 15 * 8);
    heap.Set(object, kFields, field);
    return object;
  }

  uint32_t value_at_ = 0;
};

}  // namespace strobe::test
