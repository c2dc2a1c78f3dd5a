// Details as noise: parsed whole or not at all, and every look-up ends with the code's own function.
#include "test/fuzz/fuzz.h"
#include "v8/code_detail.h"

namespace strobe::fuzz {
namespace {

constexpr int kVersions[][2] = {{11, 3}, {12, 4}, {13, 6}, {14, 6}};

ByteVector Seed(uint8_t version, const test::DetailParts& parts) {
  ByteVector seed = {version};
  for (const uint32_t offset : {0u, 8u, 12u, 35u}) AppendValue(offset, &seed);
  Append(test::DetailBytes(parts), &seed);
  return seed;
}

bool Same(const std::vector<v8::Place>& a, const std::vector<v8::Place>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); i++) {
    if (a[i].function != b[i].function || a[i].line != b[i].line || a[i].column != b[i].column) return false;
  }
  return true;
}

}  // namespace

std::vector<ByteVector> Seeds() {
  using test::RawPosition;
  std::vector<ByteVector> seeds;
  for (uint8_t version = 0; version < 5; version++) {
    const v8::PositionFormat format = version == 3 ? v8::PositionFormat::kFlags : v8::PositionFormat::kZigZag;
    test::DetailParts parts;
    parts.position_format = format;
    parts.functions = {test::FunctionWithLines(4, 100, {20, 20})};
    parts.positions = test::PositionBytes({{2, RawPosition(105)}, {6, RawPosition(121), false}}, format);
    seeds.push_back(Seed(version, parts));
    parts.kind = v8::DetailKind::kBaseline;
    parts.bytecode = {test::kLdaZero, test::kLdaSmi, 1, test::kLdaZero};
    parts.offset_table = test::LengthBytes({30, 5, 10, 4});
    seeds.push_back(Seed(version, parts));
    parts = test::DetailParts{};
    parts.position_format = format;
    parts.kind = v8::DetailKind::kOptimised;
    parts.functions = {test::FunctionWithLines(0, 0, {10}), test::FunctionWithLines(20, 1000, {10, 10}, 0x5000),
                       test::FunctionWithLines(30, 2000)};
    parts.positions = test::PositionBytes({{4, RawPosition(3)}, {8, RawPosition(1012, 0)}, {12, RawPosition(2002, 1)}}, format);
    parts.inlinings = test::InliningBytes({{RawPosition(12), 0}, {RawPosition(1021, 0), 1}});
    seeds.push_back(Seed(version, parts));
    parts.kind = v8::DetailKind::kWasm;
    parts.functions.resize(1);
    seeds.push_back(Seed(version, parts));
  }
  return seeds;
}

}  // namespace strobe::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace strobe;
  using namespace strobe::fuzz;
  Input input(data, size);
  const uint8_t version = input.Take<uint8_t>() % 5;
  const v8::BytecodeSizes* sizes = version < 4 ? v8::BytecodeSizesOf(kVersions[version][0], kVersions[version][1]) : nullptr;
  uint32_t offsets[4];
  for (uint32_t& offset : offsets) offset = input.Take<uint32_t>();
  const ByteVector bytes = input.Rest();
  v8::DetailView view;
  const bool whole = v8::ParseDetail(bytes, &view);
  v8::CodeDetail detail(bytes);
  FUZZ_CHECK(detail.size() == bytes.size());
  FUZZ_CHECK(detail.FunctionStarts().size() == (whole ? view.functions.size() : 0));
  FUZZ_CHECK(detail.header().kind <= v8::DetailKind::kWasm);
  if (whole) {
    size_t filled = sizeof view.header + view.functions.size() * sizeof(v8::FunctionHeader);
    for (const v8::Bytes& lines : view.lines) filled += lines.size();
    FUZZ_CHECK(filled + view.positions.size() + view.offset_table.size() + view.bytecode.size() + view.inlinings.size() == bytes.size());
  }
  std::vector<v8::Place> places;
  std::vector<v8::Place> again;
  for (const uint32_t offset : offsets) {
    const bool known = detail.Lookup(offset, sizes, &places);
    FUZZ_CHECK(!known || (whole && !places.empty() && places.back().function == 0));
    FUZZ_CHECK(places.size() <= v8::CodeDetail::kMaxInlined);
    for (const v8::Place& place : places) FUZZ_CHECK(place.function < view.functions.size());
    FUZZ_CHECK(detail.Lookup(offset, sizes, &again) == known && Same(places, again));
  }
  return 0;
}
