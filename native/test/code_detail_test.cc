// Tests of v8/code_detail.h: the bytes are filled exactly or refused, places come out leaf first with the lines of their own function, and
// chains that make no sense end.
#include "v8/code_detail.h"

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "test/check.h"
#include "test/v8_bytes.h"

namespace strobe::v8 {
namespace {

using test::ByteVector;
using test::DetailBytes;
using test::DetailParts;
using test::FunctionWithLines;
using test::InliningBytes;
using test::PositionBytes;
using test::RawPosition;

// "function:line:column …", leaf first; "-" when nothing is known.
std::string At(CodeDetail* detail, uint32_t offset, const BytecodeSizes* sizes = nullptr) {
  std::vector<Place> places;
  if (!detail->Lookup(offset, sizes, &places)) return places.empty() ? "-" : "places without an answer";
  std::string out;
  for (const Place& place : places) {
    out +=
        (out.empty() ? "" : " ") + std::to_string(place.function) + ":" + std::to_string(place.line) + ":" + std::to_string(place.column);
  }
  return out;
}
std::string At(const DetailParts& parts, uint32_t offset, const BytecodeSizes* sizes = nullptr) {
  CodeDetail detail(DetailBytes(parts));
  return At(&detail, offset, sizes);
}

// Function 0 in lines 1 and 2 (0 and 10), function 1 in lines 21 to 23 (1000, 1010, 1020), function 2 in line 31 (2000).
DetailParts Optimised() {
  DetailParts parts;
  parts.kind = DetailKind::kOptimised;
  parts.map_kind = MapKind::kUrl;
  parts.script_id = 17;
  parts.functions = {FunctionWithLines(0, 0, {10}), FunctionWithLines(20, 1000, {10, 10}, 0x5000), FunctionWithLines(30, 2000, {}, 0x6000)};
  parts.positions =
      PositionBytes({{4, RawPosition(3)}, {8, RawPosition(1012, 0)}, {12, RawPosition(2002, 1), false}, {16, RawPosition(11)}});
  // Inlining 0: function 1 (index 0) called at 12; inlining 1: function 2 (index 1) called inside of it at 1021.
  parts.inlinings = InliningBytes({{RawPosition(12), 0}, {RawPosition(1021, 0), 1}});
  return parts;
}

TEST(code_detail_parts_come_out_as_they_went_in) {
  const DetailParts parts = Optimised();
  const ByteVector bytes = DetailBytes(parts);
  DetailView view;
  if (!CHECK(ParseDetail(bytes, &view))) return;
  CHECK(view.header.kind == DetailKind::kOptimised && view.header.map_kind == MapKind::kUrl);
  CHECK_EQ(view.header.script_id, 17);
  CHECK_EQ(view.functions.size(), 3);
  CHECK(std::vector<uint8_t>(view.positions.begin(), view.positions.end()) == parts.positions);
  CHECK(std::vector<uint8_t>(view.inlinings.begin(), view.inlinings.end()) == parts.inlinings);
  CHECK(view.offset_table.empty() && view.bytecode.empty());
  CodeDetail detail(bytes);
  CHECK_EQ(detail.size(), bytes.size());
  CHECK_EQ(detail.header().script_id, 17);
  CHECK(detail.FunctionStarts() == std::vector<uint64_t>({0, 0x5000, 0x6000}));
  const LineRange range = ParseLines(view.functions[1], view.lines[1]);
  CHECK(range.first_line == 20 && range.first_start == 1000);
  CHECK(range.next_line == std::vector<uint32_t>({1010, 1020}));
}

TEST(code_detail_bytes_are_filled_exactly) {
  DetailParts parts = Optimised();
  parts.offset_table = {1, 2, 3};
  parts.bytecode = {4, 5};
  const ByteVector bytes = DetailBytes(parts);
  DetailView view;
  CHECK(ParseDetail(bytes, &view));
  for (size_t length = 0; length < bytes.size(); length++) {
    const ByteVector cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
    if (!CHECK(!ParseDetail(cut, &view))) CHECK_EQ(length, 0);
    CodeDetail detail(cut);
    CHECK_EQ(At(&detail, 8), "-");
    CHECK(detail.FunctionStarts().empty());
  }
  ByteVector longer = bytes;
  longer.push_back(0);
  CHECK(!ParseDetail(longer, &view));
  // Each length in the headers one off, or huge.
  const std::vector<size_t> lengths = {
      offsetof(DetailHeader, functions),          offsetof(DetailHeader, position_bytes),
      offsetof(DetailHeader, offset_table_bytes), offsetof(DetailHeader, bytecode_bytes),
      offsetof(DetailHeader, inlining_bytes),     sizeof(DetailHeader) + offsetof(FunctionHeader, line_bytes)};
  for (const size_t at : lengths) {
    uint32_t value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    for (const uint32_t wrong : {value + 1, value - 1, 0x7fffffffu, 0xffffffffu}) {
      ByteVector damaged = bytes;
      std::memcpy(damaged.data() + at, &wrong, sizeof wrong);
      if (!CHECK(!ParseDetail(damaged, &view))) CHECK_EQ(at, wrong);
    }
  }
  // The smallest: a header and nothing else, which says nothing of any place.
  CHECK(ParseDetail(DetailBytes({}), &view));
  CHECK_EQ(At(DetailParts{}, 0), "-");
}

TEST(code_detail_line_lengths_that_wrap) {
  FunctionHeader header;
  header.first_start = 0xfffffff0;
  const ByteVector deltas = test::LengthBytes({8, 8, 8, 8});
  CHECK(ParseLines(header, deltas).next_line == std::vector<uint32_t>({0xfffffff8}));
  CHECK(ParseLines(header, ByteVector(50, 0xff)).next_line.empty());
  header.first_start = 0;
  CHECK(ParseLines(header, test::LengthBytes({300, 0, 5})).next_line == std::vector<uint32_t>({300, 300, 305}));
}

TEST(code_detail_bytecode) {
  DetailParts parts;
  parts.functions = {FunctionWithLines(4, 100, {20, 20})};
  parts.positions = PositionBytes({{2, RawPosition(105)}, {6, RawPosition(121), false}, {9, 0}});
  CHECK_EQ(At(parts, 0), "-");
  CHECK_EQ(At(parts, 1), "-");
  CHECK_EQ(At(parts, 2), "0:5:6");
  CHECK_EQ(At(parts, 5), "0:5:6");
  CHECK_EQ(At(parts, 6), "0:6:2");  // the offset itself: looking one below a return address is the caller's matter
  CHECK_EQ(At(parts, 9), "0:0:0");  // a piece that has no place in the source
  parts.functions[0].header.has_lines = 0;
  CHECK_EQ(At(parts, 6), "0:0:0");
  parts.functions.clear();
  CHECK_EQ(At(parts, 6), "-");
}

TEST(code_detail_inlined_leaf_first) {
  const DetailParts parts = Optimised();
  CHECK_EQ(At(parts, 3), "-");
  CHECK_EQ(At(parts, 4), "0:1:4");
  CHECK_EQ(At(parts, 7), "0:1:4");
  CHECK_EQ(At(parts, 8), "1:22:3 0:2:3");
  CHECK_EQ(At(parts, 12), "2:31:3 1:23:2 0:2:3");
  CHECK_EQ(At(parts, 16), "0:2:2");
  CHECK_EQ(At(parts, 0xffffffff), "0:2:2");
  // One detail, asked again and in any order.
  CodeDetail detail(DetailBytes(parts));
  CHECK_EQ(At(&detail, 12), "2:31:3 1:23:2 0:2:3");
  CHECK_EQ(At(&detail, 4), "0:1:4");
  CHECK_EQ(At(&detail, 12), "2:31:3 1:23:2 0:2:3");
}

TEST(code_detail_functions_that_are_not_listed) {
  DetailParts parts = Optimised();
  // V8 names the inner one only: its caller's call stands for what is missing.
  parts.inlinings = InliningBytes({{RawPosition(12), -1}, {RawPosition(1021, 0), 1}});
  CHECK_EQ(At(parts, 12), "2:31:3 0:2:3");
  parts.inlinings = InliningBytes({{RawPosition(12), 0}, {RawPosition(1021, 0), 2}});
  CHECK_EQ(At(parts, 12), "1:23:2 0:2:3");
  parts.inlinings = InliningBytes({{RawPosition(12), 0}, {RawPosition(1021, 0), 0x7fffffff}});
  CHECK_EQ(At(parts, 12), "1:23:2 0:2:3");
  // A position of an inlining that the table does not have.
  parts.inlinings = InliningBytes({{RawPosition(12), 0}});
  CHECK_EQ(At(parts, 8), "1:22:3 0:2:3");
  CHECK(At(parts, 12) != "-");
  parts.inlinings.clear();
  CHECK(At(parts, 8) != "-");
}

TEST(code_detail_chains_end) {
  DetailParts parts = Optimised();
  // Each in the other, one in itself, one in a later one.
  for (const auto& calls : std::vector<std::vector<test::InlinedCall>>{{{RawPosition(12, 1), 0}, {RawPosition(1021, 0), 1}},
                                                                       {{RawPosition(12, 0), 0}, {RawPosition(1021, 1), 1}},
                                                                       {{RawPosition(12, 5), 0}, {RawPosition(1021, 40'000), 1}}}) {
    parts.inlinings = InliningBytes(calls);
    for (const uint32_t offset : {8u, 12u}) {
      CodeDetail detail(DetailBytes(parts));
      std::vector<Place> places;
      CHECK(detail.Lookup(offset, nullptr, &places));
      CHECK(!places.empty() && places.size() <= 3 && places.back().function == 0);
    }
  }
  // Deeper than V8 ever inlines: cut, but the function itself is still the root.
  std::vector<test::InlinedCall> calls = {{RawPosition(12), 0}};
  for (int32_t i = 0; i < 1000; i++) calls.push_back({RawPosition(1021, i), 0});
  parts.inlinings = InliningBytes(calls);
  for (const int32_t depth : {0, 125, 126, 127, 128, 1000}) {
    parts.positions = PositionBytes({{0, RawPosition(1012, depth)}});
    CodeDetail detail(DetailBytes(parts));
    std::vector<Place> places;
    CHECK(detail.Lookup(0, nullptr, &places));
    const auto whole = static_cast<size_t>(depth) + 2;
    CHECK_EQ(places.size(), whole < CodeDetail::kMaxInlined ? whole : CodeDetail::kMaxInlined);
    CHECK_EQ(places.back().function, 0);
  }
}

TEST(code_detail_baseline) {
  DetailParts parts;
  parts.kind = DetailKind::kBaseline;
  parts.functions = {FunctionWithLines(4, 100, {20})};
  parts.positions = PositionBytes({{1, RawPosition(105)}, {3, RawPosition(121)}});
  parts.bytecode = {test::kLdaZero, test::kLdaSmi, 1, test::kLdaZero};
  parts.offset_table = test::LengthBytes({30, 5, 10, 4});
  const BytecodeSizes* sizes = BytecodeSizesOf(12, 4);
  CHECK_EQ(At(parts, 34, sizes), "-");
  CHECK_EQ(At(parts, 35, sizes), "0:5:6");
  CHECK_EQ(At(parts, 44, sizes), "0:5:6");
  CHECK_EQ(At(parts, 45, sizes), "0:6:2");
  // The bytecodes of an unknown version, or tables that do not fit each other: only the name.
  CHECK_EQ(At(parts, 35, nullptr), "-");
  parts.offset_table.pop_back();
  CHECK_EQ(At(parts, 35, sizes), "-");
}

TEST(code_detail_noise) {
  std::mt19937 random(2);
  const ByteVector whole = DetailBytes(Optimised());
  uint64_t known = 0;
  for (int round = 0; round < 20'000; round++) {
    ByteVector bytes = whole;
    for (uint32_t n = 1 + random() % 4; n > 0; n--) bytes[random() % bytes.size()] = static_cast<uint8_t>(random());
    CodeDetail detail(bytes);
    std::vector<Place> places;
    for (const uint32_t offset : {0u, 8u, 12u, 1000u}) {
      if (!detail.Lookup(offset, BytecodeSizesOf(11, 3), &places)) continue;
      known++;
      if (!CHECK(!places.empty() && places.back().function == 0 && places.size() <= CodeDetail::kMaxInlined)) return;
      const size_t functions = detail.FunctionStarts().size();
      for (const Place& place : places) {
        if (!CHECK(place.function < functions)) return;
      }
    }
  }
  CHECK(known > 1000);  // damage that leaves the lengths alone is read
}

}  // namespace
}  // namespace strobe::v8
