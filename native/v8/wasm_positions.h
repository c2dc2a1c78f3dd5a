// Positions of WebAssembly code, which V8 announces one by one right before the code: offsets into the function's body, at calls and at
// instructions that may trap (V8 records no others; a loop that does neither has none). Composed into a detail as code_detail.h lays it
// out; line 1, column offset + 1, as developer tools show them.
//
// Contract: V8's callback only, one recording at a time. Memory that runs out ends the recording; the code keeps its name.
#pragma once

#include <cstdint>
#include <vector>

#include "v8/code_detail.h"

namespace strobe::v8 {

class WasmPositions {
 public:
  void Begin();
  void Add(uint64_t code_offset, uint64_t body_offset);
  void End(uint64_t code_start);
  // The detail of the code that is added now, valid until the next Begin; empty when the last recording was of other code.
  Bytes Of(uint64_t code_start) const { return code_start == code_start_ ? Bytes(out_) : Bytes(); }

 private:
  std::vector<uint8_t> table_;
  std::vector<uint8_t> out_;
  uint64_t code_start_ = 0;
  uint64_t last_code_ = 0;
  uint64_t last_body_ = 0;
};

}  // namespace strobe::v8
