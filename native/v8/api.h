// The shapes of V8's that strobe reads, and the functions it calls, without any V8 header: one binary serves every Node major.
//
// Each struct below mirrors the public header of V8 11.3 (Node 20) to 14.6 (Node 26); native/test/layout_check.cc compares them with the
// real headers of each major. A function that is not found leaves its pointer null; `LoadSymbols` says which are missing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace strobe::v8api {

using Isolate = void;

// v8-unwinder.h / v8-callbacks.h: RegisterState. `callee_saved` is a std::unique_ptr there and stays null here.
struct RegisterState {
  void* pc = nullptr;
  void* sp = nullptr;
  void* fp = nullptr;
  void* lr = nullptr;
  void* callee_saved = nullptr;
};

// v8-unwinder.h: StateTag. An int on V8 11, a uint16_t from 12 on: little-endian, so its low half is read on all.
enum class VmState : uint16_t {
  kJs = 0,
  kGc = 1,
  kParser = 2,
  kBytecodeCompiler = 3,
  kCompiler = 4,
  kOther = 5,
  kExternal = 6,
  kAtomicsWait = 7,
  kIdle = 8,
  kLogging = 9,        // 13.6 on
  kIdleExternal = 10,  // 14.6 on
};

// v8-callbacks.h: GCType, a bit each.
enum GcType : uint32_t {
  kGcScavenge = 1,
  kGcMinorMarkSweep = 2,
  kGcMarkSweepCompact = 4,
  kGcIncrementalMarking = 8,
  kGcWeakCallbacks = 16,
  kGcAll = 31,
};
using GcCallback = void (*)(Isolate*, uint32_t gc_type, uint32_t flags, void* data);

// An interpreter's frame, bytes below fp (v8dbg_off_fp_bytecode_array, v8dbg_off_fp_bytecode_offset): the tagged BytecodeArray, and as a
// Smi the offset in it, counted from the tagged pointer.
inline constexpr uint64_t kFrameBytecodeArray = 32;
inline constexpr uint64_t kFrameBytecodeOffset = 40;
inline constexpr uint64_t kFrameSlotsBelowFp = kFrameBytecodeOffset;

// v8-unwinder.h: SampleInfo; padded, because V8 may grow it.
struct SampleInfo {
  size_t frames_count = 0;
  void* external_callback_entry = nullptr;
  void* context = nullptr;
  void* embedder_context = nullptr;
  uint16_t vm_state = 0;
  uint16_t unused[3] = {};
  uint64_t room[3] = {};
};
static_assert(offsetof(SampleInfo, vm_state) == 32 && sizeof(SampleInfo) == 64);

// v8-callbacks.h: JitCodeEvent.
struct JitCodeEvent {
  enum Type : int32_t { kAdded = 0, kMoved = 1, kRemoved = 2, kAddLinePosInfo = 3, kStartLineInfo = 4, kEndLineInfo = 5 };
  enum CodeType : int32_t { kByteCode = 0, kJitCode = 1, kWasmCode = 2 };

  int32_t type;
  int32_t code_type;
  uintptr_t code_start;
  size_t code_len;
  void* script;
  void* user_data;  // garbage in kAdded
  void* wasm_source_info;
  union {
    struct {
      const char* str;
      size_t len;
    } name;
    uintptr_t new_code_start;
    struct {
      size_t offset;  // into the code
      size_t pos;     // wasm: into the function's body
    } line_info;
    uint64_t room[3];
  };
  Isolate* isolate;
};
static_assert(offsetof(JitCodeEvent, code_start) == 8 && offsetof(JitCodeEvent, name) == 48 && offsetof(JitCodeEvent, isolate) == 72);

using JitCodeEventHandler = void (*)(const JitCodeEvent*);
inline constexpr int kJitCodeEventDefault = 0;
inline constexpr int kJitCodeEventEnumExisting = 1;

// Member functions take `this` first in the Itanium C++ ABI.
struct Symbols {
  Isolate* (*get_current)() = nullptr;
  void (*get_stack_sample)(Isolate*, const RegisterState&, void** frames, size_t limit, SampleInfo*) = nullptr;
  void (*set_jit_code_event_handler)(Isolate*, int options, JitCodeEventHandler) = nullptr;
  // Optional: without them collections have no stack, and no layout is known.
  void (*add_gc_prologue)(Isolate*, GcCallback, void* data, uint32_t gc_types) = nullptr;
  void (*remove_gc_prologue)(Isolate*, GcCallback, void* data) = nullptr;
  void (*add_gc_epilogue)(Isolate*, GcCallback, void* data, uint32_t gc_types) = nullptr;
  void (*remove_gc_epilogue)(Isolate*, GcCallback, void* data) = nullptr;
  const char* (*get_version)() = nullptr;
  // Optional: labels. A Local is a pointer to a slot that holds the tagged pointer; so is what GlobalizeReference returns, whose slot V8
  // updates as long as the isolate lives (ours is never disposed of). V8 11 takes the slot of the handle, later ones the tagged pointer
  // itself.
  uint64_t* (*globalize)(Isolate*, uint64_t) = nullptr;
  bool globalize_takes_slot = false;
  // V8 12 on.
  uint64_t* (*get_continuation_data)(Isolate*) = nullptr;
  void (*set_continuation_data)(Isolate*, uint64_t*) = nullptr;
  // Optional: needed on Node 20 only, where builtins run in a copy of the embedded blob.
  void (*get_code_range)(Isolate*, void** start, size_t* length) = nullptr;
  void (*get_embedded_code_range)(Isolate*, const void** start, size_t* length) = nullptr;
};

// Finds the functions among the symbols of the running process, once; later calls return the same table.
// Returns null with the missing names in `missing` when a needed one is absent (another runtime, or a Node built without exports).
const Symbols* LoadSymbols(std::string* missing);

}  // namespace strobe::v8api
