// Tests of stack/slice_builder.h and flat_map.h: the trie shares prefixes and keeps counts and weights exactly, a cut leaves an empty
// builder, and the slice's columns fit together.
#include "stack/slice_builder.h"

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "stack/flat_map.h"
#include "test/check.h"

namespace strobe::stack {
namespace {

v8::FunctionRef Make(const std::string& text) { return std::make_shared<v8::Function>(text, v8::FunctionKind::kJs, v8::FrameRole::kShown); }

// Root first.
uint32_t Insert(SliceBuilder* builder, const std::vector<Frame>& stack) {
  uint32_t node = builder->Root();
  for (const Frame& frame : stack) node = builder->Child(node, frame);
  return node;
}

// Every index points into its table, every table's columns are equally long, strings are unique.
bool WellFormed(const Slice& slice) {
  bool held = true;
  const size_t functions = slice.function_name.size();
  held &= CHECK_EQ(slice.function_file.size(), functions) & CHECK_EQ(slice.function_line.size(), functions) &
          CHECK_EQ(slice.function_column.size(), functions) & CHECK_EQ(slice.function_kind.size(), functions);
  const size_t frames = slice.frame_function.size();
  held &= CHECK_EQ(slice.frame_line.size(), frames) & CHECK_EQ(slice.frame_column.size(), frames);
  const size_t nodes = slice.node_parent.size();
  held &= CHECK_EQ(slice.node_frame.size(), nodes);
  const size_t samples = slice.sample_node.size();
  held &= CHECK_EQ(slice.sample_thread.size(), samples) & CHECK_EQ(slice.sample_mode.size(), samples) &
          CHECK_EQ(slice.sample_count.size(), samples) & CHECK_EQ(slice.sample_weight_ns.size(), samples);
  if (!CHECK(!slice.strings.empty()) || !CHECK(nodes > 0)) return false;
  held &= CHECK_EQ(slice.strings[0], "");
  held &= CHECK_EQ(std::set<std::string>(slice.strings.begin(), slice.strings.end()).size(), slice.strings.size());
  bool indexes = true;
  for (size_t i = 0; i < functions; i++) {
    indexes &= slice.function_name[i] < slice.strings.size() && slice.function_file[i] < slice.strings.size();
  }
  for (const uint32_t function : slice.frame_function) indexes &= function < functions;
  std::set<std::pair<uint32_t, uint32_t>> edges;
  for (size_t i = 1; i < nodes; i++) {
    indexes &= slice.node_parent[i] < i && slice.node_frame[i] < frames;
    indexes &= edges.emplace(slice.node_parent[i], slice.node_frame[i]).second;  // one child a frame
  }
  std::set<std::tuple<uint32_t, uint32_t, uint8_t>> rows;
  for (size_t i = 0; i < samples; i++) {
    indexes &= slice.sample_node[i] < nodes && slice.sample_thread[i] < slice.threads.size();
    indexes &= rows.emplace(slice.sample_node[i], slice.sample_thread[i], slice.sample_mode[i]).second;
  }
  return (held & CHECK(indexes)) != 0;
}

TEST(slice_shared_prefixes_share_nodes) {
  SliceBuilder builder;
  const Frame a{Make("a /x.js:1:1")};
  const Frame b{Make("b /x.js:2:1")};
  const Frame c{Make("c /x.js:3:1")};
  const uint32_t ab = Insert(&builder, {a, b});
  const uint32_t ac = Insert(&builder, {a, c});
  CHECK(ab != ac);
  CHECK_EQ(Insert(&builder, {a, b}), ab);
  CHECK_EQ(builder.nodes(), 4);  // root, a, a;b, a;c
  const uint32_t ba = Insert(&builder, {b, a});
  CHECK_EQ(builder.nodes(), 6);
  const uint32_t aa = Insert(&builder, {a, a});  // recursion is a path of its own
  CHECK_EQ(builder.nodes(), 7);
  CHECK(std::set<uint32_t>({ab, ac, ba, aa}).size() == 4);
  const std::unique_ptr<Slice> slice = builder.Cut();
  CHECK(WellFormed(*slice));
  CHECK_EQ(slice->frame_function.size(), 3);
  CHECK_EQ(slice->node_parent[ab], slice->node_parent[ac]);
  CHECK_EQ(slice->node_parent[slice->node_parent[ab]], 0);
  CHECK_EQ(slice->strings[slice->function_name[slice->frame_function[slice->node_frame[ab]]]], "b");
}

TEST(slice_equal_samples_share_a_row) {
  SliceBuilder builder;
  CHECK(builder.empty());
  const uint32_t node = Insert(&builder, {{Make("a")}});
  CHECK(builder.empty());  // nodes without samples are nothing to deliver
  const uint32_t main = builder.Thread(1, 100, "main");
  const uint32_t worker = builder.Thread(2, 100, "worker");  // a recycled tid is another thread
  CHECK(main != worker);
  CHECK_EQ(builder.Thread(1, 100, "main"), main);
  builder.AddSample({node, main, 0, GcKind::kNone}, 1, 1.5);
  builder.AddSample({node, main, 0, GcKind::kNone}, 2, 2.5);
  builder.AddSample({node, worker, 0, GcKind::kNone}, 4, 8);
  builder.AddSample({node, main, 1, GcKind::kNone}, 16, 32);
  builder.AddSample({0, main, 0, GcKind::kNone}, 64, 128);
  CHECK(!builder.empty());
  const std::unique_ptr<Slice> slice = builder.Cut();
  CHECK(WellFormed(*slice));
  CHECK(slice->sample_node == std::vector<uint32_t>({node, node, node, 0}));
  CHECK(slice->sample_thread == std::vector<uint32_t>({main, worker, main, main}));
  CHECK(slice->sample_mode == std::vector<uint8_t>({0, 0, 1, 0}));
  CHECK(slice->sample_count == std::vector<uint32_t>({3, 4, 16, 64}));
  CHECK(slice->sample_weight_ns == std::vector<double>({4, 8, 32, 128}));
  CHECK_EQ(slice->threads.size(), 2);
  CHECK_EQ(slice->threads[main].name, "main");
  CHECK_EQ(slice->threads[worker].tid, 100);
}

TEST(slice_conserves_random_stacks) {
  std::mt19937 random(9);
  std::vector<v8::FunctionRef> functions;
  for (int i = 0; i < 30; i++)
    functions.push_back(Make("f" + std::to_string(i % 20) + " /f" + std::to_string(i % 3) + ".js:" + std::to_string(i) + ":1"));
  SliceBuilder builder;
  using Path = std::vector<std::tuple<const v8::Function*, uint32_t, uint32_t>>;
  std::map<std::tuple<Path, uint32_t, uint8_t>, std::pair<uint64_t, double>> model;
  std::map<uint32_t, Path> path_of;
  for (int i = 0; i < 50'000; i++) {
    std::vector<Frame> stack;
    Path path;
    for (uint32_t n = random() % 12; n > 0; n--) {
      // Skewed, so that prefixes repeat.
      const Frame frame{functions[random() % (1 + random() % functions.size())], static_cast<uint32_t>(random() % 3),
                        static_cast<uint32_t>(random() % 2)};
      stack.push_back(frame);
      path.emplace_back(frame.function.get(), frame.line, frame.column);
    }
    const uint32_t key = random() % 3;
    const uint8_t mode = random() % 2;
    const uint32_t count = 1 + random() % 3;
    const double weight = static_cast<double>(random() % 10'000'000);
    const uint32_t node = Insert(&builder, stack);
    const auto [it, fresh] = path_of.try_emplace(node, path);
    if (!fresh && !CHECK(it->second == path)) return;  // a node means one path
    builder.AddSample({node, builder.Thread(key, static_cast<int32_t>(key), "t"), mode, GcKind::kNone}, count, weight);
    auto& cell = model[{path, key, mode}];
    cell.first += count;
    cell.second += weight;
  }
  std::map<const v8::Function*, std::string> names;
  const std::unique_ptr<Slice> slice = builder.Cut();
  if (!CHECK(WellFormed(*slice))) return;
  CHECK_EQ(slice->sample_node.size(), model.size());
  CHECK_EQ(slice->function_name.size(), functions.size());
  uint64_t wrong = 0;
  for (size_t row = 0; row < slice->sample_node.size(); row++) {
    const Path& path = path_of[slice->sample_node[row]];
    const auto found = model.find({path, static_cast<uint32_t>(slice->threads[slice->sample_thread[row]].tid), slice->sample_mode[row]});
    if (found == model.end() || found->second.first != slice->sample_count[row] || found->second.second != slice->sample_weight_ns[row])
      wrong++;
    // The columns tell the same path, leaf to root.
    uint32_t node = slice->sample_node[row];
    for (size_t i = path.size(); i-- > 0; node = slice->node_parent[node]) {
      const auto& [function, line, column] = path[i];
      const uint32_t frame = slice->node_frame[node];
      const uint32_t index = slice->frame_function[frame];
      auto* named = const_cast<v8::Function*>(function);
      if (slice->frame_line[frame] != line || slice->frame_column[frame] != column ||
          slice->strings[slice->function_name[index]] != named->name().name ||
          slice->strings[slice->function_file[index]] != named->name().file || slice->function_line[index] != named->name().line) {
        wrong++;
      }
    }
    if (node != 0) wrong++;
  }
  CHECK_EQ(wrong, 0);
}

TEST(slice_cut_leaves_an_empty_builder) {
  SliceBuilder builder;
  v8::FunctionRef function = Make("a /x.js:1:1");
  std::weak_ptr<v8::Function> watch = function;
  builder.AddSample({Insert(&builder, {{function}}), builder.Thread(7, 7, "t"), 0, GcKind::kNone}, 1, 1);
  builder.totals(0).samples = 5;
  builder.totals(0).lost = 6;
  function.reset();
  CHECK(!watch.expired());  // held until the cut: its address can't become another function's
  const std::unique_ptr<Slice> first = builder.Cut();
  CHECK(watch.expired());
  CHECK(builder.empty());
  CHECK_EQ(builder.nodes(), 1);
  CHECK_EQ(builder.totals(0).samples + builder.totals(0).lost, 0);
  CHECK_EQ(first->totals.samples, 5);
  CHECK_EQ(first->totals.lost, 6);
  const std::unique_ptr<Slice> second = builder.Cut();
  CHECK(WellFormed(*second));
  CHECK_EQ(second->strings.size(), 1);
  CHECK_EQ(second->function_name.size() + second->frame_function.size() + second->threads.size() + second->sample_node.size(), 0);
  CHECK_EQ(second->node_parent.size(), 1);
  // The next slice counts from zero again.
  const uint32_t node = Insert(&builder, {{Make("b")}});
  CHECK_EQ(node, 1);
  builder.AddSample({node, builder.Thread(8, 8, "u"), 0, GcKind::kNone}, 1, 2);
  const std::unique_ptr<Slice> third = builder.Cut();
  CHECK(WellFormed(*third));
  CHECK_EQ(third->sample_weight_ns.at(0), 2.0);
  CHECK_EQ(first->sample_weight_ns.at(0), 1.0);
}

TEST(slice_functions_by_identity_strings_by_content) {
  SliceBuilder builder;
  // Two objects of one text (two isolates' kinds, an interned one that was swept and came again): two functions, one copy of the strings.
  const v8::FunctionRef one = Make("same /x.js:1:1");
  const v8::FunctionRef two = Make("same /x.js:1:1");
  const uint32_t a = Insert(&builder, {{one}});
  const uint32_t b = Insert(&builder, {{two}});
  CHECK(a != b);
  Insert(&builder, {{Make("/x.js other:1:1")}});
  const std::unique_ptr<Slice> slice = builder.Cut();
  CHECK(WellFormed(*slice));
  CHECK_EQ(slice->function_name.size(), 3);
  CHECK_EQ(slice->function_name[0], slice->function_name[1]);
  CHECK_EQ(slice->function_file[0], slice->function_file[1]);
}

TEST(slice_positions_beyond_16_bits) {
  SliceBuilder builder;
  const v8::FunctionRef function = Make("min /bundle.js:1:1");
  const std::vector<std::pair<uint32_t, uint32_t>> places = {
      {0, 0},     {0, 1},       {1, 0},          {1, 1},          {1, 65536},  {1, 65537},      {65537, 1},  {65536, 0},
      {0, 65536}, {1, 1 << 20}, {1, 0xffffffff}, {0xffffffff, 1}, {1, 131073}, {131073, 65537}, {2, 131073}, {0xfffffffe, 0}};
  std::set<uint32_t> nodes;
  for (const auto& [line, column] : places) nodes.insert(Insert(&builder, {{function, line, column}}));
  CHECK_EQ(nodes.size(), places.size());
  for (const auto& [line, column] : places) nodes.insert(Insert(&builder, {{function, line, column}}));
  CHECK_EQ(nodes.size(), places.size());
  const std::unique_ptr<Slice> slice = builder.Cut();
  CHECK(WellFormed(*slice));
  CHECK_EQ(slice->function_name.size(), 1);
  CHECK_EQ(slice->frame_function.size(), places.size());
  for (size_t i = 0; i < places.size(); i++) {
    CHECK_EQ(slice->frame_line[i], places[i].first);
    CHECK_EQ(slice->frame_column[i], places[i].second);
  }
}

TEST(slice_flat_map_small) {
  FlatMap map;
  bool inserted = false;
  CHECK_EQ(map.FindOrInsert(0, 7, &inserted), 7);
  CHECK(inserted);
  CHECK_EQ(map.FindOrInsert(0, 8, &inserted), 7);
  CHECK(!inserted);
  CHECK_EQ(map.size(), 1);
  map.Clear();
  CHECK_EQ(map.size(), 0);
  CHECK_EQ(map.FindOrInsert(0, 9, &inserted), 9);
  CHECK(inserted);
}

TEST(slice_flat_map_a_million_keys) {
  // The trie's own key patterns (node << 32 | frame) and random ones.
  constexpr uint32_t kKeys = 1'000'000;
  std::mt19937_64 random(2);
  std::vector<uint64_t> keys;
  std::set<uint64_t> seen;
  for (uint64_t i = 0; i < kKeys / 2; i++) keys.push_back(((i / 8) << 32) | (i % 8));
  for (uint64_t i = 0; i < kKeys / 2; i++) keys.push_back((uint64_t{1} << 63) | (random() >> 2));
  FlatMap map;
  uint32_t wrong = 0;
  uint32_t fresh = 0;
  for (uint32_t i = 0; i < kKeys; i++) {
    bool inserted = false;
    const uint32_t value = map.FindOrInsert(keys[i], i, &inserted);
    fresh += inserted ? 1 : 0;
    wrong += keys[value] == keys[i] && inserted == (value == i) ? 0 : 1;
  }
  CHECK_EQ(map.size(), fresh);
  CHECK(fresh > kKeys - 10);
  for (uint32_t i = 0; i < kKeys; i++) {
    bool inserted = false;
    const uint32_t value = map.FindOrInsert(keys[i], 0xfffffffe, &inserted);
    wrong += !inserted && keys[value] == keys[i] ? 0 : 1;
  }
  CHECK_EQ(wrong, 0);
  CHECK_EQ(map.size(), fresh);
}

}  // namespace
}  // namespace strobe::stack
