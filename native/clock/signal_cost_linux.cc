#include "clock/signal_cost.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "capture/clocks.h"
#include "capture/handler.h"
#include "capture/self_clock.h"
#include "clock/spread_work.h"
#include "clock/trigger.h"

namespace strobe::clock {

namespace {

constexpr size_t kRounds = 61;
constexpr size_t kFewRounds = 15;
constexpr size_t kSpreadRounds = 21;
constexpr uint64_t kRoundNs = 120'000;
constexpr uint64_t kFireNs = 40'000;  // into the round
constexpr size_t kMostMissed = 8;
constexpr uint64_t kLongestWaitNs = 5'000'000;

// The same amount of work each time, over more memory than a first-level cache holds.
class Work {
 public:
  Work() : words_(new uint32_t[kWords]()) {
    Do(20'000);  // faults the pages in
    const uint64_t start = capture::ThreadCpuNowNs();
    constexpr uint32_t kTrial = 20'000;
    Do(kTrial);
    const uint64_t took = std::max<uint64_t>(capture::ThreadCpuNowNs() - start, 1);
    steps_ = static_cast<uint32_t>(std::min<uint64_t>(kTrial * kRoundNs / took, 10'000'000));
  }
  void Round() { Do(steps_); }

 private:
  static constexpr uint32_t kWords = 1 << 15;

  void Do(uint32_t steps) {
    uint32_t at = at_;
    for (uint32_t i = 0; i < steps; i++) {
      at = at * 1664525u + 1013904223u + words_[at >> 17];
      words_[at >> 17] ^= 1;
    }
    at_ = at;
  }

  std::unique_ptr<uint32_t[]> words_;
  uint32_t at_ = 1;
  uint32_t steps_ = 0;
};

// The difference of both medians; 0 when fewer than half of the rounds count.
uint64_t Difference(std::vector<uint64_t> with, std::vector<uint64_t> without, size_t rounds) {
  if (with.size() < rounds / 2) return 0;
  const auto median = [](std::vector<uint64_t>* values) {
    std::sort(values->begin(), values->end());
    return (*values)[values->size() / 2];
  };
  const uint64_t fired = median(&with);
  const uint64_t quiet = median(&without);
  return fired > quiet ? fired - quiet : 0;
}

// Rounds with a signal and without, in turns. `fire` makes a signal come soon, `nothing` is the same without one, `calls` are the handler's
// own, `came` tells whether it came inside the round: one that did not counts for nothing, and some of them end the measuring.
template <typename Fire, typename Nothing, typename Calls, typename Came>
uint64_t Measure(Work* work, size_t rounds, Fire fire, Nothing nothing, Calls calls, Came came) {
  std::vector<uint64_t> with;
  std::vector<uint64_t> without;
  size_t missed = 0;
  for (size_t i = 0; i < rounds && missed < kMostMissed; i++) {
    uint64_t start = capture::ThreadCpuNowNs();
    nothing();
    work->Round();
    without.push_back(capture::ThreadCpuNowNs() - start);
    start = capture::ThreadCpuNowNs();
    fire();
    work->Round();
    calls();
    const uint64_t took = capture::ThreadCpuNowNs() - start;
    if (came()) {
      with.push_back(took);
    } else {
      missed++;
    }
  }
  return Difference(std::move(with), std::move(without), rounds);
}

template <typename Done>
bool WaitFor(Done done) {
  const uint64_t limit = capture::MonotonicNowNs() + kLongestWaitNs;
  while (!done()) {
    if (capture::MonotonicNowNs() > limit) return false;
    std::this_thread::yield();  // on one core the other thread must run
  }
  return true;
}

ClockedThread Self() {
  ClockedThread self;
  self.tid = static_cast<int32_t>(syscall(SYS_gettid));
  return self;
}

uint64_t MeasureTimer(Work* work, size_t rounds) {
  const ClockedThread self = Self();
  int32_t timer = -1;
  // Token 0 is nobody's: the handler ignores it.
  if (!MakeThreadTimer(self, 0, &timer)) return 0;
  const auto wait = [&] { return WaitFor([&] { return ThreadTimerIsOver(timer); }); };
  const uint64_t cost = Measure(
      work, rounds, [&] { SetThreadTimer(timer, capture::MonotonicNowNs() + kFireNs); }, [] {},
      [] {
        // SetSelfClock and OnSignal.
        capture::VoluntarySwitches();
        capture::ThreadCpuNowNs();
        syscall(SYS_gettid);
      },
      [&] {
        if (ThreadTimerIsOver(timer)) return true;
        wait();  // it is not to fall into the next round
        return false;
      });
  DropThreadTimer(timer);
  return cost;
}

// What a timer's signal costs spread work more than other work; 1 when that is less than the noise, 0 when it could not be measured. Both
// works take turns, because how a virtual machine's timer interrupts are delivered changes from one moment to the next.
uint64_t MeasureSpread() {
  const ClockedThread self = Self();
  int32_t timer = -1;
  if (!MakeThreadTimer(self, 0, &timer)) return 0;
  SpreadWork little(SpreadWork::Over::kLittle, kRoundNs);
  SpreadWork much(SpreadWork::Over::kMuch, kRoundNs);
  // Nanoseconds that the signal made a round longer; negative by chance.
  std::vector<int64_t> less;
  std::vector<int64_t> more;
  size_t missed = 0;
  const auto round = [&](SpreadWork* work, std::vector<int64_t>* made) {
    // Its lines are in the caches again.
    work->Round();
    uint64_t start = capture::ThreadCpuNowNs();
    work->Round();
    const uint64_t quiet = capture::ThreadCpuNowNs() - start;
    start = capture::ThreadCpuNowNs();
    SetThreadTimer(timer, capture::MonotonicNowNs() + kFireNs);
    work->Round();
    const uint64_t fired = capture::ThreadCpuNowNs() - start;
    if (ThreadTimerIsOver(timer)) {
      made->push_back(static_cast<int64_t>(fired) - static_cast<int64_t>(quiet));
    } else {
      missed++;
      WaitFor([&] { return ThreadTimerIsOver(timer); });
    }
  };
  for (size_t i = 0; i < kSpreadRounds && missed < 2 * kMostMissed; i++) {
    round(&little, &less);
    round(&much, &more);
  }
  DropThreadTimer(timer);
  if (std::min(less.size(), more.size()) < kSpreadRounds / 2) return 0;
  const auto median = [](std::vector<int64_t>* values) {
    std::sort(values->begin(), values->end());
    return (*values)[values->size() / 2];
  };
  return static_cast<uint64_t>(std::max<int64_t>(median(&more) - median(&less), 1));
}

void OnSignalCalls() {
  capture::ThreadCpuNowNs();
  syscall(SYS_gettid);
}

// Where no other core is free: the thread sends to itself. An interrupt from core to core is missing.
uint64_t MeasureSentToSelf(Work* work, size_t rounds) {
  const ClockedThread self = Self();
  const int32_t pid = getpid();
  bool refused = false;
  return Measure(
      work, rounds, [&] { refused = SendSample(pid, self, 0) != 0; },
      // Signal 0 is checked and not sent: the call itself is the sampler's cost.
      [&] { syscall(SYS_tgkill, pid, self.tid, 0); }, OnSignalCalls, [&] { return !refused; });
}

// From another core: a thread that waits for `wanted`, and sends at once.
uint64_t MeasureSent(Work* work, size_t rounds) {
  const ClockedThread self = Self();
  const int32_t pid = getpid();
  std::atomic<uint32_t> wanted{0};
  std::atomic<uint32_t> sent{0};
  std::atomic<bool> refused{false};
  std::atomic<bool> over{false};
  std::thread sender;
  try {
    sender = std::thread([&] {
      sigset_t all;
      sigfillset(&all);
      pthread_sigmask(SIG_BLOCK, &all, nullptr);
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
  const auto came = [&] { return sent.load(std::memory_order_acquire) == wanted.load(std::memory_order_relaxed); };
  const uint64_t cost = Measure(
      work, rounds, [&] { wanted.fetch_add(1, std::memory_order_release); }, [] {}, OnSignalCalls,
      [&] {
        if (came()) return !refused.load(std::memory_order_relaxed);
        WaitFor(came);
        return false;
      });
  over.store(true, std::memory_order_release);
  sender.join();
  return cost;
}

}  // namespace

SignalCost MeasureSignalCost(Thorough thorough) {
  SignalCost cost;
  // A signal whose disposition is the default one would end the process.
  if (!capture::HandlerInPlace()) return cost;
  sigset_t blocked;
  if (pthread_sigmask(SIG_BLOCK, nullptr, &blocked) != 0 || sigismember(&blocked, capture::SampleSignal()) != 0) return cost;
  Work work;
  const size_t rounds = thorough == Thorough::kYes ? kRounds : kFewRounds;
  cost.timer_ns = MeasureTimer(&work, rounds);
  cost.sent_ns = MeasureSent(&work, rounds);
  if (cost.sent_ns == 0) cost.sent_ns = MeasureSentToSelf(&work, rounds);
  if (thorough == Thorough::kNo) cost.spread_ns = MeasureSpread();
  return cost;
}

}  // namespace strobe::clock
