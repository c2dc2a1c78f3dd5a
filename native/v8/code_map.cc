#include "v8/code_map.h"

namespace strobe::v8 {

FunctionRef FunctionTable::Intern(const CodeIdentity& identity) {
  const auto found = table_.find(Key{identity.rest, identity.kind});
  if (found != table_.end()) return found->second;
  auto function = std::make_shared<Function>(std::string(identity.rest), identity.kind, identity.role);
  table_.emplace(Key{function->rest(), identity.kind}, function);
  bytes_ += BytesOf(*function);
  if (table_.size() >= sweep_at_) Sweep();
  return function;
}

void FunctionTable::Sweep() {
  for (auto it = table_.begin(); it != table_.end();) {
    // The key's view points into the function, which dies with the node.
    if (it->second.use_count() == 1) {
      bytes_ -= BytesOf(*it->second);
      it = table_.erase(it);
    } else {
      ++it;
    }
  }
  // The next walk when the table doubled: its cost stays a small part of what filled it.
  sweep_at_ = table_.size() * 2 < 4096 ? 4096 : table_.size() * 2;
}

CodeMap::Entries::iterator CodeMap::Erase(Entries::iterator it) {
  bytes_ -= BytesOf(it->second);
  return entries_.erase(it);
}

void CodeMap::EvictOverlaps(uint64_t start, uint64_t end) {
  auto it = entries_.upper_bound(start);
  if (it != entries_.begin()) {
    auto before = std::prev(it);
    if (before->first + before->second.length > start) {
      Erase(before);
      evicted_by_overlap_++;
    }
  }
  while (it != entries_.end() && it->first < end) {
    it = Erase(it);
    evicted_by_overlap_++;
  }
}

void CodeMap::Add(uint64_t start, uint64_t length, FunctionRef function, bool bytecode, std::shared_ptr<CodeFacts> facts) {
  if (length == 0) return;
  EvictOverlaps(start, start + length);
  Entry entry{length, std::move(function), bytecode, true, std::move(facts), false};
  bytes_ += BytesOf(entry);
  entries_.insert_or_assign(start, std::move(entry));
  if (entries_.size() > max_entries_ || bytes_ > max_bytes_) EnforceBound();
}

void CodeMap::Move(uint64_t from, uint64_t to) {
  if (from == to) return;
  const auto it = entries_.find(from);
  if (it == entries_.end()) {
    // Something unknown lies at `to` now; what was known there is gone.
    EvictOverlaps(to, to + 1);
    return;
  }
  Entry entry = it->second;
  Erase(it);
  entry.suspect = false;
  EvictOverlaps(to, to + entry.length);
  bytes_ += BytesOf(entry);
  entries_.insert_or_assign(to, std::move(entry));
}

void CodeMap::Remove(uint64_t start) {
  const auto it = entries_.find(start);
  if (it != entries_.end()) Erase(it);
}

void CodeMap::Clear() {
  entries_.clear();
  bytes_ = 0;
}

const CodeMap::Entry* CodeMap::FindExact(uint64_t address, uint64_t* start) {
  auto it = entries_.upper_bound(address);
  if (it == entries_.begin()) return nullptr;
  --it;
  if (address - it->first >= it->second.length) return nullptr;
  it->second.touched = true;
  *start = it->first;
  return &it->second;
}

const CodeMap::Entry* CodeMap::Find(uint64_t address, uint64_t* start) {
  const Entry* entry = FindExact(address, start);
  if (entry == nullptr && address - alias_start_ < alias_length_) entry = FindExact(address - alias_start_ + alias_original_, start);
  return entry;
}

FunctionRef CodeMap::FunctionAt(uint64_t start) const {
  const auto it = entries_.find(start);
  return it == entries_.end() ? nullptr : it->second.function;
}

void CodeMap::SetAlias(uint64_t copy, uint64_t original, uint64_t length) {
  alias_start_ = copy;
  alias_original_ = original;
  alias_length_ = length;
}

size_t CodeMap::Suspect(const MappedRanges& mapped) {
  size_t found = 0;
  for (auto& [start, entry] : entries_) {
    entry.suspect = !mapped.Touches(start, start + entry.length);
    found += entry.suspect ? 1 : 0;
  }
  return found;
}

size_t CodeMap::DropSuspects() {
  size_t dropped = 0;
  for (auto it = entries_.begin(); it != entries_.end();) {
    if (it->second.suspect) {
      it = Erase(it);
      dropped++;
    } else {
      ++it;
    }
  }
  evicted_as_dead_ += dropped;
  return dropped;
}

void CodeMap::EnforceBound() {
  // Second chance: walks on from where the last one stopped, takes the mark off what was touched, drops what was not, until a tenth is
  // free.
  const size_t target = max_entries_ - max_entries_ / 10;
  const size_t target_bytes = max_bytes_ - max_bytes_ / 10;
  size_t looked = 0;
  const size_t most = entries_.size() * 2;
  auto it = entries_.lower_bound(bound_cursor_);
  while ((entries_.size() > target || bytes_ > target_bytes) && !entries_.empty() && looked++ < most) {
    if (it == entries_.end()) it = entries_.begin();
    if (it->second.touched || it->second.function->kind() == FunctionKind::kBuiltin) {
      it->second.touched = false;
      ++it;
    } else {
      it = Erase(it);
      evicted_by_bound_++;
    }
  }
  bound_cursor_ = it == entries_.end() ? 0 : it->first;
}

}  // namespace strobe::v8
