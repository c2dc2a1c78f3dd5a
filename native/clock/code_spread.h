// Over how much code a thread's work is spread, found out from where its samples fall: 0 for loops, which lose nothing to a signal that
// they would not fetch again at once, 1 for a compiler and for SpreadWork, which pay more (spread_work.h).
//
// A table remembers which line of code was met last in each of its slots. A sample whose slot holds another line moved: of work that lies
// evenly over x times kSlots lines 1 - (1 - e^-x) / x do, of a loop almost none. Slots that were never met say nothing. Samples of a real
// program crowd in some lines while it runs through many more, and it takes thousands of them to fill the slots, so its share is taken for
// all from kAll of SpreadWork's on; below kNone it is none. Both were found with the three loads of `npm run bench:quick -- --part sample`,
// which says what their samples cost.
//
// One thread only (the collector's).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "clock/spread_work.h"

namespace strobe::clock {

class CodeSpread {
 public:
  // What a sample at `pc` tells; the spread so far.
  double Add(uint64_t pc) {
    const auto line = static_cast<uint32_t>(pc / kLineBytes);
    uint32_t& slot = lines_[Slot(line)];
    if (slot != 0) {
      samples_ = std::min(samples_ + 1, kMemory);
      moved_ += ((slot != line ? 1.0 : 0.0) - moved_) / samples_;
    }
    slot = line;
    return std::clamp((moved_ / kMovedInSpreadWork - kNone) / (kAll - kNone), 0.0, 1.0);
  }

 private:
  static constexpr uint64_t kLineBytes = 64;
  static constexpr uint32_t kSlots = 1024;
  // So many samples are remembered, about.
  static constexpr double kMemory = 2000;
  static constexpr double kMovedInSpreadWork = 0.683;
  static_assert(SpreadWork::kLines == 3 * kSlots);
  static constexpr double kNone = 0.2;
  static constexpr double kAll = 0.8;

  // MurmurHash3's finaliser: lines that follow each other lie anywhere, as lines that do not.
  static uint32_t Slot(uint32_t line) {
    line = (line ^ (line >> 16)) * 0x85ebca6bu;
    line = (line ^ (line >> 13)) * 0xc2b2ae35u;
    return (line ^ (line >> 16)) % kSlots;
  }

  std::vector<uint32_t> lines_ = std::vector<uint32_t>(kSlots);
  // A program is a loop until its samples say otherwise.
  double samples_ = 100;
  // The share of samples that moved.
  double moved_ = 0;
};

}  // namespace strobe::clock
