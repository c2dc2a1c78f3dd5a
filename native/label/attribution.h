// What the CPU was used for, by label: the samples' share (charged by the handler to what it saw, summed here by the collector) and the
// measured sections (LabelTable). Answers `attribution({ by })`.
//
// Contract: the collector adds; any JavaScript thread reads (`Read`), which takes this object's lock, then the table's. The lock is also
// the collector's, for a few instructions a sample: a reader may have to wait for a thread of lower priority, the price of a call that is
// made now and then; nothing else on an application's thread takes it.
//
// Evicted sets: their sums go to each of their (key, value) pairs, up to a bound on values a key, beyond which they are `(other)`. So what
// is asked for later, by whatever key, has them.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "label/label_table.h"

namespace strobe::label {

struct Use {
  uint64_t sampled_ns = 0;
  uint64_t samples = 0;
  ExactUse exact;

  void Add(const Use& other) {
    sampled_ns += other.sampled_ns;
    samples += other.samples;
    exact.Add(other.exact);
  }
  bool empty() const { return sampled_ns == 0 && samples == 0 && exact.sections == 0; }
};

using UseByThread = std::unordered_map<uint64_t, Use>;  // by SampledThread::key; 0: threads that have ended

class Attribution {
 public:
  enum class Whose : uint8_t { kValue, kUnlabelled, kEvicted, kOther };
  struct Row {
    Whose whose;
    std::string value;
    UseByThread threads;
  };

  // Collector. `set` null: no label, or (`evicted`) one that is gone.
  void AddSample(const LabelSet* set, bool evicted, uint64_t thread, uint64_t charged_ns);
  // Collector: a set was evicted, nothing more will come for it.
  void Fold(const LabelSet& set);
  // Collector: the thread is drained for the last time.
  void ForgetThread(uint64_t thread);

  std::vector<Row> Read(const std::string& key, LabelTable* table);
  void Reset(LabelTable* table);

 private:
  static constexpr size_t kValuesAKey = 10'000;

  static uint64_t Id(uint32_t id, uint32_t generation) { return (uint64_t{generation} << 32) | id; }

  std::mutex mutex_;
  uint32_t exact_run_ = 0;
  std::unordered_map<uint64_t, UseByThread> living_;  // samples only; sections stand in the table
  UseByThread unlabelled_;
  UseByThread evicted_;
  // Of folded sets: all, and by key and value.
  UseByThread past_;
  struct PastKey {
    std::unordered_map<std::string, UseByThread> values;
    UseByThread other;
  };
  std::unordered_map<std::string, PastKey> past_by_key_;
};

}  // namespace strobe::label
