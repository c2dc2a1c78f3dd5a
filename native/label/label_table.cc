#include "label/label_table.h"

#include <algorithm>
#include <cstdlib>

namespace strobe::label {

namespace {

// What a set takes besides its text, roughly: the entry, its place in the index, two strings a pair.
constexpr size_t kEntryBytes = 256;
constexpr size_t kPairBytes = 2 * sizeof(std::string);
// So many evicted sets are worth the collector's time when nothing else wakes it.
constexpr size_t kWakeEvery = 1024;
constexpr size_t kWakeEveryBytes = 4u << 20;

// Pages that are touched only as far as ids were given out.
template <typename T>
T* ZeroPages(uint32_t count) {
  void* memory = std::calloc(count, sizeof(T));
  if (memory == nullptr) std::abort();
  return static_cast<T*>(memory);
}

std::string KeyOf(const Pairs& pairs) {
  std::string key;
  const auto add = [&key](const std::string& text) {
    key += std::to_string(text.size());
    key += ':';
    key += text;
  };
  for (const auto& [name, value] : pairs) {
    add(name);
    add(value);
  }
  return key;
}

size_t BytesOf(const LabelSet& set) {
  size_t bytes = kEntryBytes + set.key.size();
  for (const auto& [name, value] : set.pairs) bytes += kPairBytes + name.size() + value.size();
  return bytes;
}

void MoveToEnded(ExactByThread* uses, uint64_t thread) {
  const auto found = uses->find(thread);
  if (found == uses->end()) return;
  const ExactUse use = found->second;
  uses->erase(found);
  (*uses)[0].Add(use);
}

}  // namespace

LabelTable::LabelTable(LabelTableLimits limits)
    : limits_(limits),
      pins_(limits.sets, 0),
      slots_(ZeroPages<std::atomic<LabelSet*>>(limits.sets)),
      generations_(ZeroPages<std::atomic<uint32_t>>(limits.sets)),
      used_(ZeroPages<std::atomic<uint8_t>>(limits.sets)) {}

LabelTable& LabelTable::Get() {
  // Never destroyed: process.exit() runs static destructors while signals still come.
  static auto* table = new LabelTable;
  return *table;
}

uint32_t LabelTable::Intern(Pairs pairs, uint32_t* generation) {
  *generation = 0;
  if (pairs.empty()) return 0;
  std::sort(pairs.begin(), pairs.end());
  std::string key = KeyOf(pairs);
  std::lock_guard<std::mutex> lock(mutex_);
  if (const auto known = by_key_.find(key); known != by_key_.end()) {
    const uint32_t id = known->second;
    used_[id].store(1, std::memory_order_relaxed);
    *generation = generations_[id].load(std::memory_order_relaxed);
    return id;
  }
  auto* set = new LabelSet;
  set->pairs = std::move(pairs);
  set->key = std::move(key);
  set->bytes = BytesOf(*set);
  const uint32_t id = TakeSlot(set->bytes);
  if (id == 0) {
    delete set;
    refused_.fetch_add(1, std::memory_order_relaxed);
    return 0;
  }
  bytes_ += set->bytes;
  set->id = id;
  set->generation = generations_[id].load(std::memory_order_relaxed) + 1;
  // 0 is "no label" to everybody who compares.
  if (set->generation == 0) set->generation = 1;
  *generation = set->generation;
  generations_[id].store(set->generation, std::memory_order_relaxed);
  used_[id].store(1, std::memory_order_relaxed);
  by_key_.emplace(set->key, id);
  slots_[id].store(set, std::memory_order_release);
  live_.fetch_add(1, std::memory_order_relaxed);
  return id;
}

uint32_t LabelTable::TakeSlot(size_t bytes) {
  // Not even alone: nobody else's set has to go for it.
  if (bytes > limits_.bytes) return 0;
  while (bytes_ + bytes > limits_.bytes || (free_.empty() && made_ == limits_.sets)) {
    if (!EvictOne()) return 0;
  }
  if (free_.empty()) return made_++;
  const uint32_t id = free_.back();
  free_.pop_back();
  return id;
}

bool LabelTable::EvictOne() {
  if (retired_count_.load(std::memory_order_relaxed) >= limits_.retired ||
      retired_bytes_.load(std::memory_order_relaxed) >= limits_.retired_bytes) {
    return false;
  }
  // Two rounds: the first may only take marks away.
  for (uint64_t step = 0; step < uint64_t{2} * made_; step++) {
    hand_ = hand_ + 1 < made_ ? hand_ + 1 : 1;
    if (hand_ >= made_) return false;
    LabelSet* set = slots_[hand_].load(std::memory_order_relaxed);
    if (set == nullptr || pins_[hand_] != 0) continue;
    if (used_[hand_].load(std::memory_order_relaxed) != 0) {
      used_[hand_].store(0, std::memory_order_relaxed);
      continue;
    }
    by_key_.erase(set->key);
    bytes_ -= set->bytes;
    slots_[hand_].store(nullptr, std::memory_order_release);
    // Stale from here on, also for JavaScript that compares before it uses an id again.
    generations_[hand_].fetch_add(1, std::memory_order_relaxed);
    free_.push_back(hand_);
    live_.fetch_sub(1, std::memory_order_relaxed);
    evicted_.fetch_add(1, std::memory_order_relaxed);
    Retire(set);
    return true;
  }
  return false;
}

void LabelTable::Retire(LabelSet* set) {
  if (!collector_.load(std::memory_order_acquire)) {
    delete set;
    return;
  }
  const size_t waiting = retired_count_.fetch_add(1, std::memory_order_relaxed) + 1;
  retired_bytes_.fetch_add(set->bytes, std::memory_order_relaxed);
  bytes_since_wake_ += set->bytes;
  set->exact_run = run_;
  set->next_retired = retired_.load(std::memory_order_relaxed);
  // One pusher at a time (the mutex); the collector takes all at once, so there is no node that could come back under us.
  while (!retired_.compare_exchange_weak(set->next_retired, set, std::memory_order_release, std::memory_order_relaxed)) {
  }
  if (waiting % kWakeEvery != 0 && bytes_since_wake_ < kWakeEveryBytes) return;
  bytes_since_wake_ = 0;
  if (wake_) wake_();
}

void LabelTable::TakeRetired(const std::function<void(const LabelSet&)>& visit) {
  if (retired_.load(std::memory_order_relaxed) == nullptr) return;
  LabelSet* set = retired_.exchange(nullptr, std::memory_order_acquire);
  while (set != nullptr) {
    LabelSet* next = set->next_retired;
    visit(*set);
    retired_bytes_.fetch_sub(set->bytes, std::memory_order_relaxed);
    delete set;
    retired_count_.fetch_sub(1, std::memory_order_relaxed);
    set = next;
  }
}

void LabelTable::CollectorStarts(std::function<void()> wake) {
  // Under the lock: an eviction that is on its way has freed its set before anybody looks.
  std::lock_guard<std::mutex> lock(mutex_);
  wake_ = std::move(wake);
  collector_.store(true, std::memory_order_release);
}

const LabelSet* LabelTable::Find(uint32_t id, uint32_t generation) {
  if (id == 0 || id >= limits_.sets) return nullptr;
  const LabelSet* set = slots_[id].load(std::memory_order_acquire);
  if (set == nullptr || set->generation != generation) return nullptr;
  used_[id].store(1, std::memory_order_relaxed);
  return set;
}

bool LabelTable::Pin(uint32_t id, uint32_t generation) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (id == 0 || id >= limits_.sets || slots_[id].load(std::memory_order_relaxed) == nullptr ||
      generations_[id].load(std::memory_order_relaxed) != generation) {
    return false;
  }
  pins_[id]++;
  return true;
}

void LabelTable::Unpin(uint32_t id, uint32_t generation) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (id == 0 || id >= limits_.sets || generations_[id].load(std::memory_order_relaxed) != generation) return;
  if (pins_[id] != 0) pins_[id]--;
}

void LabelTable::AddExact(uint32_t id, uint32_t generation, uint64_t thread, const ExactUse& use) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (id == 0) {
    loose_.unlabelled[thread].Add(use);
    return;
  }
  LabelSet* set = id < limits_.sets ? slots_[id].load(std::memory_order_relaxed) : nullptr;
  if (set == nullptr || set->generation != generation) {
    loose_.evicted[thread].Add(use);
    return;
  }
  used_[id].store(1, std::memory_order_relaxed);
  set->exact[thread].Add(use);
}

LabelTable::Loose LabelTable::ReadLoose() {
  std::lock_guard<std::mutex> lock(mutex_);
  return loose_;
}

void LabelTable::ForEach(const std::function<void(const LabelSet&)>& visit) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (uint32_t id = 1; id < made_; id++) {
    if (const LabelSet* set = slots_[id].load(std::memory_order_relaxed)) visit(*set);
  }
}

void LabelTable::ForgetThread(uint64_t thread) {
  std::lock_guard<std::mutex> lock(mutex_);
  MoveToEnded(&loose_.unlabelled, thread);
  MoveToEnded(&loose_.evicted, thread);
  for (uint32_t id = 1; id < made_; id++) {
    if (LabelSet* set = slots_[id].load(std::memory_order_relaxed)) MoveToEnded(&set->exact, thread);
  }
}

size_t LabelTable::bytes() {
  std::lock_guard<std::mutex> lock(mutex_);
  return bytes_;
}

uint32_t LabelTable::ResetExact() {
  std::lock_guard<std::mutex> lock(mutex_);
  loose_ = {};
  for (uint32_t id = 1; id < made_; id++) {
    if (LabelSet* set = slots_[id].load(std::memory_order_relaxed)) set->exact.clear();
  }
  return ++run_;
}

}  // namespace strobe::label
