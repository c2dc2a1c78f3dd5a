// V8's tables of positions as noise: decoders answer in order and within what they promise, and what they read can be written again.
#include <algorithm>
#include <limits>

#include "test/fuzz/fuzz.h"
#include "v8/code_detail.h"
#include "v8/positions.h"

namespace strobe::fuzz {
namespace {

constexpr int kVersions[][2] = {{11, 3}, {12, 4}, {13, 6}, {14, 6}};

void CheckTable(const ByteVector& table, v8::PositionFormat format, uint32_t offset) {
  const std::vector<v8::Position> positions = v8::DecodePositions(table, format);
  FUZZ_CHECK(positions.size() * 2 <= table.size());
  std::vector<test::TableEntry> entries;
  for (size_t i = 0; i < positions.size(); i++) {
    const v8::Position& one = positions[i];
    FUZZ_CHECK(i == 0 || positions[i - 1].code_offset < one.code_offset);
    FUZZ_CHECK(one.code_offset <= std::numeric_limits<int32_t>::max());
    FUZZ_CHECK(one.script_offset >= -1 && one.script_offset < 1 << 30 && one.inlining >= -1 && one.inlining < 1 << 16);
    entries.push_back({static_cast<int32_t>(one.code_offset), test::RawPosition(one.script_offset, one.inlining), i % 2 == 0, i % 3 == 0});
  }
  // Written by an encoder after V8's and read again, it is the same.
  const std::vector<v8::Position> again = v8::DecodePositions(test::PositionBytes(entries, format), format);
  FUZZ_CHECK(again.size() == positions.size());
  const v8::Position* expected = nullptr;
  for (size_t i = 0; i < positions.size(); i++) {
    FUZZ_CHECK(again[i].code_offset == positions[i].code_offset && again[i].script_offset == positions[i].script_offset &&
               again[i].inlining == positions[i].inlining);
    if (positions[i].code_offset <= offset) expected = &positions[i];
  }
  FUZZ_CHECK(v8::FindPosition(positions, offset) == expected);
}

void CheckBaseline(const ByteVector& offsets, const ByteVector& bytecode, const v8::BytecodeSizes& sizes, const ByteVector& table,
                   v8::PositionFormat format) {
  const std::vector<v8::Position> positions = v8::BaselinePositions(offsets, bytecode, sizes, table, format);
  FUZZ_CHECK(positions.size() <= bytecode.size());
  for (size_t i = 1; i < positions.size(); i++) FUZZ_CHECK(positions[i - 1].code_offset <= positions[i].code_offset);
}

void CheckLines(const v8::FunctionHeader& header, const ByteVector& deltas, int32_t offset) {
  const v8::LineRange range = v8::ParseLines(header, deltas);
  FUZZ_CHECK(std::is_sorted(range.next_line.begin(), range.next_line.end()));
  uint32_t line = 0;
  uint32_t column = 0;
  const bool known = range.Place(offset, &line, &column);
  FUZZ_CHECK(known == (offset >= 0 && static_cast<uint32_t>(offset) >= range.first_start));
  if (!known) return;
  uint32_t index = range.first_line;
  uint32_t start = range.first_start;
  for (const uint32_t next : range.next_line) {
    if (next > static_cast<uint32_t>(offset)) break;
    start = next;
    index++;
  }
  FUZZ_CHECK(line == index + range.line_shift + 1);
  FUZZ_CHECK(column == static_cast<uint32_t>(offset) - start + 1 + (index == 0 ? range.column_shift : 0));
}

ByteVector Seed(v8::PositionFormat format, uint8_t version, const ByteVector& table, const ByteVector& offsets,
                const ByteVector& bytecode) {
  ByteVector seed;
  seed.push_back(static_cast<uint8_t>(static_cast<uint8_t>(format) | version << 1));
  AppendValue(uint32_t{9}, &seed);
  AppendValue(v8::FunctionHeader{}, &seed);
  for (const ByteVector* part : {&table, &offsets, &bytecode}) {
    AppendValue(static_cast<uint16_t>(part->size()), &seed);
    Append(*part, &seed);
  }
  Append(test::InliningBytes({{test::RawPosition(5), 0}, {test::RawPosition(9, 0), 1}}), &seed);
  return seed;
}

}  // namespace

std::vector<ByteVector> Seeds() {
  using test::RawPosition;
  std::vector<ByteVector> seeds;
  for (const v8::PositionFormat format : {v8::PositionFormat::kZigZag, v8::PositionFormat::kFlags}) {
    for (uint8_t version = 0; version < 4; version++) {
      const ByteVector table =
          test::PositionBytes({{0, RawPosition(100)}, {1, RawPosition(90), false}, {3, RawPosition(3000, 2)}, {300, 0}}, format);
      const ByteVector bytecode = {test::kLdaZero, test::kLdaSmi, 1, test::kWide, test::kLdaSmi, 1, 1, test::kLdaZero};
      seeds.push_back(Seed(format, version, table, test::LengthBytes({20, 4, 300, 6, 8}), bytecode));
      seeds.push_back(Seed(format, version, table, {}, {}));
    }
  }
  return seeds;
}

}  // namespace strobe::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace strobe;
  using namespace strobe::fuzz;
  Input input(data, size);
  const auto choice = input.Take<uint8_t>();
  const v8::PositionFormat format = (choice & 1) != 0 ? v8::PositionFormat::kFlags : v8::PositionFormat::kZigZag;
  const auto& version = kVersions[choice >> 1 & 3];
  const auto offset = input.Take<uint32_t>();
  const auto header = input.Take<v8::FunctionHeader>();
  const ByteVector table = input.Bytes(input.Take<uint16_t>());
  const ByteVector offsets = input.Bytes(input.Take<uint16_t>());
  const ByteVector bytecode = input.Bytes(input.Take<uint16_t>());
  const ByteVector rest = input.Rest();
  CheckTable(table, format, offset);
  CheckBaseline(offsets, bytecode, *v8::BytecodeSizesOf(version[0], version[1]), table, format);
  CheckLines(header, offsets, static_cast<int32_t>(offset));
  const std::vector<v8::Inlining> calls = v8::DecodeInlinings(rest);
  FUZZ_CHECK(calls.size() == rest.size() / 16);
  for (const v8::Inlining& call : calls) FUZZ_CHECK(call.caller >= -1 && call.caller < 1 << 16 && call.script_offset >= -1);
  return 0;
}
