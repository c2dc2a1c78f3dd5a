// The lengths of V8's bytecodes, so that a reader can walk the instructions of a BytecodeArray without any V8 header.
//
// Contract
//   Facts     an instruction is an opcode byte and its operands. Some operands have a fixed width, the others one, two or four bytes: one
//             as a rule, two after the prefix Wide, four after ExtraWide (DebugBreakWide and DebugBreakExtraWide alike). The table holds,
//             for each opcode, how many bytes are fixed and how many operands scale. V8 counts a prefix and its instruction as one, and so
//             does this.
//   Versions  V8 changes the opcodes with its minor version, never within one. scripts/bytecode-sizes.mjs compares the table with a Node.
//   Callable  anywhere, also in a signal handler: constant data, no allocation, no locks, and never a read at or past `length`.
#pragma once

#include <cstdint>

namespace strobe::v8 {

struct BytecodeSizes;

// The table of a V8 version; null for one that is not known.
const BytecodeSizes* BytecodeSizesOf(int v8_major, int v8_minor);

// The length in bytes of the instruction at `code[at]`, its prefix included. 0 when it is no known instruction, or does not end
// within `length`.
uint32_t BytecodeLength(const BytecodeSizes& sizes, const uint8_t* code, uint32_t length, uint32_t at);

}  // namespace strobe::v8
