#include "stack/profile_trie.h"

#include "stack/trie_walk.h"

namespace strobe::stack {

ProfileTrie::ProfileTrie(size_t expected) {
  nodes_.reserve(expected);
  nodes_.push_back({kNone, 0, kNone, 0, kNone});
}

uint32_t ProfileTrie::Child(uint32_t parent, uint32_t frame) {
  bool inserted = false;
  if (nodes_[parent].wide != 0) {
    const uint32_t found = wide_.FindOrInsert(uint64_t{parent} << 32 | frame, size(), &inserted);
    return inserted ? Add(parent, frame) : found;
  }
  uint32_t seen = 0;
  for (uint32_t child = nodes_[parent].first_child; child != kNone; child = nodes_[child].next_sibling) {
    if (nodes_[child].frame == frame) return child;
    seen++;
  }
  const uint32_t node = Add(parent, frame);
  if (seen >= kMostInList) {
    nodes_[parent].wide = 1;
    for (uint32_t child = node; child != kNone; child = nodes_[child].next_sibling) {
      (void)wide_.FindOrInsert(uint64_t{parent} << 32 | nodes_[child].frame, child, &inserted);
    }
  }
  return node;
}

uint32_t ProfileTrie::Add(uint32_t parent, uint32_t frame) {
  const uint32_t node = size();
  nodes_.push_back({parent, frame, kNone, 0, nodes_[parent].first_child});
  nodes_[parent].first_child = node & kMostNodes;
  return node;
}

bool ProfileTrie::Fold(std::span<const uint32_t> node_parent, std::span<const uint32_t> node_frame, std::span<const uint8_t> used,
                       std::span<const uint32_t> own_frames, std::span<uint32_t> own_nodes) {
  const size_t count = node_parent.size();
  if (node_frame.size() != count || used.size() != count || own_nodes.size() != count || count == 0) return false;
  if (count > kMostNodes - size()) return false;
  own_nodes[kRoot] = kRoot;
  for (size_t node = 1; node < count; node++) {
    if (used[node] == 0) continue;
    const uint32_t parent = node_parent[node];
    const uint32_t frame = node_frame[node];
    if (parent >= node || (parent != kRoot && used[parent] == 0) || frame >= own_frames.size()) return false;
    own_nodes[node] = Child(own_nodes[parent], own_frames[frame]);
  }
  return true;
}

bool MarkUsed(std::span<const uint32_t> node_parent, std::span<const uint32_t> node_frame, std::span<const uint32_t> sample_node,
              std::span<const uint8_t> sample_mode, uint8_t mode, std::span<uint8_t> used_nodes, std::span<uint8_t> used_frames) {
  const size_t count = node_parent.size();
  if (node_frame.size() != count || used_nodes.size() != count || sample_mode.size() != sample_node.size()) return false;
  for (size_t row = 0; row < sample_node.size(); row++) {
    if (sample_mode[row] != mode) continue;
    if (sample_node[row] >= count) return false;
    used_nodes[sample_node[row]] = 1;
  }
  // A parent's index is smaller, so one pass down marks all ancestors.
  for (size_t node = count; node-- > 1;) {
    if (used_nodes[node] == 0) continue;
    if (node_parent[node] >= node || node_frame[node] >= used_frames.size()) return false;
    used_nodes[node_parent[node]] = 1;
    used_frames[node_frame[node]] = 1;
  }
  return true;
}

bool OrderAlong(const ProfileTrie& trie, std::span<const uint32_t> row_node, std::span<uint32_t> order) {
  const TrieWalk walk(trie, row_node);
  if (!walk.valid() || order.size() != row_node.size()) return false;
  size_t at = 0;
  walk.Run([](uint32_t, size_t) {}, [&](uint32_t row, size_t) { order[at++] = row; });
  return true;
}

}  // namespace strobe::stack
