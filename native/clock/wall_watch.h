// Wall time of one thread: when is its stack worth a signal?
//
// A thread that has not run since its last wall sample stands where that sample found it. It gets no signal: the sampler only notes the
// moment at which it was seen so (`ThreadState::idle_until_ns`), and the collector gives the time up to there to the last stack. So an idle
// thread costs one signal when it goes to sleep and none while it sleeps.
//
// "Has not run" is: its CPU clock did not move. But a sample moves it: the signal wakes the thread, the handler runs, the system call
// returns and is made again. So after a signal to a sleeping thread its clock is trusted again only when the kernel says that it was put on
// a CPU once since then, for that signal (the count of time slices in schedstat), and the handler saw it in a system call. Anything else
// (preempted in the handler, work in between) gets another signal at the next tick. The count alone is not enough: a wait that was over
// when the signal came goes on with work and may block elsewhere in the same slice (measured: 1 to 4 of 700 sleeps). So what the thread
// used since the handler must be no more than going back to sleep takes. That limit alone would not do either: 30 us of work between two
// waits would be read wrong whenever they fall between two ticks.
//
// Where the kernel tells no such count (gVisor), sleeping threads are signalled at each tick: right, but dearer; `batches()` says so.
//
// Sampler thread only, under the registry's lock.
#pragma once

#include <cstdint>

#include "capture/thread_state.h"
#include "clock/trigger.h"

namespace strobe::clock {

// What a tick found out about a thread, each thing asked at most once.
class ThreadLook {
 public:
  explicit ThreadLook(ClockedThread* thread) : thread_(thread), cpu_ns_(ReadCpuNs(*thread)) {}

  uint64_t cpu_ns() const { return cpu_ns_; }
  // On a CPU now: its clock moves.
  bool Running();
  // Not running but ready to.
  bool Runnable();

 private:
  enum class Known : uint8_t { kNotAsked, kYes, kNo };

  ClockedThread* thread_;
  uint64_t cpu_ns_;
  Known running_ = Known::kNotAsked;
  Known runnable_ = Known::kNotAsked;
};

class WallWatch {
 public:
  // True when the thread is to be sampled now; otherwise it is left alone, with its idle time noted. `dead_ns`: samples of one thread are
  // no closer than this.
  bool Due(capture::ThreadState* state, ClockedThread* thread, ThreadLook* look, uint64_t now_ns, uint64_t dead_ns);
  // Right before a wall sample is sent; the next look is not before `next_ns`.
  void Sends(ClockedThread* thread, ThreadLook* look, uint64_t next_ns);
  // Asleep since its last sample.
  bool asleep() const { return asleep_; }
  // False when the kernel did not tell how often a thread ran.
  bool batches() const { return batches_; }

 private:
  uint32_t run_ = 0;          // ThreadState::wall_runs
  bool sampled_ = false;      // in this run
  bool asleep_ = false;       // as the last sample left it; its clock stood at settled_cpu_ns_
  bool sent_asleep_ = false;  // the last signal went to a sleeping thread that had been on a CPU slices_ times
  bool batches_ = true;
  uint64_t settled_cpu_ns_ = 0;
  uint64_t slices_ = 0;
  uint64_t next_ns_ = 0;
};

}  // namespace strobe::clock
