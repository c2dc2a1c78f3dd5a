#include "v8/code_name.h"

#include <array>

namespace strobe::v8 {

namespace {

constexpr uint8_t kWasmCodeType = 2;  // v8api::JitCodeEvent::kWasmCode

bool StartsWith(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }

// "~foo", "*foo", "^foo", "+'foo" (24 on: a function whose context was specialised), "o*foo" (26: on-stack replacement).
std::string_view DropTierMark(std::string_view text) {
  if (text.size() >= 2 && text[0] == 'o' && (text[1] == '*' || text[1] == '+')) text.remove_prefix(1);
  if (text.empty()) return text;
  const char mark = text[0];
  if (mark != '~' && mark != '^' && mark != '+' && mark != '*') return text;
  text.remove_prefix(1);
  if (!text.empty() && text[0] == '\'' && (mark == '+' || mark == '*')) text.remove_prefix(1);
  return text;
}

// Builtins that are functions of the language, called by name; the rest (trampolines, inline caches, call and construct stubs, write
// barriers) is machinery whose time belongs to the function that needed it. V8 names them after the constructor or namespace
// (builtins-definitions.h).
constexpr std::array<std::string_view, 45> kShownBuiltins = {
    "Array",    "Async",           "Atomics", "BigInt",  "Boolean",  "DataView", "Date",        "Error",       "Finalization",
    "Function", "Generator",       "Global",  "Intl",    "Iterator", "Json",     "Map",         "Math",        "Number",
    "Object",   "Promise",         "Proxy",   "Reflect", "RegExp",   "Set",      "Shadow",      "SharedArray", "SharedStruct",
    "String",   "Symbol",          "Typed",   "WeakMap", "WeakRef",  "WeakSet",  "WebAssembly", "Segmenter",   "Locale",
    "Temporal", "DisposableStack", "Console", "Escape",  "Unescape", "Decode",   "Encode",      "ParseInt",    "ParseFloat"};

// … and among those names, helpers that only pass through.
constexpr std::array<std::string_view, 9> kSkippedBuiltins = {"FunctionPrototypeApply",
                                                              "FunctionPrototypeCall",
                                                              "FunctionPrototypeHasInstance",
                                                              "AsyncFunctionAwaitResolveClosure",
                                                              "ArrayIncludesSmi",
                                                              "StringEqual",
                                                              "StringCharAt",
                                                              "NumberConstructor_ConstructStub",
                                                              "ObjectAssign_Unused"};

bool IsShownBuiltin(std::string_view name) {
  for (const std::string_view skipped : kSkippedBuiltins) {
    if (name == skipped) return false;
  }
  for (const std::string_view shown : kShownBuiltins) {
    if (StartsWith(name, shown)) return true;
  }
  return false;
}

// Takes ":123" off the end of `text`. False when it does not end so.
bool TakeNumber(std::string_view* text, uint32_t* number) {
  size_t at = text->size();
  uint64_t value = 0;
  uint64_t scale = 1;
  while (at > 0 && (*text)[at - 1] >= '0' && (*text)[at - 1] <= '9') {
    at--;
    if (scale <= 1'000'000'000) value += static_cast<uint64_t>((*text)[at] - '0') * scale;
    scale *= 10;
  }
  if (at == text->size() || at == 0 || (*text)[at - 1] != ':') return false;
  *number = static_cast<uint32_t>(value);
  *text = text->substr(0, at - 1);
  return true;
}

// Name and file are joined by one space, and either may contain spaces. A file that Node loads is a path, a URL or node:…; where the last
// one of these starts after a space is the border (a method named 'GET /users' is more common than a folder whose name ends in a space).
// Otherwise the last space is.
size_t FindBorder(std::string_view text) {
  if (text.empty()) return std::string_view::npos;
  if (text[0] == ' ') return 0;
  constexpr std::array<std::string_view, 10> kFileStarts = {" /",        " file:", " node:",        " http:", " https:", " [worker eval]",
                                                            " webpack:", " data:", " evalmachine.", " wasm:"};
  size_t best = std::string_view::npos;
  for (const std::string_view start : kFileStarts) {
    const size_t at = text.rfind(start);
    if (at != std::string_view::npos && (best == std::string_view::npos || at > best)) best = at;
  }
  return best != std::string_view::npos ? best : text.rfind(' ');
}

// "JS:name-0-liftoff", "JS:name-0-turbofan" -> "name-0": the function and its index in the module.
std::string_view WasmFunction(std::string_view text) {
  if (StartsWith(text, "JS:")) text.remove_prefix(3);
  for (const std::string_view tier : {std::string_view("-liftoff"), std::string_view("-turbofan")}) {
    if (text.size() > tier.size() && text.substr(text.size() - tier.size()) == tier) return text.substr(0, text.size() - tier.size());
  }
  return text;
}

// "name-0" -> name "name", file "wasm-function[0]", as developer tools call it; V8 does not say which module.
void ParseWasm(std::string_view text, CodeName* out) {
  std::string_view name = text;
  while (!name.empty() && name.back() >= '0' && name.back() <= '9') name.remove_suffix(1);
  out->name = text;
  if (name.empty() || name.size() == text.size() || name.back() != '-') return;
  out->file = "wasm-function[" + std::string(text.substr(name.size())) + "]";
  out->name = name.substr(0, name.size() - 1);
  if (out->name.empty()) out->name = out->file;
}

}  // namespace

CodeIdentity IdentifyCode(std::string_view text, uint8_t code_type) {
  if (code_type == kWasmCodeType) return {FunctionKind::kWasm, FrameRole::kShown, WasmFunction(text)};
  // "RegExp:a+" up to V8 12, "RegExp.> src: 'a+' flags: 'g'" from 13 on (.> compiled, .< bytecode).
  if (StartsWith(text, "RegExp.")) {
    const size_t source = text.find("src: '");
    return {FunctionKind::kRegExp, FrameRole::kShown, source == std::string_view::npos ? text : text.substr(source + 6)};
  }
  const size_t colon = text.find(':');
  const std::string_view tag = text.substr(0, colon == std::string_view::npos ? 0 : colon);
  const std::string_view rest = colon == std::string_view::npos ? text : text.substr(colon + 1);
  if (tag == "JS" || tag == "Function" || tag == "LazyCompile" || tag == "Eval")
    return {FunctionKind::kJs, FrameRole::kShown, DropTierMark(rest)};
  if (tag == "Script") return {FunctionKind::kScript, FrameRole::kShown, DropTierMark(rest)};
  if (tag == "Builtin") return {FunctionKind::kBuiltin, IsShownBuiltin(rest) ? FrameRole::kShown : FrameRole::kSkipped, rest};
  if (tag == "RegExp") return {FunctionKind::kRegExp, FrameRole::kShown, rest};
  if (tag == "BytecodeHandler") return {FunctionKind::kStub, FrameRole::kHandler, rest};
  return {FunctionKind::kStub, FrameRole::kSkipped, text};
}

CodeName ParseCodeName(const CodeIdentity& identity) {
  CodeName out;
  out.kind = identity.kind;
  out.role = identity.role;
  std::string_view rest = identity.rest;
  if (identity.kind == FunctionKind::kRegExp) {
    const size_t flags = rest.rfind("' flags: '");
    out.name = "RegExp: ";
    out.name += rest.substr(0, flags);
    return out;
  }
  if (identity.kind == FunctionKind::kWasm) {
    ParseWasm(rest, &out);
    return out;
  }
  if (identity.kind != FunctionKind::kJs && identity.kind != FunctionKind::kScript) {
    out.name = rest;
    return out;
  }
  uint32_t column = 0;
  uint32_t line = 0;
  std::string_view without_column = rest;
  if (TakeNumber(&without_column, &column)) {
    std::string_view without_line = without_column;
    if (TakeNumber(&without_line, &line)) {
      rest = without_line;
      out.line = line;
      out.column = column;
    } else {
      rest = without_column;
      out.line = column;
    }
  }
  const size_t border = FindBorder(rest);
  if (border == std::string_view::npos) {
    // No space at all: a script's file, or a function without a file.
    if (identity.kind == FunctionKind::kScript) {
      out.file = rest;
    } else {
      out.name = rest;
    }
  } else {
    out.name = rest.substr(0, border);
    out.file = rest.substr(border + 1);
  }
  if (out.name.empty()) out.name = "(anonymous)";
  return out;
}

}  // namespace strobe::v8
