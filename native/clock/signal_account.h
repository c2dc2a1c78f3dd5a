// What all signals of one kind cost together: how many there were times what one costs, where the second is measured again and again.
//
// One measure wanders by a third: how a virtual machine's timer interrupts are delivered changes from one second to the next. So each new
// measure joins a mean, and a signal is charged with the mean of its time: the total never shrinks, whatever is measured later. Those from
// before the first measure are charged with that one. The mean forgets slowly (kMost), because a machine may change for good. Now and then
// a neighbour makes a measure several times what the others are: it counts as kOdd times their mean.
//
// Contract: not thread-safe, the caller's lock is around it. `count` is the number of signals so far and never shrinks.
#pragma once

#include <algorithm>
#include <cstdint>

namespace strobe::clock {

class SignalAccount {
 public:
  // A measure of zero is none.
  void Measured(uint64_t count, uint64_t cost_ns) {
    if (cost_ns == 0) return;
    if (measures_ > 0) {
      settled_ns_ = TotalNs(count);
      settled_ = std::max(settled_, count);
    }
    measures_ = std::min(measures_ + 1, kMost);
    const auto cost = static_cast<double>(cost_ns);
    mean_ns_ += ((measures_ == 1 ? cost : std::min(cost, kOdd * mean_ns_)) - mean_ns_) / measures_;
  }

  // Signals up to `count` are charged with nothing.
  void BeginAt(uint64_t count) { settled_ = std::max(settled_, count); }

  uint64_t TotalNs(uint64_t count) const {
    const uint64_t since = count > settled_ ? count - settled_ : 0;
    return settled_ns_ + static_cast<uint64_t>(static_cast<double>(since) * mean_ns_);
  }

  bool known() const { return measures_ > 0; }
  // Signals since the latest measure but the first.
  uint64_t Since(uint64_t count) const { return count > settled_ ? count - settled_ : 0; }

 private:
  static constexpr int kMost = 16;
  static constexpr double kOdd = 2;

  int measures_ = 0;
  double mean_ns_ = 0;
  uint64_t settled_ = 0;
  uint64_t settled_ns_ = 0;
};

}  // namespace strobe::clock
