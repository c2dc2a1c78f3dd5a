// The collector: one thread a process that drains every ring, applies code events in order, folds stacks into the trie and cuts slices.
//
// Order of a drain, for each sampled thread: (1) read how many code events are published, E; (2) read `gc_since`, the number at which a
// collection began that runs now, G; (3) read the ring's head, H; (4) for each sample before H apply the events up to the number that the
// sample carries, then resolve it; (5) apply events up to E, or up to G while a collection runs. No event is applied too early, because a
// sample behind H carries at least that number: outside of collections V8 publishes no event between a sample's reading of the number and
// its writing, and it read it after (1). Inside a collection it carries G; one that began after (1) has G >= E; one that runs at (2) holds
// (5) back; one that was over at (2) wrote all its samples before H. Hence the map needs no history.
//
// Sleep: while samples come it naps and looks again; a handler wakes it early when a ring is half full. After two quiet naps it declares
// itself asleep, looks once more, and waits without limit until a handler, a request or a signal rings.
//
// Requests: `CutNow` blocks its caller (the encoder's thread) until a slice holds everything recorded before the call. `Flush` is the last
// act before a signal ends the process: see lifecycle.h.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "capture/record.h"
#include "capture/thread_state.h"
#include "clock/code_spread.h"
#include "label/attribution.h"
#include "label/label_table.h"
#include "resolver.h"
#include "stack/slice.h"
#include "stack/slice_builder.h"
#include "v8/code_events.h"
#include "v8/code_map.h"
#include "wall_ledger.h"

namespace strobe {

// Lowers the calling thread's priority (nice): where cores are short, the application's threads go first. For our threads that work in
// bursts.
void YieldToApplication();

// One registered JavaScript thread: what the registry, the handler's state and the collector share of it.
struct SampledThread {
  uint64_t key = 0;  // unique in this process; tids are recycled
  capture::ThreadState* state = nullptr;
  int32_t tid = 0;
  int32_t node_thread_id = 0;
  v8::CodeEventQueue events;
  std::atomic<bool> ended{false};

  // Under Collector::threads_mutex_.
  std::string name;
  uint64_t late = 0;           // samples lost before the latest run began, not counted yet
  uint32_t late_wall_run = 0;  // ThreadState::wall_ended_run at that moment

  // CPU samples, each as many as its thread's work was spread (clock/code_spread.h), in units of 1 / kSpreadUnits. The collector writes,
  // anybody reads.
  static constexpr uint64_t kSpreadUnits = 1024;
  std::atomic<uint64_t> spread_samples{0};

  // Collector thread only.
  clock::CodeSpread spread;
  ThreadCode code;
  WallLedger wall;
  struct {
    size_t look_at = kFirstLook;  // entries of the map
    bool suspected = false;
    uint64_t events = 0;  // published when the suspects were found
  } dead_code;

  // Some 6 MB of entries.
  static constexpr size_t kFirstLook = 1 << 14;

  // Registry only (under Profiler's mutex).
  bool code_attached = false;
  bool gc_attached = false;
};

struct CollectorCounters {
  std::atomic<uint64_t> samples{0};  // CPU profile
  std::atomic<uint64_t> lost{0};
  std::atomic<uint64_t> wall_samples{0};
  std::atomic<uint64_t> wall_lost{0};
  std::atomic<uint64_t> truncated{0};
  std::atomic<uint64_t> frames{0};
  std::atomic<uint64_t> unresolved_frames{0};
  std::atomic<uint64_t> mended{0};          // callers put back that V8's stack had lost
  std::atomic<uint64_t> gc_samples{0};      // samples inside collections
  std::atomic<uint64_t> gc_with_stack{0};   // … that have the stack of the trigger
  std::atomic<uint64_t> labelled{0};        // samples that carry labels or a span
  std::atomic<uint64_t> evicted_labels{0};  // … whose label set was gone
  std::atomic<uint64_t> dropped_slices{0};
  std::atomic<uint64_t> late{0};  // CPU samples, wall samples and lost ones of a run that had ended when they were read: in no profile
  std::atomic<uint64_t> code_events{0};
  std::atomic<uint64_t> code_entries{0};
  std::atomic<uint64_t> evicted_overlap{0};
  std::atomic<uint64_t> evicted_bound{0};
  std::atomic<uint64_t> evicted_dead{0};
  std::atomic<uint64_t> code_resets{0};
  // Bytes, as of the last drain.
  std::atomic<uint64_t> code_bytes{0};
  std::atomic<uint64_t> name_bytes{0};
  std::atomic<uint64_t> script_url_bytes{0};
  std::atomic<uint64_t> slice_bytes{0};
  std::atomic<uint64_t> wakeups{0};
  std::atomic<uint64_t> cpu_ns{0};
};

class Collector {
 public:
  // `on_drained`: a thread that ended was drained for the last time; its state may be used again. Called on the collector's thread.
  explicit Collector(std::function<void(SampledThread*)> on_drained) : on_drained_(std::move(on_drained)) {}

  // Starts the thread at the first call; it lives as long as the process and sleeps when there is nothing to do.
  // False when no thread can be made; may be tried again.
  bool EnsureStarted();
  void Add(SampledThread* thread);
  void Rename(int32_t node_thread_id, const std::string& name);
  // Any thread.
  void Wake();

  // From now on; `why` stands in the profile.
  void SetFrequency(double hz, stack::RateReason why);
  // Slices say when each sample was taken.
  void RecordTimes(bool record) { record_times_.store(record); }
  // Called on the collector's thread when it is awake, without any of its locks held. Set before EnsureStarted.
  void SetHousekeeping(std::function<void(uint64_t now_ns)> work) { housekeeping_ = std::move(work); }
  // A run begins, no thread is armed: times of the next slice count from here on, and what an earlier run left behind is in no slice any
  // more.
  void MarkStart();

  // Cuts and returns when everything recorded before the call is in a finished slice; false after `timeout_ms`.
  bool CutNow(int timeout_ms);
  std::vector<std::unique_ptr<stack::Slice>> TakeSlices();
  // Called on the collector's thread when a slice was cut on its own account.
  void SetSliceListener(std::function<void()> listener);

  // A signal wants to end the process: cut, then `deliver` (asks the encoder; again and again while it is only starting), then wait for
  // FlushDone or the limit, then `end`.
  enum class Delivery : uint8_t { kAsked, kNobody, kNotYet };
  struct FlushHooks {
    std::function<bool()> wanted;  // checked at every wake-up
    std::function<Delivery()> deliver;
    std::function<void()> disarm;
    std::function<void()> end;
  };
  void SetFlushHooks(FlushHooks hooks, int timeout_ms);
  void FlushDone() {
    flush_done_.store(true);
    Wake();
  }

  const CollectorCounters& counters() const { return counters_; }
  label::Attribution& attribution() { return attribution_; }

  // Unit tests: one drain on the calling thread instead of the collector's own.
  bool DrainForTest() { return Drain(); }
  std::unique_ptr<stack::Slice> CutForTest() {
    FollowRun();
    AddSleepers();
    return builder_.Cut();
  }

 private:
  void Run();
  bool Drain();
  bool DrainThread(SampledThread* thread);
  bool DropDeadCode(SampledThread* thread);
  void FindDeadCode();
  void ApplyEvents(SampledThread* thread, uint64_t limit);
  void Resolve(SampledThread* thread, const capture::SampleRecord& record, const uint64_t* frames);
  uint32_t ThreadRow(SampledThread* thread);
  uint32_t LabelRow(const capture::SampleLabel& label);
  void Attribute(SampledThread* thread, const capture::SampleRecord& record);
  void Begin();
  void AddLost(SampledThread* thread, uint8_t mode, uint64_t lost, uint64_t ns);
  void AddUnsampled(SampledThread* thread, uint8_t mode, uint64_t ns);
  // --- wall time (collector_wall.cc) ---
  static constexpr uint8_t kWallMode = 1;
  void AddWall(SampledThread* thread, const capture::SampleRecord& record, const std::vector<stack::Frame>& frames, stack::GcKind gc);
  void AddIdle(SampledThread* thread, uint64_t until_ns, uint64_t ticks);
  void AddWallRow(SampledThread* thread, uint32_t count, uint64_t ns, uint64_t time_ns);
  void AddSleepers();
  bool TakeLostWall(SampledThread* thread);
  static void LoseStack(WallLedger* wall);
  void CutSlice();
  void FollowRun();
  void DropLate(SampledThread* thread);
  void StepFlush(uint64_t now_ns);
  void Sleep(bool worked);
  bool SomethingWaits();

  std::function<void(SampledThread*)> on_drained_;
  std::mutex start_mutex_;
  bool started_ = false;

  std::mutex threads_mutex_;
  std::vector<SampledThread*> threads_;

  std::mutex slices_mutex_;
  std::condition_variable cut_done_;
  std::deque<std::unique_ptr<stack::Slice>> slices_;
  std::atomic<uint64_t> cuts_wanted_{0};
  uint64_t cuts_made_ = 0;  // under slices_mutex_
  // Runs begun, and when the latest did; written under slices_mutex_, the time first.
  std::atomic<uint64_t> runs_{0};
  std::atomic<uint64_t> run_start_ns_{0};
  std::function<void()> slice_listener_;

  std::mutex flush_mutex_;
  FlushHooks flush_hooks_;
  int flush_timeout_ms_ = 2000;
  std::atomic<bool> flush_done_{false};
  bool flushing_ = false;
  bool flush_asked_ = false;
  bool flush_ended_ = false;
  uint64_t flush_deadline_ns_ = 0;

  label::LabelTable& labels_ = label::LabelTable::Get();
  label::Attribution attribution_;

  // Collector thread only.
  uint64_t run_ = 0;  // the one that builder_ is about
  stack::SliceBuilder builder_;
  v8::FunctionTable functions_;
  Resolver resolver_;
  // Of maps whose threads ended.
  uint64_t ended_overlap_ = 0;
  uint64_t ended_bound_ = 0;
  uint64_t ended_dead_ = 0;
  bool names_freed_ = false;
  size_t waiting_nodes_ = 0;  // in finished slices, under slices_mutex_
  int quiet_rounds_ = 0;
  uint32_t slice_number_ = 0;
  std::atomic<double> slice_start_unix_ms_{0};
  uint64_t builder_since_ns_ = 0;

  std::mutex rates_mutex_;
  double frequency_hz_ = 100;
  std::vector<stack::RateChange> rate_changes_;  // of the slice in the making
  std::atomic<bool> record_times_{false};
  std::atomic<bool> low_rate_{false};
  std::function<void(uint64_t)> housekeeping_;
  CollectorCounters counters_;
};

}  // namespace strobe
