#include "clock/spread_work.h"

#include <algorithm>
#include <utility>

#include "capture/clocks.h"

namespace strobe::clock {

namespace {

constexpr size_t kLineBytes = 64;
constexpr uint32_t kMostTimes = 1 << 20;
#ifdef __clang_analyzer__
// All steps are alike, and analysing one of them is enough.
constexpr int kBlock = 1;
constexpr int kMostBlocks = 1;
#else
constexpr int kBlock = 16;
constexpr int kMostBlocks = SpreadWork::kManySteps / kBlock;
#endif

// One of many that differ in nothing but where they and their data lie.
template <int kNumber>
__attribute__((noinline)) uint32_t Step(uint32_t value, uint8_t* data) {
  uint8_t* line = data + kNumber * kLineBytes;
  if ((line[0] & 1) != 0) {
    value += kNumber;
  } else {
    value ^= value >> 5;
  }
  if ((line[1] & 1) != 0) {
    value = value * 5 + line[4];
  } else {
    value -= kNumber;
  }
  if ((line[2] & 1) != 0) {
    value ^= value << 7;
  } else {
    value += line[5];
  }
  line[8] = static_cast<uint8_t>(value);
  return value;
}

// In blocks: compilers limit how deep an expression may nest.
template <int kFirst, int... kNumbers>
__attribute__((noinline)) uint32_t Block(uint32_t value, uint8_t* data, std::integer_sequence<int, kNumbers...>) {
  ((value = Step<kFirst + kNumbers>(value, data)), ...);
  return value;
}

template <int... kBlocks>
uint32_t Blocks(uint32_t value, uint8_t* data, std::integer_sequence<int, kBlocks...>) {
  ((value = Block<kBlocks * kBlock>(value, data, std::make_integer_sequence<int, kBlock>())), ...);
  return value;
}

template <uint32_t kSteps>
uint32_t Steps(uint32_t value, uint8_t* data) {
  return Blocks(value, data, std::make_integer_sequence<int, std::min<int>(kSteps / kBlock, kMostBlocks)>());
}

}  // namespace

SpreadWork::SpreadWork(Over over, uint64_t round_ns) : over_(over), data_(new uint8_t[kManySteps * kLineBytes]) {
  // Which way a branch goes looks random and never changes.
  uint32_t random = 1;
  for (size_t i = 0; i < kManySteps * kLineBytes; i++) {
    random = random * 1664525u + 1013904223u;
    data_[i] = static_cast<uint8_t>(random >> 24);
  }
  // Long enough that reading the clock does not count; the first go faults the pages in.
  const uint64_t long_enough = std::max<uint64_t>(round_ns / 4, 1);
  Do(1);
  uint64_t took = 0;
  for (uint32_t times = 1; took < long_enough && times < kMostTimes; times *= 2) {
    const uint64_t start = capture::ThreadCpuNowNs();
    Do(times);
    took = std::max<uint64_t>(capture::ThreadCpuNowNs() - start, 1);
    times_ = static_cast<uint32_t>(std::clamp<uint64_t>(times * round_ns / took, 1, kMostTimes));
  }
}

void SpreadWork::Round() { Do(times_); }

void SpreadWork::Do(uint32_t times) {
  for (uint32_t i = 0; i < times; i++) {
    value_ = over_ == Over::kMuch ? Steps<kManySteps>(value_, data_.get()) : Steps<kFewSteps>(value_, data_.get());
  }
}

}  // namespace strobe::clock
