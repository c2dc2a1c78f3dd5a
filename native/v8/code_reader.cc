#include "v8/code_reader.h"

#include <new>

namespace strobe::v8 {

namespace {

// A URL up to here is copied; beyond, the map is looked for in the script's file. Most inline maps of code that exists in memory only
// (compiled on the fly, file by file) are shorter, and this many bytes cost some microseconds, once a script.
constexpr int32_t kMaxMapUrl = 128 * 1024;
constexpr int32_t kMaxSourceUrl = 1024;
constexpr int32_t kMaxInlined = 1 << 16;
constexpr int kMaxIndirections = 3;
constexpr std::string_view kNodesOwn = " node:";  // behind the function's name, where its file begins
// Instance types below this one are strings (V8 instance-type.h: FIRST_NONSTRING_TYPE).
constexpr uint16_t kFirstNonString = 0x80;
constexpr size_t kInliningBytes = 16;

// The tier of "JS:*name …", "Script:^…"; 0 for what is no JavaScript function.
char TierOf(std::string_view name) {
  const size_t colon = name.find(':');
  if (colon == std::string_view::npos) return 0;
  const std::string_view tag = name.substr(0, colon);
  if (tag != "JS" && tag != "Script" && tag != "Eval" && tag != "Function" && tag != "LazyCompile") return 0;
  size_t at = colon + 1;
  if (at + 1 < name.size() && name[at] == 'o' && (name[at + 1] == '*' || name[at + 1] == '+')) at++;
  return at < name.size() ? name[at] : 0;
}

void AppendVlq(uint32_t value, std::vector<uint8_t>* out) {
  while (value >= 0x80) {
    out->push_back(static_cast<uint8_t>(value | 0x80));
    value >>= 7;
  }
  out->push_back(static_cast<uint8_t>(value));
}

template <typename T>
void Append(const T& value, std::vector<uint8_t>* out) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&value);
  out->insert(out->end(), bytes, bytes + sizeof value);
}

void Append(Bytes bytes, std::vector<uint8_t>* out) { out->insert(out->end(), bytes.begin(), bytes.end()); }

void Count(std::atomic<uint64_t>* counter) {
  // One writer, the isolate's thread.
  counter->store(counter->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

}  // namespace

void CodeReader::Range::Add(int32_t offset) {
  if (offset < 0) return;
  if (low < 0 || offset < low) low = offset;
  if (offset > high) high = offset;
}

Bytes CodeReader::Read(const v8api::JitCodeEvent& event, ScriptNote* note, bool* announce) {
  *announce = false;
  if (refused_in_a_row_ >= kRefusedIsOff || event.script == nullptr) return {};
  if (listing_ && event.code_type == v8api::JitCodeEvent::kByteCode &&
      std::string_view(event.name.str, event.name.len).find(kNodesOwn) != std::string_view::npos) {
    return {};
  }
  header_ = DetailHeader{};
  header_.position_format = layout_.position_format;
  functions_.clear();
  line_bytes_.clear();
  out_.clear();
  bool good = false;
  try {
    good = ReadChecked(event, note, announce);
  } catch (const std::bad_alloc&) {
    out_.clear();
    *announce = false;
    return {};
  }
  if (!good) {
    Count(&refused);
    refused_in_a_row_++;
    *announce = false;
    return {};
  }
  // Only now: a script whose first function was refused is announced with the next one.
  if (*announce) announced_[note->id % kAnnounced] = note->id;
  if (!out_.empty()) {
    Count(&details);
    refused_in_a_row_ = 0;
  }
  return out_;
}

bool CodeReader::ReadChecked(const v8api::JitCodeEvent& event, ScriptNote* note, bool* announce) {
  uint64_t shared = 0;
  if (!ReadMemory(reinterpret_cast<uint64_t>(event.script), &shared, sizeof shared) || !HasType(layout_, shared, layout_.type_shared)) {
    return false;
  }
  if (event.code_type == v8api::JitCodeEvent::kByteCode)
    return ReadScript(shared, note, announce) && ReadBytecode(event.code_start, shared);
  // What lies before the first instruction is only known of JavaScript functions; builtins have no object there.
  switch (TierOf({event.name.str, event.name.len})) {
    case '^':
      return ReadScript(shared, note, announce) && ReadMachineCode(event, shared, DetailKind::kBaseline);
    case '+':
    case '*':
      return ReadScript(shared, note, announce) && ReadMachineCode(event, shared, DetailKind::kOptimised);
    default:
      return true;
  }
}

bool CodeReader::ReadBytecode(uint64_t start, uint64_t shared) {
  const uint64_t bytecode = start - layout_.bytecode_data + kHeapTag;
  if (!HasType(layout_, bytecode, layout_.type_bytecode)) return false;
  header_.kind = DetailKind::kBytecode;
  Bytes table;
  if (!PositionsOf(bytecode, &table)) {
    Count(&without_table);
    // Still worth an event when the file has a source map.
    if (header_.map_kind == MapKind::kNone) return true;
  }
  FunctionHeader function;
  Range range;
  PositionTable positions(table, layout_.position_format);
  for (Position position; positions.Next(&position);) range.Add(position.script_offset);
  AddLines(LinesOf(shared), range, &function);
  functions_.push_back(function);
  Compose(table, {}, {}, {});
  return true;
}

bool CodeReader::ReadMachineCode(const v8api::JitCodeEvent& event, uint64_t shared, DetailKind kind) {
  const uint64_t stream = event.code_start - layout_.stream_start + kHeapTag;
  uint64_t code = 0;
  uint64_t start = 0;
  if (!ReadField(stream, layout_.stream_code, &code) || !HasType(layout_, code, layout_.type_code) ||
      !ReadField(code, layout_.code_start, &start) || start != event.code_start) {
    return false;
  }
  header_.kind = kind;
  return kind == DetailKind::kBaseline ? ReadBaseline(code, shared) : ReadOptimised(code, shared);
}

bool CodeReader::ReadBaseline(uint64_t code, uint64_t shared) {
  uint64_t source = 0;
  uint64_t offsets = 0;
  uint64_t bytecode = 0;
  int32_t length = 0;
  Bytes offset_table;
  if (!ReadField(code, layout_.code_deopt_data, &source) || !BytecodeFrom(source, &bytecode, kMaxIndirections) ||
      !ReadField(code, layout_.code_positions, &offsets) || !ViewBytes(layout_, offsets, &offset_table)) {
    return false;
  }
  uint64_t smi = 0;
  if (!ReadField(bytecode, layout_.bytecode_length, &smi) || !IsSmi(smi)) return false;
  length = SmiValue(smi);
  if (length <= 0 || length > kMaxArrayLength) return false;
  const uint8_t* instructions = ViewMemory(bytecode - kHeapTag + layout_.bytecode_data, static_cast<size_t>(length));
  if (instructions == nullptr) return false;
  Bytes table;
  if (!PositionsOf(bytecode, &table)) {
    Count(&without_table);
    return true;
  }
  FunctionHeader function;
  Range range;
  PositionTable positions(table, layout_.position_format);
  for (Position position; positions.Next(&position);) range.Add(position.script_offset);
  AddLines(LinesOf(shared), range, &function);
  functions_.push_back(function);
  Compose(table, offset_table, Bytes(instructions, static_cast<size_t>(length)), {});
  return true;
}

bool CodeReader::ReadOptimised(uint64_t code, uint64_t shared) {
  uint64_t deopt = 0;
  uint64_t table_object = 0;
  uint64_t count_smi = 0;
  uint64_t literals = 0;
  uint64_t inlinings_object = 0;
  int32_t deopt_length = 0;
  int32_t literals_length = 0;
  Bytes table;
  Bytes inlinings;
  if (!ReadField(code, layout_.code_positions, &table_object) || !ViewBytes(layout_, table_object, &table) ||
      !ReadField(code, layout_.code_deopt_data, &deopt) || !HasOneOf(layout_, deopt, layout_.types_deopt) ||
      !ReadLength(layout_, deopt, &deopt_length)) {
    return false;
  }
  if (deopt_length != 0) {
    // A function that can't be deoptimised has an empty array: nothing was inlined.
    if (static_cast<uint32_t>(deopt_length) <= layout_.deopt_inlinings) return false;
    if (!ReadElement(layout_, deopt, layout_.deopt_inlined_count, &count_smi) || !IsSmi(count_smi) ||
        !ReadElement(layout_, deopt, layout_.deopt_literals, &literals) || !HasOneOf(layout_, literals, layout_.types_deopt) ||
        !ReadLength(layout_, literals, &literals_length) || !ReadElement(layout_, deopt, layout_.deopt_inlinings, &inlinings_object) ||
        !ViewBytes(layout_, inlinings_object, &inlinings)) {
      return false;
    }
  }
  const int32_t inlined = SmiValue(count_smi);
  if (inlined < 0 || inlined > literals_length || inlined > kMaxInlined) return false;

  // Which part of its script each function needs lines for.
  const size_t inlining_count = inlinings.size() / kInliningBytes;
  const std::vector<Inlining> calls = DecodeInlinings(inlinings);
  ranges_.assign(static_cast<size_t>(inlined) + 1, Range{});
  const auto range_of = [&](int32_t inlining) -> Range* {
    if (inlining < 0) return ranges_.data();
    if (static_cast<size_t>(inlining) >= inlining_count) return nullptr;
    const int32_t function = calls[static_cast<size_t>(inlining)].function;
    return function >= 0 && function < inlined ? &ranges_[static_cast<size_t>(function) + 1] : nullptr;
  };
  PositionTable positions(table, layout_.position_format);
  for (Position position; positions.Next(&position);) {
    if (Range* range = range_of(position.inlining)) range->Add(position.script_offset);
  }
  for (const Inlining& call : calls) {
    if (Range* range = range_of(call.caller)) range->Add(call.script_offset);
  }

  // The code's own function, then V8's list.
  for (size_t i = 0; i < ranges_.size(); i++) {
    uint64_t function = shared;
    FunctionHeader header;
    if (i != 0) {
      uint64_t bytecode = 0;
      if (!ReadElement(layout_, literals, static_cast<uint32_t>(i - 1), &function)) return false;
      function &= ~kWeakBit;
      if (!HasType(layout_, function, layout_.type_shared)) return false;
      if (BytecodeOf(function, &bytecode)) header.bytecode_start = bytecode - kHeapTag + layout_.bytecode_data;
    }
    AddLines(LinesOf(function), ranges_[i], &header);
    functions_.push_back(header);
  }
  Compose(table, {}, {}, inlinings);
  return true;
}

bool CodeReader::ReadScript(uint64_t shared, ScriptNote* note, bool* announce) {
  uint64_t script = 0;
  uint64_t id = 0;
  uint64_t map_url = 0;
  uint64_t name = 0;
  uint64_t source_url = 0;
  if (!ReadField(shared, layout_.shared_script, &script) || !HasType(layout_, script, layout_.type_script)) return false;
  if (!ReadField(script, layout_.script_id, &id) || !IsSmi(id) || !ReadField(script, layout_.script_map_url, &map_url) ||
      !ReadField(script, layout_.script_name, &name) || !ReadField(script, layout_.script_source_url, &source_url)) {
    return false;
  }
  header_.script_id = static_cast<uint32_t>(SmiValue(id));
  std::string_view map_text;
  std::string_view source_text;
  const Text map = ReadText(map_url, kMaxMapUrl, &map_text);
  if (map == Text::kBroken) return false;
  if (map == Text::kRead) header_.map_kind = MapKind::kUrl;
  if (map == Text::kUnread) header_.map_kind = MapKind::kInFile;
  std::string_view name_text;
  const Text named = ReadText(name, 1, &name_text);
  if (named == Text::kNone && ReadText(source_url, kMaxSourceUrl, &source_text) == Text::kBroken) return false;
  if ((map_text.empty() && source_text.empty()) || announced_[header_.script_id % kAnnounced] == header_.script_id) return true;
  *note = {header_.script_id, map_text, source_text};
  *announce = true;
  return true;
}

// A string field of a script: none (undefined, or empty), one that was not read (too long, or not flat one-byte), or its text in place.
CodeReader::Text CodeReader::ReadText(uint64_t object, int32_t limit, std::string_view* text) const {
  if (IsSmi(object)) return Text::kNone;
  uint16_t type = 0;
  if (!TypeOf(layout_, object, &type)) return Text::kBroken;
  if (type >= kFirstNonString) return Text::kNone;
  int32_t length = 0;
  if (!ReadMemory(object - kHeapTag + layout_.string_length, &length, sizeof length)) return Text::kBroken;
  if (length <= 0) return Text::kNone;
  if (type != layout_.type_one_byte_internalized || length > limit) return Text::kUnread;
  const uint8_t* data = ViewMemory(object - kHeapTag + layout_.string_data, static_cast<size_t>(length));
  if (data == nullptr) return Text::kBroken;
  *text = std::string_view(reinterpret_cast<const char*>(data), static_cast<size_t>(length));
  return Text::kRead;
}

bool CodeReader::BytecodeOf(uint64_t shared, uint64_t* bytecode) const {
  uint64_t data = 0;
  return ReadField(shared, layout_.shared_data, &data) && BytecodeFrom(data, bytecode, kMaxIndirections);
}

bool CodeReader::BytecodeFrom(uint64_t object, uint64_t* bytecode, int depth) const {
  uint16_t type = 0;
  if (depth == 0 || !TypeOf(layout_, object, &type)) return false;
  uint64_t next = 0;
  if (type == layout_.type_bytecode) {
    *bytecode = object;
    return true;
  }
  if (type == layout_.type_code) return ReadField(object, layout_.code_deopt_data, &next) && BytecodeFrom(next, bytecode, depth - 1);
  if (type == layout_.type_interpreter_data) {
    return ReadField(object, layout_.interpreter_bytecode, &next) && BytecodeFrom(next, bytecode, depth - 1);
  }
  return false;
}

bool CodeReader::PositionsOf(uint64_t bytecode, Bytes* table) const {
  uint64_t object = 0;
  // A function compiled without positions has none, an empty one, or undefined there.
  return ReadField(bytecode, layout_.bytecode_positions, &object) && ViewBytes(layout_, object, table) && !table->empty();
}

CodeReader::Lines CodeReader::LinesOf(uint64_t shared) const {
  Lines lines;
  uint64_t script = 0;
  uint64_t ends = 0;
  uint64_t line_offset = 0;
  uint64_t column_offset = 0;
  int32_t count = 0;
  if (!ReadField(shared, layout_.shared_script, &script) || !HasType(layout_, script, layout_.type_script) ||
      !ReadField(script, layout_.script_line_ends, &ends) || !HasType(layout_, ends, layout_.type_fixed_array) ||
      !ReadLength(layout_, ends, &count) || !ReadField(script, layout_.script_line_offset, &line_offset) ||
      !ReadField(script, layout_.script_column_offset, &column_offset)) {
    return lines;
  }
  lines.line_ends = ends;
  lines.count = static_cast<uint32_t>(count);
  if (IsSmi(line_offset)) lines.line_shift = static_cast<uint32_t>(SmiValue(line_offset));
  if (IsSmi(column_offset)) lines.column_shift = static_cast<uint32_t>(SmiValue(column_offset));
  return lines;
}

// Copies the lines that `range` touches: V8's array says where each line of the script ends (the position of its terminator).
void CodeReader::AddLines(const Lines& lines, const Range& range, FunctionHeader* header) {
  if (lines.line_ends == 0 || range.low < 0) return;
  const auto end_of = [&](uint32_t line) -> int64_t {
    uint64_t smi = 0;
    return ReadElement(layout_, lines.line_ends, line, &smi) && IsSmi(smi) ? SmiValue(smi) : -1;
  };
  uint32_t low = 0;
  uint32_t high = lines.count;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (end_of(middle) < range.low) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == lines.count) return;
  header->first_line = low;
  header->first_start = low == 0 ? 0 : static_cast<uint32_t>(end_of(low - 1) + 1);
  header->line_shift = lines.line_shift;
  header->column_shift = lines.column_shift;
  header->has_lines = 1;
  const size_t before = line_bytes_.size();
  uint32_t start = header->first_start;
  for (uint32_t line = low; line + 1 < lines.count; line++) {
    const int64_t end = end_of(line);
    if (end < start || end >= range.high) break;
    AppendVlq(static_cast<uint32_t>(end) + 1 - start, &line_bytes_);
    start = static_cast<uint32_t>(end) + 1;
  }
  header->line_bytes = static_cast<uint32_t>(line_bytes_.size() - before);
}

void CodeReader::Compose(Bytes positions, Bytes offset_table, Bytes bytecode, Bytes inlinings) {
  header_.functions = static_cast<uint32_t>(functions_.size());
  header_.position_bytes = static_cast<uint32_t>(positions.size());
  header_.offset_table_bytes = static_cast<uint32_t>(offset_table.size());
  header_.bytecode_bytes = static_cast<uint32_t>(bytecode.size());
  header_.inlining_bytes = static_cast<uint32_t>(inlinings.size());
  out_.reserve(sizeof header_ + functions_.size() * sizeof(FunctionHeader) + line_bytes_.size() + positions.size() + offset_table.size() +
               bytecode.size() + inlinings.size());
  Append(header_, &out_);
  for (const FunctionHeader& function : functions_) Append(function, &out_);
  Append(Bytes(line_bytes_), &out_);
  Append(positions, &out_);
  Append(offset_table, &out_);
  Append(bytecode, &out_);
  Append(inlinings, &out_);
}

}  // namespace strobe::v8
