// The clock: one thread that decides which threads are sampled now.
//
// Its ticks are a Poisson process: exponential gaps, memoryless. A jittered period (0.5 to 1.5 of it) was biased on programs whose bursts
// are about as long as the period: it read 51/37/13 for a true 60/30/10 in bursts of one period, because two ticks never fall close
// together (docs/clock.md). At a tick it looks at each registered thread. A thread is sampled when it used at least a quarter of a period
// of CPU since its last sample AND is running now (two reads of its CPU clock differ) or was until the sampler took its core (it last ran
// on this one, and is ready to run). The quarter is counted in CPU time, like the weight, so it favours no part of a burst. The sample's
// weight is the CPU since the last one, measured by the handler, so totals are conserved whatever the gate decides. A thread that used CPU
// and went to sleep is not woken: its CPU waits for its next running sample.
//
// A thread that hardly ever sleeps gets a timer of its own (self_clocks.h), with the same gaps, dead time and weight; ticks leave it out.
// When there is nobody else to look at, the sampler parks as below and checks such threads four times a second: at once when there is no
// other thread.
//
// Parking: when all other threads together used less than 1 % of a CPU for a while, the sampler arms a CPU timer on each thread and sleeps
// without limit; the first of them to use about a period of CPU wakes it. The amount is random, so that a program's first work after a
// pause is not always met at one spot.
//
// Wall mode looks at every thread at every tick (wall_watch.h) and never parks: a thread that blocks elsewhere after a moment of work must
// be seen. While the process is quiet its ticks are 10 ms apart at the least, whatever rate was asked for. One signal serves both modes.
//
// Threads: Start, Stop, SetFrequency, SetModes, Add and Remove may be called from any thread. Remove returns only when the sampler can't
// touch the thread again. Designs tried and their errors: docs/clock.md.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "capture/clocks.h"
#include "capture/thread_state.h"
#include "clock/self_clocks.h"
#include "clock/trigger.h"
#include "clock/wall_watch.h"

namespace strobe::clock {

// Which profiles are recorded.
struct Modes {
  bool cpu = true;
  bool wall = false;
};

class Sampler {
 public:
  // False when no thread can be made.
  bool Start(double frequency_hz, Modes modes);
  // Stops and joins the sampler thread; no signal is sent afterwards. Idempotent.
  void Stop();
  bool running() const { return running_.load(); }
  void SetFrequency(double frequency_hz);
  void SetModes(Modes modes);
  double frequency_hz() const { return 1e9 / static_cast<double>(period_ns_.load()); }

  // Registers a thread of this process. False when the kernel doesn't know it.
  bool Add(capture::ThreadState* state, int32_t tid);
  void Remove(capture::ThreadState* state);

  uint64_t wakeups() const { return wakeups_.load(std::memory_order_relaxed); }
  // CPU of the sampler thread.
  uint64_t cpu_ns() const;
  // Somebody else took the signal: sampling stopped, so that it can't kill the process.
  bool signal_taken() const { return signal_taken_.load(); }
  // The kernel tells how often a thread ran: sleeping threads need no signals in wall mode.
  bool batches_idle() const { return batches_idle_.load(); }
  // How many signals the kernel refused since the last one that it took, and its last errno.
  uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }
  int refused_errno() const { return refused_errno_.load(std::memory_order_relaxed); }

 private:
  struct Entry {
    capture::ThreadState* state = nullptr;
    ClockedThread clocked;
    uint64_t seen_cpu_ns = 0;  // at the last tick
    uint64_t sent_cpu_ns = 0;  // CPU at the last signal
    uint64_t sent_ns = 0;      // when, in wall mode
    uint64_t patience_ns = 0;  // how much more CPU until a signal that has not arrived is sent again
    WallWatch wall;
    SelfClocked self;
    bool self_clocked = false;  // the thread's own timer asks for its samples (self_clocks.h)
  };

  void Run();
  void Kick();
  // False when the signal was taken.
  bool Tick(uint64_t period_ns);
  // Asked before the first signal of a tick, and before timers are set or go on sending.
  bool SignalIsOurs();
  bool TookItsCore(const Entry& entry, ThreadLook* look) const;
  void Look(Entry* entry, Modes modes, uint64_t now, uint64_t dead_ns);
  void Send(Entry* entry, const capture::Wanted& wanted, uint64_t cpu_ns);
  Modes modes() const;
  bool Park(uint64_t period_ns);
  void WatchForQuiet(uint64_t now);
  // Threads that clock themselves: goes on, or the sampler looks after them again (`taken_back`). Returns how many there are.
  size_t CheckSelfClocked(uint64_t period_ns, bool* taken_back);
  void RenewSelfClocked();
  bool SleepToNextTick(uint64_t period_ns, bool kicked);
  uint64_t RandomGap(uint64_t period_ns);
  uint32_t Random();

  std::mutex mutex_;  // entries_; never held while sleeping
  std::vector<Entry> entries_;
  std::mutex control_mutex_;  // Start and Stop
  std::thread thread_;
  Seat seat_;
  std::atomic<bool> seated_{false};
  std::atomic<bool> running_{false};
  std::atomic<bool> signal_taken_{false};
  std::atomic<uint64_t> refused_{0};
  std::atomic<int> refused_errno_{0};
  std::atomic<uint64_t> period_ns_{10'000'000};
  std::atomic<bool> rate_changed_{false};
  std::atomic<uint32_t> modes_{1};  // 1 CPU, 2 wall
  std::atomic<bool> batches_idle_{true};
  std::atomic<uint64_t> wakeups_{0};
  mutable std::mutex cpu_mutex_;
  bool counts_cpu_ = false;    // the thread is there, and has a clock
  uint64_t cpu_base_ns_ = 0;   // of earlier sampler threads
  bool handler_seen_ = false;  // in this tick
  uint32_t random_ = 0x9e3779b9;
  uint64_t next_tick_ns_ = 0;
  bool all_self_clocked_ = false;  // at the last tick: it looked at nobody
  // Since the last decision whether to park.
  uint64_t quiet_since_ns_ = 0;
  uint64_t used_since_ns_ = 0;
  bool slow_ = false;        // wall mode, and the process is quiet
  uint64_t checked_ns_ = 0;  // when threads that clock themselves were
};

}  // namespace strobe::clock
