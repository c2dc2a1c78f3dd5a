// Work that lies spread over much code, as a compiler's does, and the same over little: what a signal costs differs between both, because
// the kernel and the handler displace lines of code, data and the branch predictor's memory, which spread work has to fetch again
// (docs/live-control.md).
//
// Each step is a line and a half of code, a line of data and three branches, always in the same order: what is not displaced is fetched
// and predicted well. (In a random order they would be predicted badly anyway, and nothing could be lost.)
//
// One thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace strobe::clock {

class SpreadWork {
 public:
  enum class Over { kLittle, kMuch };

  static constexpr uint32_t kFewSteps = 16;
  static constexpr uint32_t kManySteps = 2048;
  // Of code, in `kMuch`.
  static constexpr uint32_t kLines = kManySteps * 3 / 2;

  // A round takes about `round_ns` of CPU.
  SpreadWork(Over over, uint64_t round_ns);

  void Round();

 private:
  void Do(uint32_t times);

  Over over_;
  std::unique_ptr<uint8_t[]> data_;
  uint32_t value_ = 1;
  uint32_t times_ = 1;
};

}  // namespace strobe::clock
