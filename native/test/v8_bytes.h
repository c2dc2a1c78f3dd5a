// Writers of the bytes that v8/positions.h and v8/code_detail.h read; for tests, and for the valid inputs that fuzzing starts from.
//
// Written after V8's own encoders (source-position-table.cc EncodeEntry, source-position.h, bytecode-offset-iterator.h), not after ours:
// nothing of native/v8 is used but the headers' structs, so that an error in reading can't hide behind the same error in writing.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "v8/code_detail.h"

namespace strobe::test {

using ByteVector = std::vector<uint8_t>;

inline void AppendVlq(uint64_t value, ByteVector* out) {
  do {
    const uint8_t more = value > 127 ? 128 : 0;
    out->push_back(static_cast<uint8_t>(more | (value & 127)));
    value /= 128;
  } while (value != 0);
}

// 0, -1, 1, -2, … become 0, 1, 2, 3, …
inline void AppendZigZag(int64_t value, ByteVector* out) {
  AppendVlq(value >= 0 ? 2 * static_cast<uint64_t>(value) : 2 * static_cast<uint64_t>(-(value + 1)) + 1, out);
}

// V8's SourcePosition: bit 0 external, 30 bits of offset, 16 bits of inlining, both plus one.
inline uint64_t RawPosition(int32_t script_offset, int32_t inlining = -1) {
  return static_cast<uint64_t>(script_offset + 1) * 2 + static_cast<uint64_t>(inlining + 1) * 0x80000000u;
}

struct TableEntry {
  int32_t code_offset = 0;  // -1: the function's entry
  uint64_t raw = 0;
  bool statement = true;
  bool breakable = false;
};

inline ByteVector PositionBytes(const std::vector<TableEntry>& entries, v8::PositionFormat format = v8::PositionFormat::kZigZag) {
  ByteVector out;
  int32_t code_offset = -1;  // V8's kFunctionEntryBytecodeOffset
  uint64_t raw = 0;
  for (const TableEntry& entry : entries) {
    const int64_t delta = int64_t{entry.code_offset} - code_offset;
    if (format == v8::PositionFormat::kFlags) {
      AppendVlq(static_cast<uint64_t>(delta) * 4 + (entry.breakable ? 2 : 0) + (entry.statement ? 1 : 0), &out);
    } else {
      AppendZigZag(entry.statement ? delta : -delta - 1, &out);
    }
    AppendZigZag(static_cast<int64_t>(entry.raw - raw), &out);
    code_offset = entry.code_offset;
    raw = entry.raw;
  }
  return out;
}

inline ByteVector LengthBytes(const std::vector<uint64_t>& lengths) {
  ByteVector out;
  for (const uint64_t length : lengths) AppendVlq(length, &out);
  return out;
}

// V8's InliningPosition.
struct InlinedCall {
  uint64_t raw;  // where it was called, and in which inlining
  int32_t function;
};

inline ByteVector InliningBytes(const std::vector<InlinedCall>& calls) {
  ByteVector out;
  for (const InlinedCall& call : calls) {
    for (int shift = 0; shift < 64; shift += 8) out.push_back(static_cast<uint8_t>(call.raw >> shift));
    for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<uint8_t>(static_cast<uint32_t>(call.function) >> shift));
    out.insert(out.end(), 4, 0xee);  // padding, anything
  }
  return out;
}

// One function of a detail, with the lengths of its lines after the first.
struct DetailFunction {
  v8::FunctionHeader header;  // line_bytes is filled in
  std::vector<uint64_t> line_lengths;
};

// A function whose part of the script begins in line `first_line` (0-based), at position `first_start`.
inline DetailFunction FunctionWithLines(uint32_t first_line, uint32_t first_start, std::vector<uint64_t> line_lengths = {},
                                        uint64_t bytecode_start = 0) {
  DetailFunction function;
  function.header.bytecode_start = bytecode_start;
  function.header.first_line = first_line;
  function.header.first_start = first_start;
  function.header.has_lines = 1;
  function.line_lengths = std::move(line_lengths);
  return function;
}

struct DetailParts {
  v8::DetailKind kind = v8::DetailKind::kBytecode;
  v8::MapKind map_kind = v8::MapKind::kNone;
  v8::PositionFormat position_format = v8::PositionFormat::kZigZag;
  uint32_t script_id = 0;
  std::vector<DetailFunction> functions;
  ByteVector positions;
  ByteVector offset_table;
  ByteVector bytecode;
  ByteVector inlinings;
};

inline ByteVector DetailBytes(const DetailParts& parts) {
  ByteVector out;
  const auto append = [&out](const void* bytes, size_t size) {
    const auto* first = static_cast<const uint8_t*>(bytes);
    out.insert(out.end(), first, first + size);
  };
  v8::DetailHeader header;
  header.kind = parts.kind;
  header.map_kind = parts.map_kind;
  header.position_format = parts.position_format;
  header.script_id = parts.script_id;
  header.functions = static_cast<uint32_t>(parts.functions.size());
  header.position_bytes = static_cast<uint32_t>(parts.positions.size());
  header.offset_table_bytes = static_cast<uint32_t>(parts.offset_table.size());
  header.bytecode_bytes = static_cast<uint32_t>(parts.bytecode.size());
  header.inlining_bytes = static_cast<uint32_t>(parts.inlinings.size());
  append(&header, sizeof header);
  ByteVector lines;
  for (const DetailFunction& function : parts.functions) {
    const ByteVector own = LengthBytes(function.line_lengths);
    v8::FunctionHeader with_length = function.header;
    with_length.line_bytes = static_cast<uint32_t>(own.size());
    append(&with_length, sizeof with_length);
    lines.insert(lines.end(), own.begin(), own.end());
  }
  for (const ByteVector* part :
       {static_cast<const ByteVector*>(&lines), &parts.positions, &parts.offset_table, &parts.bytecode, &parts.inlinings}) {
    out.insert(out.end(), part->begin(), part->end());
  }
  return out;
}

// Bytecodes with the same numbers in all known versions.
inline constexpr uint8_t kWide = 0;
inline constexpr uint8_t kExtraWide = 1;
inline constexpr uint8_t kLdar = 11;     // 2 bytes
inline constexpr uint8_t kLdaZero = 12;  // 1 byte
inline constexpr uint8_t kLdaSmi = 13;   // 2 bytes, 4 with Wide, 6 with ExtraWide

}  // namespace strobe::test
