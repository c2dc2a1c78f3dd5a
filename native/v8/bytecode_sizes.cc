// One list of V8's opcodes in their order, with the versions that have each: an opcode's number is its place among the rows of its version.
// The four lists fit into one because V8 inserts and removes, but does not reorder.
#include "v8/bytecode_sizes.h"

#include <cstddef>

namespace strobe::v8 {

// For each opcode the bytes that are fixed, its own included, times 16, plus the number of operands that scale; 0 where there is none.
struct BytecodeSizes {
  uint8_t layout[256];
};

namespace {

constexpr uint8_t k11 = 1, k12 = 2, k13 = 4, k14 = 8;  // V8 11.3 (Node 20), 12.4 (22), 13.6 (24), 14.6 (26)
constexpr uint8_t kAll = k11 | k12 | k13 | k14, kFrom12 = k12 | k13 | k14, kFrom13 = k13 | k14;
constexpr uint8_t k11To12 = k11 | k12, k11To13 = k11 | k12 | k13, k12To13 = k12 | k13;

// The first four opcodes, on all versions: the prefixes; 1 is ExtraWide.
constexpr uint8_t kWide = 0, kDebugBreakWide = 2, kDebugBreakExtraWide = 3;

struct Row {
  const char* name;  // V8's; kept out of the binary, for the reader and for scripts/bytecode-sizes.mjs
  uint8_t fixed;     // bytes: the opcode and its operands of fixed width
  uint8_t scaling;   // operands of one, two or four bytes
  uint8_t versions;
};

constexpr Row kRows[] = {
    {"Wide", 1, 0, kAll},
    {"ExtraWide", 1, 0, kAll},
    {"DebugBreakWide", 1, 0, kAll},
    {"DebugBreakExtraWide", 1, 0, kAll},
    {"DebugBreak0", 1, 0, kAll},
    {"DebugBreak1", 1, 1, kAll},
    {"DebugBreak2", 1, 2, kAll},
    {"DebugBreak3", 1, 3, kAll},
    {"DebugBreak4", 1, 4, kAll},
    {"DebugBreak5", 3, 2, kAll},
    {"DebugBreak6", 3, 3, kAll},
    {"Ldar", 1, 1, kAll},
    {"LdaZero", 1, 0, kAll},
    {"LdaSmi", 1, 1, kAll},
    {"LdaUndefined", 1, 0, kAll},
    {"LdaNull", 1, 0, kAll},
    {"LdaTheHole", 1, 0, kAll},
    {"LdaTrue", 1, 0, kAll},
    {"LdaFalse", 1, 0, kAll},
    {"LdaConstant", 1, 1, kAll},
    {"LdaContextSlotNoCell", 1, 3, k14},
    {"LdaContextSlot", 1, 3, kAll},
    {"LdaScriptContextSlot", 1, 3, k13},
    {"LdaImmutableContextSlot", 1, 3, kAll},
    {"LdaCurrentContextSlotNoCell", 1, 1, k14},
    {"LdaCurrentContextSlot", 1, 1, kAll},
    {"LdaCurrentScriptContextSlot", 1, 1, k13},
    {"LdaImmutableCurrentContextSlot", 1, 1, kAll},
    {"Star", 1, 1, kAll},
    {"Mov", 1, 2, kAll},
    {"PushContext", 1, 1, kAll},
    {"PopContext", 1, 1, kAll},
    {"TestReferenceEqual", 1, 1, kAll},
    {"TestUndetectable", 1, 0, kAll},
    {"TestNull", 1, 0, kAll},
    {"TestUndefined", 1, 0, kAll},
    {"TestTypeOf", 2, 0, kAll},
    {"LdaGlobal", 1, 2, kAll},
    {"LdaGlobalInsideTypeof", 1, 2, kAll},
    {"StaGlobal", 1, 2, kAll},
    {"StaContextSlotNoCell", 1, 3, k14},
    {"StaCurrentContextSlotNoCell", 1, 1, k14},
    {"StaContextSlot", 1, 3, kAll},
    {"StaCurrentContextSlot", 1, 1, kAll},
    {"StaScriptContextSlot", 1, 3, k12To13},
    {"StaCurrentScriptContextSlot", 1, 1, k12To13},
    {"LdaLookupSlot", 1, 1, kAll},
    {"LdaLookupContextSlotNoCell", 1, 3, k14},
    {"LdaLookupContextSlot", 1, 3, kAll},
    {"LdaLookupScriptContextSlot", 1, 3, k13},
    {"LdaLookupGlobalSlot", 1, 3, kAll},
    {"LdaLookupSlotInsideTypeof", 1, 1, kAll},
    {"LdaLookupContextSlotNoCellInsideTypeof", 1, 3, k14},
    {"LdaLookupContextSlotInsideTypeof", 1, 3, kAll},
    {"LdaLookupScriptContextSlotInsideTypeof", 1, 3, k13},
    {"LdaLookupGlobalSlotInsideTypeof", 1, 3, kAll},
    {"StaLookupSlot", 2, 1, kAll},
    {"GetNamedProperty", 1, 3, kAll},
    {"GetNamedPropertyFromSuper", 1, 3, kAll},
    {"GetKeyedProperty", 1, 2, kAll},
    {"GetEnumeratedKeyedProperty", 1, 4, kFrom12},
    {"LdaModuleVariable", 1, 2, kAll},
    {"StaModuleVariable", 1, 2, kAll},
    {"SetNamedProperty", 1, 3, kAll},
    {"DefineNamedOwnProperty", 1, 3, kAll},
    {"SetKeyedProperty", 1, 3, kAll},
    {"DefineKeyedOwnProperty", 2, 3, kAll},
    {"StaInArrayLiteral", 1, 3, kAll},
    {"DefineKeyedOwnPropertyInLiteral", 2, 3, kAll},
    {"SetPrototypeProperties", 1, 2, k14},
    {"Add", 1, 2, kAll},
    {"Sub", 1, 2, kAll},
    {"Mul", 1, 2, kAll},
    {"Div", 1, 2, kAll},
    {"Mod", 1, 2, kAll},
    {"Exp", 1, 2, kAll},
    {"BitwiseOr", 1, 2, kAll},
    {"BitwiseXor", 1, 2, kAll},
    {"BitwiseAnd", 1, 2, kAll},
    {"ShiftLeft", 1, 2, kAll},
    {"ShiftRight", 1, 2, kAll},
    {"ShiftRightLogical", 1, 2, kAll},
    {"Add_StringConstant_Internalize", 2, 2, k14},
    {"AddSmi", 1, 2, kAll},
    {"SubSmi", 1, 2, kAll},
    {"MulSmi", 1, 2, kAll},
    {"DivSmi", 1, 2, kAll},
    {"ModSmi", 1, 2, kAll},
    {"ExpSmi", 1, 2, kAll},
    {"BitwiseOrSmi", 1, 2, kAll},
    {"BitwiseXorSmi", 1, 2, kAll},
    {"BitwiseAndSmi", 1, 2, kAll},
    {"ShiftLeftSmi", 1, 2, kAll},
    {"ShiftRightSmi", 1, 2, kAll},
    {"ShiftRightLogicalSmi", 1, 2, kAll},
    {"Inc", 1, 1, kAll},
    {"Dec", 1, 1, kAll},
    {"Negate", 1, 1, kAll},
    {"BitwiseNot", 1, 1, kAll},
    {"ToBooleanLogicalNot", 1, 0, kAll},
    {"LogicalNot", 1, 0, kAll},
    {"TypeOf", 1, 0, k11To12},
    {"TypeOf", 1, 1, kFrom13},
    {"DeletePropertyStrict", 1, 1, kAll},
    {"DeletePropertySloppy", 1, 1, kAll},
    {"GetSuperConstructor", 1, 1, kAll},
    {"FindNonDefaultConstructorOrConstruct", 1, 3, kAll},
    {"CallAnyReceiver", 1, 4, kAll},
    {"CallProperty", 1, 4, kAll},
    {"CallProperty0", 1, 3, kAll},
    {"CallProperty1", 1, 4, kAll},
    {"CallProperty2", 1, 5, kAll},
    {"CallUndefinedReceiver", 1, 4, kAll},
    {"CallUndefinedReceiver0", 1, 2, kAll},
    {"CallUndefinedReceiver1", 1, 3, kAll},
    {"CallUndefinedReceiver2", 1, 4, kAll},
    {"CallWithSpread", 1, 4, kAll},
    {"CallRuntime", 3, 2, kAll},
    {"CallRuntimeForPair", 3, 3, kAll},
    {"CallJSRuntime", 2, 2, kAll},
    {"InvokeIntrinsic", 2, 2, kAll},
    {"Construct", 1, 4, kAll},
    {"ConstructWithSpread", 1, 4, kAll},
    {"ConstructForwardAllArgs", 1, 2, kFrom12},
    {"TestEqual", 1, 2, k11To13},
    {"TestEqual", 3, 1, k14},
    {"TestEqualStrict", 1, 2, k11To13},
    {"TestEqualStrict", 3, 1, k14},
    {"TestLessThan", 1, 2, k11To13},
    {"TestLessThan", 3, 1, k14},
    {"TestGreaterThan", 1, 2, k11To13},
    {"TestGreaterThan", 3, 1, k14},
    {"TestLessThanOrEqual", 1, 2, k11To13},
    {"TestLessThanOrEqual", 3, 1, k14},
    {"TestGreaterThanOrEqual", 1, 2, k11To13},
    {"TestGreaterThanOrEqual", 3, 1, k14},
    {"TestInstanceOf", 1, 2, kAll},
    {"TestIn", 1, 2, kAll},
    {"ToName", 1, 1, k11},
    {"ToName", 1, 0, kFrom12},
    {"ToNumber", 1, 1, kAll},
    {"ToNumeric", 1, 1, kAll},
    {"ToObject", 1, 1, kAll},
    {"ToString", 1, 0, kAll},
    {"ToBoolean", 1, 0, kFrom12},
    {"CreateRegExpLiteral", 3, 2, kAll},
    {"CreateArrayLiteral", 2, 2, kAll},
    {"CreateArrayFromIterable", 1, 0, kAll},
    {"CreateEmptyArrayLiteral", 1, 1, kAll},
    {"CreateObjectLiteral", 2, 2, kAll},
    {"CreateEmptyObjectLiteral", 1, 0, kAll},
    {"CloneObject", 2, 2, kAll},
    {"GetTemplateObject", 1, 2, kAll},
    {"CreateClosure", 2, 2, kAll},
    {"CreateBlockContext", 1, 1, kAll},
    {"CreateCatchContext", 1, 2, kAll},
    {"CreateFunctionContext", 1, 2, kAll},
    {"CreateFunctionContextWithCells", 1, 2, k14},
    {"CreateEvalContext", 1, 2, kAll},
    {"CreateWithContext", 1, 2, kAll},
    {"CreateMappedArguments", 1, 0, kAll},
    {"CreateUnmappedArguments", 1, 0, kAll},
    {"CreateRestParameter", 1, 0, kAll},
    {"JumpLoop", 1, 3, kAll},
    {"Jump", 1, 1, kAll},
    {"JumpConstant", 1, 1, kAll},
    {"JumpIfNullConstant", 1, 1, kAll},
    {"JumpIfNotNullConstant", 1, 1, kAll},
    {"JumpIfUndefinedConstant", 1, 1, kAll},
    {"JumpIfNotUndefinedConstant", 1, 1, kAll},
    {"JumpIfUndefinedOrNullConstant", 1, 1, kAll},
    {"JumpIfTrueConstant", 1, 1, kAll},
    {"JumpIfFalseConstant", 1, 1, kAll},
    {"JumpIfJSReceiverConstant", 1, 1, kAll},
    {"JumpIfForInDoneConstant", 1, 3, kFrom13},
    {"JumpIfToBooleanTrueConstant", 1, 1, kAll},
    {"JumpIfToBooleanFalseConstant", 1, 1, kAll},
    {"JumpIfToBooleanTrue", 1, 1, kAll},
    {"JumpIfToBooleanFalse", 1, 1, kAll},
    {"JumpIfTrue", 1, 1, kAll},
    {"JumpIfFalse", 1, 1, kAll},
    {"JumpIfNull", 1, 1, kAll},
    {"JumpIfNotNull", 1, 1, kAll},
    {"JumpIfUndefined", 1, 1, kAll},
    {"JumpIfNotUndefined", 1, 1, kAll},
    {"JumpIfUndefinedOrNull", 1, 1, kAll},
    {"JumpIfJSReceiver", 1, 1, kAll},
    {"JumpIfForInDone", 1, 3, kFrom13},
    {"SwitchOnSmiNoFeedback", 1, 3, kAll},
    {"ForInEnumerate", 1, 1, kAll},
    {"ForInPrepare", 1, 2, kAll},
    {"ForInContinue", 1, 2, k11To12},
    {"ForInNext", 1, 4, kAll},
    {"ForInStep", 1, 1, kAll},
    {"ForOfNext", 1, 4, k14},
    {"SetPendingMessage", 1, 0, kAll},
    {"Throw", 1, 0, kAll},
    {"ReThrow", 1, 0, kAll},
    {"Return", 1, 0, kAll},
    {"ThrowReferenceErrorIfHole", 1, 1, kAll},
    {"ThrowSuperNotCalledIfHole", 1, 0, kAll},
    {"ThrowSuperAlreadyCalledIfNotHole", 1, 0, kAll},
    {"ThrowIfNotSuperConstructor", 1, 1, kAll},
    {"SwitchOnGeneratorState", 1, 3, kAll},
    {"SuspendGenerator", 1, 4, kAll},
    {"ResumeGenerator", 1, 3, kAll},
    {"GetIterator", 1, 3, kAll},
    {"Debugger", 1, 0, kAll},
    {"IncBlockCounter", 1, 1, kAll},
    {"Abort", 1, 1, k11To13},
    {"Abort", 2, 0, k14},
    {"Star15", 1, 0, kAll},
    {"Star14", 1, 0, kAll},
    {"Star13", 1, 0, kAll},
    {"Star12", 1, 0, kAll},
    {"Star11", 1, 0, kAll},
    {"Star10", 1, 0, kAll},
    {"Star9", 1, 0, kAll},
    {"Star8", 1, 0, kAll},
    {"Star7", 1, 0, kAll},
    {"Star6", 1, 0, kAll},
    {"Star5", 1, 0, kAll},
    {"Star4", 1, 0, kAll},
    {"Star3", 1, 0, kAll},
    {"Star2", 1, 0, kAll},
    {"Star1", 1, 0, kAll},
    {"Star0", 1, 0, kAll},
    {"Illegal", 1, 0, kAll},
};

consteval BytecodeSizes Build(uint8_t version) {
  BytecodeSizes sizes{};
  size_t opcode = 0;
  for (const Row& row : kRows) {
    if ((row.versions & version) != 0) sizes.layout[opcode++] = static_cast<uint8_t>(row.fixed << 4 | row.scaling);
  }
  return sizes;
}

constexpr BytecodeSizes kSizes11 = Build(k11), kSizes12 = Build(k12), kSizes13 = Build(k13), kSizes14 = Build(k14);

}  // namespace

const BytecodeSizes* BytecodeSizesOf(int v8_major, int v8_minor) {
  switch (v8_major * 1000 + v8_minor) {
    case 11'003:
      return &kSizes11;
    case 12'004:
      return &kSizes12;
    case 13'006:
      return &kSizes13;
    case 14'006:
      return &kSizes14;
    default:
      return nullptr;
  }
}

uint32_t BytecodeLength(const BytecodeSizes& sizes, const uint8_t* code, uint32_t length, uint32_t at) {
  if (at >= length) return 0;
  uint32_t prefix = 0;
  uint32_t scale = 1;
  uint8_t opcode = code[at];
  if (opcode <= kDebugBreakExtraWide) {
    prefix = 1;
    scale = opcode == kWide || opcode == kDebugBreakWide ? 2 : 4;
    if (length - at < 2) return 0;
    opcode = code[at + 1];
    if (opcode <= kDebugBreakExtraWide) return 0;  // a prefix is never followed by another
  }
  const uint8_t layout = sizes.layout[opcode];
  if (layout == 0) return 0;
  const uint32_t size = prefix + (layout >> 4) + scale * (layout & 15);
  return size <= length - at ? size : 0;
}

}  // namespace strobe::v8
