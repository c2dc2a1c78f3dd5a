// Does reading V8's heap give the truth in this very binary? A known function is compiled in every tier that comes by, what code_reader
// and code_detail make of it is compared with what is known. Runs in the encoder's isolate: layouts belong to the binary, not to an
// isolate, so the application's threads do nothing for it.
//
// A kind of code that fails is switched off for the whole process (`DetailsAllowed`): names go on, lines or inlined functions of that kind
// don't. A tier that did not appear (switched off, or too slow to come) is not judged.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "v8/api.h"
#include "v8/code_detail.h"

namespace strobe::v8 {

// False when the self-test failed for this kind of code. Any thread.
bool DetailsAllowed(DetailKind kind);
void ForbidDetails(DetailKind kind);

struct SelfTestResult {
  // For each: "passed", "not seen", or what was wrong.
  std::string bytecode = "not seen";
  std::string baseline = "not seen";
  std::string optimised = "not seen";  // positions and inlined functions
  std::string source_map = "not seen";
  std::string exit_frame = "not seen";  // capture/js_walk.h
  uint64_t runs = 0;
};

// The function under test, as JavaScript: evaluated by the caller to a function that takes a number. Line numbers are part of the test.
extern const char kSelfTestSource[];

// Must be called on the isolate's own thread, which is not sampled. `compile` makes the function under test anew from kSelfTestSource,
// `run` calls it; false when JavaScript threw. `limit_ms` of wall time at most, about.
SelfTestResult RunSelfTest(const v8api::Symbols& symbols, const std::function<bool()>& compile, const std::function<bool()>& run,
                           int limit_ms);

}  // namespace strobe::v8
