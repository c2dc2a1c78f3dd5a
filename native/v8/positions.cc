#include "v8/positions.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace strobe::v8 {

namespace {

constexpr unsigned kBitsAByte = 7;
constexpr uint8_t kMore = 0x80;

// bits 1-30 and 31-46 of a raw position; both hold the value + 1.
int32_t ScriptOffset(uint64_t raw) { return (raw & 1) != 0 ? -1 : static_cast<int32_t>((raw >> 1) & 0x3fffffff) - 1; }
int32_t InliningId(uint64_t raw) { return static_cast<int32_t>((raw >> 31) & 0xffff) - 1; }

int64_t ZigZag(uint64_t encoded) { return static_cast<int64_t>((encoded >> 1) ^ (~(encoded & 1) + 1)); }

bool ReadVlq(Bytes bytes, size_t* at, uint64_t* out) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += kBitsAByte) {
    if (*at >= bytes.size()) return false;
    const uint8_t byte = bytes[(*at)++];
    value |= uint64_t{byte & 0x7fu} << shift;
    if ((byte & kMore) == 0) {
      *out = value;
      return true;
    }
  }
  return false;
}

}  // namespace

bool PositionTable::Next(Position* out) {
  uint64_t code = 0;
  uint64_t position = 0;
  if (!ReadVlq(bytes_, &at_, &code) || !ReadVlq(bytes_, &at_, &position)) return false;
  constexpr unsigned kFlagBits = 2;
  int64_t delta = 0;
  if (format_ == PositionFormat::kFlags) {
    delta = static_cast<int64_t>(code >> kFlagBits);
  } else {
    delta = ZigZag(code);
    if (delta < 0) delta = -(delta + 1);
  }
  code_offset_ += delta & 0x7fffffff;
  if (code_offset_ > std::numeric_limits<int32_t>::max()) return false;
  raw_ += static_cast<uint64_t>(ZigZag(position));
  *out = {code_offset_ < 0 ? 0 : static_cast<uint32_t>(code_offset_), ScriptOffset(raw_), InliningId(raw_)};
  return true;
}

std::vector<Position> DecodePositions(Bytes table, PositionFormat format) {
  std::vector<Position> out;
  PositionTable reader(table, format);
  Position position;
  while (reader.Next(&position)) {
    // Of several at one offset the last one holds.
    if (!out.empty() && out.back().code_offset == position.code_offset) {
      out.back() = position;
    } else {
      out.push_back(position);
    }
  }
  return out;
}

const Position* FindPosition(const std::vector<Position>& positions, uint32_t offset) {
  const auto after =
      std::upper_bound(positions.begin(), positions.end(), offset, [](uint32_t value, const Position& p) { return value < p.code_offset; });
  return after == positions.begin() ? nullptr : &*std::prev(after);
}

std::vector<Position> BaselinePositions(Bytes offset_table, Bytes bytecode, const BytecodeSizes& sizes, Bytes table,
                                        PositionFormat format) {
  const std::vector<Position> by_bytecode = DecodePositions(table, format);
  std::vector<Position> out;
  size_t at = 0;
  uint64_t pc = 0;
  uint64_t length = 0;
  constexpr uint64_t kMaxCode = std::numeric_limits<int32_t>::max();
  if (!ReadVlq(offset_table, &at, &length) || length > kMaxCode) return {};
  pc += length;
  uint32_t bytecode_at = 0;
  while (bytecode_at < bytecode.size()) {
    const uint32_t size = BytecodeLength(sizes, bytecode.data(), static_cast<uint32_t>(bytecode.size()), bytecode_at);
    if (size == 0 || !ReadVlq(offset_table, &at, &length) || length > kMaxCode) return {};
    if (const Position* position = FindPosition(by_bytecode, bytecode_at)) {
      Position here = *position;
      here.code_offset = static_cast<uint32_t>(pc);
      if (out.empty() || out.back().script_offset != here.script_offset) out.push_back(here);
    }
    pc += length;
    if (pc > kMaxCode) return {};
    bytecode_at += size;
  }
  // Byte arrays are padded with nothing: the tables must end together.
  return at == offset_table.size() ? out : std::vector<Position>{};
}

std::vector<Inlining> DecodeInlinings(Bytes table) {
  constexpr size_t kEntry = 16;
  std::vector<Inlining> out;
  out.reserve(table.size() / kEntry);
  for (size_t at = 0; at + kEntry <= table.size(); at += kEntry) {
    uint64_t raw = 0;
    int32_t function = 0;
    std::memcpy(&raw, table.data() + at, sizeof raw);
    std::memcpy(&function, table.data() + at + sizeof raw, sizeof function);
    out.push_back({ScriptOffset(raw), InliningId(raw), function});
  }
  return out;
}

bool LineRange::Place(int32_t script_offset, uint32_t* line, uint32_t* column) const {
  if (script_offset < 0) return false;
  const auto at = static_cast<uint32_t>(script_offset);
  if (at < first_start) return false;
  const auto after = std::upper_bound(next_line.begin(), next_line.end(), at);
  const uint32_t start = after == next_line.begin() ? first_start : *std::prev(after);
  const uint32_t index = first_line + static_cast<uint32_t>(after - next_line.begin());
  *line = index + line_shift + 1;
  *column = at - start + 1 + (index == 0 ? column_shift : 0);
  return true;
}

}  // namespace strobe::v8
