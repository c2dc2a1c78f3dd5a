// A hash map from 64-bit keys to 32-bit indexes, open addressing, no erase: what the trie needs for "child of this node by this frame".
// Key ~0 is reserved. One thread only.
#pragma once

#include <cstdint>
#include <vector>

namespace strobe::stack {

class FlatMap {
 public:
  static constexpr uint32_t kAbsent = 0xffffffff;

  FlatMap() { Clear(); }

  // The value of `key`, or `fresh` after storing it; `inserted` says which.
  uint32_t FindOrInsert(uint64_t key, uint32_t fresh, bool* inserted) {
    if ((size_ + 1) * 4 > slots_.size() * 3) Grow();
    size_t at = Spread(key);
    while (slots_[at].key != kEmpty) {
      if (slots_[at].key == key) {
        *inserted = false;
        return slots_[at].value;
      }
      at = (at + 1) & (slots_.size() - 1);
    }
    slots_[at] = {key, fresh};
    size_++;
    *inserted = true;
    return fresh;
  }

  void Clear() {
    slots_.assign(kFirstSlots, Slot{kEmpty, 0});
    slots_.shrink_to_fit();
    size_ = 0;
  }

  size_t size() const { return size_; }
  // Of memory held.
  size_t bytes() const { return slots_.capacity() * sizeof(Slot); }

 private:
  static constexpr uint64_t kEmpty = ~uint64_t{0};
  static constexpr size_t kFirstSlots = 256;
  struct Slot {
    uint64_t key;
    uint32_t value;
  };

  size_t Spread(uint64_t key) const {
    // The finaliser of splitmix64: every key bit reaches the low bits.
    key ^= key >> 30;
    key *= 0xbf58476d1ce4e5b9u;
    key ^= key >> 27;
    return static_cast<size_t>(key) & (slots_.size() - 1);
  }

  void Grow() {
    std::vector<Slot> old;
    old.swap(slots_);
    slots_.assign(old.size() * 2, Slot{kEmpty, 0});
    for (const Slot& slot : old) {
      if (slot.key == kEmpty) continue;
      size_t at = Spread(slot.key);
      while (slots_[at].key != kEmpty) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = slot;
    }
  }

  std::vector<Slot> slots_;
  size_t size_ = 0;
};

}  // namespace strobe::stack
