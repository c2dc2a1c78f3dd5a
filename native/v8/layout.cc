#include "v8/layout.h"

#include <dlfcn.h>

#include <cstdio>

#include "v8/api.h"

namespace strobe::v8 {

namespace {

constexpr int kTaggedSize = 8;

// What is the same in all known versions.
constexpr Layout kCommon = {
    .v8_major = 0,
    .v8_minor = 0,
    .position_format = PositionFormat::kZigZag,
    .stream_code = 8,
    .stream_start = 32,
    .code_deopt_data = 8,
    .code_positions = 16,
    .code_start = 40,
    .deopt_inlined_count = 1,
    .deopt_literals = 2,
    .deopt_inlinings = 7,
    .shared_data = 8,
    .shared_script = 32,
    .bytecode_length = 8,
    .bytecode_positions = 24,
    .bytecode_data = 64,
    .interpreter_bytecode = 8,
    .script_line_offset = 24,
    .script_column_offset = 32,
    .script_line_ends = 56,
    .script_id = 64,
    .script_name = 16,
    .script_source_url = 112,
    .script_map_url = 120,
    .string_length = 12,
    .string_data = 16,
    .array_length = 8,
    .array_data = 16,
    .map_type = 12,
    .type_code = 0,
    .type_shared = 0,
    .type_bytecode = 0,
    .type_interpreter_data = 0,
    .type_script = 0,
    .type_fixed_array = 0,
    .types_bytes = {},
    .types_deopt = {},
    .type_one_byte_internalized = 8,
    .type_js_object = 1057,
    .type_js_map = 0,
    .type_ordered_hash_map = 0,
};

// Node 20
constexpr Layout V8_11_3() {
  Layout l = kCommon;
  l.v8_major = 11;
  l.v8_minor = 3;
  l.stream_start = 16;
  l.code_deopt_data = 16;
  l.code_positions = 24;
  l.bytecode_positions = 32;
  l.bytecode_data = 54;
  l.type_code = 245;
  l.type_shared = 262;
  l.type_bytecode = 191;
  l.type_interpreter_data = 159;
  l.type_script = 167;
  l.type_fixed_array = 175;
  l.types_bytes[0] = 190;
  l.types_deopt[0] = 175;  // FixedArray
  l.types_deopt[1] = 240;  // WeakFixedArray
  l.type_js_map = 2108;
  return l;
}

// Node 22
constexpr Layout V8_12_4() {
  Layout l = kCommon;
  l.v8_major = 12;
  l.v8_minor = 4;
  l.type_code = 206;
  l.type_shared = 274;
  l.type_bytecode = 205;
  l.type_interpreter_data = 207;
  l.type_script = 167;
  l.type_fixed_array = 174;
  l.types_bytes[0] = 186;
  l.types_bytes[1] = 212;  // TrustedByteArray
  l.types_deopt[0] = 213;  // TrustedFixedArray
  l.types_deopt[1] = 247;  // WeakFixedArray
  l.type_js_map = 2110;
  l.type_ordered_hash_map = 181;
  return l;
}

// Node 24
constexpr Layout V8_13_6() {
  Layout l = kCommon;
  l.v8_major = 13;
  l.v8_minor = 6;
  l.deopt_literals = 3;
  l.deopt_inlinings = 8;
  l.shared_script = 40;
  l.type_code = 187;
  l.type_shared = 282;
  l.type_bytecode = 186;
  l.type_interpreter_data = 188;
  l.type_script = 167;
  l.type_fixed_array = 205;
  l.types_bytes[0] = 217;
  l.types_bytes[1] = 196;  // TrustedByteArray
  l.types_deopt[0] = 193;  // ProtectedFixedArray
  l.types_deopt[1] = 199;  // TrustedWeakFixedArray
  l.type_js_map = 2112;
  l.type_ordered_hash_map = 212;
  return l;
}

// Node 26
constexpr Layout V8_14_6() {
  Layout l = V8_13_6();
  l.v8_major = 14;
  l.v8_minor = 6;
  l.position_format = PositionFormat::kFlags;
  l.type_code = 186;
  l.type_shared = 288;
  l.type_bytecode = 185;
  l.type_interpreter_data = 187;
  l.type_script = 166;
  l.types_bytes[0] = 218;
  l.type_js_map = 2114;
  l.type_ordered_hash_map = 212;
  return l;
}

constexpr Layout kTable[] = {V8_11_3(), V8_12_4(), V8_13_6(), V8_14_6()};

// The first of the names that the process exports. V8 changes the type in a name now and then.
template <typename T>
bool FromSymbol(T* field, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const void* symbol = dlsym(RTLD_DEFAULT, name);
    if (symbol == nullptr) continue;
    *field = static_cast<T>(*static_cast<const int*>(symbol));
    return true;
  }
  return false;
}

void ReadSymbols(Layout* l) {
  FromSymbol(&l->stream_start, {"v8dbg_class_InstructionStream__instruction_start__uintptr_t"});
  FromSymbol(&l->code_deopt_data, {"v8dbg_class_Code__deoptimization_data__FixedArray"});
  FromSymbol(&l->code_positions, {"v8dbg_class_Code__source_position_table__ByteArray"});
  FromSymbol(&l->code_start, {"v8dbg_class_Code__instruction_start__Address"});
  FromSymbol(&l->deopt_inlined_count, {"v8dbg_DeoptimizationDataInlinedFunctionCountIndex"});
  FromSymbol(&l->deopt_literals, {"v8dbg_DeoptimizationDataLiteralArrayIndex"});
  FromSymbol(&l->deopt_inlinings, {"v8dbg_DeoptimizationDataInliningPositionsIndex"});
  FromSymbol(&l->shared_script, {"v8dbg_class_SharedFunctionInfo__script__Tagged_HeapObject_",
                                 "v8dbg_class_SharedFunctionInfo__script_or_debug_info__HeapObject"});
  FromSymbol(&l->bytecode_length, {"v8dbg_class_BytecodeArray__length__SMI"});
  FromSymbol(&l->bytecode_data, {"v8dbg_class_BytecodeArray__data__uintptr_t"});
  FromSymbol(&l->script_name, {"v8dbg_class_Script__name__Object"});
  FromSymbol(&l->script_line_ends, {"v8dbg_class_Script__line_ends__Object"});
  FromSymbol(&l->string_length, {"v8dbg_class_String__length__int32_t"});
  FromSymbol(&l->string_data, {"v8dbg_class_SeqOneByteString__chars__char"});
  FromSymbol(&l->array_length, {"v8dbg_class_FixedArrayBase__length__SMI"});
  FromSymbol(&l->array_data, {"v8dbg_class_FixedArray__data__uintptr_t"});
  FromSymbol(&l->map_type, {"v8dbg_class_Map__instance_type__uint16_t"});
  FromSymbol(&l->type_code, {"v8dbg_type_Code__CODE_TYPE"});
  FromSymbol(&l->type_shared, {"v8dbg_type_SharedFunctionInfo__SHARED_FUNCTION_INFO_TYPE"});
  FromSymbol(&l->type_bytecode, {"v8dbg_type_BytecodeArray__BYTECODE_ARRAY_TYPE"});
  FromSymbol(&l->type_interpreter_data, {"v8dbg_type_InterpreterData__INTERPRETER_DATA_TYPE"});
  FromSymbol(&l->type_script, {"v8dbg_type_Script__SCRIPT_TYPE"});
  FromSymbol(&l->type_fixed_array, {"v8dbg_type_FixedArray__FIXED_ARRAY_TYPE"});
  FromSymbol(&l->types_bytes[0], {"v8dbg_type_ByteArray__BYTE_ARRAY_TYPE"});
  FromSymbol(&l->type_js_object, {"v8dbg_type_JSObject__JS_OBJECT_TYPE"});
  FromSymbol(&l->type_js_map, {"v8dbg_type_JSMap__JS_MAP_TYPE"});
  FromSymbol(&l->type_one_byte_internalized, {"v8dbg_type_InternalizedString__INTERNALIZED_ONE_BYTE_STRING_TYPE",
                                              "v8dbg_type_InternalizedString__ONE_BYTE_INTERNALIZED_STRING_TYPE"});
}

struct Found {
  Layout layout{};
  bool known = false;
  std::string reason;
};

Found Find() {
  Found found;
  const v8api::Symbols* symbols = v8api::LoadSymbols(nullptr);
  int major = 0;
  int minor = 0;
  if (symbols == nullptr || symbols->get_version == nullptr || std::sscanf(symbols->get_version(), "%d.%d", &major, &minor) != 2) {
    found.reason = "V8 does not say its version";
    return found;
  }
  const Layout* row = TableLayout(major, minor);
  if (row == nullptr) {
    found.reason = "V8 " + std::to_string(major) + "." + std::to_string(minor) + " is not known to this version of strobe";
    return found;
  }
  found.layout = *row;
  int tagged_size = kTaggedSize;
  FromSymbol(&tagged_size, {"v8dbg_TaggedSize"});
  if (tagged_size != kTaggedSize) {
    found.reason = "this V8 compresses pointers";
    return found;
  }
  ReadSymbols(&found.layout);
  found.known = true;
  return found;
}

}  // namespace

const Layout* TableLayout(int v8_major, int v8_minor) {
  for (const Layout& row : kTable) {
    if (row.v8_major == v8_major && row.v8_minor == v8_minor) return &row;
  }
  return nullptr;
}

const Layout* FindLayout(std::string* reason) {
  // Leaked on purpose, like the symbols.
  static const Found* found = new Found(Find());
  if (found->known) return &found->layout;
  if (reason != nullptr) *reason = found->reason;
  return nullptr;
}

}  // namespace strobe::v8
