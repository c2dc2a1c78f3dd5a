// Which threads clock themselves (capture/self_clock.h): the sampler's side of it.
//
// A thread that was running or ready to run for 95 % of a tenth of a second, or running for 95 % of twenty periods (20 ms at the least),
// gets a timer of its own, and the sampler no longer looks at it at each tick. (The shorter look does not count what it waited for a core:
// on busy cores a thread that sleeps often fills twenty periods with one burst.) One that slept more than a tenth of the time between two
// checks goes back: its samples would be few where sleeps take no signals, and signals would find it asleep too often where they do. So
// does one whose signals do not come (it blocks them). The kernel's count of the time that a thread waited for a core (schedstat) makes the
// difference between asleep and displaced; where the kernel doesn't tell, only threads with a core of their own clock themselves.
//
// Not below kLeastHz: the sampler's ticks cost nothing there. Not while wall time is recorded, which needs the ticks.
//
// Sampler thread only, under the registry's lock; but Forget: any thread, under that lock.
#pragma once

#include <cstdint>

#include "capture/thread_state.h"
#include "clock/trigger.h"

namespace strobe::clock {

class SelfClocked {
 public:
  // The sampler looked at the thread, whose clock reads `cpu_ns`. True when it clocks itself from now on.
  bool Begins(capture::ThreadState* state, ClockedThread* thread, uint64_t cpu_ns, uint64_t now_ns, uint64_t period_ns);
  // Now and then, of a thread that clocks itself: false when it no longer does.
  bool GoesOn(capture::ThreadState* state, ClockedThread* thread, uint64_t now_ns, uint64_t period_ns);
  // Its timer is set anew: the rate has changed.
  static void Renew(capture::ThreadState* state);
  static void Stop(capture::ThreadState* state);
  // The thread leaves: its timer is freed.
  static void Forget(capture::ThreadState* state);

 private:
  void Watch(ClockedThread* thread, uint64_t cpu_ns, uint64_t now_ns);
  // It ran nearly all the time since the last look that was long enough; a new look begins.
  bool ComputedRecently(uint64_t cpu_ns, uint64_t now_ns, uint64_t period_ns);
  // Running or waiting for a core for so much of the time since it is watched. The kernel counts a wait when it is over: one that goes on
  // is taken to be no longer than `longest_wait_ns`.
  bool WasBusy(ClockedThread* thread, uint64_t cpu_ns, uint64_t now_ns, uint64_t percent, uint64_t longest_wait_ns) const;

  // Since when the thread is watched, and its clocks then.
  uint64_t since_ns_ = 0;
  uint64_t cpu_ns_ = 0;
  // The same of the shorter look.
  uint64_t recent_since_ns_ = 0;
  uint64_t recent_cpu_ns_ = 0;
  // The sampler's last look, and the last one behind which the thread ran.
  uint64_t looked_ns_ = 0;
  uint64_t looked_cpu_ns_ = 0;
  uint64_t ran_ns_ = 0;
  uint64_t waited_ns_ = 0;
  bool waits_known_ = false;
  uint64_t not_before_ns_ = 0;
  int signal_ = 0;  // that its timer sends
  // Its signals at the last check that saw them come, and its CPU then.
  uint64_t fired_ = 0;
  uint64_t fired_cpu_ns_ = 0;
};

}  // namespace strobe::clock
