// A heap that looks like V8's, in an arena of its own: what code_reader reads in tests and under fuzzing, for each known layout.
//
// Programs that use it are built with STROBE_HEAP_ARENA: v8/heap.h then asks `ReadMemory` and `ViewMemory` here for every word. Addresses
// are made up (from kBase on). One heap at a time, the last one made or chosen by `Use`; one thread.
//
// What is watched: a read beyond the arena is refused and counted (`outside`), a read within it that does not lie in one object is served
// and counted (`stray`). In the product neither would be refused: a reader that keeps its contract makes no stray read as long as every
// field holds a valid value of any kind, whatever kind it should be.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "test/v8_bytes.h"
#include "v8/api.h"
#include "v8/heap.h"
#include "v8/layout.h"

namespace strobe::test {

inline constexpr int kVersions[][2] = {{11, 3}, {12, 4}, {13, 6}, {14, 6}};

class FakeHeap {
 public:
  static constexpr uint64_t kBase = 0x200000;

  explicit FakeHeap(const v8::Layout& layout, size_t bytes = 16 * 1024);
  ~FakeHeap();
  void Use();
  FakeHeap(const FakeHeap&) = delete;
  FakeHeap& operator=(const FakeHeap&) = delete;

  static uint64_t Smi(int32_t value) { return static_cast<uint64_t>(static_cast<uint32_t>(value)) << 32; }
  static uint64_t Weak(uint64_t object) { return object | v8::kWeakBit; }

  // --- single objects; tagged pointers ---
  // Zeroed but for its map. `bytes` is the whole object. 0 when the arena is full.
  uint64_t Allocate(uint16_t type, uint32_t bytes);
  uint64_t Array(uint16_t type, const std::vector<uint64_t>& elements);
  uint64_t ByteArray(const ByteVector& bytes, bool trusted = false);
  uint64_t String(uint16_t type, std::string_view text);
  // What V8 has for undefined and null.
  uint64_t Oddball() { return Allocate(kOddballType, 40); }

  void Set(uint64_t object, uint32_t field, uint64_t value);
  uint64_t Get(uint64_t object, uint32_t field) const;

  // --- what code_reader meets ---
  struct ScriptParts {
    int32_t id = 7;
    std::vector<int32_t> line_ends;
    uint64_t map_url = 0;  // tagged values; 0: undefined
    int32_t line_offset = 0;
    int32_t column_offset = 0;
    uint64_t name = 0;
    uint64_t source_url = 0;
  };
  uint64_t Script(const ScriptParts& parts);
  uint64_t Bytecode(const ByteVector& instructions, uint64_t positions);
  uint64_t Shared(uint64_t data, uint64_t script);
  uint64_t InterpreterData(uint64_t bytecode);
  // An InstructionStream of `length` bytes and its Code.
  struct Machine {
    uint64_t stream;
    uint64_t code;
  };
  Machine MachineCode(uint64_t deopt_data, uint64_t positions, uint32_t length = 64);
  uint64_t DeoptData(uint64_t inlined_count, uint64_t literals, uint64_t inlinings);

  // First instruction of a BytecodeArray and of an InstructionStream, as V8 announces them.
  uint64_t BytecodeStart(uint64_t bytecode) const { return bytecode - v8::kHeapTag + layout_.bytecode_data; }
  uint64_t MachineStart(const Machine& machine) const { return machine.stream - v8::kHeapTag + layout_.stream_start; }
  // `name` must outlive the event.
  v8api::JitCodeEvent Event(uint64_t start, std::string_view name, uint64_t shared, int32_t code_type);

  // --- the arena ---
  const v8::Layout& layout() const { return layout_; }
  // A position table as this V8 writes it.
  uint64_t Positions(const std::vector<TableEntry>& entries) { return ByteArray(PositionBytes(entries, layout_.position_format)); }
  uint8_t* bytes() { return memory_.get(); }
  size_t size() const { return size_; }
  size_t used() const { return used_; }
  struct Extent {
    uint64_t start;
    uint64_t size;
    bool is_object;  // not a handle
  };
  const std::vector<Extent>& objects() const { return objects_; }
  // The words that may hold any value without making the heap one that V8 could not have: no maps, no lengths, no raw data.
  struct Field {
    uint64_t object;  // tagged
    uint32_t offset;
  };
  std::vector<Field> Fields();
  // Of each type the first object and the last; tagged.
  std::vector<uint64_t> TwoOfEachType();
  uint64_t outside = 0;
  uint64_t stray = 0;

  const uint8_t* View(uint64_t address, size_t size);

  static constexpr uint16_t kOddballType = 131;
  static constexpr uint16_t kTwoByteInternalizedType = 0;
  static constexpr uint16_t kMapType = 255;

 private:
  uint64_t MapOf(uint16_t type);
  uint64_t Take(uint32_t bytes, bool is_object = true);

  const v8::Layout layout_;
  size_t size_;
  size_t used_ = 0;
  std::unique_ptr<uint8_t[]> memory_;
  std::vector<Extent> objects_;  // ascending
  std::vector<std::pair<uint16_t, uint64_t>> maps_;
};

}  // namespace strobe::test
