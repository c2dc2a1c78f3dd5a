#include "test/heap/fake_heap.h"

#include <algorithm>
#include <cstring>
#include <map>

namespace strobe::test {

namespace {

FakeHeap* g_heap = nullptr;

constexpr uint32_t kMapBytes = 40;
// Between objects: a read that goes on behind one's end is noticed.
constexpr uint32_t kGap = 16;
constexpr uint32_t kWord = 8;

}  // namespace

FakeHeap::FakeHeap(const v8::Layout& layout, size_t bytes) : layout_(layout), size_(bytes), memory_(new uint8_t[bytes]()) { g_heap = this; }

FakeHeap::~FakeHeap() {
  if (g_heap == this) g_heap = nullptr;
}

void FakeHeap::Use() { g_heap = this; }

uint64_t FakeHeap::Take(uint32_t bytes, bool is_object) {
  const uint32_t rounded = (bytes + kWord - 1) & ~(kWord - 1);
  if (rounded + kGap > size_ - used_) return 0;
  const uint64_t start = kBase + used_;
  used_ += rounded + kGap;
  objects_.push_back({start, bytes, is_object});
  return start + v8::kHeapTag;
}

uint64_t FakeHeap::MapOf(uint16_t type) {
  for (const auto& [known, map] : maps_) {
    if (known == type) return map;
  }
  const uint64_t map = Take(kMapBytes);
  if (map == 0) return 0;
  // The map of all maps is its own.
  if (maps_.empty() && type != kMapType) MapOf(kMapType);
  Set(map, 0, type == kMapType ? map : MapOf(kMapType));
  std::memcpy(bytes() + (map - v8::kHeapTag - kBase) + layout_.map_type, &type, sizeof type);
  maps_.emplace_back(type, map);
  return map;
}

uint64_t FakeHeap::Allocate(uint16_t type, uint32_t object_bytes) {
  const uint64_t map = MapOf(type);
  const uint64_t object = map != 0 ? Take(object_bytes) : 0;
  if (object != 0) Set(object, 0, map);
  return object;
}

void FakeHeap::Set(uint64_t object, uint32_t field, uint64_t value) {
  const uint64_t at = object - v8::kHeapTag + field - kBase;
  if (at <= size_ && sizeof value <= size_ - at) std::memcpy(bytes() + at, &value, sizeof value);
}

uint64_t FakeHeap::Get(uint64_t object, uint32_t field) const {
  const uint64_t at = object - v8::kHeapTag + field - kBase;
  uint64_t value = 0;
  if (at <= size_ && sizeof value <= size_ - at) std::memcpy(&value, memory_.get() + at, sizeof value);
  return value;
}

uint64_t FakeHeap::Array(uint16_t type, const std::vector<uint64_t>& elements) {
  const uint64_t array = Allocate(type, layout_.array_data + static_cast<uint32_t>(elements.size()) * kWord);
  if (array == 0) return 0;
  Set(array, layout_.array_length, Smi(static_cast<int32_t>(elements.size())));
  for (uint32_t i = 0; i < elements.size(); i++) Set(array, layout_.array_data + i * kWord, elements[i]);
  return array;
}

uint64_t FakeHeap::ByteArray(const ByteVector& content, bool trusted) {
  const uint16_t type = trusted && layout_.types_bytes[1] != 0 ? layout_.types_bytes[1] : layout_.types_bytes[0];
  const uint64_t array = Allocate(type, layout_.array_data + static_cast<uint32_t>(content.size()));
  if (array == 0) return 0;
  Set(array, layout_.array_length, Smi(static_cast<int32_t>(content.size())));
  if (!content.empty()) std::memcpy(bytes() + (array - v8::kHeapTag - kBase) + layout_.array_data, content.data(), content.size());
  return array;
}

uint64_t FakeHeap::String(uint16_t type, std::string_view text) {
  const uint64_t string = Allocate(type, layout_.string_data + static_cast<uint32_t>(text.size()));
  if (string == 0) return 0;
  const auto length = static_cast<int32_t>(text.size());
  uint8_t* at = bytes() + (string - v8::kHeapTag - kBase);
  std::memcpy(at + layout_.string_length, &length, sizeof length);
  if (!text.empty()) std::memcpy(at + layout_.string_data, text.data(), text.size());
  return string;
}

uint64_t FakeHeap::Script(const ScriptParts& parts) {
  std::vector<uint64_t> ends;
  ends.reserve(parts.line_ends.size());
  for (const int32_t end : parts.line_ends) ends.push_back(Smi(end));
  const uint64_t script = Allocate(layout_.type_script, layout_.script_map_url + kWord);
  if (script == 0) return 0;
  Set(script, layout_.script_id, Smi(parts.id));
  Set(script, layout_.script_line_ends, Array(layout_.type_fixed_array, ends));
  Set(script, layout_.script_line_offset, Smi(parts.line_offset));
  Set(script, layout_.script_column_offset, Smi(parts.column_offset));
  const uint64_t undefined = Oddball();
  Set(script, layout_.script_map_url, parts.map_url != 0 ? parts.map_url : undefined);
  Set(script, layout_.script_name, parts.name != 0 ? parts.name : undefined);
  Set(script, layout_.script_source_url, parts.source_url != 0 ? parts.source_url : undefined);
  return script;
}

uint64_t FakeHeap::Bytecode(const ByteVector& instructions, uint64_t positions) {
  const uint64_t array = Allocate(layout_.type_bytecode, layout_.bytecode_data + static_cast<uint32_t>(instructions.size()));
  if (array == 0) return 0;
  Set(array, layout_.bytecode_length, Smi(static_cast<int32_t>(instructions.size())));
  Set(array, layout_.bytecode_positions, positions);
  if (!instructions.empty()) {
    std::memcpy(bytes() + (array - v8::kHeapTag - kBase) + layout_.bytecode_data, instructions.data(), instructions.size());
  }
  return array;
}

uint64_t FakeHeap::Shared(uint64_t data, uint64_t script) {
  const uint64_t shared = Allocate(layout_.type_shared, layout_.shared_script + 3 * kWord);
  if (shared == 0) return 0;
  Set(shared, layout_.shared_data, data);
  Set(shared, layout_.shared_script, script);
  return shared;
}

uint64_t FakeHeap::InterpreterData(uint64_t bytecode) {
  const uint64_t data = Allocate(layout_.type_interpreter_data, layout_.interpreter_bytecode + 2 * kWord);
  if (data != 0) Set(data, layout_.interpreter_bytecode, bytecode);
  return data;
}

FakeHeap::Machine FakeHeap::MachineCode(uint64_t deopt_data, uint64_t positions, uint32_t length) {
  constexpr uint16_t kStreamType = 240 + 10;  // not looked at
  const Machine machine{Allocate(kStreamType, layout_.stream_start + length), Allocate(layout_.type_code, layout_.code_start + 3 * kWord)};
  if (machine.stream == 0 || machine.code == 0) return {0, 0};
  Set(machine.stream, layout_.stream_code, machine.code);
  Set(machine.code, layout_.code_deopt_data, deopt_data);
  Set(machine.code, layout_.code_positions, positions);
  Set(machine.code, layout_.code_start, MachineStart(machine));
  return machine;
}

uint64_t FakeHeap::DeoptData(uint64_t inlined_count, uint64_t literals, uint64_t inlinings) {
  std::vector<uint64_t> elements(layout_.deopt_inlinings + 4, Smi(0));
  elements[layout_.deopt_inlined_count] = inlined_count;
  elements[layout_.deopt_literals] = literals;
  elements[layout_.deopt_inlinings] = inlinings;
  return Array(layout_.types_deopt[0], elements);
}

v8api::JitCodeEvent FakeHeap::Event(uint64_t start, std::string_view name, uint64_t shared, int32_t code_type) {
  v8api::JitCodeEvent event{};
  event.type = v8api::JitCodeEvent::kAdded;
  event.code_type = code_type;
  event.code_start = start;
  event.code_len = 64;
  event.name.str = name.data();
  event.name.len = name.size();
  // A handle: the address of a word that holds the tagged pointer.
  const uint64_t slot = Take(kWord, false);
  if (slot != 0) Set(slot, 0, shared);
  event.script = reinterpret_cast<void*>(slot - v8::kHeapTag);
  return event;
}

std::vector<FakeHeap::Field> FakeHeap::Fields() {
  constexpr uint16_t kFirstNonString = 0x80;
  std::vector<Field> fields;
  for (const Extent& extent : objects_) {
    const uint64_t object = extent.start + v8::kHeapTag;
    uint16_t type = kMapType;
    if (extent.is_object && !v8::TypeOf(layout_, object, &type)) continue;
    const bool is_array =
        extent.is_object && (v8::HasOneOf(layout_, object, layout_.types_bytes) || v8::HasOneOf(layout_, object, layout_.types_deopt) ||
                             type == layout_.type_fixed_array || (type != 0 && type == layout_.type_ordered_hash_map));
    for (uint32_t word = extent.is_object ? kWord : 0; word + kWord <= extent.size; word += kWord) {
      const uint64_t value = Get(object, word);
      // Raw data may look like a pointer; one into the arena it is not.
      const bool is_pointer = v8::IsHeapObject(value) && value - kBase < size_;
      const bool is_length = (is_array && word == layout_.array_length) ||
                             (type == layout_.type_bytecode && word == layout_.bytecode_length) ||
                             (type < kFirstNonString && word == layout_.string_length / kWord * kWord);
      if (!is_length && (is_pointer || v8::IsSmi(value))) fields.push_back({object, word});
    }
  }
  return fields;
}

std::vector<uint64_t> FakeHeap::TwoOfEachType() {
  std::map<uint16_t, std::pair<uint64_t, uint64_t>> by_type;
  for (const Extent& extent : objects_) {
    uint16_t type = 0;
    const uint64_t object = extent.start + v8::kHeapTag;
    if (!extent.is_object || !v8::TypeOf(layout_, object, &type)) continue;
    by_type.try_emplace(type, object, object).first->second.second = object;
  }
  std::vector<uint64_t> found;
  for (const auto& [type, ends] : by_type) {
    found.push_back(ends.first);
    if (ends.second != ends.first) found.push_back(ends.second);
  }
  return found;
}

const uint8_t* FakeHeap::View(uint64_t address, size_t wanted) {
  if (address < kBase || address - kBase > size_ || wanted > size_ - (address - kBase)) {
    outside++;
    return nullptr;
  }
  const auto after = std::upper_bound(objects_.begin(), objects_.end(), address, [](uint64_t a, const Extent& e) { return a < e.start; });
  const bool inside = after != objects_.begin() && address + wanted <= std::prev(after)->start + std::prev(after)->size;
  if (!inside) stray++;
  return bytes() + (address - kBase);
}

}  // namespace strobe::test

namespace strobe::v8 {

bool ReadMemory(uint64_t address, void* out, size_t size) {
  const uint8_t* at = test::g_heap != nullptr ? test::g_heap->View(address, size) : nullptr;
  if (at != nullptr) std::memcpy(out, at, size);
  return at != nullptr;
}

const uint8_t* ViewMemory(uint64_t address, size_t size) { return test::g_heap != nullptr ? test::g_heap->View(address, size) : nullptr; }

}  // namespace strobe::v8
