// Tests of v8/wasm_positions.h: what V8 announces position by position comes out of the detail again, for the code that it was announced
// for and no other.
#include "v8/wasm_positions.h"

#include <string>
#include <vector>

#include "test/check.h"

namespace strobe::v8 {
namespace {

std::string At(Bytes bytes, uint32_t offset) {
  CodeDetail detail(bytes);
  std::vector<Place> places;
  if (!detail.Lookup(offset, nullptr, &places) || places.size() != 1) return "-";
  return std::to_string(places[0].line) + ":" + std::to_string(places[0].column);
}

TEST(wasm_positions_come_out_again) {
  WasmPositions positions;
  positions.Begin();
  positions.Add(0, 33);
  positions.Add(40, 70'000);
  positions.Add(41, 2);
  positions.Add(5000, 3);
  positions.End(0x1000);
  const Bytes detail = positions.Of(0x1000);
  CHECK(CodeDetail(detail).header().kind == DetailKind::kWasm);
  CHECK_EQ(CodeDetail(detail).FunctionStarts().size(), 1);
  CHECK_EQ(At(detail, 0), "1:34");
  CHECK_EQ(At(detail, 39), "1:34");
  CHECK_EQ(At(detail, 40), "1:70001");
  CHECK_EQ(At(detail, 41), "1:3");
  CHECK_EQ(At(detail, 4999), "1:3");
  CHECK_EQ(At(detail, 5000), "1:4");
  CHECK(positions.Of(0x1001).empty());
}

TEST(wasm_positions_belong_to_one_recording) {
  WasmPositions positions;
  CHECK(positions.Of(0x1000).empty());
  positions.Begin();
  positions.Add(0, 5);
  CHECK(positions.Of(0x1000).empty());  // not ended
  positions.End(0x1000);
  CHECK_EQ(At(positions.Of(0x1000), 0), "1:6");
  // Code without positions: nothing is left of the one before.
  positions.Begin();
  positions.End(0x1000);
  CHECK(positions.Of(0x1000).empty());
  positions.Begin();
  positions.Add(8, 9);
  positions.End(0x2000);
  CHECK(positions.Of(0x1000).empty());
  CHECK_EQ(At(positions.Of(0x2000), 8), "1:10");
  CHECK_EQ(At(positions.Of(0x2000), 7), "-");
}

}  // namespace
}  // namespace strobe::v8
