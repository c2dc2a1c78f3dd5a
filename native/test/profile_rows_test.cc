// Tests of stack/profile_rows.h and frame_order.h: rows with the same ids are one and keep counts and weights, whatever slices they come
// in; orders are those of a plain sort; columns that don't fit are refused and change nothing.
#include "stack/profile_rows.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <tuple>
#include <utility>
#include <vector>

#include "stack/frame_order.h"
#include "test/check.h"

namespace strobe::stack {
namespace {

TEST(profile_rows_are_one_for_equal_ids) {
  std::mt19937 random(11);
  ProfileRows rows;
  std::map<std::tuple<uint32_t, uint32_t, uint32_t, uint32_t>, std::pair<double, double>> wanted;
  for (int slice = 0; slice < 20; slice++) {
    std::vector<uint32_t> own_nodes(200), own_threads(3), own_labels(5);
    for (uint32_t& id : own_nodes) id = random() % 1000;
    for (uint32_t& id : own_threads) id = random() % 4;
    for (uint32_t& id : own_labels) id = random() % 6;
    std::vector<uint8_t> mode, gc;
    std::vector<uint32_t> node, thread, labels, count;
    std::vector<double> weight;
    for (int row = 0; row < 500; row++) {
      mode.push_back(random() % 2);
      node.push_back(random() % 200);
      thread.push_back(random() % 3);
      gc.push_back(random() % 3);
      labels.push_back(random() % 5);
      count.push_back(random() % 4);
      weight.push_back(random() % 1'000'000);
      if (mode.back() != 1) continue;
      auto& sum = wanted[{own_nodes[node.back()], own_threads[thread.back()], gc.back(), own_labels[labels.back()]}];
      sum.first += count.back();
      sum.second += weight.back();
    }
    std::vector<uint32_t> own(500);
    CHECK(rows.Add({mode, node, thread, gc, labels, count, weight, own_nodes, own_threads, own_labels}, 1, own));
    bool right = true;
    for (size_t row = 0; row < own.size(); row++) {
      right &= (own[row] == ProfileRows::kNoRow) == (mode[row] != 1);
      if (mode[row] == 1) right &= own[row] < rows.all().size() && rows.all()[own[row]].node == own_nodes[node[row]];
    }
    CHECK(right);
  }
  CHECK_EQ(rows.all().size(), wanted.size());
  bool same = true;
  for (const ProfileRow& row : rows.all()) {
    const auto at = wanted.find({row.node, row.thread, row.gc, row.labels});
    same &= at != wanted.end() && at->second == std::pair(row.count, row.weight_ns);
  }
  CHECK(same);
  CHECK(rows.bytes() >= rows.all().size() * sizeof(ProfileRow));
}

TEST(profile_rows_refuse_columns_that_do_not_fit) {
  ProfileRows rows;
  const std::vector<uint8_t> mode = {0, 1}, gc = {0, 0};
  const std::vector<uint32_t> zero = {0, 0}, one = {0, 1}, single = {0};
  const std::vector<double> weight = {1, 1};
  std::vector<uint32_t> own(2);
  CHECK(!rows.Add({mode, one, zero, gc, zero, zero, weight, single, single, single}, 1, own));  // a node
  CHECK(!rows.Add({mode, zero, one, gc, zero, zero, weight, single, single, single}, 1, own));  // a thread
  CHECK(!rows.Add({mode, zero, zero, gc, one, zero, weight, single, single, single}, 1, own));  // labels
  CHECK(!rows.Add({mode, zero, single, gc, zero, zero, weight, single, single, single}, 1, own));
  CHECK(!rows.Add({mode, zero, zero, gc, zero, zero, weight, single, single, single}, 1, std::span(own).first(1)));
  CHECK_EQ(rows.all().size(), 0);
  // Of the other mode: not looked at.
  CHECK(rows.Add({mode, one, one, gc, one, zero, weight, single, single, single}, 0, own));
  CHECK_EQ(rows.all().size(), 1);
  CHECK_EQ(own[1], ProfileRows::kNoRow);
}

TEST(frame_order_is_by_file_line_and_column_then_frames_by_function) {
  std::mt19937 random(5);
  const auto column = [&](size_t length, uint32_t limit) {
    std::vector<uint32_t> values(length);
    for (uint32_t& value : values) value = random() % limit;
    return values;
  };
  const auto file = column(300, 7), line = column(300, 40), start = column(300, 3);
  const auto function = column(2000, 300), frame_line = column(2000, 30), frame_column = column(2000, 5);
  std::vector<uint32_t> functions(300), frames(2000);
  CHECK(OrderFrames({file, line, start}, {function, frame_line, frame_column}, functions, frames));
  std::vector<uint32_t> by_hand(300);
  std::iota(by_hand.begin(), by_hand.end(), 0u);
  std::stable_sort(by_hand.begin(), by_hand.end(),
                   [&](uint32_t a, uint32_t b) { return std::tie(file[a], line[a], start[a]) < std::tie(file[b], line[b], start[b]); });
  CHECK(functions == by_hand);
  std::vector<uint32_t> place(300);
  for (uint32_t at = 0; at < 300; at++) place[functions[at]] = at;
  bool ordered = true;
  for (size_t at = 1; at < frames.size(); at++) {
    const auto key = [&](uint32_t id) { return std::tuple(place[function[id]], frame_line[id], frame_column[id], id); };
    ordered &= key(frames[at - 1]) < key(frames[at]);
  }
  CHECK(ordered);
  const std::vector<uint32_t> none;
  CHECK(OrderFrames({none, none, none}, {none, none, none}, {}, {}));
  CHECK(!OrderFrames({file, line, none}, {function, frame_line, frame_column}, functions, frames));
  CHECK(!OrderFrames({none, none, none}, {function, frame_line, frame_column}, {}, frames));  // a function that is not there
}

}  // namespace
}  // namespace strobe::stack
