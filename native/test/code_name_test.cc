// Tests of v8/code_name.h against the texts that V8 announces on Node 20, 22, 24 and 26 (dumped through SetJitCodeEventHandler from one
// program with every kind of function), and against garbage.
#include "v8/code_name.h"

#include <exception>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "test/check.h"
#include "v8/api.h"

namespace strobe::v8 {
namespace {

constexpr uint8_t kByteCode = v8api::JitCodeEvent::kByteCode;
constexpr uint8_t kJit = v8api::JitCodeEvent::kJitCode;
constexpr uint8_t kWasm = v8api::JitCodeEvent::kWasmCode;

CodeName Parse(std::string_view text, uint8_t code_type = kJit) { return ParseCodeName(IdentifyCode(text, code_type)); }

// On the collector an exception ends the application.
bool Throws(std::string_view text, uint8_t code_type = kJit) {
  try {
    Parse(text, code_type);
    return false;
  } catch (const std::exception&) {
    return true;
  }
}

struct Expected {
  std::string_view text;
  std::string_view name;
  std::string_view file;
  uint32_t line;
  uint32_t column;
  FunctionKind kind = FunctionKind::kJs;
};

void Check(const Expected& expected) {
  const CodeName name = Parse(expected.text);
  const bool same = name.name == expected.name && name.file == expected.file && name.line == expected.line &&
                    name.column == expected.column && name.kind == expected.kind && name.role == FrameRole::kShown;
  if (same) return;
  CHECK_EQ(std::string(expected.text), "(as expected below)");
  CHECK_EQ(name.name, expected.name);
  CHECK_EQ(name.file, expected.file);
  CHECK_EQ(name.line, expected.line);
  CHECK_EQ(name.column, expected.column);
  CHECK_EQ(static_cast<int>(name.kind), static_cast<int>(expected.kind));
  CHECK_EQ(static_cast<int>(name.role), static_cast<int>(FrameRole::kShown));
}

TEST(code_name_functions) {
  const Expected all[] = {
      {"JS:~hot file:///tmp/ct/main.mjs:18:13", "hot", "file:///tmp/ct/main.mjs", 18, 13},
      {"JS:~insert node:internal/timers:366:16", "insert", "node:internal/timers", 366, 16},
      {"JS:^isPosixPathSeparator node:path:69:30", "isPosixPathSeparator", "node:path", 69, 30},
      {"JS:*inSpaced /tmp/ct/app/mod.cjs:1:35", "inSpaced", "/tmp/ct/app/mod.cjs", 1, 35},
      {"JS:~#priv file:///tmp/ct/main.mjs:7:47", "#priv", "file:///tmp/ct/main.mjs", 7, 47},
      {"JS:~Foo file:///tmp/ct/main.mjs:7:340", "Foo", "file:///tmp/ct/main.mjs", 7, 340},
      {"JS:~<static_initializer> file:///tmp/ct/main.mjs:7:13", "<static_initializer>", "file:///tmp/ct/main.mjs", 7, 13},
      {"JS:~<instance_members_initializer> file:///tmp/ct/main.mjs:7:1", "<instance_members_initializer>", "file:///tmp/ct/main.mjs", 7, 1},
      {"JS:~module.exports.anon /tmp/ct/a.cjs:2:24", "module.exports.anon", "/tmp/ct/a.cjs", 2, 24},
      {"JS:~méthode file:///tmp/ct/main.mjs:26:24", "méthode", "file:///tmp/ct/main.mjs", 26, 24},
      {"JS:~Ünïcode file:///tmp/ct/main.mjs:26:1", "Ünïcode", "file:///tmp/ct/main.mjs", 26, 1},
      {"JS:~get http://localhost:8080/app.js:3:4", "get", "http://localhost:8080/app.js", 3, 4},
      {"JS:~render webpack://app/./src/a b.js:3:4", "render", "webpack://app/./src/a b.js", 3, 4},
      {"LazyCompile:~old /a.js:1:2", "old", "/a.js", 1, 2},
      {"Function:*old /a.js:1:2", "old", "/a.js", 1, 2},
      // A minified bundle: one line, columns beyond 16 bits.
      {"JS:~t /app/bundle.js:1:1048577", "t", "/app/bundle.js", 1, 1048577},
  };
  for (const Expected& one : all) Check(one);
}

TEST(code_name_accessors_and_odd_names) {
  const Expected all[] = {
      {"JS:~get value file:///tmp/ct/main.mjs:7:107", "get value", "file:///tmp/ct/main.mjs", 7, 107},
      {"JS:~set value file:///tmp/ct/main.mjs:7:130", "set value", "file:///tmp/ct/main.mjs", 7, 130},
      {"JS:~get cancelBubble node:internal/event_target:315:19", "get cancelBubble", "node:internal/event_target", 315, 19},
      {"JS:~a b c /app/a.js:7:145", "a b c", "/app/a.js", 7, 145},
      {"JS:~[Symbol.iterator] /app/a.js:7:145", "[Symbol.iterator]", "/app/a.js", 7, 145},
      {"JS:~[my sym] /app/a.js:7:145", "[my sym]", "/app/a.js", 7, 145},
      {"JS:~we:ird:12 file:///tmp/ct/main.mjs:7:173", "we:ird:12", "file:///tmp/ct/main.mjs", 7, 173},
      {"JS:~12:34 /a.js:5:6", "12:34", "/a.js", 5, 6},
      {"JS:~o*x /a.js:5:6", "o*x", "/a.js", 5, 6},
      {"JS:~*gen /a.js:5:6", "*gen", "/a.js", 5, 6},  // one mark only
  };
  for (const Expected& one : all) Check(one);
}

TEST(code_name_anonymous_functions) {
  const Expected all[] = {
      {"JS:~ file:///tmp/ct/main.mjs:7:145", "(anonymous)", "file:///tmp/ct/main.mjs", 7, 145},
      {"JS:^ file:///tmp/ct/main.mjs:1:1", "(anonymous)", "file:///tmp/ct/main.mjs", 1, 1},
      {"JS:~ node:internal/errors:1590:3", "(anonymous)", "node:internal/errors", 1590, 3},
      {"JS:~ /tmp/ct/dir with space/mod a:12.cjs:1:1", "(anonymous)", "/tmp/ct/dir with space/mod a:12.cjs", 1, 1},
  };
  for (const Expected& one : all) Check(one);
}

TEST(code_name_eval_and_new_function) {
  const Expected all[] = {
      {"JS:~inEval :1:17", "inEval", "", 1, 17},
      {"JS:~ :1:20", "(anonymous)", "", 1, 20},  // new Function
      {"JS: :1:1", "(anonymous)", "", 1, 1},     // announced on every Node, without a tier mark
      {"Eval:~ :1:1", "(anonymous)", "", 1, 1},
      {"Eval:~ /tmp/ct/app.cjs:1:1", "(anonymous)", "/tmp/ct/app.cjs", 1, 1},
      {"JS:~inVm evalmachine.<anonymous>:1:15", "inVm", "evalmachine.<anonymous>", 1, 15},
      {"JS:~inData data:text/javascript,export function inData(a){return a+1}:1:23", "inData",
       "data:text/javascript,export function inData(a){return a+1}", 1, 23},
  };
  for (const Expected& one : all) Check(one);
}

TEST(code_name_files_with_spaces) {
  const Expected all[] = {
      {"JS:~inSpaced /tmp/ct/dir with space/mod a:12.cjs:1:35", "inSpaced", "/tmp/ct/dir with space/mod a:12.cjs", 1, 35},
      {"JS:~get value /tmp/dir with space/a.js:1:35", "get value", "/tmp/dir with space/a.js", 1, 35},
      {"JS:~f file:///tmp/a%20b/c.js:1:2", "f", "file:///tmp/a%20b/c.js", 1, 2},
  };
  for (const Expected& one : all) Check(one);
}

TEST(code_name_methods_that_look_like_paths) {
  const Expected all[] = {
      {"JS:~file: 12:3 file:///tmp/ct/main.mjs:7:376", "file: 12:3", "file:///tmp/ct/main.mjs", 7, 376},
      {"JS:~/users/:id /app/routes.js:3:9", "/users/:id", "/app/routes.js", 3, 9},
      // A route table's methods, { 'GET /users'() {} }: names with " /" are more common than folders whose name ends in a space.
      {"JS:~GET /users file:///app/routes.mjs:3:9", "GET /users", "file:///app/routes.mjs", 3, 9},
      {"JS:~GET /users /app/routes.js:3:9", "GET /users", "/app/routes.js", 3, 9},
  };
  for (const Expected& one : all) Check(one);
}

TEST(code_name_scripts) {
  const Expected all[] = {
      {"Script:~ file:///tmp/ct/main.mjs", "(anonymous)", "file:///tmp/ct/main.mjs", 0, 0, FunctionKind::kScript},
      {"Script:~ node:internal/main/run_main_module", "(anonymous)", "node:internal/main/run_main_module", 0, 0, FunctionKind::kScript},
      {"Script:~ evalmachine.<anonymous>:1:1", "(anonymous)", "evalmachine.<anonymous>", 1, 1, FunctionKind::kScript},
      {"Script:~ some file.js:4:1:1", "(anonymous)", "some file.js:4", 1, 1, FunctionKind::kScript},
      {"Script:~/app/main.js:1:1", "(anonymous)", "/app/main.js", 1, 1, FunctionKind::kScript},
  };
  for (const Expected& one : all) Check(one);
}

TEST(code_name_tiers_are_one_function) {
  // ~ interpreted, ^ baseline, + Maglev, * TurboFan; +' and *' on 24 and 26; o+ and o* on 26.
  const std::string rest = "get value file:///tmp/ct/main.mjs:7:107";
  for (const char* mark : {"", "~", "^", "+", "*", "+'", "*'", "o+", "o*", "o+'", "o*'"}) {
    const std::string text = "JS:" + (mark + rest);
    const CodeIdentity identity = IdentifyCode(text, kJit);
    CHECK_EQ(identity.rest, rest);
    CHECK(identity.kind == FunctionKind::kJs);
    // The text outlives nothing: `rest` points into it.
    CHECK(identity.rest.data() >= text.data() && identity.rest.data() + identity.rest.size() == text.data() + text.size());
  }
  // Bytecode and machine code of one function are one function, other places are not.
  CHECK_EQ(IdentifyCode("JS:~f /a.js:1:2", kByteCode).rest, IdentifyCode("JS:*f /a.js:1:2", kJit).rest);
  CHECK(IdentifyCode("JS:~f /a.js:1:2", kByteCode).rest != IdentifyCode("JS:~f /a.js:1:3", kByteCode).rest);
}

TEST(code_name_machinery_is_skipped) {
  for (const char* text :
       {"BytecodeHandler:Star0Handler", "BytecodeHandler:CreateRegExpLiteralWideHandler", "Stub:js-to-wasm:ii:i",
        "Builtin:InterpreterEntryTrampoline", "Builtin:Call_ReceiverIsAny", "Builtin:CEntry_Return1_ArgvOnStack_NoBuiltinExit",
        "Builtin:LoadIC", "Builtin:RecordWriteSaveFP", "Builtin:ConstructFunctionForwardVarargs", "Builtin:Subtract_Baseline",
        "Builtin:FunctionPrototypeCall", "Builtin:JSEntry", "Handler:x", "", ":", "x"}) {
    const CodeIdentity identity = IdentifyCode(text, kJit);
    if (!CHECK(identity.role != FrameRole::kShown)) CHECK_EQ(text, "(skipped)");
    CHECK(identity.kind == FunctionKind::kBuiltin || identity.kind == FunctionKind::kStub);
  }
}

TEST(code_name_language_builtins_are_shown) {
  for (const char* name :
       {"ArrayForEach", "ArrayPrototypePush", "JsonStringify", "JsonParse", "MapPrototypeGet", "StringPrototypeReplace",
        "RegExpPrototypeExec", "PromisePrototypeThen", "ObjectKeys", "MathMin", "TypedArrayPrototypeFill", "GlobalIsNaN"}) {
    const std::string text = std::string("Builtin:") + name;
    const CodeName parsed = Parse(text);
    CHECK_EQ(parsed.name, name);
    CHECK_EQ(parsed.file, "");
    CHECK(parsed.kind == FunctionKind::kBuiltin);
    if (!CHECK(parsed.role == FrameRole::kShown)) CHECK_EQ(name, "(shown)");
  }
}

TEST(code_name_regexps_of_node_20_and_22) {
  for (const char* source : {"a:b:\\d+ [x/]+", "[^\\x00-\\x7f]", "^\\/:12:34$", ""}) {
    const std::string text = std::string("RegExp:") + source;
    const CodeName name = Parse(text);
    CHECK_EQ(name.name, std::string("RegExp: ") + source);
    CHECK_EQ(name.file, "");
    CHECK_EQ(name.line, 0);
    CHECK(name.kind == FunctionKind::kRegExp);
    CHECK(name.role == FrameRole::kShown);
  }
}

// Node 24 announces "RegExp.> src: …", Node 26 also "RegExp.< src: …": tag and pattern without a colon in between.
TEST(code_name_regexps_of_node_24_and_26) {
  for (const char* text : {"RegExp.> src: 'a:b:\\d+ [x/]+' flags: 'giu'", "RegExp.< src: 'a:b:\\d+ [x/]+' flags: 'giu'",
                           "RegExp.< src: '[^\\x00-\\x7f]' flags: ''"}) {
    const CodeName name = Parse(text);
    CHECK(name.kind == FunctionKind::kRegExp);
    CHECK(name.role == FrameRole::kShown);
    CHECK(name.name.find(std::string_view(text).find("x00") != std::string_view::npos ? "[^\\x00-\\x7f]" : "a:b:\\d+ [x/]+") !=
          std::string::npos);
    CHECK_EQ(name.file, "");
  }
}

TEST(code_name_wasm) {
  const CodeName name = Parse("JS:my fun:12:3456-0-liftoff", kWasm);
  CHECK(name.kind == FunctionKind::kWasm);
  CHECK(name.role == FrameRole::kShown);
  CHECK_EQ(name.name, "my fun:12:3456");
  CHECK_EQ(name.file, "wasm-function[0]");
}

// "The part of V8's text that identifies the function: all tiers of one function give the same." Wasm carries its tier at the end, and the
// tag in front.
TEST(code_name_wasm_tiers_are_one_function) {
  CHECK_EQ(IdentifyCode("JS:my fun:12:3456-0-liftoff", kWasm).rest, IdentifyCode("JS:my fun:12:3456-0-turbofan", kWasm).rest);
  CHECK(Parse("JS:my fun:12:3456-0-liftoff", kWasm).name.find("JS:") != 0);
}

TEST(code_name_malformed_text) {
  // Positions that are none, or too large for one.
  CHECK_EQ(Parse("JS:~f /a.js").file, "/a.js");
  CHECK_EQ(Parse("JS:~f /a.js").line, 0);
  CHECK_EQ(Parse("JS:~f /a.js:").file, "/a.js:");
  CHECK_EQ(Parse("JS:~f /a.js:12").line, 12);
  CHECK(!Throws("JS:~f /a.js:99999999999999999999999999:99999999999999999999999999"));
  for (const char* text :
       {"JS:",     "JS:~",     "JS:o",      "JS:o*", "JS:+'",   "JS:~ ",  "JS:~:",    "JS:~::", "JS:~:1", "JS:~:1:2", "JS:~1:2",
        "Script:", "Script:~", "Script:~ ", "Eval:", "RegExp:", "RegExp", "Builtin:", "JS",     ":::",    " ",        "\0"}) {
    for (const uint8_t type : {kByteCode, kJit, kWasm}) {
      if (!CHECK(!Throws(text, type))) CHECK_EQ(text, "(no exception)");
    }
  }
}

TEST(code_name_random_bytes) {
  std::mt19937 random(5);
  const std::vector<std::string> pieces = {"JS:",
                                           "Script:",
                                           "Eval:",
                                           "RegExp:",
                                           "RegExp.",
                                           "Builtin:",
                                           "BytecodeHandler:",
                                           "Stub:",
                                           "~",
                                           "^",
                                           "+",
                                           "*",
                                           "'",
                                           "o",
                                           " ",
                                           " /",
                                           "file:",
                                           " file:",
                                           " node:",
                                           ":",
                                           ":1",
                                           "::",
                                           "\n",
                                           "\xff",
                                           "12345",
                                           "é",
                                           " data:",
                                           " src: '",
                                           "-liftoff",
                                           "",
                                           "999999999999999999999"};
  for (int round = 0; round < 200'000; round++) {
    std::string text;
    for (uint32_t n = random() % 8; n > 0; n--) {
      if (random() % 4 == 0) {
        text += static_cast<char>(random());
      } else {
        text += pieces[random() % pieces.size()];
      }
    }
    const uint8_t type = static_cast<uint8_t>(random() % 4);
    // A copy of exactly this size, so that AddressSanitizer sees a read beyond it.
    const std::vector<char> exact(text.begin(), text.end());
    const std::string_view view(exact.data(), exact.size());
    if (Throws(view, type)) {
      CHECK_EQ(text, "(no exception)");
      return;
    }
    const CodeIdentity identity = IdentifyCode(view, type);
    const CodeName name = ParseCodeName(identity);
    if (!CHECK(identity.rest.size() <= view.size()) || !CHECK(name.kind == identity.kind) || !CHECK(name.role == identity.role)) return;
    if (!CHECK(name.name.size() <= view.size() + 16) || !CHECK(name.file.size() <= view.size() + sizeof "wasm-function[]")) return;
  }
}

}  // namespace
}  // namespace strobe::v8
