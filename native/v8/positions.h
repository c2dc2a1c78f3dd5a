// V8's tables of positions, decoded: which place of the source each piece of code stands for. Pure functions over bytes.
//
// Contract: input is copied from V8's heap by code_reader, and may be anything (the fuzz targets feed noise): every read is bounded,
// numbers wrap instead of overflowing, a table that makes no sense ends early. Nothing here touches V8.
//
// Formats (V8 11.3 to 14.6; src/codegen/source-position-table.cc, source-position.h, baseline/bytecode-offset-iterator.h):
//   source position table   pairs of VLQ: code offset delta, then position delta (64 bits, zig-zag). The code offset counts from -1, where
//                           the entry of the function's start is. Its delta: up to V8 13 zig-zag, a negative d means -(d+1) and an
//                           expression; in V8 14 unsigned, shifted by two flag bits. A position: bit 0 "external", bits 1-30 script
//                           offset + 1, bits 31-46 inlining id + 1; 0 means none.
//   bytecode offset table   of Sparkplug code: unsigned VLQ machine code lengths, first the prologue's, then one a bytecode
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "v8/bytecode_sizes.h"

namespace strobe::v8 {

using Bytes = std::span<const uint8_t>;

enum class PositionFormat : uint8_t { kZigZag = 0, kFlags = 1 };

// From `code_offset` on (bytes into the code), up to the next one's.
struct Position {
  uint32_t code_offset;
  int32_t script_offset;  // UTF-16 units into the source; -1: none
  int32_t inlining;       // index into the code's inlining positions; -1: the code's own function
};

class PositionTable {
 public:
  PositionTable(Bytes bytes, PositionFormat format) : bytes_(bytes), format_(format) {}
  // False at the end, and where the table stops to make sense.
  bool Next(Position* out);

 private:
  Bytes bytes_;
  PositionFormat format_;
  size_t at_ = 0;
  int64_t code_offset_ = -1;
  uint64_t raw_ = 0;
};

std::vector<Position> DecodePositions(Bytes table, PositionFormat format);

// The entry that covers `offset`, or null. `positions` in the order of their offsets.
const Position* FindPosition(const std::vector<Position>& positions, uint32_t offset);

// The positions of Sparkplug code: `offset_table` says where the machine code of each bytecode ends, `table` where in the source each
// bytecode stands. Empty when bytecodes and offset table do not agree to the last byte.
std::vector<Position> BaselinePositions(Bytes offset_table, Bytes bytecode, const BytecodeSizes& sizes, Bytes table, PositionFormat format);

// One call that V8 inlined: function `function` (index of the code's inlined functions, -1: not named) was called at `script_offset` of the
// function that inlining `caller` stands for (-1: the code's own).
struct Inlining {
  int32_t script_offset;
  int32_t caller;
  int32_t function;
};
// 16 bytes each: {u64 position, i32 function, i32 unused}.
std::vector<Inlining> DecodeInlinings(Bytes table);

// Lines of a part of one script: enough of its line ends for the positions of one function.
struct LineRange {
  uint32_t first_line = 0;          // 0-based, of the script
  uint32_t first_start = 0;         // position where that line begins
  uint32_t column_shift = 0;        // added to columns of line 0 only: where the script stands in its document
  uint32_t line_shift = 0;          // added to all lines
  std::vector<uint32_t> next_line;  // where each further line begins, ascending

  // 1-based.
  bool Place(int32_t script_offset, uint32_t* line, uint32_t* column) const;
};

}  // namespace strobe::v8
