// Tests of the label rows of stack/slice_builder.h: a row for each thing that a label says, once, and nothing of one slice in the next.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "label/label_table.h"
#include "stack/slice_builder.h"
#include "test/check.h"

namespace strobe::stack {
namespace {

using label::LabelSet;
using Key = SliceBuilder::LabelKey;
using Pairs = std::vector<std::pair<std::string, std::string>>;

LabelSet Set(uint32_t id, uint32_t generation, label::Pairs pairs) {
  LabelSet set;
  set.id = id;
  set.generation = generation;
  set.pairs = std::move(pairs);
  return set;
}

Pairs Row(const Slice& slice, uint32_t row) {
  Pairs pairs;
  if (!CHECK(row < slice.label_end.size())) return pairs;
  for (uint32_t i = row == 0 ? 0 : slice.label_end[row - 1]; i < slice.label_end[row]; i++) {
    pairs.emplace_back(slice.strings.at(slice.label_key.at(i)), slice.strings.at(slice.label_value.at(i)));
  }
  return pairs;
}

TEST(slice_labels_rows) {
  SliceBuilder builder;
  const LabelSet a = Set(1, 1, {{"agent", "a"}, {"tool", "x"}});
  const LabelSet b = Set(2, 1, {{"agent", "b"}});
  const uint32_t row_a = builder.Label({.set = &a});
  const uint32_t row_b = builder.Label({.set = &b});
  const uint32_t gone = builder.Label({.evicted = true});
  const uint32_t span = builder.Label(
      {.set = &a, .trace_id_high = 0x0123456789abcdef, .trace_id_low = 0xf, .span_id = 0xfedcba9876543210, .local_root_id = 1});
  const uint32_t span_only = builder.Label({.trace_id_low = 1, .span_id = 2, .local_root_id = 2});
  const uint32_t gone_span = builder.Label({.evicted = true, .trace_id_low = 1, .span_id = 2, .local_root_id = 2});
  // Again: the same rows.
  CHECK_EQ(builder.Label({.set = &a}), row_a);
  CHECK_EQ(builder.Label({.evicted = true}), gone);
  CHECK_EQ(builder.Label({.trace_id_low = 1, .span_id = 2, .local_root_id = 2}), span_only);
  const LabelSet a_copy = a;
  CHECK_EQ(builder.Label({.set = &a_copy}), row_a);  // by number, not by address: that may be another set's by now
  const std::unique_ptr<Slice> slice = builder.Cut();
  CHECK_EQ(slice->label_end.size(), 7);  // and the row of no label
  CHECK(Row(*slice, 0).empty());
  CHECK(Row(*slice, row_a) == (Pairs{{"agent", "a"}, {"tool", "x"}}));
  CHECK(Row(*slice, row_b) == (Pairs{{"agent", "b"}}));
  CHECK(Row(*slice, gone) == (Pairs{{"strobe_labels", "(evicted)"}}));
  CHECK(Row(*slice, span) == (Pairs{{"agent", "a"},
                                    {"tool", "x"},
                                    {"trace_id", "0123456789abcdef000000000000000f"},
                                    {"span_id", "fedcba9876543210"},
                                    {"local_root_span_id", "0000000000000001"}}));
  CHECK(Row(*slice, span_only) == (Pairs{{"trace_id", "00000000000000000000000000000001"},
                                         {"span_id", "0000000000000002"},
                                         {"local_root_span_id", "0000000000000002"}}));
  CHECK_EQ(Row(*slice, gone_span).size(), 4);
}

TEST(slice_labels_are_told_apart_by_each_part) {
  SliceBuilder builder;
  const LabelSet set = Set(7, 3, {{"k", "v"}});
  const LabelSet later = Set(7, 5, {{"k", "other"}});
  // The id and the generation that the evicted one's key looks like.
  const LabelSet one = Set(1, 1, {{"k", "one"}});
  const std::vector<Key> keys = {
      {.set = &set},
      {.set = &later},
      {.set = &one},
      {.evicted = true},
      {.set = &set, .trace_id_high = 1, .span_id = 1},
      {.set = &set, .trace_id_low = 1, .span_id = 1},
      {.set = &set, .span_id = 1},
      {.set = &set, .span_id = 1, .local_root_id = 1},
      {.set = &set, .span_id = uint64_t{1} << 32},
      {.set = &set, .span_id = uint64_t{1} << 63},
  };
  for (uint32_t round = 0; round < 2; round++) {
    for (uint32_t i = 0; i < keys.size(); i++) CHECK_EQ(builder.Label(keys[i]), i + 1);
  }
  CHECK_EQ(builder.Cut()->label_end.size(), keys.size() + 1);
}

TEST(slice_labels_of_samples) {
  SliceBuilder builder;
  const LabelSet set = Set(1, 1, {{"k", "v"}});
  const uint32_t thread = builder.Thread(1, 1, "t");
  const uint32_t other = builder.Thread(2, 2, "u");
  const uint32_t label = builder.Label({.set = &set});
  for (int i = 0; i < 3; i++) {
    builder.AddSample({builder.Root(), thread, 0, GcKind::kNone, 0}, 1, 10);
    builder.AddSample({builder.Root(), thread, 0, GcKind::kNone, label}, 1, 100);
    builder.AddSample({builder.Root(), other, 0, GcKind::kNone, label}, 1, 1000);
    builder.AddSample({builder.Root(), other, 0, GcKind::kStep, label}, 1, 10000);
  }
  const std::unique_ptr<Slice> slice = builder.Cut();
  CHECK_EQ(slice->sample_node.size(), 4);
  CHECK_EQ(slice->sample_label.size(), 4);
  double expected = 30;
  for (size_t row = 0; row < slice->sample_node.size(); row++) {
    CHECK_EQ(slice->sample_count[row], 3);
    CHECK_EQ(slice->sample_weight_ns[row], expected);
    CHECK_EQ(slice->sample_label[row], row == 0 ? 0 : label);
    expected *= 10;
  }
  // The next slice knows nothing of it, also when a set of the same number is another by now.
  const LabelSet again = Set(1, 1, {{"k", "w"}});
  CHECK_EQ(builder.Label({.set = &again}), 1);
  CHECK(Row(*builder.Cut(), 1) == (Pairs{{"k", "w"}}));
}

}  // namespace
}  // namespace strobe::stack
