// Hands out span slots in the C++ tests, as src/labels/span-slots.ts does in an application.
#pragma once

#include <cstdint>
#include <vector>

#include "capture/label_source.h"

namespace strobe {

class SpanOwner {
 public:
  explicit SpanOwner(capture::SpanSlots* slots) : slots_(slots) {}

  uint32_t Open(uint32_t* generation) {
    if (free_.empty()) {
      uint32_t first = 0;
      capture::SpanUse* chunk = slots_->GiveChunk(&first);
      if (chunk == nullptr) return 0;
      chunks_.push_back(chunk);
      for (uint32_t slot = first + capture::SpanSlots::kChunk - 1; slot >= (first == 0 ? 1 : first); slot--) free_.push_back(slot);
    }
    const uint32_t slot = free_.back();
    free_.pop_back();
    capture::SpanUse& use = chunks_[slot / capture::SpanSlots::kChunk][slot % capture::SpanSlots::kChunk];
    use.exact_ns.store(0);
    use.rest_ns.store(0);
    *generation = use.generation.fetch_add(1) + 1;
    return slot;
  }

  void Close(uint32_t slot, uint32_t generation) {
    slots_->Find(slot, generation)->generation.fetch_add(1);
    free_.push_back(slot);
  }

 private:
  capture::SpanSlots* slots_;
  std::vector<capture::SpanUse*> chunks_;  // all are given to this owner, in order
  std::vector<uint32_t> free_;
};

}  // namespace strobe
