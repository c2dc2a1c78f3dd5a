// V8 runs its builtins in a copy of the embedded blob that lies near the JIT code ("short builtin calls"). Node 22 and later announce them
// at the copy; Node 20 announces them at the original, so that frames in the copy would miss.
//
// Contract: `FindBuiltinsCopy` reads the process's own memory through /proc/self/mem (a range that goes away meanwhile is an error, not a
// fault), so it may run on the collector while the isolate lives or ends. It looks in the executable, read-only regions of the isolate's
// code range for the head and the tail of the blob, page by page: some milliseconds, once an isolate, and only after a frame in the code
// range was found nowhere. Returns 0 when there is no copy.
#pragma once

#include <cstdint>

namespace strobe::v8 {

struct BuiltinsRanges {
  uint64_t code_start = 0;  // Isolate::GetCodeRange
  uint64_t code_length = 0;
  uint64_t blob_start = 0;  // Isolate::GetEmbeddedCodeRange
  uint64_t blob_length = 0;
};

uint64_t FindBuiltinsCopy(const BuiltinsRanges& ranges);

}  // namespace strobe::v8
