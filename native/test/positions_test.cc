// Tests of v8/positions.h: V8's tables as its own encoders write them (v8_bytes.h), at the borders of each field, cut short, and in
// disorder.
#include "v8/positions.h"

#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "test/check.h"
#include "test/v8_bytes.h"

namespace strobe::v8 {
namespace {

using test::ByteVector;
using test::InliningBytes;
using test::LengthBytes;
using test::PositionBytes;
using test::RawPosition;
using test::TableEntry;

constexpr PositionFormat kSigns = PositionFormat::kZigZag;
constexpr PositionFormat kFlags = PositionFormat::kFlags;
constexpr PositionFormat kFormats[] = {kSigns, kFlags};
constexpr int32_t kMaxScriptOffset = (1 << 30) - 2;
constexpr int32_t kMaxInlining = (1 << 16) - 2;

bool Same(const Position& a, const Position& b) {
  return a.code_offset == b.code_offset && a.script_offset == b.script_offset && a.inlining == b.inlining;
}

bool Same(const std::vector<Position>& a, const std::vector<Position>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); i++) {
    if (!Same(a[i], b[i])) return false;
  }
  return true;
}

TEST(positions_known_bytes) {
  // Code offset 0, statement, script offset 5; 3 further, expression, 2 back; 130 further, statement, 100 on. Written by hand.
  const std::vector<TableEntry> entries = {{0, RawPosition(5), true}, {3, RawPosition(3), false}, {133, RawPosition(103), true, true}};
  const std::vector<Position> positions = {{0, 5, -1}, {3, 3, -1}, {133, 103, -1}};
  const ByteVector signs = {0x02, 0x18, 0x07, 0x07, 0x84, 0x02, 0x90, 0x03};
  CHECK(PositionBytes(entries, kSigns) == signs);
  CHECK(Same(DecodePositions(signs, kSigns), positions));
  const ByteVector flags = {0x05, 0x18, 0x0c, 0x07, 0x8b, 0x04, 0x90, 0x03};
  CHECK(PositionBytes(entries, kFlags) == flags);
  CHECK(Same(DecodePositions(flags, kFlags), positions));
  CHECK(DecodePositions({}, kSigns).empty());
  CHECK(DecodePositions({}, kFlags).empty());
}

TEST(positions_kinds_of_entries_do_not_matter) {
  // Statement or expression is in the sign, or in a flag: the place is the same.
  CHECK(PositionBytes({{0, RawPosition(0), false}}, kSigns) == ByteVector({0x03, 0x04}));
  for (const PositionFormat format : kFormats) {
    for (const bool statement : {true, false}) {
      for (const bool breakable : {true, false}) {
        for (const int32_t offset : {0, 1, 30, 31, 62, 63, 64, 65, 8191, 8192, 1 << 20, 0x7ffffffe}) {
          const auto decoded = DecodePositions(PositionBytes({{offset, RawPosition(7), statement, breakable}}, format), format);
          if (!CHECK(Same(decoded, {{static_cast<uint32_t>(offset), 7, -1}}))) CHECK_EQ(offset, -1);
        }
      }
    }
  }
}

TEST(positions_of_the_entry) {
  // Offset -1, the check for interrupts at a function's entry, counts as its beginning; the first instruction's own place wins.
  for (const PositionFormat format : kFormats) {
    const auto entry_only = DecodePositions(PositionBytes({{-1, RawPosition(9)}, {4, RawPosition(20)}}, format), format);
    CHECK(Same(entry_only, {{0, 9, -1}, {4, 20, -1}}));
    const auto both = DecodePositions(PositionBytes({{-1, RawPosition(9)}, {0, RawPosition(11)}, {4, RawPosition(20)}}, format), format);
    CHECK(Same(both, {{0, 11, -1}, {4, 20, -1}}));
  }
}

TEST(positions_borders_of_the_fields) {
  for (const int32_t script_offset : {-1, 0, 1, 63, 64, 1 << 20, kMaxScriptOffset}) {
    for (const int32_t inlining : {-1, 0, 1, 255, 256, kMaxInlining}) {
      for (const PositionFormat format : kFormats) {
        const auto decoded = DecodePositions(PositionBytes({{4, RawPosition(script_offset, inlining)}}, format), format);
        if (!CHECK(Same(decoded, {{4, script_offset, inlining}}))) CHECK_EQ(script_offset, inlining);
      }
    }
  }
}

TEST(positions_without_a_place) {
  // Raw 0 is "none"; bit 0 marks a position in another file (builtins written in Torque), which has no offset in the script.
  CHECK(Same(DecodePositions(PositionBytes({{0, 0}}), kSigns), {{0, -1, -1}}));
  CHECK(Same(DecodePositions(PositionBytes({{0, RawPosition(0, 3) | 1}}), kSigns), {{0, -1, 3}}));
  const ByteVector hole = PositionBytes({{0, RawPosition(12)}, {2, 0}, {4, RawPosition(12)}});
  CHECK(Same(DecodePositions(hole, kSigns), {{0, 12, -1}, {2, -1, -1}, {4, 12, -1}}));
}

TEST(positions_random_tables) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 500; round++) {
    const PositionFormat format = kFormats[round % 2];
    std::vector<TableEntry> entries;
    std::vector<Position> all;
    std::vector<Position> last_of_each;
    int32_t code_offset = 0;
    for (uint64_t n = random() % 60; n > 0; n--) {
      code_offset += static_cast<int32_t>(random() % (random() % 8 == 0 ? 100'000 : 20));
      const auto script_offset = static_cast<int32_t>(random() % (random() % 4 == 0 ? kMaxScriptOffset + 2 : 3000)) - 1;
      const int32_t inlining = random() % 2 == 0 ? -1 : static_cast<int32_t>(random() % (kMaxInlining + 1));
      entries.push_back({code_offset, RawPosition(script_offset, inlining), random() % 2 == 0, random() % 2 == 0});
      const Position position{static_cast<uint32_t>(code_offset), script_offset, inlining};
      all.push_back(position);
      if (!last_of_each.empty() && last_of_each.back().code_offset == position.code_offset) last_of_each.pop_back();
      last_of_each.push_back(position);
    }
    const ByteVector table = PositionBytes(entries, format);
    std::vector<Position> read;
    PositionTable reader(table, format);
    for (Position position; reader.Next(&position);) read.push_back(position);
    if (!CHECK(Same(read, all)) || !CHECK(Same(DecodePositions(table, format), last_of_each))) return;
    // The search against a walk.
    for (int i = 0; i < 50; i++) {
      const auto offset = static_cast<uint32_t>(random() % (static_cast<uint64_t>(code_offset) + 10));
      const Position* expected = nullptr;
      for (const Position& position : last_of_each) {
        if (position.code_offset <= offset) expected = &position;
      }
      const Position* found = FindPosition(last_of_each, offset);
      if (!CHECK(found == expected)) return;
    }
  }
}

TEST(positions_cut_short) {
  const std::vector<TableEntry> entries = {{0, RawPosition(300, 2)}, {200, RawPosition(70'000), false}, {201, RawPosition(1)}};
  for (const PositionFormat format : kFormats) {
    const ByteVector table = PositionBytes(entries, format);
    const std::vector<Position> whole = DecodePositions(table, format);
    CHECK_EQ(whole.size(), 3);
    for (size_t length = 0; length < table.size(); length++) {
      // A buffer of exactly this size, so that AddressSanitizer sees a byte too much.
      const ByteVector cut(table.begin(), table.begin() + static_cast<std::ptrdiff_t>(length));
      const std::vector<Position> read = DecodePositions(cut, format);
      CHECK(read.size() < whole.size());
      CHECK(Same(read, {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(read.size())}));
    }
  }
}

TEST(positions_nonsense_ends_early) {
  for (const PositionFormat format : kFormats) {
    CHECK(DecodePositions(ByteVector(40, 0x80), format).empty());  // a number that never ends
    CHECK(DecodePositions(ByteVector(40, 0xff), format).empty());
    // Ten bytes are the longest number; its upper bits wrap.
    ByteVector table = {0x08};
    table.insert(table.end(), 9, 0xff);
    table.push_back(0x01);
    CHECK_EQ(DecodePositions(table, format).size(), 1);
    // Offsets beyond 2^31: what came before stays.
    ByteVector far = PositionBytes({{5, RawPosition(1)}, {0x7ffffffe, RawPosition(2)}}, format);
    for (int i = 0; i < 3; i++) {
      test::AppendVlq(8, &far);
      test::AppendVlq(8, &far);
    }
    const size_t read = DecodePositions(far, format).size();
    CHECK(read >= 2 && read <= 3);
    // The largest and the smallest delta: offsets never go back.
    for (const int64_t delta : {std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min(), int64_t{-1}}) {
      ByteVector extreme;
      for (int i = 0; i < 6; i++) test::AppendZigZag(delta, &extreme);
      const auto decoded = DecodePositions(extreme, format);
      for (size_t i = 1; i < decoded.size(); i++) CHECK(decoded[i - 1].code_offset < decoded[i].code_offset);
    }
  }
}

TEST(positions_find) {
  const std::vector<Position> positions = {{3, 10, -1}, {3 + 1, 20, -1}, {9, 30, -1}};
  CHECK(FindPosition({}, 0) == nullptr);
  CHECK(FindPosition(positions, 0) == nullptr);
  CHECK(FindPosition(positions, 2) == nullptr);
  CHECK_EQ(FindPosition(positions, 3)->script_offset, 10);
  CHECK_EQ(FindPosition(positions, 4)->script_offset, 20);
  CHECK_EQ(FindPosition(positions, 8)->script_offset, 20);
  CHECK_EQ(FindPosition(positions, 9)->script_offset, 30);
  CHECK_EQ(FindPosition(positions, 0xffffffff)->script_offset, 30);
}

// --- Sparkplug ---

const BytecodeSizes& Sizes() { return *BytecodeSizesOf(13, 6); }
std::vector<Position> Baseline(const ByteVector& offsets, const ByteVector& bytecode, const ByteVector& table) {
  return BaselinePositions(offsets, bytecode, Sizes(), table, kSigns);
}

TEST(positions_baseline) {
  // Bytecodes at 0 (1 byte), 1 (2), 3 (4), 7 (6), 13 (1).
  const ByteVector bytecode = {
      test::kLdaZero, test::kLdaSmi, 1, test::kWide, test::kLdaSmi, 1, 1, test::kExtraWide, test::kLdaSmi, 1, 1, 1, 1, test::kLdaZero};
  const ByteVector offsets = LengthBytes({20, 4, 300, 0, 7, 9});
  const ByteVector table = PositionBytes({{1, RawPosition(100)}, {3, RawPosition(200), false}, {13, RawPosition(50)}});
  for (const auto& [major, minor] : {std::pair(11, 3), std::pair(12, 4), std::pair(13, 6), std::pair(14, 6)}) {
    const auto positions = BaselinePositions(offsets, bytecode, *BytecodeSizesOf(major, minor), table, kSigns);
    // The prologue and the first bytecode have no place; the bytecodes at 3 and 7 share one.
    if (!CHECK(Same(positions, {{24, 100, -1}, {324, 200, -1}, {331, 50, -1}}))) CHECK_EQ(major, 0);
  }
  const ByteVector flags = PositionBytes({{1, RawPosition(100)}, {3, RawPosition(200), false, true}, {13, RawPosition(50)}}, kFlags);
  CHECK(Same(BaselinePositions(offsets, bytecode, *BytecodeSizesOf(14, 6), flags, kFlags), {{24, 100, -1}, {324, 200, -1}, {331, 50, -1}}));
  // A bytecode without machine code (length 0) keeps the order.
  const auto empty_code = BaselinePositions(LengthBytes({20, 0, 0, 0, 0, 0}), bytecode, Sizes(), table, kSigns);
  CHECK(!empty_code.empty());
  for (size_t i = 1; i < empty_code.size(); i++) CHECK(empty_code[i - 1].code_offset <= empty_code[i].code_offset);
}

TEST(positions_baseline_tables_that_disagree) {
  const ByteVector bytecode = {test::kLdaZero, test::kLdaSmi, 1, test::kLdaZero};
  const ByteVector table = PositionBytes({{0, RawPosition(100)}, {3, RawPosition(200)}});
  CHECK_EQ(Baseline(LengthBytes({20, 4, 6, 8}), bytecode, table).size(), 2);
  CHECK(Baseline(LengthBytes({20, 4, 6}), bytecode, table).empty());
  CHECK(Baseline(LengthBytes({20, 4, 6, 8, 1}), bytecode, table).empty());
  CHECK(Baseline({}, bytecode, table).empty());
  // The last instruction reaches beyond the bytecode; an unknown opcode; a prefix of a prefix.
  CHECK(Baseline(LengthBytes({20, 4, 6}), ByteVector({test::kLdaZero, test::kLdaSmi}), table).empty());
  CHECK(Baseline(LengthBytes({20, 4, 6}), ByteVector({test::kLdaZero, 0xff}), table).empty());
  CHECK(Baseline(LengthBytes({20, 4}), ByteVector({test::kWide, test::kWide, test::kLdaZero}), table).empty());
  // The offset table is cut in the middle of a number.
  ByteVector cut = LengthBytes({20, 4, 6, 300});
  cut.pop_back();
  CHECK(Baseline(cut, bytecode, table).empty());
  // Machine code beyond 2^31, in one step and in several.
  CHECK(Baseline(LengthBytes({20, 4, 6, uint64_t{1} << 31}), bytecode, table).empty());
  CHECK(Baseline(LengthBytes({20, ~uint64_t{0}, 6, 8}), bytecode, table).empty());
  CHECK(Baseline(LengthBytes({1u << 30, 1u << 30, 6, 8}), bytecode, table).empty());
  // No bytecode at all: only the prologue's length is left, and no position.
  CHECK(Baseline(LengthBytes({20}), {}, table).empty());
  CHECK(Baseline(LengthBytes({20, 4, 6, 8}), bytecode, {}).empty());
}

// --- inlined calls ---

TEST(positions_inlinings) {
  const ByteVector table = InliningBytes({{RawPosition(40), 0}, {RawPosition(kMaxScriptOffset, kMaxInlining), -1}, {0, 1 << 30}});
  const std::vector<Inlining> calls = DecodeInlinings(table);
  if (!CHECK_EQ(calls.size(), 3)) return;
  CHECK(calls[0].script_offset == 40 && calls[0].caller == -1 && calls[0].function == 0);
  CHECK(calls[1].script_offset == kMaxScriptOffset && calls[1].caller == kMaxInlining && calls[1].function == -1);
  CHECK(calls[2].script_offset == -1 && calls[2].caller == -1 && calls[2].function == 1 << 30);
  for (size_t length = 0; length <= table.size(); length++) {
    const ByteVector cut(table.begin(), table.begin() + static_cast<std::ptrdiff_t>(length));
    CHECK_EQ(DecodeInlinings(cut).size(), length / 16);
  }
}

// --- lines ---

struct Placed {
  bool known = false;
  uint32_t line = 0;
  uint32_t column = 0;
  bool operator==(const Placed&) const = default;
};
Placed PlaceOf(const LineRange& range, int32_t offset) {
  Placed placed;
  placed.known = range.Place(offset, &placed.line, &placed.column);
  return placed;
}

TEST(positions_lines) {
  // A script "ab\n\ncde\nf": lines begin at 0, 3, 4, 8.
  LineRange range;
  range.next_line = {3, 4, 8};
  CHECK((PlaceOf(range, 0) == Placed{true, 1, 1}));
  CHECK((PlaceOf(range, 2) == Placed{true, 1, 3}));  // the line's end belongs to it
  CHECK((PlaceOf(range, 3) == Placed{true, 2, 1}));
  CHECK((PlaceOf(range, 4) == Placed{true, 3, 1}));
  CHECK((PlaceOf(range, 7) == Placed{true, 3, 4}));
  CHECK((PlaceOf(range, 8) == Placed{true, 4, 1}));
  CHECK((PlaceOf(range, 100) == Placed{true, 4, 93}));
  CHECK(!PlaceOf(range, -1).known);
}

TEST(positions_lines_of_a_part) {
  LineRange range;
  range.first_line = 10;
  range.first_start = 500;
  range.next_line = {520, 530};
  CHECK(!PlaceOf(range, 499).known);
  CHECK((PlaceOf(range, 500) == Placed{true, 11, 1}));
  CHECK((PlaceOf(range, 529) == Placed{true, 12, 10}));
  CHECK((PlaceOf(range, 530) == Placed{true, 13, 1}));
  range.next_line.clear();
  CHECK((PlaceOf(range, 530) == Placed{true, 11, 31}));
}

TEST(positions_lines_of_a_script_inside_a_document) {
  LineRange range;
  range.next_line = {10};
  range.line_shift = 99;
  range.column_shift = 40;
  CHECK((PlaceOf(range, 0) == Placed{true, 100, 41}));
  CHECK((PlaceOf(range, 9) == Placed{true, 100, 50}));
  CHECK((PlaceOf(range, 10) == Placed{true, 101, 1}));  // columns are shifted in the script's first line only
  range.first_line = 1;
  range.first_start = 10;
  range.next_line = {};
  CHECK((PlaceOf(range, 12) == Placed{true, 101, 3}));
}

}  // namespace
}  // namespace strobe::v8
