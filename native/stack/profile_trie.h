// The stack trie of a profile in the making: (parent, frame) -> node, where frames are the profile's own ids. Node 0 is the root, no frame;
// a parent's id is smaller than its children's. Slices are folded into it, which gives each of their nodes a node here; then the profile's
// samples are written along it (profile_bytes.h).
//
// Most nodes have one child or two, and a new stack is a chain of new nodes: a list of children that lie beside each other finds them
// without a hash, whose random places in a large table cost more than all the rest of merging. A parent with many children has them in a
// hash table.
//
// One thread only. At most kMostNodes nodes: Fold refuses more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "stack/flat_map.h"

namespace strobe::stack {

class ProfileTrie {
 public:
  static constexpr uint32_t kRoot = 0;
  // No child, no sibling: the root is nobody's child.
  static constexpr uint32_t kNone = 0;
  static constexpr uint32_t kMostNodes = 0x7fffffff;

  // 16 bytes: a window of a large program has half a million.
  struct Node {
    uint32_t parent;
    uint32_t frame;
    uint32_t first_child : 31;
    // The hash table has the children, too.
    uint32_t wide : 1;
    uint32_t next_sibling;
  };

  // `expected`: about how many nodes it will have.
  explicit ProfileTrie(size_t expected);

  uint32_t size() const { return static_cast<uint32_t>(nodes_.size()); }
  const Node& operator[](uint32_t node) const { return nodes_[node]; }
  // Of memory held.
  size_t bytes() const { return nodes_.capacity() * sizeof(Node) + wide_.bytes(); }

  // The child of `parent` (a node of this trie) by `frame`; made when there is none.
  uint32_t Child(uint32_t parent, uint32_t frame);

  // Gives each node of a slice with used[node] its node here: own_nodes[node]; the others' are not written. `own_frames`: the slice's
  // frames -> the profile's. False, with what was folded so far, when the columns don't fit together: of different lengths, a parent that
  // does not stand before its child or is not used, a frame that is not in `own_frames`; or when there is no room.
  bool Fold(std::span<const uint32_t> node_parent, std::span<const uint32_t> node_frame, std::span<const uint8_t> used,
            std::span<const uint32_t> own_frames, std::span<uint32_t> own_nodes);

 private:
  // So many children are looked at one by one.
  static constexpr uint32_t kMostInList = 12;

  uint32_t Add(uint32_t parent, uint32_t frame);

  std::vector<Node> nodes_;
  FlatMap wide_;
};

// Of a slice's nodes and frames those that stand on the stack of a sample of `mode`: 1 in used_nodes, used_frames, which the caller has
// filled with 0. False when the columns don't fit together.
bool MarkUsed(std::span<const uint32_t> node_parent, std::span<const uint32_t> node_frame, std::span<const uint32_t> sample_node,
              std::span<const uint8_t> sample_mode, uint8_t mode, std::span<uint8_t> used_nodes, std::span<uint8_t> used_frames);

// Rows (by node) in the order of a walk along the trie, so that each shares its callers with the one before; rows of one node by number.
// False when a node is not in it or `order` is not as long as the rows.
bool OrderAlong(const ProfileTrie& trie, std::span<const uint32_t> row_node, std::span<uint32_t> order);

}  // namespace strobe::stack
