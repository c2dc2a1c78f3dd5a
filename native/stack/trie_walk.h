// A walk along a profile's stack trie, each node before its children, that meets the rows which stand on its nodes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "stack/profile_trie.h"

namespace strobe::stack {

class TrieWalk {
 public:
  // `row_node`: the node of each row; it is not kept.
  TrieWalk(const ProfileTrie& trie, std::span<const uint32_t> row_node)
      : trie_(trie), first_row_(trie.size(), kNoRow), next_row_(row_node.size(), kNoRow) {
    for (size_t row = row_node.size(); row-- > 0;) {
      const uint32_t node = row_node[row];
      if (node >= trie.size()) {
        valid_ = false;
        return;
      }
      next_row_[row] = first_row_[node];
      first_row_[node] = static_cast<uint32_t>(row);
    }
  }

  // False: a row stands on a node that the trie does not have.
  bool valid() const { return valid_; }

  // enter(node, depth): every node but the root, once; depth is how many frames its stack has. visit(row, depth): its rows, right behind
  // it, by number.
  template <typename Enter, typename Visit>
  void Run(const Enter& enter, const Visit& visit) const {
    uint32_t node = ProfileTrie::kRoot;
    size_t depth = 0;
    for (;;) {
      if (node != ProfileTrie::kRoot) enter(node, depth);
      for (uint32_t row = first_row_[node]; row != kNoRow; row = next_row_[row]) visit(row, depth);
      uint32_t next = trie_[node].first_child;
      if (next != ProfileTrie::kNone) depth++;
      while (next == ProfileTrie::kNone) {
        if (node == ProfileTrie::kRoot) return;
        next = trie_[node].next_sibling;
        node = trie_[node].parent;
        if (next == ProfileTrie::kNone) depth--;
      }
      node = next;
    }
  }

 private:
  static constexpr uint32_t kNoRow = 0xffffffff;

  const ProfileTrie& trie_;
  std::vector<uint32_t> first_row_;
  std::vector<uint32_t> next_row_;
  bool valid_ = true;
};

}  // namespace strobe::stack
