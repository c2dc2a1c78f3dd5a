// What a piece of code is called, from the text V8 announces it with.
//
// V8's text is a tag, for functions a tier mark, the function's name, and `file:line:column` of its start (1-based): "JS:*parse
// /app/html.js:12:17", "Script:~/app/main.js:1:1", "Builtin:ArrayForEach", "BytecodeHandler:Star0", "RegExp:\d+". Tier marks (V8 log.cc,
// ComputeMarker): ~ interpreted, ^ baseline,
// + Maglev, * TurboFan; newer V8s add ' behind or o before it. The mark is not part of the function's identity: the same function in two
// tiers has one name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace strobe::v8 {

// The order is the one of FUNCTION_KINDS in src/native.ts.
enum class FunctionKind : uint8_t { kJs, kScript, kBuiltin, kRegExp, kWasm, kStub, kVm };

// How the collector treats an address that falls into the code.
enum class FrameRole : uint8_t {
  kShown,    // a frame of the profile
  kSkipped,  // machinery: trampolines, stubs; the frame below tells the story
  kHandler,  // skipped too: one of the interpreter's bytecode handlers
};

struct CodeName {
  std::string name;  // "(anonymous)" when the function has none
  std::string file;  // path or URL as V8 knows the script, '' for none
  uint32_t line = 0;
  uint32_t column = 0;
  FunctionKind kind = FunctionKind::kStub;
  FrameRole role = FrameRole::kShown;
};

// The part of V8's text that identifies the function: all tiers of one function give the same.
// Returns the text without its tier mark as tag and rest; `rest` is a view into `text`.
struct CodeIdentity {
  FunctionKind kind;
  FrameRole role;
  std::string_view rest;
};
CodeIdentity IdentifyCode(std::string_view text, uint8_t code_type);

CodeName ParseCodeName(const CodeIdentity& identity);

}  // namespace strobe::v8
