#include "clock/signal_cost.h"

#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <system_error>
#include <thread>
#include <vector>

#include "capture/clocks.h"
#include "capture/handler.h"
#include "capture/self_clock.h"
#include "clock/spread_work.h"
#include "clock/trigger.h"

namespace strobe::clock {

namespace {

constexpr size_t kTurns = 3;
constexpr size_t kRoundsATurn = 3;
constexpr size_t kRounds = 5;
constexpr size_t kEnough = 3;
constexpr uint64_t kRoundNs = 120'000;
constexpr uint64_t kFireNs = 40'000;  // into the round
constexpr size_t kMostMissed = 4;
constexpr uint64_t kLongestWaitNs = 5'000'000;

// Nanoseconds that a signal made rounds longer; a single one may be negative by chance.
class Differences {
 public:
  void Add(uint64_t fired, uint64_t quiet) { values_.push_back(static_cast<int64_t>(fired) - static_cast<int64_t>(quiet)); }

  bool Enough() const { return values_.size() >= kEnough; }

  int64_t Median() {
    const auto middle = values_.begin() + static_cast<std::ptrdiff_t>(values_.size() / 2);
    std::nth_element(values_.begin(), middle, values_.end());
    return *middle;
  }

 private:
  std::vector<int64_t> values_;
};

// One round of `work` as it is, and one with a signal in its midst: `fire` makes it come soon, `nothing` is the same without one, `calls`
// are the handler's own. `came` tells whether it came inside the round, and if not, waits for it: it is not to fall into the next one.
// False: it did not, and nothing is added.
template <typename Fire, typename Nothing, typename Calls, typename Came>
bool Round(SpreadWork* work, Differences* made, Fire fire, Nothing nothing, Calls calls, Came came) {
  work->Round();  // its lines are in the caches again
  uint64_t start = capture::ThreadCpuNowNs();
  nothing();
  work->Round();
  const uint64_t quiet = capture::ThreadCpuNowNs() - start;
  start = capture::ThreadCpuNowNs();
  fire();
  work->Round();
  calls();
  const uint64_t fired = capture::ThreadCpuNowNs() - start;
  if (!came()) return false;
  made->Add(fired, quiet);
  return true;
}

// The same again and again; 0 when too few signals came.
template <typename Fire, typename Nothing, typename Calls, typename Came>
uint64_t Measure(SpreadWork* work, Fire fire, Nothing nothing, Calls calls, Came came) {
  Differences made;
  size_t missed = 0;
  for (size_t i = 0; i < kRounds && missed < kMostMissed; i++) {
    if (!Round(work, &made, fire, nothing, calls, came)) missed++;
  }
  return made.Enough() ? static_cast<uint64_t>(std::max<int64_t>(made.Median(), 0)) : 0;
}

template <typename Done>
bool WaitFor(Done done) {
  const uint64_t limit = capture::MonotonicNowNs() + kLongestWaitNs;
  while (!done()) {
    if (capture::MonotonicNowNs() > limit) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  return true;
}

ClockedThread Self() {
  ClockedThread self;
  self.tid = static_cast<int32_t>(syscall(SYS_gettid));
  return self;
}

void OnSignalCalls() {
  capture::ThreadCpuNowNs();
  syscall(SYS_gettid);
}

// A timer's signal. Both works take turns, because how a virtual machine's timer interrupts are delivered changes from one moment to the
// next. A turn is some rounds, the first of which does not count: spread work displaces the kernel's lines, too, and little work before
// which they were displaced would pay for that. What spread work pays more is 1 when that is less than the noise.
void MeasureTimer(SpreadWork* little, SignalCost* cost) {
  const ClockedThread self = Self();
  int32_t timer = -1;
  // Token 0 is nobody's: the handler ignores it.
  if (!MakeThreadTimer(self, 0, &timer)) return;
  SpreadWork much(SpreadWork::Over::kMuch, kRoundNs);
  Differences less;
  Differences more;
  const auto round = [&](SpreadWork* work, Differences* made) {
    return Round(
        work, made, [&] { SetThreadTimer(timer, capture::MonotonicNowNs() + kFireNs); }, [] {},
        [] {
          capture::VoluntarySwitches();  // SetSelfClock
          OnSignalCalls();
        },
        [&] {
          if (ThreadTimerIsOver(timer)) return true;
          WaitFor([&] { return ThreadTimerIsOver(timer); });
          return false;
        });
  };
  size_t missed = 0;
  const auto turn = [&](SpreadWork* work, Differences* made) {
    Differences first;
    if (!round(work, &first)) missed++;
    for (size_t i = 0; i < kRoundsATurn; i++) {
      if (!round(work, made)) missed++;
    }
  };
  for (size_t i = 0; i < kTurns && missed < 2 * kMostMissed; i++) {
    turn(little, &less);
    turn(&much, &more);
  }
  DropThreadTimer(timer);
  if (!less.Enough()) return;
  const int64_t base = less.Median();
  cost->timer_ns = static_cast<uint64_t>(std::max<int64_t>(base, 0));
  if (more.Enough()) cost->spread_ns = static_cast<uint64_t>(std::max<int64_t>(more.Median() - base, 1));
}

// Where no other core is free: the thread sends to itself. An interrupt from core to core is missing.
uint64_t MeasureSentToSelf(SpreadWork* work) {
  const ClockedThread self = Self();
  const int32_t pid = getpid();
  bool refused = false;
  return Measure(
      work, [&] { refused = SendSample(pid, self, 0) != 0; },
      // Signal 0 is checked and not sent: the call itself is the sampler's cost.
      [&] { syscall(SYS_tgkill, pid, self.tid, 0); }, OnSignalCalls, [&] { return !refused; });
}

// Keeps the calling thread off the core that another one runs on; false when there is no other for it.
bool LeaveCore(int cpu) {
  cpu_set_t allowed;
  if (cpu < 0 || sched_getaffinity(0, sizeof allowed, &allowed) != 0) return false;
  CPU_CLR(static_cast<size_t>(cpu), &allowed);
  return CPU_COUNT(&allowed) > 0 && sched_setaffinity(0, sizeof allowed, &allowed) == 0;
}

// From another core: a thread that waits for `wanted`, and sends at once. On the same core it would send while the measured thread does not
// run, and no interrupt would be in the figure.
uint64_t MeasureSent(SpreadWork* work) {
  const ClockedThread self = Self();
  const int32_t pid = getpid();
  std::atomic<uint32_t> wanted{0};
  std::atomic<uint32_t> sent{0};
  std::atomic<bool> refused{false};
  std::atomic<bool> ready{false};
  std::atomic<bool> over{false};
  std::thread sender;
  try {
    sender = std::thread([&, cpu = sched_getcpu()] {
      sigset_t all;
      sigfillset(&all);
      pthread_sigmask(SIG_BLOCK, &all, nullptr);
      if (!LeaveCore(cpu)) refused.store(true, std::memory_order_relaxed);
      ready.store(true, std::memory_order_release);
      while (!over.load(std::memory_order_acquire)) {
        const uint32_t next = wanted.load(std::memory_order_acquire);
        if (next == sent.load(std::memory_order_relaxed)) {
          std::this_thread::yield();
          continue;
        }
        if (SendSample(pid, self, 0) != 0) refused.store(true, std::memory_order_relaxed);
        sent.store(next, std::memory_order_release);
      }
    });
  } catch (const std::system_error&) {
    return 0;
  }
  WaitFor([&] { return ready.load(std::memory_order_acquire); });
  const auto came = [&] { return sent.load(std::memory_order_acquire) == wanted.load(std::memory_order_relaxed); };
  const uint64_t cost = Measure(
      work, [&] { wanted.fetch_add(1, std::memory_order_release); }, [] {}, OnSignalCalls,
      [&] {
        if (came()) return !refused.load(std::memory_order_relaxed);
        WaitFor(came);  // it is not to fall into the next round
        return false;
      });
  over.store(true, std::memory_order_release);
  sender.join();
  return cost;
}

}  // namespace

SignalCost MeasureSignalCost() {
  SignalCost cost;
  // A signal whose disposition is the default one would end the process.
  if (!capture::HandlerInPlace()) return cost;
  sigset_t blocked;
  if (pthread_sigmask(SIG_BLOCK, nullptr, &blocked) != 0 || sigismember(&blocked, capture::SampleSignal()) != 0) return cost;
  SpreadWork little(SpreadWork::Over::kLittle, kRoundNs);
  MeasureTimer(&little, &cost);
  cost.sent_ns = MeasureSent(&little);
  if (cost.sent_ns == 0) cost.sent_ns = MeasureSentToSelf(&little);
  return cost;
}

}  // namespace strobe::clock
