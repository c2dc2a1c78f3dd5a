// The process's table of user label sets: a set of (key, value) pairs <-> a small id with a generation, and what its work cost.
//
// Contract: `Intern` gives equal sets one id, on whatever thread. The table is bounded (sets, bytes); a new set then takes the place of one
// that nothing used for a while: its slot gets the next generation, so that a stale (id, generation) is recognised for ever and shown as
// evicted, never as another's. Nobody can know which sets are still held by work that waits; "used" is: interned again, entered again, or
// seen in a sample since the clock's hand last passed.
//
// Who does what
//   JavaScript threads   Intern, Pin, Unpin, AddExact: under `mutex_`, which no thread of a lower priority ever takes while it works (the
//                        collector is one: preempted with the lock it would stop the application)
//   collector            Find and what it returns, without a lock: an entry's strings never change, and only the collector frees entries
//   eviction             the slot's pointer is replaced, the old entry goes onto `retired_` (a stack of one exchange to take it whole);
//                        the collector takes and frees them between drains (`TakeRetired`), when it holds none. While no collector was ever
//                        started nobody reads: `Intern` frees them itself. One that does not get to run lets them pile up to a bound;
//                        beyond it Intern refuses (id 0, counted) rather than grow.
//   attribution          ForEach: under `mutex_`, over living entries
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace strobe::label {

using Pairs = std::vector<std::pair<std::string, std::string>>;

// CPU and wall time of sections that were measured from entry to exit, nested ones not among them.
struct ExactUse {
  uint64_t cpu_ns = 0;
  uint64_t wall_ns = 0;
  uint64_t sections = 0;

  void Add(const ExactUse& other) {
    cpu_ns += other.cpu_ns;
    wall_ns += other.wall_ns;
    sections += other.sections;
  }
};

using ExactByThread = std::unordered_map<uint64_t, ExactUse>;  // by SampledThread::key

struct LabelSet {
  uint32_t id = 0;
  uint32_t generation = 0;
  Pairs pairs;       // sorted by key
  std::string key;   // the pairs as one string, unambiguous
  size_t bytes = 0;  // all of it, roughly
  // Under LabelTable's mutex while the set is in the table, the collector's once it is retired.
  ExactByThread exact;
  uint32_t exact_run = 0;  // which `ResetExact` came before its retirement: what is older counts no more
  LabelSet* next_retired = nullptr;
};

struct LabelTableLimits {
  uint32_t sets = 1 << 16;  // ids; the first stands for "no label"
  size_t bytes = 32u << 20;
  size_t retired = 1 << 15;
  size_t retired_bytes = 32u << 20;
};

class LabelTable {
 public:
  explicit LabelTable(LabelTableLimits limits = {});
  static LabelTable& Get();

  // The id of the set, 0 when it can't be had (see above) or is empty. Any JavaScript thread.
  uint32_t Intern(Pairs pairs, uint32_t* generation);
  // A pinned set is not evicted: what a thread inherits stays its own. False when it is not there any more.
  bool Pin(uint32_t id, uint32_t generation);
  void Unpin(uint32_t id, uint32_t generation);
  // Of a set that was evicted, or of none: counted apart.
  void AddExact(uint32_t id, uint32_t generation, uint64_t thread, const ExactUse& use);

  // Collector only; valid until its next TakeRetired. Null: evicted.
  const LabelSet* Find(uint32_t id, uint32_t generation);
  // Collector only: `visit` each set that was evicted since; then they are freed.
  void TakeRetired(const std::function<void(const LabelSet&)>& visit);
  // Before the collector's first Find. `wake` is called with the lock held when evicted sets wait for a collector that sleeps.
  void CollectorStarts(std::function<void()> wake);

  // Calls `visit` for every living set. Any JavaScript thread; others' Intern and AddExact wait meanwhile.
  void ForEach(const std::function<void(const LabelSet&)>& visit);
  // Sections without labels, and with sets that were evicted or had no room.
  struct Loose {
    ExactByThread unlabelled;
    ExactByThread evicted;
  };
  Loose ReadLoose();
  // A thread that measured sections ends: its counters move to thread 0, so that a million Workers do not grow anything. On that thread.
  void ForgetThread(uint64_t thread);
  // Returns how often it was called: the `exact_run` of sets that count from here on.
  uint32_t ResetExact();

  // JavaScript reads and writes these in place. generations[id]: the living generation. used[id]: set to 1 by who uses the set.
  std::atomic<uint32_t>* generations() { return generations_; }
  std::atomic<uint8_t>* used() { return used_; }
  uint32_t capacity() const { return limits_.sets; }

  // Any thread.
  uint64_t live() const { return live_.load(std::memory_order_relaxed); }
  uint64_t evicted() const { return evicted_.load(std::memory_order_relaxed); }
  uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }
  uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  uint64_t retired() const { return retired_count_.load(std::memory_order_relaxed); }
  uint64_t retired_bytes() const { return retired_bytes_.load(std::memory_order_relaxed); }

 private:
  uint32_t TakeSlot(size_t bytes);
  bool EvictOne();
  void Retire(LabelSet* set);

  const LabelTableLimits limits_;
  std::mutex mutex_;
  std::unordered_map<std::string_view, uint32_t> by_key_;  // views of LabelSet::key
  std::vector<uint32_t> pins_;
  std::vector<uint32_t> free_;
  uint32_t made_ = 1;
  uint32_t hand_ = 0;
  uint32_t run_ = 0;
  Loose loose_;
  std::atomic<size_t> bytes_{0};  // written under mutex_
  size_t bytes_since_wake_ = 0;
  std::atomic<LabelSet*>* slots_;
  std::atomic<uint32_t>* generations_;
  std::atomic<uint8_t>* used_;

  std::atomic<LabelSet*> retired_{nullptr};
  std::atomic<size_t> retired_count_{0};
  std::atomic<size_t> retired_bytes_{0};
  std::atomic<bool> collector_{false};
  std::function<void()> wake_;
  std::atomic<uint64_t> live_{0};
  std::atomic<uint64_t> evicted_{0};
  std::atomic<uint64_t> refused_{0};
};

}  // namespace strobe::label
