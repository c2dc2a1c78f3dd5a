// A small program in a fake heap, compiled in every tier: what the tests of code_reader expect to find, and what fuzzing damages.
//
// `outer` in the script /app.js (id 7, 30 lines of 10 characters, with a source map) calls `inner` of the same script, which calls `inner2`
// of /lib.js (id 8, lines of 5 characters, standing in line 100, column 40 of a document). In optimised code of `outer` both are inlined.
#pragma once

#include <vector>

#include "test/heap/fake_heap.h"

namespace strobe::test {

struct SampleProgram {
  explicit SampleProgram(FakeHeap* heap);

  // False when the arena was too small.
  bool complete() const { return optimised.start != 0 && maglev.start != 0; }

  struct Code {
    uint64_t start = 0;
    v8api::JitCodeEvent event{};
  };
  Code bytecode;
  Code baseline;              // V8's usual: the Code leads to the BytecodeArray
  Code baseline_interpreted;  // … through InterpreterData
  Code optimised;
  Code maglev;  // nothing inlined: its deoptimisation data is the empty array
  std::vector<Code*> all() { return {&bytecode, &baseline, &baseline_interpreted, &optimised, &maglev}; }

  static constexpr const char* kMapUrl = "app.js.map";
  uint64_t script;
  uint64_t other_script;
  uint64_t outer;
  uint64_t inner;
  uint64_t inner2;
  uint64_t outer_bytecode;
  uint64_t inner_bytecode;
  uint64_t inner2_bytecode;
  uint64_t deopt_data;
  uint64_t literals;
  ByteVector table;  // of the bytecode
  ByteVector optimised_table;
  ByteVector inlinings;
};

}  // namespace strobe::test
