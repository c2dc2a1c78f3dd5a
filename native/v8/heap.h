// Reading V8's heap: tagged values, object types, arrays. Bounded and checked; what is not as expected is an answer, not an assumption.
//
// A pointer is followed only when its tag says heap object, and what it leads to only when its map's instance type is the wanted one. The
// fuzz target replaces `ReadMemory` by an arena of noise (STROBE_HEAP_ARENA): in the product it is a plain load, because what a live object
// of the right type refers to is mapped.
#pragma once

#include <cstdint>
#include <cstring>

#include "v8/layout.h"
#include "v8/positions.h"

namespace strobe::v8 {

#if defined(STROBE_HEAP_ARENA)
// False when [address, address + size) is outside of the arena.
bool ReadMemory(uint64_t address, void* out, size_t size);
// The bytes themselves, or null.
const uint8_t* ViewMemory(uint64_t address, size_t size);
#else
inline bool ReadMemory(uint64_t address, void* out, size_t size) {
  std::memcpy(out, reinterpret_cast<const void*>(address), size);
  return true;
}
inline const uint8_t* ViewMemory(uint64_t address, size_t /*size*/) { return reinterpret_cast<const uint8_t*>(address); }
#endif

// Two low bits: 01 a strong pointer, 11 a weak one; a Smi ends in 0.
inline constexpr uint64_t kHeapTag = 1;
inline constexpr uint64_t kHeapTagMask = 3;
inline constexpr uint64_t kWeakBit = 2;
// Nothing of V8's lies in the first pages; cleared weak references (3) and small numbers do.
inline constexpr uint64_t kLowestAddress = 1 << 16;

inline bool IsSmi(uint64_t tagged) { return (tagged & 1) == 0 && (tagged & 0xffffffff) == 0; }
inline int32_t SmiValue(uint64_t tagged) { return static_cast<int32_t>(tagged >> 32); }
inline bool IsHeapObject(uint64_t tagged) { return (tagged & kHeapTagMask) == kHeapTag && tagged > kLowestAddress; }

inline bool ReadField(uint64_t object, uint32_t offset, uint64_t* out) { return ReadMemory(object - kHeapTag + offset, out, sizeof *out); }

inline bool TypeOf(const Layout& layout, uint64_t object, uint16_t* type) {
  uint64_t map = 0;
  return IsHeapObject(object) && ReadField(object, 0, &map) && IsHeapObject(map) &&
         ReadMemory(map - kHeapTag + layout.map_type, type, sizeof *type);
}

inline bool HasType(const Layout& layout, uint64_t object, uint16_t wanted) {
  uint16_t type = 0;
  return wanted != 0 && TypeOf(layout, object, &type) && type == wanted;
}

template <size_t N>
bool HasOneOf(const Layout& layout, uint64_t object, const uint16_t (&wanted)[N]) {
  uint16_t type = 0;
  if (!TypeOf(layout, object, &type)) return false;
  for (const uint16_t one : wanted) {
    if (one != 0 && one == type) return true;
  }
  return false;
}

// Bounds far above what V8 makes of real programs, far below what would hurt.
inline constexpr int32_t kMaxArrayLength = 1 << 24;

inline bool ReadLength(const Layout& layout, uint64_t array, int32_t* length) {
  uint64_t smi = 0;
  if (!ReadField(array, layout.array_length, &smi) || !IsSmi(smi)) return false;
  *length = SmiValue(smi);
  return *length >= 0 && *length <= kMaxArrayLength;
}

inline bool ReadElement(const Layout& layout, uint64_t array, uint32_t index, uint64_t* out) {
  return ReadField(array, layout.array_data + index * 8, out);
}

// The bytes of a ByteArray, in place.
inline bool ViewBytes(const Layout& layout, uint64_t array, Bytes* out) {
  int32_t length = 0;
  if (!HasOneOf(layout, array, layout.types_bytes) || !ReadLength(layout, array, &length)) return false;
  const auto size = static_cast<size_t>(length);
  const uint8_t* data = size == 0 ? nullptr : ViewMemory(array - kHeapTag + layout.array_data, size);
  if (size != 0 && data == nullptr) return false;
  *out = Bytes(data, size);
  return true;
}

}  // namespace strobe::v8
