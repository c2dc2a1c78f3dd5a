#include "v8/code_detail.h"

#include <cstring>

namespace strobe::v8 {

namespace {

class Cursor {
 public:
  explicit Cursor(Bytes bytes) : bytes_(bytes) {}
  bool Copy(void* out, size_t size) {
    if (size > bytes_.size() - at_) return false;
    std::memcpy(out, bytes_.data() + at_, size);
    at_ += size;
    return true;
  }
  bool View(size_t size, Bytes* out) {
    if (size > bytes_.size() - at_) return false;
    *out = bytes_.subspan(at_, size);
    at_ += size;
    return true;
  }
  size_t left() const { return bytes_.size() - at_; }

 private:
  Bytes bytes_;
  size_t at_ = 0;
};

}  // namespace

bool ParseDetail(Bytes bytes, DetailView* out) {
  Cursor cursor(bytes);
  if (!cursor.Copy(&out->header, sizeof out->header)) return false;
  const DetailHeader& header = out->header;
  if (header.functions > cursor.left() / sizeof(FunctionHeader)) return false;
  out->functions.resize(header.functions);
  for (FunctionHeader& function : out->functions) {
    if (!cursor.Copy(&function, sizeof function)) return false;
  }
  out->lines.resize(header.functions);
  for (size_t i = 0; i < out->functions.size(); i++) {
    if (!cursor.View(out->functions[i].line_bytes, &out->lines[i])) return false;
  }
  return cursor.View(header.position_bytes, &out->positions) && cursor.View(header.offset_table_bytes, &out->offset_table) &&
         cursor.View(header.bytecode_bytes, &out->bytecode) && cursor.View(header.inlining_bytes, &out->inlinings) && cursor.left() == 0;
}

LineRange ParseLines(const FunctionHeader& header, Bytes deltas) {
  LineRange range;
  range.first_line = header.first_line;
  range.first_start = header.first_start;
  range.line_shift = header.line_shift;
  range.column_shift = header.column_shift;
  uint32_t start = header.first_start;
  uint32_t value = 0;
  unsigned shift = 0;
  for (const uint8_t byte : deltas) {
    if (shift < 32) value |= (byte & 0x7fu) << shift;
    shift += 7;
    if ((byte & 0x80) != 0) continue;
    // Ascending also when the numbers are noise: the search needs it.
    const uint32_t next = start + value;
    if (next < start) break;
    start = next;
    range.next_line.push_back(start);
    value = 0;
    shift = 0;
  }
  return range;
}

DetailHeader CodeDetail::header() const {
  DetailHeader header;
  if (bytes_.size() >= sizeof header) std::memcpy(&header, bytes_.data(), sizeof header);
  // Others count by kind.
  return header.kind <= DetailKind::kWasm ? header : DetailHeader{};
}

std::vector<uint64_t> CodeDetail::FunctionStarts() const {
  DetailView view;
  std::vector<uint64_t> starts;
  if (!ParseDetail(bytes_, &view)) return starts;
  starts.reserve(view.functions.size());
  for (const FunctionHeader& function : view.functions) starts.push_back(function.bytecode_start);
  return starts;
}

void CodeDetail::Decode(const BytecodeSizes* sizes) {
  decoded_ = std::make_unique<Decoded>();
  DetailView view;
  if (!ParseDetail(bytes_, &view)) return;
  if (view.header.kind == DetailKind::kBaseline) {
    if (sizes != nullptr)
      decoded_->positions = BaselinePositions(view.offset_table, view.bytecode, *sizes, view.positions, view.header.position_format);
  } else {
    decoded_->positions = DecodePositions(view.positions, view.header.position_format);
  }
  decoded_->inlinings = DecodeInlinings(view.inlinings);
  for (size_t i = 0; i < view.functions.size(); i++) {
    decoded_->lines.push_back(ParseLines(view.functions[i], view.lines[i]));
    decoded_->has_lines.push_back(view.functions[i].has_lines != 0);
  }
}

void CodeDetail::PlaceIn(uint32_t function, int32_t script_offset, std::vector<Place>* out) const {
  Place place;
  place.function = function;
  if (decoded_->has_lines[function]) decoded_->lines[function].Place(script_offset, &place.line, &place.column);
  out->push_back(place);
}

bool CodeDetail::Lookup(uint32_t offset, const BytecodeSizes* sizes, std::vector<Place>* out) {
  out->clear();
  if (!decoded_) Decode(sizes);
  if (decoded_->lines.empty()) return false;
  const Position* position = FindPosition(decoded_->positions, offset);
  if (position == nullptr) return false;
  int32_t script_offset = position->script_offset;
  int32_t inlining = position->inlining;
  while (inlining >= 0) {
    if (static_cast<size_t>(inlining) >= decoded_->inlinings.size() || out->size() + 1 >= kMaxInlined) break;
    const Inlining& call = decoded_->inlinings[static_cast<size_t>(inlining)];
    // A function that V8 did not list: its caller's call stands for it.
    const uint32_t function = static_cast<uint32_t>(call.function) + 1;
    if (call.function >= 0 && function < decoded_->lines.size()) PlaceIn(function, script_offset, out);
    script_offset = call.script_offset;
    // Inlinings are listed after the ones that they stand in.
    if (call.caller >= inlining) break;
    inlining = call.caller;
  }
  PlaceIn(0, script_offset, out);
  return true;
}

}  // namespace strobe::v8
