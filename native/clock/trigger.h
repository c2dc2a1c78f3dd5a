// What the sampler needs from the platform: sleep that a control call or a thread's CPU can end, a thread's CPU clock and state, a signal
// to one thread. One file a platform implements it (`trigger_linux.cc`). All calls but `Kick`, `cpu_clock`, what opens a thread and what
// frees its timer and files (under the registry's lock, as all that concerns a thread), `ReadCpuNs` and the two measurements are made by
// the sampler thread.
#pragma once

#include <cstdint>

#include "capture/own_core.h"

namespace strobe::clock {

// A sampled thread as the clock sees it; opened at registration, closed before the thread may end.
struct ClockedThread {
  int32_t tid = 0;
  int cpu_clock = 0;   // clockid_t of its CPU clock, readable from any thread
  int stat_fd = -1;    // /proc/self/task/TID/stat, kept open; -1: could not be opened, tried again when needed
  int slices_fd = -1;  // what counts its time slices; opened when first needed
  int wake_timer = -1;
};

// False when the thread's clock can't be read.
bool OpenClockedThread(int32_t tid, ClockedThread* thread);
void CloseClockedThread(ClockedThread* thread);

// CPU of the thread, nanoseconds; 0 when it is gone. Advances between two reads only while the thread is on a CPU.
uint64_t ReadCpuNs(const ClockedThread& thread);

// Running or ready to run by the kernel's word (state R). False when the kernel's file can't be read.
bool IsRunnable(ClockedThread* thread);

// What the kernel's scheduler counts of a thread. False where the kernel doesn't tell.
struct Schedule {
  uint64_t waited_ns = 0;  // ready to run, without a core
  uint64_t slices = 0;     // how often it was put on one
};
bool ReadSchedule(ClockedThread* thread, Schedule* schedule);

// Sends the sample signal with `token` to the thread, one of process `pid`: this one, as asked for when the sampler began; asking the
// kernel again would keep a signal that is to be sent now. 0, or the errno with which the kernel refused (the thread is gone, the user's
// signal queue is full, a filter).
int SendSample(int32_t pid, const ClockedThread& thread, uint64_t token);

// A one-shot timer by CLOCK_MONOTONIC that sends the sample signal with `token` to the thread. False when the kernel refuses.
bool MakeThreadTimer(const ClockedThread& thread, uint64_t token, int32_t* timer);
// `at_ns`: when it fires; 0: never.
void SetThreadTimer(int32_t timer, uint64_t at_ns);
void DropThreadTimer(int32_t timer);
// It has fired, or was never set.
bool ThreadTimerIsOver(int32_t timer);

// The sampler thread's own seat: prepares its signal mask and timer slack.
class Seat {
 public:
  // Called by the sampler thread first.
  void TakeCurrentThread();
  // Sleeps for `ns`, or without limit when `ns` is 0. Returns true when woken (by Kick or by a wake timer), false when the time is over.
  bool Sleep(uint64_t ns);
  // Ends the current or the next sleep. Any thread; works with a full signal queue.
  void Kick();
  int32_t tid() const { return tid_; }
  // This thread's CPU clock, readable from any thread while it lives.
  int cpu_clock() const { return cpu_clock_; }
  int32_t pid() const { return pid_; }
  // The core that it runs on; kNoCore: not known, or of no use: a thread's CPU clock is so coarse here that a running one may stand still.
  uint32_t core() const { return core_ == nullptr ? capture::kNoCore : *core_; }
  // What ended the last sleep was a Kick, or whoever sent the like.
  bool kicked() const { return kicked_; }
  // Arms the thread's wake timer: one wake-up of this seat when the thread has used `cpu_ns` more CPU. It fires only when CPU is used.
  bool ArmWake(ClockedThread* thread, uint64_t cpu_ns);
  void DisarmWake(ClockedThread* thread);

 private:
  static void AskForLowLatency();
  int32_t tid_ = 0;
  int32_t pid_ = 0;
  int cpu_clock_ = 0;
  const volatile uint32_t* core_ = nullptr;
  bool kicked_ = false;
};

}  // namespace strobe::clock
