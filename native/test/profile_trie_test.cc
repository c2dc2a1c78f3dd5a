// Tests of stack/profile_trie.h and trie_walk.h: the trie is the one that a map of paths would be, however many children a node has; a walk
// meets every node once, parents first, and every row behind its node; columns that don't fit are refused.
#include "stack/profile_trie.h"

#include <map>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "stack/trie_walk.h"
#include "test/check.h"

namespace strobe::stack {
namespace {

using Path = std::vector<uint32_t>;

Path PathOf(const ProfileTrie& trie, uint32_t node) {
  Path path;
  for (; node != ProfileTrie::kRoot; node = trie[node].parent) path.push_back(trie[node].frame);
  return {path.rbegin(), path.rend()};
}

TEST(profile_trie_gives_each_path_one_node) {
  std::mt19937 random(7);
  ProfileTrie trie(0);
  std::map<Path, uint32_t> known{{{}, ProfileTrie::kRoot}};
  for (int i = 0; i < 20'000; i++) {
    Path path;
    uint32_t node = ProfileTrie::kRoot;
    // Few frames near the root, many above: nodes with two children and nodes with hundreds.
    for (uint32_t depth = 0; depth < 6; depth++) {
      const uint32_t frame = random() % (depth < 3 ? 2 : 300);
      path.push_back(frame);
      node = trie.Child(node, frame);
      const auto [at, fresh] = known.emplace(path, node);
      CHECK_EQ(at->second, node);
      if (fresh) CHECK_EQ(node, trie.size() - 1);
    }
  }
  CHECK_EQ(trie.size(), known.size());
  bool same = true;
  for (const auto& [path, node] : known) same &= PathOf(trie, node) == path;
  CHECK(same);
  CHECK(trie.bytes() >= trie.size() * sizeof(ProfileTrie::Node));
}

TEST(profile_trie_finds_the_children_of_a_node_that_becomes_wide) {
  ProfileTrie trie(10);
  std::vector<uint32_t> nodes;
  for (uint32_t frame = 0; frame < 40; frame++) {
    nodes.push_back(trie.Child(ProfileTrie::kRoot, frame * 3));
    for (uint32_t seen = 0; seen <= frame; seen++) CHECK_EQ(trie.Child(ProfileTrie::kRoot, seen * 3), nodes[seen]);
  }
  CHECK_EQ(trie.size(), 41);
  size_t children = 0;
  for (uint32_t child = trie[0].first_child; child != ProfileTrie::kNone; child = trie[child].next_sibling) children++;
  CHECK_EQ(children, 40);
}

// root; 1 = a, 2 = a;b, 3 = c, 4 = a;d
const std::vector<uint32_t> kParent = {0, 0, 1, 0, 1};
const std::vector<uint32_t> kFrame = {0, 0, 1, 2, 3};

TEST(profile_trie_folds_only_what_samples_of_the_mode_stand_on) {
  const std::vector<uint32_t> sample_node = {2, 3, 4};
  const std::vector<uint8_t> sample_mode = {0, 1, 0};
  std::vector<uint8_t> nodes(5), frames(4);
  CHECK(MarkUsed(kParent, kFrame, sample_node, sample_mode, 0, nodes, frames));
  CHECK(nodes == std::vector<uint8_t>({1, 1, 1, 0, 1}));
  CHECK(frames == std::vector<uint8_t>({1, 1, 0, 1}));
  ProfileTrie trie(0);
  (void)trie.Child(ProfileTrie::kRoot, 20);
  std::vector<uint32_t> own(5, 77);
  CHECK(trie.Fold(kParent, kFrame, nodes, std::vector<uint32_t>{10, 11, 0xffffffff, 13}, own));
  CHECK(PathOf(trie, own[2]) == Path({10, 11}));
  CHECK(PathOf(trie, own[4]) == Path({10, 13}));
  CHECK_EQ(own[0], ProfileTrie::kRoot);
  CHECK_EQ(own[3], 77);
  CHECK_EQ(trie.size(), 5);  // root, 20, 10, 10;11, 10;13
  // Once more: nothing new.
  std::vector<uint32_t> again(5);
  CHECK(trie.Fold(kParent, kFrame, nodes, std::vector<uint32_t>{10, 11, 12, 13}, again));
  CHECK_EQ(again[4], own[4]);
  CHECK_EQ(trie.size(), 5);
}

TEST(profile_trie_refuses_columns_that_do_not_fit) {
  const std::vector<uint8_t> used(5, 1);
  const std::vector<uint32_t> frames = {0, 1, 2, 3};
  std::vector<uint32_t> own(5);
  ProfileTrie trie(0);
  CHECK(!trie.Fold(kParent, kFrame, used, std::vector<uint32_t>{0, 1, 2}, own));         // a frame without an id
  CHECK(!trie.Fold(std::vector<uint32_t>{0, 0, 2, 0, 1}, kFrame, used, frames, own));    // its own parent
  CHECK(!trie.Fold(std::vector<uint32_t>{0, 0, 9, 0, 1}, kFrame, used, frames, own));    // a parent that is not there
  CHECK(!trie.Fold(kParent, kFrame, std::vector<uint8_t>{1, 0, 1, 0, 0}, frames, own));  // a parent that is not used
  CHECK(!trie.Fold(kParent, std::vector<uint32_t>{0, 0, 1}, used, frames, own));         // lengths
  CHECK(!trie.Fold({}, {}, {}, frames, {}));                                             // no root
  std::vector<uint8_t> nodes(5), used_frames(4);
  const std::vector<uint8_t> mode = {0};
  CHECK(!MarkUsed(kParent, kFrame, std::vector<uint32_t>{5}, mode, 0, nodes, used_frames));     // a node that is not there
  CHECK(!MarkUsed(kParent, kFrame, std::vector<uint32_t>{1, 2}, mode, 0, nodes, used_frames));  // lengths
  CHECK(!MarkUsed(kParent, std::vector<uint32_t>{0, 0, 4, 0, 0}, std::vector<uint32_t>{2}, mode, 0, nodes, used_frames));
  CHECK(!MarkUsed(std::vector<uint32_t>{0, 0, 7, 0, 0}, kFrame, std::vector<uint32_t>{2}, mode, 0, nodes, used_frames));
  std::vector<uint32_t> order(1);
  CHECK(!OrderAlong(trie, std::vector<uint32_t>{trie.size()}, order));
  CHECK(!OrderAlong(trie, std::vector<uint32_t>{0, 0}, order));
}

TEST(trie_walk_meets_every_node_once_parents_first_and_its_rows) {
  std::mt19937 random(3);
  ProfileTrie trie(0);
  std::vector<uint32_t> row_node;
  for (int i = 0; i < 3'000; i++) {
    uint32_t node = ProfileTrie::kRoot;
    for (uint32_t depth = random() % 12; depth > 0; depth--) node = trie.Child(node, random() % 20);
    row_node.push_back(node);
  }
  std::set<uint32_t> entered = {ProfileTrie::kRoot};
  std::set<uint32_t> rows;
  uint32_t latest = ProfileTrie::kRoot;
  uint32_t latest_row = 0;
  bool held = true;
  TrieWalk(trie, row_node)
      .Run(
          [&](uint32_t node, size_t depth) {
            held &= entered.insert(node).second && entered.count(trie[node].parent) == 1 && PathOf(trie, node).size() == depth;
            latest = node;
            latest_row = 0;
          },
          [&](uint32_t row, size_t depth) {
            held &= row_node[row] == latest && rows.insert(row).second && row >= latest_row && PathOf(trie, latest).size() == depth;
            latest_row = row;
          });
  CHECK(held);
  CHECK_EQ(entered.size(), trie.size());
  CHECK_EQ(rows.size(), row_node.size());
  std::vector<uint32_t> order(row_node.size());
  CHECK(OrderAlong(trie, row_node, order));
  CHECK_EQ(std::set<uint32_t>(order.begin(), order.end()).size(), order.size());
}

}  // namespace
}  // namespace strobe::stack
