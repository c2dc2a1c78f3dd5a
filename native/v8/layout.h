// Where V8's heap objects hold what strobe reads: offsets and instance types of one V8 version. Builds without pointer compression and
// without sandbox (Node's): a field is 8 bytes, a Smi its upper half.
//
// Source: V8 exports most of it as `v8dbg_` symbols for postmortem tools; those of the running process come first. The rest, and all of it
// where a build exports none, comes from the table in layout.cc, keyed on V8's version. An unknown version has no layout: lines and inlined
// functions stay off, names work. docs/add-a-node-major.md says how a row is made.
//
// Offsets count from the object's start; tagged pointers are one above it.
#pragma once

#include <cstdint>
#include <string>

#include "v8/bytecode_sizes.h"
#include "v8/positions.h"

namespace strobe::v8 {

struct Layout {
  int v8_major;
  int v8_minor;
  PositionFormat position_format;

  // InstructionStream: its Code, its first instruction.
  uint32_t stream_code;
  uint32_t stream_start;
  // Code
  uint32_t code_deopt_data;  // baseline code: the BytecodeArray or InterpreterData
  uint32_t code_positions;   // baseline code: the bytecode offset table
  uint32_t code_start;
  // DeoptimizationData: indexes of elements
  uint32_t deopt_inlined_count;
  uint32_t deopt_literals;
  uint32_t deopt_inlinings;
  // SharedFunctionInfo
  uint32_t shared_data;
  uint32_t shared_script;
  // BytecodeArray
  uint32_t bytecode_length;
  uint32_t bytecode_positions;
  uint32_t bytecode_data;
  // InterpreterData
  uint32_t interpreter_bytecode;
  // Script
  uint32_t script_line_offset;
  uint32_t script_column_offset;
  uint32_t script_line_ends;
  uint32_t script_id;
  uint32_t script_name;
  uint32_t script_source_url;
  uint32_t script_map_url;
  // String (flat, one byte a character)
  uint32_t string_length;
  uint32_t string_data;
  // Arrays of fields and of bytes: length (a Smi) and first element
  uint32_t array_length;
  uint32_t array_data;
  uint32_t map_type;  // Map: u16 instance type

  uint16_t type_code;
  uint16_t type_shared;
  uint16_t type_bytecode;
  uint16_t type_interpreter_data;
  uint16_t type_script;
  uint16_t type_fixed_array;
  // Of byte arrays, arrays of deoptimisation data and literals: V8 12 on has trusted, protected and weak kinds; 0 for none.
  uint16_t types_bytes[2];
  uint16_t types_deopt[3];
  uint16_t type_one_byte_internalized;
  // Labels: objects of classes, maps and their tables (0: no labels are read from maps in this version).
  uint16_t type_js_object;
  uint16_t type_js_map;
  uint16_t type_ordered_hash_map;
};

// The layout of the running V8, or null with the reason.
const Layout* FindLayout(std::string* reason);

// Unit tests: the table's row of a version, without symbols.
const Layout* TableLayout(int v8_major, int v8_minor);

}  // namespace strobe::v8
