#include "test/heap/sample_program.h"

namespace strobe::test {

namespace {

std::vector<int32_t> LinesOf(int32_t length, int32_t count) {
  std::vector<int32_t> ends;
  for (int32_t i = 1; i <= count; i++) ends.push_back(i * length - 1);
  return ends;
}

}  // namespace

SampleProgram::SampleProgram(FakeHeap* heap) {
  const v8::Layout& layout = heap->layout();
  // Of the types of deoptimisation data and of literals, but too short to be either; only damage leads here.
  for (const uint16_t type : layout.types_deopt) {
    if (type != 0) heap->Array(type, {FakeHeap::Smi(1), FakeHeap::Smi(1)});
  }
  const uint64_t url = heap->String(layout.type_one_byte_internalized, kMapUrl);
  const uint64_t name = heap->String(layout.type_one_byte_internalized, "/app.js");
  script = heap->Script({7, LinesOf(10, 30), url, 0, 0, name});
  other_script = heap->Script({8, LinesOf(5, 10), 0, 100, 40});

  table = PositionBytes({{0, RawPosition(35)}, {1, RawPosition(48), false}, {3, RawPosition(62)}}, layout.position_format);
  outer_bytecode = heap->Bytecode({kLdaZero, kLdaSmi, 1, kLdaZero}, heap->ByteArray(table, true));
  outer = heap->Shared(outer_bytecode, script);
  inner_bytecode = heap->Bytecode({kLdaZero}, heap->Positions({{0, RawPosition(112)}}));
  // A function with Sparkplug code: the function leads to its Code, the Code to the bytecode.
  const FakeHeap::Machine inner_code = heap->MachineCode(inner_bytecode, heap->ByteArray(LengthBytes({8, 8})));
  inner = heap->Shared(inner_code.code, script);
  inner2_bytecode = heap->Bytecode({kLdaZero}, heap->ByteArray({}));
  inner2 = heap->Shared(heap->InterpreterData(inner2_bytecode), other_script);

  bytecode.start = heap->BytecodeStart(outer_bytecode);
  bytecode.event = heap->Event(bytecode.start, "JS:~outer /app.js:4:6", outer, v8api::JitCodeEvent::kByteCode);

  const uint64_t offsets = heap->ByteArray(LengthBytes({20, 4, 6, 8}));
  const auto machine = [&](Code* code, const char* name, uint64_t deopt, uint64_t positions) {
    const FakeHeap::Machine made = heap->MachineCode(deopt, positions);
    if (made.code == 0) return;
    code->start = heap->MachineStart(made);
    code->event = heap->Event(code->start, name, outer, v8api::JitCodeEvent::kJitCode);
  };
  machine(&baseline, "JS:^outer /app.js:4:6", outer_bytecode, offsets);
  machine(&baseline_interpreted, "JS:^outer /app.js:4:6", heap->InterpreterData(outer_bytecode), offsets);

  optimised_table = PositionBytes(
      {{4, RawPosition(35)}, {8, RawPosition(112, 0)}, {12, RawPosition(2, 1), false}, {16, RawPosition(12, 1)}, {20, RawPosition(48)}},
      layout.position_format);
  inlinings = InliningBytes({{RawPosition(48), 0}, {RawPosition(118, 0), 1}});
  const uint16_t literal_type = layout.types_deopt[1] != 0 ? layout.types_deopt[1] : layout.types_deopt[0];
  literals = heap->Array(literal_type, {inner, FakeHeap::Weak(inner2), outer, inner});
  deopt_data = heap->DeoptData(FakeHeap::Smi(2), literals, heap->ByteArray(inlinings, true));
  machine(&optimised, "JS:*outer /app.js:4:6", deopt_data, heap->ByteArray(optimised_table, true));
  machine(&maglev, "JS:+outer /app.js:4:6", heap->Array(layout.types_deopt[0], {}), heap->ByteArray(table));
}

}  // namespace strobe::test
