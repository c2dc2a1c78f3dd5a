// One isolate's code and a resolver, for tests: code is added as events, samples are given as parts, stacks come out as text.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "capture/record.h"
#include "resolver.h"
#include "test/v8_bytes.h"
#include "v8/api.h"

namespace strobe::test {

struct SampleParts {
  std::vector<uint64_t> frames;  // leaf first
  uint64_t pc = 0;
  v8api::VmState state = v8api::VmState::kExternal;
  uint16_t flags = 0;
  capture::LeafContext leaf{};
};

inline void PutCode(capture::LeafContext* leaf, const std::vector<uint8_t>& code) {
  leaf->code_length = static_cast<uint8_t>(code.size() < capture::kLeafCodeBytes ? code.size() : capture::kLeafCodeBytes);
  for (size_t i = 0; i < leaf->code_length; i++) leaf->code[i] = code[i];
}

#if defined(__aarch64__)
inline void PutAtReturn(capture::LeafContext* leaf, uint64_t caller) {
  PutCode(leaf, {0xc0, 0x03, 0x5f, 0xd6});  // ret
  leaf->lr = caller;
}
// Some instructions before the frame is made.
inline void PutBeforeFrame(capture::LeafContext* leaf, uint64_t caller) {
  // cbnz, stp x29,x30,[sp,#-16]!, mov x29,sp: the branch hides what follows from a look at the bytes alone.
  PutCode(leaf, {0x40, 0x00, 0x00, 0x35, 0xfd, 0x7b, 0xbf, 0xa9, 0xfd, 0x03, 0x00, 0x91});
  leaf->lr = caller;
}
inline void PutInFrame(capture::LeafContext* leaf, uint64_t caller) {
  PutCode(leaf, {0x00, 0x00, 0x01, 0x8b, 0x02, 0x00, 0x00, 0x14});  // add, b
  leaf->lr = caller;
}
#else
inline void PutAtReturn(capture::LeafContext* leaf, uint64_t caller) {
  PutCode(leaf, {0xc3, 0xcc, 0xcc});  // ret
  leaf->stack[0] = caller;
}
inline void PutBeforeFrame(capture::LeafContext* leaf, uint64_t caller) {
  // test byte [rbx+53],1; jne deoptimise; push rbp; mov rbp,rsp.
  PutCode(leaf, {0xf6, 0x43, 0x35, 0x01, 0x0f, 0x85, 0x12, 0x34, 0x56, 0x07, 0x55, 0x48, 0x89, 0xe5});
  leaf->stack[0] = caller;
}
inline void PutInFrame(capture::LeafContext* leaf, uint64_t caller) {
  PutCode(leaf, {0x48, 0x8b, 0x45, 0xf8, 0x90});  // mov rax,[rbp-8]
  leaf->stack[0] = caller;
}
#endif

class ResolverWorld {
 public:
  static constexpr uint32_t kBytecodeHeader = 64;

  ResolverWorld() {
    code.bytecode_sizes = v8::BytecodeSizesOf(13, 6);
    code.bytecode_header = kBytecodeHeader;
  }

  void AddCode(uint64_t start, uint64_t length, std::string_view name, uint8_t code_type = v8api::JitCodeEvent::kJitCode) {
    Add(start, length, name, {}, code_type);
  }
  void AddCode(uint64_t start, uint64_t length, std::string_view name, const DetailParts& parts,
               uint8_t code_type = v8api::JitCodeEvent::kJitCode) {
    Add(start, length, name, DetailBytes(parts), code_type);
  }
  // 32 bytes of bytecode, the script's lines 10 characters long.
  void AddBytecode(uint64_t start, std::string_view name, const std::vector<TableEntry>& positions = {}) {
    DetailParts parts;
    parts.functions = {FunctionWithLines(0, 0, {10, 10, 10, 10})};
    parts.positions = PositionBytes(positions);
    AddCode(start, 0x20, name, parts, v8api::JitCodeEvent::kByteCode);
  }

  // As the interpreter's registers hold them for bytecode that begins at `start`.
  static uint64_t TaggedBytecode(uint64_t start) { return start - kBytecodeHeader + 1; }
  static uint64_t BytecodeOffset(uint64_t offset) { return offset + kBytecodeHeader - 1; }

  // "leaf:line:column … root", without what is not known. `counts` is that of the last sample.
  std::string Resolve(const SampleParts& sample) {
    capture::SampleRecord record{};
    record.pc = sample.pc;
    record.vm_state = static_cast<uint16_t>(sample.state);
    record.flags = sample.flags;
    record.frame_count = static_cast<uint32_t>(sample.frames.size());
    record.leaf = sample.leaf;
    counts = {};
    std::string out;
    for (const stack::Frame& frame : resolver.Resolve(&code, record, sample.frames.data(), &counts)) {
      out += (out.empty() ? "" : " ") + frame.function->name().name;
      if (frame.line != 0) out += ":" + std::to_string(frame.line) + ":" + std::to_string(frame.column);
    }
    return out;
  }

  ThreadCode code;
  v8::FunctionTable functions;
  Resolver resolver;
  Resolver::Counts counts;

 private:
  void Add(uint64_t start, uint64_t length, std::string_view name, const ByteVector& detail, uint8_t code_type) {
    v8::CodeEvent event;
    event.code_type = code_type;
    event.start = start;
    event.length_or_new_start = length;
    event.name = name;
    event.detail = detail;
    code.Add(event, &functions);
  }
};

}  // namespace strobe::test
