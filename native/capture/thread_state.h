// Everything the handler needs about one sampled thread, and the table through which a signal finds it.
//
// Lifetime: states are never freed, they go back to a free list when their thread has ended and the collector has drained them (a signal
// may still be on its way). The signal carries a token, not a pointer: an index with a cookie, so that a foreign signal of the same number
// can't make us follow a wild address. A state answers only to its own thread: `tid` is compared with gettid().
//
// Who writes what
//   constant while registered   isolate, tid, cpu clock, max_depth, ring memory: written before `tid` is stored (release), read after it is
//                               loaded
//   handler (own thread)        last_cpu_ns, last_wall_ns, the counters, the ring's head, `pending` = 0
//   sampler thread              `pending` = 1 before it sends, never while it is 1: at most one signal of its own is on its way to a
//   thread;
//                               `idle_until_ns` and `idle_ticks`, only while `pending` is 0
//   registration / disarm       `armed`
//   collector                   the ring's tail; takes the lost counters by exchange
#pragma once

#include <atomic>
#include <cstdint>

#include "capture/record.h"
#include "capture/ring.h"
#include "capture/self_clock.h"
#include "v8/api.h"
#include "v8/layout.h"

namespace strobe::capture {

struct LabelSource;

struct ThreadState {
  // --- constant while registered ---
  uint32_t index = 0;
  v8api::Isolate* isolate = nullptr;
  void (*get_stack_sample)(v8api::Isolate*, const v8api::RegisterState&, void**, size_t, v8api::SampleInfo*) = nullptr;
  uint32_t max_depth = 0;
  const std::atomic<uint64_t>* code_events = nullptr;  // how many the isolate has published
  uint64_t stack_low = 0;                              // of the thread's own stack; both 0: not known
  uint64_t stack_high = 0;                             // its end
  const volatile uint32_t* core = nullptr;             // own_core.h; null: not known
  const v8::Layout* layout = nullptr;                  // null: not known, nothing of V8's heap is read
  void** gc_frames = nullptr;                          // room for max_depth + 1 addresses; null: no stacks of collections
  std::atomic<int32_t> tid{0};                         // 0: not registered

  // --- clock ---
  std::atomic<bool> armed{false};
  std::atomic<bool> in_handler{false};  // handler writes, before it looks at `armed` and behind its last word
  std::atomic<uint32_t> pending{0};
  std::atomic<uint64_t> last_cpu_ns{0};
  std::atomic<bool> cpu_recorded{true};   // CPU samples stand in the profile; whoever arms or switches modes writes
  std::atomic<uint64_t> armed_cpu_ns{0};  // the thread's clock when it was armed
  SelfClock self_clock;

  // --- wall time; CLOCK_MONOTONIC; see clock/wall_watch.h ---
  std::atomic<uint64_t> last_wall_ns{0};      // of the last wall sample, or when wall time began to be recorded
  std::atomic<uint64_t> wall_began_ns{0};     // whoever switches it on writes, 0: it is not recorded
  std::atomic<uint32_t> wall_runs{0};         // how often it was switched on, so that the collector knows a new beginning
  std::atomic<uint64_t> wall_cpu_ns{0};       // the thread's CPU clock when the handler of that sample was done; handler writes
  std::atomic<bool> stood_at_syscall{false};  // the last wall sample found the thread in a system call; handler writes
  // The thread was seen at this moment as the last wall sample left it: asleep, without any CPU in between.
  std::atomic<uint64_t> idle_until_ns{0};
  std::atomic<uint64_t> idle_ticks{0};
  // idle_until_ns when wall time was last switched off, and in which run that was; who switches it off writes. As it was when the run that
  // is on began: the collector may see all of a run, and its end, at once.
  std::atomic<uint64_t> wall_ended_idle_ns{0};
  std::atomic<uint32_t> wall_ended_run{0};
  std::atomic<uint64_t> wall_ended_seen_ns{0};  // from there on its time is `(unsampled)`
  std::atomic<uint64_t> wall_before_idle_ns{0};
  bool wall_lost = false;  // own thread only

  // --- labels; see label_source.h ---
  // Own thread writes: its JavaScript side. Cleared before the source is freed.
  std::atomic<LabelSource*> labels{nullptr};
  // The set that the thread inherits from who made it, where nothing else is current: generation << 32 | id. Any thread writes.
  std::atomic<uint64_t> inherited_labels{0};
  // The clock and the sum of sections at the last charge to a label. Whoever arms writes them, then the handler.
  std::atomic<uint64_t> charged_cpu_ns{0};
  std::atomic<uint64_t> charged_sections_ns{0};
  std::atomic<uint64_t> labels_refused{0};  // labels that failed a check; handler writes

  // --- counters, handler writes (relaxed) ---
  std::atomic<uint64_t> samples{0};  // CPU profile
  std::atomic<uint64_t> wall_samples{0};
  std::atomic<uint64_t> sampled_cpu_ns{0};
  std::atomic<uint64_t> kept_pending{0};  // woken from a wait without JavaScript: its CPU waits for the next sample
  std::atomic<uint64_t> handler_ns{0};
  std::atomic<uint64_t> signals{0};  // handlers that ran while the thread was armed
  std::atomic<uint64_t> lost_since_taken{0};
  std::atomic<uint64_t> lost_ns_since_taken{0};
  std::atomic<uint64_t> wall_lost_since_taken{0};
  std::atomic<uint64_t> wall_lost_ns_since_taken{0};
  // CPU behind the last sample when the thread was disarmed; whoever disarms writes it. Shown as `(unsampled)`.
  std::atomic<uint64_t> unsampled_ns_since_taken{0};
  std::atomic<uint64_t> wall_unsampled_ns_since_taken{0};

  // --- the stack of a collection's trigger; see gc_stack.h ---
  // Events published when the collection that runs now began; kNoGc: none runs. The collector applies no later event before it is over.
  static constexpr uint64_t kNoGc = ~uint64_t{0};
  std::atomic<uint64_t> gc_since{kNoGc};
  bool gc_announced = false;  // this V8 calls GcBegins and GcEnds; own thread writes
  uint32_t gc_depth = 0;      // collections within collections: V8 announces weak callbacks inside the one that found them
  uint32_t gc_frame_count = 0;
  uint32_t gc_type = 0;
  bool gc_walked = false;  // the frames are WalkedFrame (js_walk.h)
  SampleLabel gc_label;
  std::atomic<uint64_t> gc_ns{0};  // CPU of taking these stacks, nanoseconds

  Ring ring;
};

// Everything from `sp` to the end of the thread's own stack is mapped. False on another stack (WebAssembly's suspendable ones), between
// which and the thread's own nothing need be.
inline bool OnOwnStack(const ThreadState& state, uint64_t sp) { return sp >= state.stack_low && sp < state.stack_high; }

inline constexpr uint32_t kMaxThreads = 4096;

// Index -> state; a slot is filled once and stays. Read by the handler.
extern std::atomic<ThreadState*> g_thread_table[kMaxThreads];

// What the sampler wants of a sample.
struct Wanted {
  bool cpu = true;        // the CPU profile (and attribution) takes it
  bool wall = false;      // the wall profile does
  bool runnable = false;  // the thread was not running when the signal was sent, only ready to run
  bool by_timer = false;  // the thread's own timer fired (self_clock.h)
};

// The word that travels in the signal: cookie (32 bits) | index (29 bits) | Wanted (3 bits).
inline constexpr uint64_t kTokenCookie = uint64_t{0x73747262} << 32;  // "strb"
inline constexpr uint32_t kWantedBits = 3;

inline uint64_t MakeToken(uint32_t index, const Wanted& wanted) {
  return kTokenCookie | (uint64_t{index} << kWantedBits) | (wanted.wall ? 4 : 0) | (wanted.cpu ? 2 : 0) | (wanted.runnable ? 1 : 0);
}

inline ThreadState* FromToken(uint64_t token, Wanted* wanted) {
  const uint64_t index = (token & 0xffffffff) >> kWantedBits;
  if ((token & 0xffffffff00000000) != kTokenCookie || index >= kMaxThreads) return nullptr;
  wanted->wall = (token & 4) != 0;
  wanted->cpu = (token & 2) != 0;
  wanted->runnable = (token & 1) != 0;
  return g_thread_table[index].load(std::memory_order_acquire);
}

}  // namespace strobe::capture
