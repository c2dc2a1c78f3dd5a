// Start, stop, and the registry of sampled threads; wires clock, capture, code events and collector.
//
// One profiler a process, a singleton that is never destroyed: process.exit() runs static destructors while signals still come. Every
// method may be called from any JavaScript thread; what touches an isolate (attaching, detaching code events) is done on that isolate's
// thread only.
//
// A JavaScript thread is registered once (`Join`), from then on V8 announces its code; it is sampled while the profiler runs. It leaves in
// `EnvironmentEnds`, called by its environment's cleanup hook, before its isolate is gone. Its state is reused after the collector's last
// drain.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "capture/label_source.h"
#include "clock/budget.h"
#include "clock/sampler.h"
#include "clock/signal_account.h"
#include "collector.h"
#include "probe/probe.h"

namespace strobe {

struct StartOptions {
  double frequency_hz = 100;
  clock::Modes modes;
  bool times = false;       // slices say when each sample was taken
  double budget_share = 0;  // of the process's CPU; 0: no limit
  uint32_t max_depth = 512;
  int exit_timeout_ms = 2000;
  bool handle_signals = true;
  std::string thread_name;
  int32_t thread_id = 0;
};

// What each part of Start cost the calling thread, nanoseconds.
struct StartTimings {
  uint64_t symbols_ns = 0;
  uint64_t threads_ns = 0;
  uint64_t enumerate_ns = 0;
  uint64_t total_ns = 0;
};

enum class StartResult { kStarted, kAlreadyRunning, kUnsupportedRuntime };

class Profiler {
 public:
  static Profiler& Get();

  StartResult Start(const StartOptions& options, StartTimings* timings, std::string* error);
  // The clock is disarmed; what was recorded can be taken. An ending signal still waits for the encoder, and nothing can be started, until
  // Release. False when it was not running.
  bool Stop();
  // The encoder is done, or will never be.
  void Release();
  // The application removed a handler of its own: an ending signal is for us again.
  void FollowSignals();
  // False when the runtime isn't supported, or every slot is taken (`error`).
  // `from_start`: nothing of the application ran on this thread before; what it used so far (Node's own start of it) is shown as
  // `(unsampled)`.
  bool Join(const std::string& name, int32_t node_thread_id, bool from_start, std::string* error);
  void NameThread(int32_t node_thread_id, const std::string& name);
  // On the environment's thread: the addon is loaded; its cleanup hook runs.
  void EnvironmentBegins();
  void EnvironmentEnds();
  void SetFrequency(double hz);
  // False when it is not running.
  bool SetModes(clock::Modes modes);
  void Disarm();
  // The process is about to end, and waits for the last profile: the other sampled threads, which may compute on, get the lowest priority,
  // so that ours, which run at a lower one than the application's, get there.
  void StepAside();
  bool running();
  // 1 while threads are sampled: JavaScript reads it before it asks for anything that is only counted then. Lives as long as the process.
  std::atomic<int32_t>* running_word() { return &running_word_; }

  // The encoder's side. `wake(reason)` is called on the collector's thread: 's' a slice waits, 'f' flush everything, the process is about
  // to end.
  void AttachEncoder(int32_t tid, std::function<void(char reason)> wake);
  void DetachEncoder(int32_t tid);
  // Waits up to `limit_ms` for a slice with everything recorded before the call; false when there is none: `slices` misses the end then.
  bool TakeSlices(int limit_ms, std::vector<std::unique_ptr<stack::Slice>>* slices);
  void Flushed() { collector_.FlushDone(); }

  // --- labels (profiler_labels.cc) ---
  // The calling thread's own, made at the first call; freed when its environment ends.
  capture::LabelSource* Labels();
  // What a thread that starts, or has just started, inherits from the one that made it.
  void InheritLabels(int32_t node_thread_id, const label::Pairs& pairs);
  label::Pairs InheritedLabels(int32_t node_thread_id);
  struct AttributedThread {
    int32_t tid;  // 0: threads that have ended
    std::string name;
    label::Use use;
  };
  struct AttributedRow {
    label::Attribution::Whose whose;
    std::string value;
    std::vector<AttributedThread> threads;
  };
  std::vector<AttributedRow> ReadAttribution(const std::string& key);

  struct ThreadStats {
    int32_t tid;
    std::string name;
    uint64_t samples;
    uint64_t cpu_ns;  // CPU that its samples stand for
  };
  struct Stats {
    bool running = false;
    std::vector<ThreadStats> threads;
    double frequency_hz = 0;
    double asked_hz = 0;
    clock::Modes modes;
    bool batches_idle = true;  // sleeping threads need no signals in wall mode
    uint64_t samples = 0;
    uint64_t wall_samples = 0;
    uint64_t sampled_cpu_ns = 0;
    uint64_t handler_ns = 0;
    uint64_t signal_ns = 0;  // delivering the signals and returning from them, estimated
    uint64_t code_event_ns = 0;
    uint64_t gc_ns = 0;
    uint64_t labels_refused = 0;     // labels that failed a check when a sample read them
    uint64_t details = 0;            // code objects whose lines and inlined functions were read
    uint64_t details_refused = 0;    // … whose heap objects failed a check
    uint64_t without_positions = 0;  // bytecode compiled without positions, before the profiler came
    std::string lines_off;           // why no lines are read; '' when they are
    bool gc_stacks = false;
    uint32_t self_clocked = 0;  // threads whose own timer asks for their samples now
    uint64_t sampler_ns = 0;
    uint64_t sampler_wakeups = 0;
    uint64_t encoder_ns = 0;
    bool signal_taken = false;
    uint64_t ring_bytes = 0;       // of all rings ever made: resident as far as they were used
    uint64_t signals_refused = 0;  // in a row
    int refused_errno = 0;
  };
  Stats ReadStats();
  const CollectorCounters& counters() const { return collector_.counters(); }
  // What delivering a signal costs, on the encoder's thread: where it is not known yet; `again` for the mean, and only when there were
  // enough signals since that it matters. False: not measured.
  bool MeasureSignals(bool again);
  bool KnownKind(int32_t tid, probe::ThreadKind* kind);

 private:
  // 250 ms of 50-frame stacks at 1 kHz before it is half full; resident only as far as it was used.
  static constexpr uint32_t kRingBytes = 256 * 1024;

  Profiler();

  SampledThread* FindCurrent();
  SampledThread* JoinLocked(const std::string& name, int32_t node_thread_id, std::string* error);
  bool Attach(SampledThread* thread);
  void Detach(SampledThread* thread);
  void Arm(SampledThread* thread);
  // --- modes, rate, budget (profiler_modes.cc) ---
  static void BeginWall(capture::ThreadState* state);
  static void EndWall(capture::ThreadState* state);
  static void SetCpuRecorded(capture::ThreadState* state, bool record);
  // What the thread used since its last sample, when no further one will come: a Worker that lived for less than a period, the end of a
  // run.
  static void CountUnsampled(capture::ThreadState* state);
  clock::Budget::Totals CostSoFar(uint64_t now_ns);
  void StepBudget(uint64_t now_ns);
  capture::ThreadState* TakeState();
  void CountEnded(const SampledThread& thread);
  void OnDrained(SampledThread* thread);
  void DisarmAll();
  void ThreadEnds();
  static capture::LabelSource* OwnLabels();  // null before the calling thread's first use
  void BindLabels(SampledThread* thread);
  void UnbindLabels(SampledThread* thread);

  std::mutex mutex_;  // registry and running state; never taken by the collector or the sampler while they hold their own
  std::vector<SampledThread*> threads_;
  bool running_ = false;
  std::atomic<int32_t> running_word_{0};  // 1 from the start until threads are disarmed; needs no lock
  bool stopping_ = false;                 // between Stop and Release
  bool handle_signals_ = false;
  int32_t owner_tid_ = 0;
  uint32_t max_depth_ = 512;
  clock::Modes modes_;
  double asked_hz_ = 0;
  clock::Budget budget_;
  double budget_share_ = 0;
  std::atomic<bool> has_budget_{false};
  bool budget_begun_ = false;
  uint64_t started_ns_ = 0;
  uint64_t next_budget_step_ns_ = 0;
  uint64_t next_key_ = 1;
  // Names that came before their thread: Node's thread id -> name.
  std::unordered_map<int32_t, std::string> names_to_come_;
  struct Inherited {
    label::Pairs pairs;
    uint32_t id;
    uint32_t generation;
  };
  std::unordered_map<int32_t, Inherited> inherited_;

  std::mutex states_mutex_;
  std::vector<capture::ThreadState*> free_states_;
  uint32_t states_made_ = 0;
  // Of threads that ended, so that totals don't shrink.
  uint64_t ended_samples_ = 0;
  uint64_t ended_wall_samples_ = 0;
  uint64_t ended_cpu_ns_ = 0;
  uint64_t ended_handler_ns_ = 0;
  uint64_t ended_signals_ = 0;
  uint64_t ended_fired_ = 0;
  uint64_t ended_spread_ = 0;
  uint64_t ended_code_event_ns_ = 0;
  uint64_t ended_gc_ns_ = 0;
  uint64_t ended_labels_refused_ = 0;
  uint64_t ended_details_ = 0;
  uint64_t ended_refused_ = 0;

  // Under mutex_.
  clock::SignalAccount sent_signals_;
  clock::SignalAccount fired_signals_;
  clock::SignalAccount spread_signals_;
  struct SignalCounts {
    uint64_t sent = 0;    // by the sampler
    uint64_t fired = 0;   // by threads' own timers
    uint64_t spread = 0;  // of both: SampledThread::spread_samples
  };
  SignalCounts CountSignals();

  std::mutex encoder_mutex_;
  bool encoder_comes_ = false;  // started, and has not attached itself yet
  int32_t encoder_tid_ = 0;
  std::function<void(char)> encoder_wake_;
  uint64_t ended_encoder_ns_ = 0;

  clock::Sampler sampler_;
  Collector collector_;
};

}  // namespace strobe
