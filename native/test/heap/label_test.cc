// Tests of capture/label_source.h: the label is found in maps of every size, and whatever is not as it should be is refused without a read
// outside of the objects that were checked.
#include <memory>
#include <string>
#include <vector>

#include "capture/label_source.h"
#include "test/check.h"
#include "test/heap/fake_heap.h"
#include "test/heap/label_heap.h"

namespace strobe::capture {
namespace {

using test::FakeHeap;
using test::LabelHeap;

bool IsThe(const SampleLabel& label) {
  const SampleLabel& e = LabelHeap::kExpected;
  return CHECK_EQ(label.label_set, e.label_set) & CHECK_EQ(label.label_set_generation, e.label_set_generation) &
         CHECK_EQ(label.attribution_slot, e.attribution_slot) & CHECK_EQ(label.attribution_generation, e.attribution_generation) &
         CHECK_EQ(label.trace_id_high, e.trace_id_high) & CHECK_EQ(label.trace_id_low, e.trace_id_low) &
         CHECK_EQ(label.span_id, e.span_id) & CHECK_EQ(label.local_root_id, e.local_root_id);
}

// For each V8 that has maps that can be read.
template <typename F>
void EachVersion(F test) {
  int tested = 0;
  for (const auto& version : test::kVersions) {
    const v8::Layout* layout = v8::TableLayout(version[0], version[1]);
    if (!CHECK(layout != nullptr) || layout->type_ordered_hash_map == 0) continue;
    tested++;
    test(*layout);
  }
  CHECK(tested > 0);
}

TEST(label_in_maps_of_every_size) {
  EachVersion([](const v8::Layout& layout) {
    for (const uint32_t others : {0, 1, 2, 3, 4, 7, 8, 15, 16, 100, 500}) {
      for (const uint32_t at : {uint32_t{0}, others / 2, others}) {
        LabelHeap labels(layout, {.others = others, .at = at});
        SampleLabel label;
        CHECK_EQ(static_cast<int>(labels.ReadFrame(&label)), static_cast<int>(LabelRead::kFound));
        IsThe(label);
        CHECK_EQ(labels.heap.outside + labels.heap.stray, 0);
      }
    }
  });
}

TEST(label_behind_deleted_entries) {
  EachVersion([](const v8::Layout& layout) {
    for (const uint32_t deleted : {1, 2, 3, 50, 99}) {
      LabelHeap labels(layout, {.others = 100, .at = 100, .deleted = deleted});
      SampleLabel label;
      CHECK(labels.ReadFrame(&label) == LabelRead::kFound);
      IsThe(label);
    }
  });
}

TEST(label_is_not_there) {
  EachVersion([](const v8::Layout& layout) {
    SampleLabel label;
    for (const uint32_t others : {0, 1, 5, 300}) {
      LabelHeap labels(layout, {.others = others, .at = LabelHeap::kAbsent, .deleted = others / 2});
      CHECK(labels.ReadFrame(&label) == LabelRead::kNone);
      CHECK_EQ(labels.heap.outside + labels.heap.stray, 0);
    }
    // The storage's value is undefined, or nothing was ever entered, or another storage's key.
    LabelHeap labels(layout, {});
    labels.SetValue(labels.heap.Oddball());
    CHECK(labels.ReadFrame(&label) == LabelRead::kNone);
    CHECK(ReadFromFrame(layout, labels.heap.Oddball(), labels.storage, &label) == LabelRead::kNone);
    CHECK(ReadFromFrame(layout, 0, labels.storage, &label) == LabelRead::kNone);
    CHECK(ReadFromFrame(layout, labels.frame, labels.holder, &label) == LabelRead::kNone);
    labels.heap.Set(labels.holder, 24, labels.heap.Oddball());
    CHECK(ReadFromHolder(layout, labels.holder, &label) == LabelRead::kNone);
  });
}

TEST(label_in_the_holder) {
  for (const auto& version : test::kVersions) {
    const v8::Layout* layout = v8::TableLayout(version[0], version[1]);
    if (!CHECK(layout != nullptr)) continue;
    LabelHeap labels(*layout, {});
    SampleLabel label;
    CHECK(ReadFromHolder(*layout, labels.holder, &label) == LabelRead::kFound);
    IsThe(label);
    CHECK(ReadFromHolder(*layout, labels.heap.Oddball(), &label) == LabelRead::kRefused);
    CHECK(ReadFromHolder(*layout, 0, &label) == LabelRead::kRefused);
    labels.heap.Set(labels.holder, 24, FakeHeap::Smi(3));
    CHECK(ReadFromHolder(*layout, labels.holder, &label) == LabelRead::kRefused);
  }
}

TEST(label_fields_are_integers) {
  EachVersion([](const v8::Layout& layout) {
    for (uint32_t field = 0; field < 12; field++) {
      LabelHeap labels(layout, {});
      SampleLabel label;
      labels.heap.Set(labels.label, 24 + 8 * field, labels.heap.Oddball());
      CHECK(labels.ReadFrame(&label) == LabelRead::kRefused);
      labels.heap.Set(labels.label, 24 + 8 * field, FakeHeap::Smi(-1));
      CHECK(labels.ReadFrame(&label) == LabelRead::kFound);
      const uint32_t words[12] = {label.label_set,
                                  label.label_set_generation,
                                  label.attribution_slot,
                                  label.attribution_generation,
                                  static_cast<uint32_t>(label.trace_id_high >> 32),
                                  static_cast<uint32_t>(label.trace_id_high),
                                  static_cast<uint32_t>(label.trace_id_low >> 32),
                                  static_cast<uint32_t>(label.trace_id_low),
                                  static_cast<uint32_t>(label.span_id >> 32),
                                  static_cast<uint32_t>(label.span_id),
                                  static_cast<uint32_t>(label.local_root_id >> 32),
                                  static_cast<uint32_t>(label.local_root_id)};
      // A negative number of JavaScript's is the same 32 bits, and its sign reaches no other word.
      for (uint32_t i = 0; i < 12; i++) CHECK_EQ(words[i], i == field ? 0xffffffff : LabelHeap::Field(i));
    }
  });
}

TEST(label_counts_beyond_the_table_are_refused) {
  EachVersion([](const v8::Layout& layout) {
    const int32_t wrong[] = {-1, 1 << 20, (1 << 20) + 1, 0x7fffffff, -0x7fffffff - 1, 1000};
    for (const uint32_t count : {16, 24, 32}) {
      for (const int32_t value : wrong) {
        LabelHeap labels(layout, {.others = 3, .at = LabelHeap::kAbsent});
        labels.heap.Set(labels.table, count, FakeHeap::Smi(value));
        SampleLabel label;
        CHECK(labels.ReadFrame(&label) == LabelRead::kRefused);
        CHECK_EQ(labels.heap.outside + labels.heap.stray, 0);
      }
    }
    // As V8 leaves a table that was replaced: the next one where the count was.
    LabelHeap labels(layout, {});
    labels.heap.Set(labels.table, 16, labels.table);
    SampleLabel label;
    CHECK(labels.ReadFrame(&label) == LabelRead::kRefused);
    labels.heap.Set(labels.table, 16, FakeHeap::Smi(1));
    labels.heap.Set(labels.table, 32, FakeHeap::Smi(0));
    CHECK(labels.ReadFrame(&label) == LabelRead::kRefused);
  });
}

TEST(label_damage_a_field_is_another_value) {
  // Every field of every object in turn becomes each of: Smis, a cleared weak reference, two objects of each type, weak and strong.
  EachVersion([](const v8::Layout& layout) {
    LabelHeap labels(layout, {.others = 3, .at = 1, .deleted = 1});
    FakeHeap& heap = labels.heap;
    std::vector<uint64_t> values = {0, FakeHeap::Smi(0), FakeHeap::Smi(1), FakeHeap::Smi(-1), FakeHeap::Smi(0x7fffffff), 3};
    for (const uint64_t object : heap.TwoOfEachType()) {
      values.push_back(object);
      values.push_back(FakeHeap::Weak(object));
    }
    std::vector<FakeHeap::Field> fields = heap.Fields();
    CHECK(fields.size() > 20);
    uint64_t found = 0;
    uint64_t refused = 0;
    for (const FakeHeap::Field& field : fields) {
      const uint64_t before = heap.Get(field.object, field.offset);
      for (const uint64_t value : values) {
        heap.Set(field.object, field.offset, value);
        SampleLabel label;
        const LabelRead from_frame = labels.ReadFrame(&label);
        const LabelRead from_holder = ReadFromHolder(layout, labels.holder, &label);
        found += from_frame == LabelRead::kFound ? 1 : 0;
        refused += from_frame == LabelRead::kRefused || from_holder == LabelRead::kRefused ? 1 : 0;
        if (!CHECK_EQ(heap.outside, 0) || !CHECK_EQ(heap.stray, 0)) return;
      }
      heap.Set(field.object, field.offset, before);
    }
    CHECK(found > 0 && refused > 0);
  });
}

TEST(label_read_by_the_source) {
  EachVersion([](const v8::Layout& layout) {
    LabelHeap labels(layout, {});
    // What is no object of V8's: handles, and an isolate with one known word.
    constexpr uint32_t kSlot = 16;
    const uint64_t raw = labels.heap.ByteArray(test::ByteVector(64));
    const uint64_t words = raw - v8::kHeapTag + layout.array_data;
    labels.heap.Set(raw, layout.array_data, labels.storage);
    labels.heap.Set(raw, layout.array_data + 8, labels.holder);
    labels.heap.Set(raw, layout.array_data + 24, labels.frame);
    const auto* isolate = reinterpret_cast<const void*>(words + 24 - kSlot);
    const auto source = std::make_unique<LabelSource>();
    SampleLabel label;
    CHECK(ReadLabel(*source, layout, isolate, &label) == LabelRead::kNone);
    source->handle = reinterpret_cast<const uint64_t*>(words);
    source->kind.store(LabelSource::kFrame);
    CHECK(ReadLabel(*source, layout, isolate, &label) == LabelRead::kNone);  // not known yet where the frame is
    g_continuation_slot.store(kSlot);
    CHECK(ReadLabel(*source, layout, isolate, &label) == LabelRead::kFound);
    IsThe(label);
    g_labels_forbidden.store(true);
    CHECK(ReadLabel(*source, layout, isolate, &label) == LabelRead::kNone);
    g_labels_forbidden.store(false);
    g_continuation_slot.store(0);
    source->kind.store(LabelSource::kHolder);
    source->handle = reinterpret_cast<const uint64_t*>(words + 8);
    label = {};
    CHECK(ReadLabel(*source, layout, isolate, &label) == LabelRead::kFound);
    IsThe(label);
  });
}

}  // namespace
}  // namespace strobe::capture
