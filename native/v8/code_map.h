// Address -> function, for one isolate, as of one moment.
//
// The collector applies code events in their order and resolves each sample between the events that came before and after it, so the map
// needs no history: it is always the map of the sample's moment (the design's birth and death numbers were not needed; docs/code-map.md
// says why). V8 never announces that code went away: an entry dies when new code overlaps it, when it moves, when its pages are gone, or by
// the bound. At the bound the entries that no sample touched for longest go first (second chance), and are counted; their addresses become
// unresolved, never wrong.
// One thread only, the collector.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "v8/code_detail.h"
#include "v8/code_name.h"
#include "v8/mapped_ranges.h"

namespace strobe::v8 {

// One function, shared by all code of it (tiers, moved copies). Parsed when first needed: most functions are never sampled.
class Function {
 public:
  Function(std::string rest, FunctionKind kind, FrameRole role) : rest_(std::move(rest)), kind_(kind), role_(role) {}
  FunctionKind kind() const { return kind_; }
  FrameRole role() const { return role_; }
  const CodeName& name() {
    if (!parsed_) {
      parsed_ = std::make_unique<CodeName>(ParseCodeName({kind_, role_, rest_}));
    }
    return *parsed_;
  }
  const std::string& rest() const { return rest_; }

  // Where the source map of its script is; the last one that was announced, when one file is loaded twice.
  void SetMap(MapKind kind, std::shared_ptr<const std::string> url) {
    map_kind_ = kind;
    map_url_ = std::move(url);
  }
  MapKind map_kind() const { return map_kind_; }
  // Null unless map_kind() is kUrl.
  const std::shared_ptr<const std::string>& map_url() const { return map_url_; }

 private:
  MapKind map_kind_ = MapKind::kNone;
  std::shared_ptr<const std::string> map_url_;
  std::string rest_;
  FunctionKind kind_;
  FrameRole role_;
  std::unique_ptr<CodeName> parsed_;
};

using FunctionRef = std::shared_ptr<Function>;

// Interns functions over all isolates of the process; a name lives as long as code or a slice in the making refers to it.
class FunctionTable {
 public:
  FunctionRef Intern(const CodeIdentity& identity);
  size_t size() const { return table_.size(); }
  // Roughly: the functions, their names and their places in the table.
  size_t bytes() const { return bytes_; }
  // Forgets names that nobody refers to. Called now and then, costs a walk.
  void Sweep();

 private:
  struct Key {
    std::string_view rest;
    FunctionKind kind;
    bool operator==(const Key& other) const { return kind == other.kind && rest == other.rest; }
  };
  struct Hash {
    size_t operator()(const Key& key) const { return std::hash<std::string_view>()(key.rest) * 31 + static_cast<size_t>(key.kind); }
  };
  static size_t BytesOf(const Function& function) { return kFunctionBytes + function.rest().size(); }

  // A function with its reference count, its place in the table.
  static constexpr size_t kFunctionBytes = 176;

  std::unordered_map<Key, FunctionRef, Hash> table_;
  size_t bytes_ = 0;
  size_t sweep_at_ = 4096;
};

// What is known inside a piece of code, with the functions that its places name: [0] is the code's own.
struct CodeFacts {
  explicit CodeFacts(Bytes bytes) : detail(bytes) {}
  CodeDetail detail;
  DetailKind kind = DetailKind::kNone;
  std::vector<FunctionRef> functions;
};

class CodeMap {
 public:
  struct Entry {
    uint64_t length;
    FunctionRef function;
    bool bytecode;
    bool touched;
    std::shared_ptr<CodeFacts> facts;  // null: only the name is known
    bool suspect = false;              // nothing was mapped there
  };

  explicit CodeMap(size_t max_entries = kDefaultMaxEntries, size_t max_bytes = kDefaultMaxBytes)
      : max_entries_(max_entries), max_bytes_(max_bytes) {}

  void Add(uint64_t start, uint64_t length, FunctionRef function, bool bytecode, std::shared_ptr<CodeFacts> facts = nullptr);
  void Move(uint64_t from, uint64_t to);
  void Remove(uint64_t start);
  void Clear();

  // The entry that covers `address`, its start in `start`, or null. An address that is found nowhere is
  // looked up at its original when it lies in a copy of the builtins.
  const Entry* Find(uint64_t address, uint64_t* start);
  // The function of the code that begins at `start`, or null.
  FunctionRef FunctionAt(uint64_t start) const;

  // Code whose pages the system has taken back is dead; V8 does not say so, and a program that compiles all the time would fill the map
  // with it. In two steps, because samples taken and moves announced before `mapped` was read may still have to be applied: `Suspect`,
  // then, when they are, `DropSuspects`. What is added or moved in between is not suspect. Both return how many they found.
  size_t Suspect(const MappedRanges& mapped);
  size_t DropSuspects();

  // Addresses in [copy, copy + length) mean [original, original + length).
  void SetAlias(uint64_t copy, uint64_t original, uint64_t length);

  size_t size() const { return entries_.size(); }
  size_t bytes() const { return bytes_; }
  uint64_t evicted_by_overlap() const { return evicted_by_overlap_; }
  uint64_t evicted_by_bound() const { return evicted_by_bound_; }
  uint64_t evicted_as_dead() const { return evicted_as_dead_; }

  // The TypeScript compiler has some 10,000 entries. Names may be 4 KB long (regexps), so bytes are bounded, too: an entry counts
  // kEntryBytes (its node, its function and that one's place in the table) and its name.
  static constexpr size_t kDefaultMaxEntries = 400'000;
  static constexpr size_t kDefaultMaxBytes = 96 << 20;
  static constexpr size_t kEntryBytes = 288;
  static constexpr size_t kFactsBytes = 128;

 private:
  const Entry* FindExact(uint64_t address, uint64_t* start);
  void EvictOverlaps(uint64_t start, uint64_t end);
  void EnforceBound();

  using Entries = std::map<uint64_t, Entry>;
  Entries entries_;
  static size_t BytesOf(const Entry& entry) {
    return kEntryBytes + entry.function->rest().size() + (entry.facts ? kFactsBytes + entry.facts->detail.size() : 0);
  }
  Entries::iterator Erase(Entries::iterator it);

  size_t max_entries_;
  size_t max_bytes_;
  size_t bytes_ = 0;
  uint64_t alias_start_ = 0;
  uint64_t alias_length_ = 0;
  uint64_t alias_original_ = 0;
  uint64_t bound_cursor_ = 0;
  uint64_t evicted_by_overlap_ = 0;
  uint64_t evicted_by_bound_ = 0;
  uint64_t evicted_as_dead_ = 0;
};

}  // namespace strobe::v8
