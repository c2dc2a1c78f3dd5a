#include "resolver.h"

#include <dlfcn.h>

#include <cstring>

#include "capture/js_walk.h"
#include "capture/no_frame.h"
#include "v8/api.h"
#include "v8/heap.h"
#include "v8/self_test.h"

namespace strobe {

namespace {

constexpr size_t kMaxNativeAddresses = 4096;
// A frame is made within the first instructions of a function (TurboFan checks for deoptimisation before it: 14 bytes).
constexpr uint64_t kPrologueBytes = 64;
// The builtin that makes the frame of Sparkplug code.
constexpr const char* kBaselinePrologue = "BaselineOutOfLinePrologue";
constexpr bool kReturnsInLr = capture::kReturnAtEntry == capture::ReturnAddress::kInLr;

}  // namespace

const v8::FunctionRef& VmFunction(const char* name) {
  static auto* table = new std::unordered_map<std::string, v8::FunctionRef>;
  auto& slot = (*table)[name];
  if (!slot) slot = std::make_shared<v8::Function>(name, v8::FunctionKind::kVm, v8::FrameRole::kShown);
  return slot;
}

void ThreadCode::Announce(const v8::CodeEvent& script) {
  if (map_url_bytes > kMaxMapUrlBytes) {
    // Functions that are known keep theirs; of later ones of these scripts the map is looked for in the file.
    map_urls.clear();
    source_urls.clear();
    map_url_bytes = 0;
  }
  const auto id = static_cast<uint32_t>(script.start);
  // A script may be announced again, after others or after a new start.
  if (!script.name.empty()) {
    std::shared_ptr<const std::string>& url = map_urls[id];
    map_url_bytes += script.name.size() + (url ? 0 : kUrlBytes) - (url ? url->size() : 0);
    url = std::make_shared<const std::string>(script.name);
  }
  if (!script.detail.empty()) {
    std::string& url = source_urls[id];
    map_url_bytes += script.detail.size() + (url.empty() ? kUrlBytes : 0) - url.size();
    url.assign(script.detail.begin(), script.detail.end());
  }
}

// V8 names code that came from no file "name :line:column"; a `//# sourceURL` is its file then.
std::string ThreadCode::WithSourceUrl(std::string_view name, uint32_t script_id) const {
  const auto url = source_urls.find(script_id);
  const size_t border = name.rfind(" :");
  if (url == source_urls.end() || border == std::string_view::npos) return std::string(name);
  std::string out(name.substr(0, border + 1));
  return out.append(url->second).append(name.substr(border + 1));
}

void ThreadCode::Add(const v8::CodeEvent& event, v8::FunctionTable* functions) {
  std::shared_ptr<v8::CodeFacts> facts;
  v8::DetailHeader header;
  std::string named;
  std::string_view name = event.name;
  if (!event.detail.empty()) {
    facts = std::make_shared<v8::CodeFacts>(event.detail);
    header = facts->detail.header();
    facts->kind = header.kind;
    if (!source_urls.empty()) name = named = WithSourceUrl(event.name, header.script_id);
  }
  v8::FunctionRef function = functions->Intern(v8::IdentifyCode(name, event.code_type));
  if (facts) {
    if (header.map_kind != v8::MapKind::kNone) {
      const auto url = map_urls.find(header.script_id);
      if (header.map_kind == v8::MapKind::kUrl && url != map_urls.end()) {
        function->SetMap(v8::MapKind::kUrl, url->second);
      } else {
        function->SetMap(v8::MapKind::kInFile, nullptr);
      }
    }
    if (header.kind == v8::DetailKind::kOptimised) {
      // Now, while the map is the one of the moment when V8 named these addresses.
      for (const uint64_t start : facts->detail.FunctionStarts()) facts->functions.push_back(start != 0 ? map.FunctionAt(start) : nullptr);
    }
  }
  map.Add(event.start, event.length_or_new_start, std::move(function), event.code_type == v8api::JitCodeEvent::kByteCode, std::move(facts));
}

// True for an address in the executable or a library. dladdr takes the loader's lock: asked once an address, of which there are a handful.
bool Resolver::IsNativeCode(uint64_t address) {
  const auto known = native_code_.find(address);
  if (known != native_code_.end()) return known->second;
  if (native_code_.size() >= kMaxNativeAddresses) native_code_.clear();
  Dl_info info;
  const bool native = dladdr(reinterpret_cast<void*>(address), &info) != 0;
  native_code_.emplace(address, native);
  return native;
}

const Resolver::Entry* Resolver::Find(ThreadCode* code, uint64_t address, uint64_t* start) {
  const Entry* entry = code->map.Find(address, start);
  if (entry == nullptr && !code->builtins_looked_for && address - code->builtins.code_start < code->builtins.code_length) {
    code->builtins_looked_for = true;
    const uint64_t copy = v8::FindBuiltinsCopy(code->builtins);
    if (copy != 0) code->map.SetAlias(copy, code->builtins.blob_start, code->builtins.blob_length);
    entry = code->map.Find(address, start);
  }
  return entry;
}

// Pushes the frames that `address` stands for: one, and before it those of what V8 inlined there. `is_return`: it is the instruction
// behind a call.
void Resolver::Expand(ThreadCode* code, const Entry& entry, uint64_t start, uint64_t address, bool is_return) {
  if (entry.function->role() != v8::FrameRole::kShown) return;
  if (entry.facts && address >= start && v8::DetailsAllowed(entry.facts->kind)) {
    uint64_t offset = address - start;
    if (is_return && !entry.bytecode && offset != 0) offset--;
    if (entry.facts->detail.Lookup(static_cast<uint32_t>(offset), code->bytecode_sizes, &places_)) {
      for (const v8::Place& place : places_) {
        if (place.function == 0) {
          frames_.push_back({entry.function, place.line, place.column});
        } else if (place.function < entry.facts->functions.size() && entry.facts->functions[place.function]) {
          frames_.push_back({entry.facts->functions[place.function], place.line, place.column});
        }
      }
      return;
    }
  }
  frames_.push_back({entry.function, 0, 0});
}

// One of V8's frames. False when its address is in no known code.
bool Resolver::ResolveFrame(ThreadCode* code, uint64_t address) {
  uint64_t start = 0;
  const Entry* entry = code->map.Find(address, &start);
  if (entry == nullptr) {
    // A frame at function entry is reported as one below its code; a return address behind a last call is one past it.
    entry = code->map.Find(address + 1, &start);
    if (entry == nullptr) entry = Find(code, address - 1, &start);
  }
  // V8 11 (Node 20) reports the C++ callback that JavaScript was called through (RunMicrotasks, a timer) as a frame of its own: glue
  // between two frames.
  if (entry == nullptr) return IsNativeCode(address);
  Expand(code, *entry, start, address, true);
  return true;
}

// A bytecode handler runs in the frame at fp. It keeps the offset of its instruction in a register; the frame's slot, which V8 reads, is
// that of the last call. True when V8's first frame is this one: where the handlers run in a copy (V8 11), V8 may miss it.
bool Resolver::ResolveInterpreted(ThreadCode* code, const capture::LeafContext& leaf, uint64_t first_frame) {
  uint64_t start = 0;
  uint64_t address = 0;
  const Entry* entry = FindInterpreted(code, leaf.frame_bytecode, leaf.frame_offset, &start, &address);
  if (entry == nullptr) return false;
  const bool given = first_frame == address;
  if (leaf.interpreter_bytecode == leaf.frame_bytecode) {
    const uint64_t offset = leaf.interpreter_offset - (code->bytecode_header - v8::kHeapTag);
    if (offset < entry->length) address = start + offset;
  }
  Expand(code, *entry, start, address, false);
  return given;
}

// With pc where a function has no frame yet, or none any more, fp is its caller's, and V8's first frame is the caller's caller.
void Resolver::InsertCaller(ThreadCode* code, const capture::SampleRecord& record, const Entry& own, uint64_t offset, uint64_t first_frame,
                            Counts* counts) {
  const capture::LeafContext& leaf = record.leaf;
  auto where = capture::ReturnAddressAt(leaf.code, leaf.code_length);
  if (where == capture::ReturnAddress::kInFrame && offset < kPrologueBytes) {
    const bool makes_one = capture::FindFrameSetup(leaf.code, leaf.code_length) != capture::kNoFrameSetup;
    const bool sparkplug = own.facts && own.facts->kind == v8::DetailKind::kBaseline;
    if (makes_one || (sparkplug && capture::BeforeBaselinePrologue(leaf.code, leaf.code_length))) where = capture::kReturnAtEntry;
  }
  uint64_t caller = 0;
  switch (where) {
    case capture::ReturnAddress::kInFrame:
      return;
    case capture::ReturnAddress::kAtSp:
      caller = leaf.stack[0];
      break;
    case capture::ReturnAddress::kAboveSp:
      caller = leaf.stack[1];
      break;
    case capture::ReturnAddress::kInLr:
      caller = leaf.lr;
      break;
  }
  PushCaller(code, leaf, caller, first_frame, counts);
}

// The owner of the frame at fp, known by the return address into it; nothing when that is no code, or V8 gave this frame already.
void Resolver::PushCaller(ThreadCode* code, const capture::LeafContext& leaf, uint64_t caller, uint64_t first_frame, Counts* counts) {
  uint64_t start = 0;
  const Entry* entry = Find(code, caller - 1, &start);
  if (entry == nullptr || entry->bytecode || caller == first_frame) return;
  if (entry->function->role() == v8::FrameRole::kShown) {
    Expand(code, *entry, start, caller, true);
    counts->mended = 1;
    return;
  }
  // Called from the interpreter: its frame names the function and the instruction.
  uint64_t address = 0;
  entry = FindInterpreted(code, leaf.frame_bytecode, leaf.frame_offset, &start, &address);
  if (entry == nullptr || address == first_frame) return;
  Expand(code, *entry, start, address, false);
  counts->mended = 1;
}

// True when V8's first frame was the leaf, and is pushed.
bool Resolver::ResolveLeaf(ThreadCode* code, const capture::SampleRecord& record, uint64_t first_frame, Counts* counts) {
  uint64_t start = 0;
  const Entry* entry = Find(code, record.pc, &start);
  // No pc lies in bytecode: the entry is dead, and something native lives there now.
  if (entry == nullptr || entry->bytecode) {
    // Code that V8 never announced (what on-stack replacement compiled before the profiler came belongs to no function that V8's listing
    // meets) is a frame that nobody knows. Left out, its time would be its caller's.
    if (entry == nullptr && record.pc - code->builtins.code_start < code->builtins.code_length) {
      counts->unresolved++;
      frames_.push_back({VmFunction("(unresolved)")});
    }
    return false;
  }
  if (entry->function->role() == v8::FrameRole::kHandler) {
    const bool given = ResolveInterpreted(code, record.leaf, first_frame);
    // V8's answer for the handler's caller begins in the trampoline: that frame is this one.
    return given || (!frames_.empty() && (record.flags & capture::kFromCaller) != 0);
  }
  Expand(code, *entry, start, record.pc, false);
  if ((record.flags & capture::kFromCaller) != 0) return false;
  if (!kReturnsInLr && entry->function->rest() == kBaselinePrologue &&
      capture::InBaselinePrologueX64(record.leaf.code, record.leaf.code_length)) {
    PushCaller(code, record.leaf, record.leaf.stack[0], first_frame, counts);
    PushCaller(code, record.leaf, record.leaf.stack[1], first_frame, counts);
    return false;
  }
  InsertCaller(code, record, *entry, record.pc - start, first_frame, counts);
  // A stub (an operator of Sparkplug's, an inline cache) does its fast path without any frame: fp is that of the function that called it,
  // which V8 takes for the stub's own and leaves out. The frames of functions have a context below fp, those of stubs a small number.
  if (counts->mended == 0 && entry->function->role() == v8::FrameRole::kSkipped && v8::IsHeapObject(record.leaf.frame_marker)) {
    PushCaller(code, record.leaf, kReturnsInLr ? record.leaf.lr : record.leaf.stack[0], first_frame, counts);
  }
  return false;
}

// A frame that the interpreter's slots describe: `bytecode` tagged, `offset` a Smi from there. Null when they don't.
const Resolver::Entry* Resolver::FindInterpreted(ThreadCode* code, uint64_t bytecode, uint64_t offset, uint64_t* start, uint64_t* address) {
  if (!v8::IsSmi(offset) || code->bytecode_header == 0) return nullptr;
  *address = bytecode + (offset >> 32);
  const Entry* entry = code->map.Find(*address, start);
  return entry != nullptr && entry->bytecode && bytecode == *start - code->bytecode_header + v8::kHeapTag ? entry : nullptr;
}

// The return address that V8's answer for the caller begins behind. Where it leads into the interpreter, V8 answers for the interpreter's
// caller: the frame at fp is the function that is missing. How many of V8's frames are done.
uint32_t Resolver::ResolveReturn(ThreadCode* code, const capture::LeafContext& leaf, uint64_t address, uint64_t next_frame) {
  uint64_t start = 0;
  const Entry* entry = Find(code, address - 1, &start);
  if (entry == nullptr || entry->bytecode || entry->function->role() == v8::FrameRole::kShown) return 0;
  uint64_t interpreted = 0;
  entry = FindInterpreted(code, leaf.frame_bytecode, leaf.frame_offset, &start, &interpreted);
  if (entry != nullptr && interpreted != next_frame) Expand(code, *entry, start, interpreted, false);
  return 1;
}

void Resolver::ResolveWalked(ThreadCode* code, const uint64_t* words, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    capture::WalkedFrame frame;
    std::memcpy(&frame, words + i * capture::kWordsAFrame, sizeof frame);
    uint64_t start = 0;
    uint64_t address = frame.pc;
    const Entry* entry = Find(code, frame.pc - 1, &start);
    // Where V8's code ends (the entry from C++), what follows is no chain of its frames.
    if (entry == nullptr || entry->bytecode) return;
    if (entry->function->role() != v8::FrameRole::kShown) {
      entry = FindInterpreted(code, frame.bytecode, frame.offset, &start, &address);
      if (entry == nullptr) continue;
    }
    Expand(code, *entry, start, address, true);
  }
}

const std::vector<stack::Frame>& Resolver::Resolve(ThreadCode* code, const capture::SampleRecord& record, const uint64_t* frames,
                                                   Counts* counts) {
  frames_.clear();
  const auto state = static_cast<v8api::VmState>(record.vm_state);
  uint32_t next = 0;
  if (state == v8api::VmState::kGc) {
    frames_.push_back({VmFunction("(garbage collector)")});
  } else {
    // GetStackSample starts at the caller when the interrupted pc is in compiled code: the pc itself is the leaf then. In native code it
    // resolves to nothing, in a bytecode handler or another piece of machinery to something skipped: the first frame is the leaf.
    if (ResolveLeaf(code, record, record.frame_count != 0 ? frames[0] : 0, counts)) next = 1;
  }
  if ((record.flags & capture::kFromCaller) != 0 && record.frame_count > 1 && next == 0) {
    next = ResolveReturn(code, record.leaf, frames[0], frames[1]);
  }
  if ((record.flags & capture::kWalked) != 0) {
    ResolveWalked(code, frames, record.frame_count / capture::kWordsAFrame);
    next = record.frame_count;
  }
  for (uint32_t i = next; i < record.frame_count; i++) {
    if (ResolveFrame(code, frames[i])) continue;
    counts->unresolved++;
    frames_.push_back({VmFunction("(unresolved)")});
  }
  if (frames_.empty()) {
    const bool idle = state == v8api::VmState::kIdle || state == v8api::VmState::kIdleExternal;
    frames_.push_back({VmFunction(idle ? "(idle)" : "(program)")});
  }
  if ((record.flags & capture::kTruncated) != 0) frames_.push_back({VmFunction("(truncated)")});
  return frames_;
}

}  // namespace strobe
