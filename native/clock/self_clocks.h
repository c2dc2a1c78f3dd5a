// Which threads clock themselves (capture/self_clock.h): the sampler's side of it.
//
// A thread that was running or ready to run for 95 % of a tenth of a second gets a timer of its own, and the sampler no longer looks at it
// at each tick. So does one that was for 90 % of twenty periods (20 ms at the least; sooner than a tenth of a second from 200 Hz on) since
// it began to run, and ran for three fifths of them: without that, a short burst of a thread that sleeps often would fill them on busy
// cores, with its waits. (It begins anew where the thread stood still for two milliseconds, asleep or not: where waits are that long, the
// longer look it is.) One that slept more than a tenth of the time between two checks goes back: its samples would be few where sleeps take
// no signals, and signals would find it asleep too often where they do. So does one whose signals do not come (it blocks them). The
// kernel's count of the time that a thread waited for a core (schedstat) makes the difference between asleep and displaced; where the
// kernel doesn't tell, only threads with a core of their own clock themselves.
//
// Not below 20 Hz: the sampler's ticks cost nothing there. Not while wall time is recorded, which needs the ticks.
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
  // Since when the thread is watched, and what it had run and waited for a core by then.
  struct Watched {
    uint64_t since_ns = 0;
    uint64_t cpu_ns = 0;
    uint64_t waited_ns = 0;
    uint64_t uncounted_ns = 0;  // of a wait that went on then, as far as it was seen to: the kernel counts it when it is over
    bool waits_known = false;
  };

  void Watch(Watched* watched, ClockedThread* thread, uint64_t cpu_ns, uint64_t now_ns) const;
  void WatchAnew(ClockedThread* thread, uint64_t cpu_ns, uint64_t now_ns);
  // It ran or waited for nearly all of twenty periods since it began to run; a new look begins.
  bool WasBusyRecently(ClockedThread* thread, uint64_t cpu_ns, uint64_t now_ns, uint64_t period_ns);
  // The kernel counts a wait when it is over: one that goes on is taken to be no longer than `longest_wait_ns`.
  static bool WasBusy(const Watched& watched, ClockedThread* thread, uint64_t cpu_ns, uint64_t now_ns, uint64_t percent,
                      uint64_t longest_wait_ns);

  Watched long_;
  Watched recent_;  // since_ns 0: it has not run since it stood still
  // The sampler's last look, and the last one behind which the thread ran.
  uint64_t looked_ns_ = 0;
  uint64_t looked_cpu_ns_ = 0;
  uint64_t ran_ns_ = 0;
  bool stood_ = false;     // it did not run between the last two looks
  bool ran_most_ = false;  // it ran for most of the time between them
  uint64_t began_ns_ = 0;  // to clock itself
  uint64_t recent_not_before_ns_ = 0;
  uint64_t not_before_ns_ = 0;
  int signal_ = 0;  // that its timer sends
  // Its signals at the last check that saw them come, and its CPU then.
  uint64_t fired_ = 0;
  uint64_t fired_cpu_ns_ = 0;
};

}  // namespace strobe::clock
