// From the addresses of one sample to its frames: names, lines, inlined functions, the caller that V8 lost, the collection's trigger.
// One thread only, the collector. Docs: docs/exactness.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "capture/record.h"
#include "stack/slice_builder.h"
#include "v8/builtins_copy.h"
#include "v8/code_events.h"
#include "v8/code_map.h"

namespace strobe {

// What is known of one isolate's code.
struct ThreadCode {
  v8::CodeMap map;
  v8::BuiltinsRanges builtins;
  bool builtins_looked_for = false;
  // Of V8's version; null and 0 when it is not known: then Sparkplug code has no lines, interpreted leaves those of their last call.
  const v8::BytecodeSizes* bytecode_sizes = nullptr;
  uint32_t bytecode_header = 0;
  // Source map URLs by script id.
  std::unordered_map<uint32_t, std::shared_ptr<const std::string>> map_urls;
  // `//# sourceURL` of scripts that came from no file, by script id.
  std::unordered_map<uint32_t, std::string> source_urls;
  size_t map_url_bytes = 0;  // of both

  void Announce(const v8::CodeEvent& script);
  // One kAdded event.
  void Add(const v8::CodeEvent& event, v8::FunctionTable* functions);

  std::string WithSourceUrl(std::string_view name, uint32_t script_id) const;

  static constexpr size_t kMaxMapUrlBytes = 16 << 20;
  static constexpr size_t kUrlBytes = 112;  // an entry without its text
};

// A frame that stands for no code, such as `(garbage collector)`.
const v8::FunctionRef& VmFunction(const char* name);

class Resolver {
 public:
  struct Counts {
    uint64_t unresolved = 0;  // addresses in no known code
    uint64_t mended = 0;      // 1 when the caller was put back
  };

  // The frames of a sample, leaf first, at least one; valid until the next call.
  const std::vector<stack::Frame>& Resolve(ThreadCode* code, const capture::SampleRecord& record, const uint64_t* frames, Counts* counts);

 private:
  using Entry = v8::CodeMap::Entry;

  const Entry* Find(ThreadCode* code, uint64_t address, uint64_t* start);
  bool ResolveFrame(ThreadCode* code, uint64_t address);
  bool ResolveLeaf(ThreadCode* code, const capture::SampleRecord& record, uint64_t first_frame, Counts* counts);
  uint32_t ResolveReturn(ThreadCode* code, const capture::LeafContext& leaf, uint64_t address, uint64_t next_frame);
  void ResolveWalked(ThreadCode* code, const uint64_t* words, uint32_t count);
  const Entry* FindInterpreted(ThreadCode* code, uint64_t bytecode, uint64_t offset, uint64_t* start, uint64_t* address);
  bool ResolveInterpreted(ThreadCode* code, const capture::LeafContext& leaf, uint64_t first_frame);
  void PushCaller(ThreadCode* code, const capture::LeafContext& leaf, uint64_t caller, uint64_t first_frame, Counts* counts);
  void InsertCaller(ThreadCode* code, const capture::SampleRecord& record, const Entry& own, uint64_t offset, uint64_t first_frame,
                    Counts* counts);
  void Expand(ThreadCode* code, const Entry& entry, uint64_t start, uint64_t address, bool is_return);
  bool IsNativeCode(uint64_t address);

  std::vector<stack::Frame> frames_;
  std::vector<v8::Place> places_;
  std::unordered_map<uint64_t, bool> native_code_;
};

}  // namespace strobe
