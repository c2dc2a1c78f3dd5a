#include "v8/wasm_positions.h"

#include <cstring>
#include <new>

namespace strobe::v8 {

namespace {

// More than any function has; a recording that is longer is broken.
constexpr size_t kMaxTableBytes = 16 << 20;
// The table's first offset counts from -1, positions hold the offset + 1 above one flag bit (positions.h).
constexpr uint64_t kBeforeFirst = ~uint64_t{0};

void AppendVlq(uint64_t value, std::vector<uint8_t>* out) {
  while (value >= 0x80) {
    out->push_back(static_cast<uint8_t>(value | 0x80));
    value >>= 7;
  }
  out->push_back(static_cast<uint8_t>(value));
}

void AppendZigZag(int64_t value, std::vector<uint8_t>* out) {
  AppendVlq((static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63), out);
}

}  // namespace

void WasmPositions::Begin() {
  table_.clear();
  out_.clear();
  code_start_ = 0;
  last_code_ = kBeforeFirst;
  last_body_ = 0;
}

void WasmPositions::Add(uint64_t code_offset, uint64_t body_offset) {
  if (table_.size() > kMaxTableBytes) return;
  const uint64_t position = (body_offset + 1) << 1;
  try {
    AppendZigZag(static_cast<int64_t>(code_offset - last_code_), &table_);
    AppendZigZag(static_cast<int64_t>(position - last_body_), &table_);
  } catch (const std::bad_alloc&) {
    table_.clear();
    return;
  }
  last_code_ = code_offset;
  last_body_ = position;
}

void WasmPositions::End(uint64_t code_start) {
  code_start_ = 0;
  if (table_.empty() || table_.size() > kMaxTableBytes) return;
  DetailHeader header;
  header.kind = DetailKind::kWasm;
  header.functions = 1;
  header.position_bytes = static_cast<uint32_t>(table_.size());
  FunctionHeader function;
  function.has_lines = 1;
  try {
    out_.resize(sizeof header + sizeof function + table_.size());
  } catch (const std::bad_alloc&) {
    return;
  }
  std::memcpy(out_.data(), &header, sizeof header);
  std::memcpy(out_.data() + sizeof header, &function, sizeof function);
  std::memcpy(out_.data() + sizeof header + sizeof function, table_.data(), table_.size());
  code_start_ = code_start;
}

}  // namespace strobe::v8
