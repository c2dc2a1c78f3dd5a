#include "label/attribution.h"

#include <set>

namespace strobe::label {

namespace {

void AddAll(UseByThread* to, const UseByThread& from) {
  for (const auto& [thread, use] : from) (*to)[thread].Add(use);
}

void TakeOff(UseByThread* from, const UseByThread& part) {
  for (const auto& [thread, use] : part) {
    Use& left = (*from)[thread];
    left.sampled_ns -= use.sampled_ns;
    left.samples -= use.samples;
    left.exact.cpu_ns -= use.exact.cpu_ns;
    left.exact.wall_ns -= use.exact.wall_ns;
    left.exact.sections -= use.exact.sections;
  }
}

void MoveToEnded(UseByThread* uses, uint64_t thread) {
  const auto found = uses->find(thread);
  if (found == uses->end()) return;
  const Use use = found->second;
  uses->erase(found);
  (*uses)[0].Add(use);
}

UseByThread ExactOf(const ExactByThread& all) {
  UseByThread uses;
  for (const auto& [thread, exact] : all) uses[thread].exact = exact;
  return uses;
}

}  // namespace

void Attribution::AddSample(const LabelSet* set, bool evicted, uint64_t thread, uint64_t charged_ns) {
  std::lock_guard<std::mutex> lock(mutex_);
  UseByThread* uses = evicted ? &evicted_ : &unlabelled_;
  if (set != nullptr) uses = &living_[Id(set->id, set->generation)];
  Use& use = (*uses)[thread];
  use.sampled_ns += charged_ns;
  use.samples++;
}

void Attribution::Fold(const LabelSet& set) {
  std::lock_guard<std::mutex> lock(mutex_);
  // A set that waited for the collector since before the last Reset has the sections of an earlier run.
  UseByThread uses = set.exact_run == exact_run_ ? ExactOf(set.exact) : UseByThread{};
  if (const auto found = living_.find(Id(set.id, set.generation)); found != living_.end()) {
    AddAll(&uses, found->second);
    living_.erase(found);
  }
  if (uses.empty()) return;
  AddAll(&past_, uses);
  for (const auto& [key, value] : set.pairs) {
    PastKey& past = past_by_key_[key];
    const bool room = past.values.size() < kValuesAKey || past.values.count(value) != 0;
    AddAll(room ? &past.values[value] : &past.other, uses);
  }
}

void Attribution::ForgetThread(uint64_t thread) {
  std::lock_guard<std::mutex> lock(mutex_);
  MoveToEnded(&unlabelled_, thread);
  MoveToEnded(&evicted_, thread);
  MoveToEnded(&past_, thread);
  for (auto& [id, uses] : living_) MoveToEnded(&uses, thread);
  for (auto& [key, past] : past_by_key_) {
    MoveToEnded(&past.other, thread);
    for (auto& [value, uses] : past.values) MoveToEnded(&uses, thread);
  }
}

std::vector<Attribution::Row> Attribution::Read(const std::string& key, LabelTable* table) {
  std::lock_guard<std::mutex> lock(mutex_);
  std::map<std::string, UseByThread> values;
  UseByThread unlabelled = unlabelled_;
  UseByThread evicted = evicted_;
  UseByThread other;
  // Sets that carried the key or did not, and are gone.
  AddAll(&unlabelled, past_);
  if (const auto found = past_by_key_.find(key); found != past_by_key_.end()) {
    for (const auto& [value, uses] : found->second.values) {
      TakeOff(&unlabelled, uses);
      AddAll(&values[value], uses);
    }
    TakeOff(&unlabelled, found->second.other);
    other = found->second.other;
  }
  std::set<uint64_t> seen;
  table->ForEach([&](const LabelSet& set) {
    const auto sampled = living_.find(Id(set.id, set.generation));
    if (sampled != living_.end()) seen.insert(sampled->first);
    if (sampled == living_.end() && set.exact.empty()) return;
    UseByThread* to = &unlabelled;
    for (const auto& [name, value] : set.pairs) {
      if (name == key) to = &values[value];
    }
    AddAll(to, ExactOf(set.exact));
    if (sampled != living_.end()) AddAll(to, sampled->second);
  });
  const LabelTable::Loose loose = table->ReadLoose();
  AddAll(&unlabelled, ExactOf(loose.unlabelled));
  AddAll(&evicted, ExactOf(loose.evicted));
  // Evicted a moment ago, and not yet folded.
  for (const auto& [id, uses] : living_) {
    if (seen.count(id) == 0) AddAll(&evicted, uses);
  }
  std::vector<Row> rows;
  rows.reserve(values.size() + 3);
  for (auto& [value, uses] : values) rows.push_back({Whose::kValue, value, std::move(uses)});
  if (!other.empty()) rows.push_back({Whose::kOther, "", std::move(other)});
  if (!evicted.empty()) rows.push_back({Whose::kEvicted, "", std::move(evicted)});
  rows.push_back({Whose::kUnlabelled, "", std::move(unlabelled)});
  return rows;
}

void Attribution::Reset(LabelTable* table) {
  std::lock_guard<std::mutex> lock(mutex_);
  living_.clear();
  unlabelled_.clear();
  evicted_.clear();
  past_.clear();
  past_by_key_.clear();
  exact_run_ = table->ResetExact();
}

}  // namespace strobe::label
