// Takes one sample of the calling thread: registers -> frames -> ring. No platform in here: the platform's trigger fills `Registers`.
//
// Contract: runs in a signal handler on the thread that `state` belongs to. It reads clocks, V8's stack through GetStackSample (which reads
// the stack and checks each step; async-signal-safe, V8's own profiler calls it from its handler), writes the ring, may wake the collector
// with one futex call. It takes no lock, allocates nothing, calls nothing else. `last_cpu_ns` advances with every sample, also with one
// that the ring had no room for: its CPU goes to the lost counters, so that no later stack inherits it. Wall time likewise, with
// `last_wall_ns`. One record serves both profiles; each has its own clock and its own last sample.
#pragma once

#include <cstdint>

#include "capture/record.h"
#include "capture/thread_state.h"

namespace strobe::capture {

// Where the interrupted code stood, as far as the platform can tell.
enum class AtSyscall : uint8_t {
  kNo,
  kSyscall,  // in or right behind a system call
  kWait,     // in or right behind one that waits (epoll, poll, sleep, futex)
};

struct Registers {
  void* pc = nullptr;
  void* sp = nullptr;
  void* fp = nullptr;
  void* lr = nullptr;
  AtSyscall at_syscall = AtSyscall::kNo;
  // The signal cut a system call short, which is to be made again or has failed with EINTR: the thread slept in it.
  bool asleep = false;
  // Filled by the platform but for the slots at fp, which Capture reads within the thread's stack.
  LeafContext leaf;
};

enum class CaptureResult : uint8_t {
  kRecorded,
  kLost,         // the ring was full; counted
  kKeptPending,  // the thread was waiting without JavaScript, and no wall sample is wanted: its CPU is charged to its next sample
  kDisarmed,
  kTooSoon,  // by_timer: the thread used less than the dead time since its last sample, or slept when the timer fired
  kAsleep,   // by_timer: it slept; its CPU is charged to its next sample
};

// The label that is current on the calling thread, the inherited one where none is. Async-signal-safe; not while objects move.
SampleLabel CurrentLabel(ThreadState* state);

CaptureResult Capture(ThreadState* state, const Registers& registers, const Wanted& wanted);

// A signal of the thread's own timer: Capture, and what becomes of the timer. The same contract, and the calls of self_clock.h.
CaptureResult CaptureByTimer(ThreadState* state, const Registers& registers);

// After `armed` was taken away, on any thread, not in a handler: until the handler that may be at work has ended, or CLOCK_MONOTONIC
// `until_ns`. What it recorded is in the ring and the counters then; one that goes on later finds the thread disarmed and leaves no trace.
// False when the time was over.
bool WaitForHandler(const ThreadState& state, uint64_t until_ns);

// How the handler tells the collector that there is something to do. `word` is the collector's futex word:
// 0 awake; 1 asleep, wake for anything; 2 napping, wake at half full.
struct CollectorDoorbell {
  static constexpr uint32_t kAwake = 0;
  static constexpr uint32_t kAsleep = 1;
  static constexpr uint32_t kNapping = 2;
  std::atomic<uint32_t> word{kAwake};

  // Async-signal-safe: loads, stores and at most one futex call. `urgent`: wake a napping collector too.
  void Ring(bool urgent);
};
extern CollectorDoorbell g_doorbell;

}  // namespace strobe::capture
