// What is known of one piece of code beyond its name: lines, inlined functions, the script's source map. Written in the code event as
// bytes copied from V8's heap (code_reader), carried by the event queue, decoded by the collector when a sample first needs it.
//
// Layout of the bytes, in this process's byte order: DetailHeader; `functions` times FunctionHeader; then, each as long as the headers say:
// the line deltas of each function (unsigned VLQ: lengths of the lines after the first), position table, bytecode offset table, bytecode,
// inlining positions. Function 0 is the code's own, the others are V8's list of inlined functions.
//
// Reader: one thread, the collector. Bytes may be anything; what does not fit is dropped as a whole (`Detail::valid`), never read beyond.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "v8/positions.h"

namespace strobe::v8 {

enum class DetailKind : uint8_t { kNone = 0, kBytecode = 1, kBaseline = 2, kOptimised = 3, kWasm = 4 };

// Where the source map of a script is.
enum class MapKind : uint8_t {
  kNone = 0,    // the script names none
  kUrl = 1,     // it names one, announced by its own event (CodeEvent::Type::kScript)
  kInFile = 2,  // it names one that was not copied: too long, or of a form not read
};

struct DetailHeader {
  DetailKind kind = DetailKind::kNone;
  MapKind map_kind = MapKind::kNone;
  PositionFormat position_format = PositionFormat::kZigZag;
  uint8_t unused = 0;
  uint32_t script_id = 0;
  uint32_t functions = 0;
  uint32_t position_bytes = 0;
  uint32_t offset_table_bytes = 0;
  uint32_t bytecode_bytes = 0;
  uint32_t inlining_bytes = 0;
};

struct FunctionHeader {
  uint64_t bytecode_start = 0;  // names the function through the code map; 0: the code's own, or not known
  uint32_t first_line = 0;
  uint32_t first_start = 0;
  uint32_t line_shift = 0;
  uint32_t column_shift = 0;
  uint32_t line_bytes = 0;
  uint32_t has_lines = 0;
};

// The pieces, as views into the bytes.
struct DetailView {
  DetailHeader header;
  std::vector<FunctionHeader> functions;
  std::vector<Bytes> lines;  // one a function
  Bytes positions;
  Bytes offset_table;
  Bytes bytecode;
  Bytes inlinings;
};
// False when the parts do not fill the bytes exactly.
bool ParseDetail(Bytes bytes, DetailView* out);
LineRange ParseLines(const FunctionHeader& header, Bytes deltas);

// One frame of an address: a function of the detail and the place in it.
struct Place {
  uint32_t function = 0;  // index into DetailView::functions
  uint32_t line = 0;      // 1-based; 0: not known
  uint32_t column = 0;
};

class CodeDetail {
 public:
  explicit CodeDetail(Bytes bytes) : bytes_(bytes.begin(), bytes.end()) {}

  size_t size() const { return bytes_.size(); }
  // The header, without decoding the rest.
  DetailHeader header() const;
  // Bytecode starts of the functions, [0] is the code's own. Empty when the bytes make no sense.
  std::vector<uint64_t> FunctionStarts() const;

  // The frames that `offset` (bytes into the code) stands for, innermost first, at least one, at most kMaxInlined. False when the detail
  // says nothing of it.
  bool Lookup(uint32_t offset, const BytecodeSizes* sizes, std::vector<Place>* out);

  // V8 inlines some tens of levels at most; a chain that is longer is a loop.
  static constexpr size_t kMaxInlined = 128;

 private:
  struct Decoded {
    std::vector<Position> positions;
    std::vector<Inlining> inlinings;
    std::vector<LineRange> lines;
    std::vector<bool> has_lines;
  };
  void Decode(const BytecodeSizes* sizes);
  void PlaceIn(uint32_t function, int32_t script_offset, std::vector<Place>* out) const;

  std::vector<uint8_t> bytes_;
  std::unique_ptr<Decoded> decoded_;
};

}  // namespace strobe::v8
