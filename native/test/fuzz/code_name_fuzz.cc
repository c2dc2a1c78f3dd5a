// The texts that V8 announces code with, as noise: nothing is invented, the identity is part of the text, and asking twice gives the same.
#include <string>
#include <string_view>

#include "test/fuzz/fuzz.h"
#include "v8/code_name.h"

namespace strobe::fuzz {

std::vector<ByteVector> Seeds() {
  std::vector<ByteVector> seeds;
  for (const std::string_view text : {"\1JS:~hot file:///tmp/a/main.mjs:18:13", "\1JS:*parse /app/html.js:12:17", "\1JS:+'f /a.js:1:1",
                                      "\1JS:o*loop node:internal/x:366:16", "\1Script:~/app/main.js:1:1", "\1JS:~ :3:1",
                                      "\1Builtin:ArrayForEach", "\1Builtin:InterpreterEntryTrampoline", "\1BytecodeHandler:Star0Handler",
                                      "\1RegExp:a+", "\1RegExp.> src: 'a+' flags: 'g'", "\2JS:add-12-liftoff", "\2wasm-to-js",
                                      "\1JS:^GET /users /app/routes.js:4:2", "\1Eval:~x", "\1Stub:CEntry", "\0Function:~f a b:1", "\1"}) {
    seeds.emplace_back(text.begin(), text.end());
  }
  return seeds;
}

}  // namespace strobe::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace strobe;
  fuzz::Input input(data, size);
  const uint8_t code_type = input.Take<uint8_t>() % 4;
  const fuzz::ByteVector bytes = input.Rest();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const v8::CodeIdentity identity = v8::IdentifyCode(text, code_type);
  FUZZ_CHECK(identity.rest.empty() ||
             (identity.rest.data() >= text.data() && identity.rest.data() + identity.rest.size() <= text.data() + text.size()));
  const v8::CodeName name = v8::ParseCodeName(identity);
  constexpr size_t kAdded = 16;  // "(anonymous)", "RegExp: ", "wasm-function[]"
  FUZZ_CHECK(name.name.size() <= identity.rest.size() + kAdded && name.file.size() <= identity.rest.size() + kAdded);
  FUZZ_CHECK(name.kind == identity.kind && name.role == identity.role);
  FUZZ_CHECK(!name.name.empty() || (name.kind != v8::FunctionKind::kJs && name.kind != v8::FunctionKind::kScript));
  const v8::CodeName again = v8::ParseCodeName(v8::IdentifyCode(text, code_type));
  FUZZ_CHECK(again.name == name.name && again.file == name.file && again.line == name.line && again.column == name.column);
  return 0;
}
