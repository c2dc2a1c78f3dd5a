// Tests of stack/slice_builder.h: rows by kind of collection, and the columns that lead to a function's source map.
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "stack/slice_builder.h"
#include "test/check.h"

namespace strobe::stack {
namespace {

v8::FunctionRef Make(const std::string& text) { return std::make_shared<v8::Function>(text, v8::FunctionKind::kJs, v8::FrameRole::kShown); }

constexpr GcKind kKinds[] = {
    GcKind::kNone,         GcKind::kScavenge, GcKind::kMinorMarkSweep, GcKind::kMarkSweepCompact, GcKind::kIncrementalMarking,
    GcKind::kWeakCallbacks};

TEST(slice_rows_by_kind_of_collection) {
  SliceBuilder builder;
  const uint32_t node = builder.Child(builder.Root(), {Make("a /x.js:1:1")});
  const uint32_t main = builder.Thread(1, 1, "main");
  const uint32_t worker = builder.Thread(2, 2, "worker");
  double weight = 1;
  for (int round = 0; round < 2; round++) {
    for (const uint32_t thread : {main, worker}) {
      for (const uint8_t mode : {0, 1}) {
        for (const GcKind kind : kKinds) {
          builder.AddSample({node, thread, mode, kind}, 1, weight);
          weight += 1;
        }
      }
    }
  }
  const std::unique_ptr<Slice> slice = builder.Cut();
  const size_t rows = 2 * 2 * std::size(kKinds);
  if (!CHECK_EQ(slice->sample_node.size(), rows) || !CHECK_EQ(slice->sample_gc.size(), rows)) return;
  for (size_t row = 0; row < rows; row++) {
    // In the order in which they came; each met twice.
    CHECK_EQ(slice->sample_gc[row], static_cast<uint8_t>(kKinds[row % std::size(kKinds)]));
    CHECK_EQ(slice->sample_mode[row], row / std::size(kKinds) % 2);
    CHECK_EQ(slice->sample_thread[row], row < rows / 2 ? main : worker);
    CHECK_EQ(slice->sample_count[row], 2);
    CHECK_EQ(slice->sample_weight_ns[row], static_cast<double>((row + 1) + (row + 1 + rows)));
  }
}

TEST(slice_rows_of_many_threads_do_not_meet) {
  // The row's key holds node, thread, mode and kind side by side: the largest of one must not run into the next.
  SliceBuilder builder;
  const uint32_t node = builder.Child(builder.Root(), {Make("a")});
  std::set<uint32_t> threads;
  for (uint64_t key = 0; key < 5000; key++) threads.insert(builder.Thread(key, static_cast<int32_t>(key), "t"));
  CHECK_EQ(threads.size(), 5000);
  for (const uint32_t thread : threads) {
    for (const GcKind kind : {GcKind::kNone, GcKind::kWeakCallbacks}) builder.AddSample({node, thread, 1, kind}, 1, 1);
  }
  const std::unique_ptr<Slice> slice = builder.Cut();
  CHECK_EQ(slice->sample_node.size(), 10'000);
  for (const uint32_t count : slice->sample_count) {
    if (!CHECK_EQ(count, 1)) return;
  }
}

TEST(slice_source_maps_of_functions) {
  SliceBuilder builder;
  const auto url = std::make_shared<const std::string>("app.js.map");
  const auto same_text = std::make_shared<const std::string>("app.js.map");
  const std::vector<v8::FunctionRef> functions = {Make("none /a.js:1:1"), Make("url /a.js:2:1"), Make("same /b.js:3:1"),
                                                  Make("in_file /c.js:4:1")};
  functions[1]->SetMap(v8::MapKind::kUrl, url);
  functions[2]->SetMap(v8::MapKind::kUrl, same_text);
  functions[3]->SetMap(v8::MapKind::kInFile, nullptr);
  for (const v8::FunctionRef& function : functions) builder.Child(builder.Root(), {function, 1, 1});
  const std::unique_ptr<Slice> slice = builder.Cut();
  CHECK(slice->function_map_kind == std::vector<uint8_t>({0, 1, 1, 2}));
  if (!CHECK_EQ(slice->function_map_url.size(), 4)) return;
  CHECK_EQ(slice->strings[slice->function_map_url[0]], "");
  CHECK_EQ(slice->strings[slice->function_map_url[1]], "app.js.map");
  CHECK_EQ(slice->function_map_url[2], slice->function_map_url[1]);  // strings by content
  CHECK_EQ(slice->strings[slice->function_map_url[3]], "");
  CHECK_EQ(slice->function_map_kind.size(), slice->function_name.size());
  // What is learnt later is in the next slice; a slice is of its moment.
  functions[0]->SetMap(v8::MapKind::kInFile, nullptr);
  functions[1]->SetMap(v8::MapKind::kNone, nullptr);
  for (const v8::FunctionRef& function : functions) builder.Child(builder.Root(), {function, 1, 1});
  const std::unique_ptr<Slice> next = builder.Cut();
  CHECK(next->function_map_kind == std::vector<uint8_t>({2, 0, 1, 2}));
  CHECK_EQ(next->function_map_url[1], 0);
}

}  // namespace
}  // namespace strobe::stack
