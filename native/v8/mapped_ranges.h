// The parts of the address space that can be read or executed, as of one moment. Where none is, no code and no bytecode lives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace strobe::v8 {

class MappedRanges {
 public:
  // From the system; false when it does not say.
  bool Read();
  // For tests and for Read: in ascending order.
  void Add(uint64_t from, uint64_t to);
  // Any byte of [from, to).
  bool Touches(uint64_t from, uint64_t to) const;
  size_t size() const { return ranges_.size(); }

 private:
  std::vector<std::pair<uint64_t, uint64_t>> ranges_;
};

}  // namespace strobe::v8
