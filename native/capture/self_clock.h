// A busy thread clocks itself: a one-shot timer whose signal goes to that thread, set again by the handler. No other thread wakes up for
// its samples, and no interrupt goes from core to core: half the cost of a sample that the sampler sends (docs/clock.md).
//
// Contract. Only a thread that hardly ever sleeps has its timer on: the sampler decides that (clock/sampler.h), creates the timer, sets it
// for the first time and stores `on` (release). From there on the handler sets it: the gap is the same as between the sampler's ticks, a
// dead time and an exponential rest, on an absolute schedule. The timer fires by the wall clock: while the thread waits for a core its
// signal waits with it and finds the thread where it was displaced: it was ready to run.
//   A signal that finds its thread asleep (it cut a system call short) takes no sample, as the sampler would have sent none: the CPU waits
// for the thread's next one. The third such signal in a row leaves the timer off, clears `on` and tells the sampler, which looks after the
// thread again. So a thread that goes to sleep is woken some three times, and one that sleeps for a moment (it waits for the
// others of a parallel collection) goes on clocking itself. A sleep that no signal ends (of the disk) shows by a signal that comes late to
// a thread that left its core of its own accord since the timer was set: no sample either, and the timer goes on.
//   `on` is also cleared by the sampler (the thread sleeps now and then, the signal does not come, wall time is to be recorded, the clock
// stops); a signal that is on its way then does nothing and sets nothing. Who clears it switches the timer off behind that; a handler that
// sets it at the same time looks at `on` behind its own call, and switches it off, too: one of both is last. The timer lives as long as the
// thread is registered, or until sampling has another signal: an id is never used for another timer while a handler may hold it.
//   Who writes: `timer` the sampler or whoever removes the thread; `on` as said; all else the handler, or the sampler before it stores
//   `on`.
#pragma once

#include <atomic>
#include <cstdint>

namespace strobe::capture {

struct ThreadState;

struct SelfClock {
  std::atomic<int32_t> timer{-1};  // the kernel's id; -1: none was made
  std::atomic<bool> on{false};
  std::atomic<uint64_t> fired{0};  // handlers that the timer made run
  uint32_t random = 0;             // xorshift's state, never 0
  uint32_t asleep = 0;             // signals in a row, up to the last one, that found the thread asleep
  uint64_t next_ns = 0;            // CLOCK_MONOTONIC, what the timer is set to
  uint64_t switches = 0;           // VoluntarySwitches() when it was set
};

// What all these clocks follow; the sampler writes.
struct SelfClockRate {
  std::atomic<uint64_t> period_ns{10'000'000};
  // The sampler's thread, to be told that a thread went to sleep; 0: none runs.
  std::atomic<int32_t> sampler_tid{0};
};
extern SelfClockRate g_self_clock_rate;

// The part of a period that a thread must have used since its last sample. It keeps the samples of a busy thread apart (less variance);
// ticks come so much more often that the rate asked for is met.
inline constexpr double kDeadTime = 0.25;

inline uint64_t DeadTimeNs(uint64_t period_ns) { return static_cast<uint64_t>(static_cast<double>(period_ns) * kDeadTime); }

// So many signals in a row that find their thread asleep end its clock.
inline constexpr uint32_t kAsleepShots = 3;

// Fills the table of gaps. Called before the first clock is set; allocates nothing, calls libm.
void PrepareSelfClocks();

// Sets the timer for its next shot. `after_sample`: a dead time comes first. Async-signal-safe: clock_gettime and timer_settime (both on
// POSIX's list) and getrusage (one system call that takes no lock of ours or of libc). Errors mean that the timer is gone: nothing is set.
void SetSelfClock(ThreadState* state, bool after_sample);

// The shot that made this handler run came when the thread was off its core, and since the timer was set the thread has left it of its own
// accord: it slept. Async-signal-safe: clock_gettime, getrusage.
bool SleptAtShot(const SelfClock& clock);

// How often the calling thread went to sleep so far.
uint64_t VoluntarySwitches();

// The thread was found asleep. Async-signal-safe: tgkill to the sampler, with a signal that does nothing where it is not waited for.
void LeaveSelfClock(ThreadState* state);

}  // namespace strobe::capture
