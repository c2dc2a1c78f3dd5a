#include "clock/sampler.h"

#include <signal.h>

#include "capture/clocks.h"
#include "capture/handler.h"

namespace strobe::clock {

namespace {

// Parks after this long (and at least so many periods) with less than 1 % of a CPU used: short enough to cost an idle process nothing, long enough
// that a server with requests every few ms is sampled by the clock and not by its wake timers, which land on kernel ticks.
constexpr uint64_t kQuietNs = 100'000'000;
constexpr uint64_t kQuietPeriods = 5;
constexpr uint64_t kQuietDivisor = 100;
// How often the signal's disposition is checked.
constexpr uint64_t kCheckHandlerNs = 1'000'000'000;

}  // namespace

void Sampler::Start(double frequency_hz) {
  std::lock_guard<std::mutex> control(control_mutex_);
  if (running_.load()) return;
  period_ns_.store(static_cast<uint64_t>(1e9 / frequency_hz));
  signal_taken_.store(false);
  seated_.store(false);
  running_.store(true);
  // Our threads take no signals of the application.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { Run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Sampler::Stop() {
  std::lock_guard<std::mutex> control(control_mutex_);
  if (!running_.exchange(false)) return;
  Kick();
  thread_.join();
  std::lock_guard<std::mutex> lock(mutex_);
  for (Entry& entry : entries_) {
    // The timers notify a thread that is gone.
    const int fd = entry.clocked.stat_fd;
    entry.clocked.stat_fd = -1;
    CloseClockedThread(&entry.clocked);
    entry.clocked.stat_fd = fd;
  }
}

void Sampler::SetFrequency(double frequency_hz) {
  period_ns_.store(static_cast<uint64_t>(1e9 / frequency_hz));
  std::lock_guard<std::mutex> control(control_mutex_);
  if (running_.load()) Kick();
}

bool Sampler::Add(capture::ThreadState* state, int32_t tid) {
  Entry entry;
  entry.state = state;
  if (!OpenClockedThread(tid, &entry.clocked)) {
    CloseClockedThread(&entry.clocked);
    return false;
  }
  entry.seen_cpu_ns = ReadCpuNs(entry.clocked);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    entries_.push_back(entry);
  }
  // A parked sampler has no timer on the new thread yet.
  std::lock_guard<std::mutex> control(control_mutex_);
  if (running_.load()) Kick();
  return true;
}

void Sampler::Remove(capture::ThreadState* state) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (size_t i = 0; i < entries_.size(); i++) {
    if (entries_[i].state != state) continue;
    CloseClockedThread(&entries_[i].clocked);
    entries_[i] = entries_.back();
    entries_.pop_back();
    return;
  }
}

void Sampler::Kick() {
  // Start does not wait for the thread (on busy cores that may be milliseconds of the application's). Before it is seated there is no sleep to end:
  // it declares itself seated first and reads what was set (running_, period_ns_) after, so a Kick that comes too early loses nothing.
  if (seated_.load()) seat_.Kick();
}

uint32_t Sampler::Random() {
  // xorshift32: all that jitter needs.
  random_ ^= random_ << 13;
  random_ ^= random_ >> 17;
  random_ ^= random_ << 5;
  return random_;
}

bool Sampler::SleepJittered(uint64_t period_ns) {
  const uint64_t ns = period_ns / 2 + static_cast<uint64_t>(static_cast<double>(period_ns) * (Random() / 4294967296.0));
  return seat_.Sleep(ns);
}

void Sampler::Run() {
  seat_.TakeCurrentThread();
  seated_.store(true);
  random_ ^= static_cast<uint32_t>(capture::MonotonicNowNs()) | 1;
  quiet_since_ns_ = capture::MonotonicNowNs();
  used_since_ns_ = 0;
  uint64_t next_check_ns = quiet_since_ns_ + kCheckHandlerNs;
  while (running_.load(std::memory_order_relaxed)) {
    const uint64_t period_ns = period_ns_.load(std::memory_order_relaxed);
    const bool kicked = SleepJittered(period_ns);
    wakeups_.fetch_add(1, std::memory_order_relaxed);
    if (kicked) continue;
    const uint64_t now = capture::MonotonicNowNs();
    if (now >= next_check_ns) {
      next_check_ns = now + kCheckHandlerNs;
      if (!capture::HandlerInPlace()) {
        signal_taken_.store(true);
        break;
      }
    }
    Tick(period_ns);
    const uint64_t quiet_for = now - quiet_since_ns_;
    if (quiet_for >= kQuietNs && quiet_for >= kQuietPeriods * period_ns) {
      const bool quiet = used_since_ns_ < quiet_for / kQuietDivisor;
      quiet_since_ns_ = now;
      used_since_ns_ = 0;
      if (quiet) Park(period_ns);
    }
    cpu_ns_.store(cpu_base_ns_ + capture::ThreadCpuNowNs(), std::memory_order_relaxed);
  }
  cpu_base_ns_ += capture::ThreadCpuNowNs();
  cpu_ns_.store(cpu_base_ns_, std::memory_order_relaxed);
}

void Sampler::Tick(uint64_t period_ns) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (Entry& entry : entries_) {
    capture::ThreadState* state = entry.state;
    if (!state->armed.load(std::memory_order_relaxed)) continue;
    const uint64_t cpu = ReadCpuNs(entry.clocked);
    used_since_ns_ += cpu > entry.seen_cpu_ns ? cpu - entry.seen_cpu_ns : 0;
    entry.seen_cpu_ns = cpu;
    const uint64_t last = state->last_cpu_ns.load(std::memory_order_relaxed);
    if (cpu < last + period_ns / 2) continue;
    bool runnable = false;
    if (ReadCpuNs(entry.clocked) == cpu) {
      if (!IsRunnable(entry.clocked)) continue;
      runnable = true;
    }
    // One signal of ours on its way at a time; a thread that blocks it keeps its CPU for later.
    if (state->pending.exchange(1, std::memory_order_acq_rel) != 0) continue;
    if (!SendSample(entry.clocked, capture::MakeToken(state->index, runnable))) state->pending.store(0, std::memory_order_release);
  }
}

void Sampler::Park(uint64_t period_ns) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (Entry& entry : entries_) {
      // 0.5 to 1.5 periods of CPU from now.
      const uint64_t cpu_ns = period_ns / 2 + static_cast<uint64_t>(static_cast<double>(period_ns) * (Random() / 4294967296.0));
      // Without a timer on every thread nobody would wake the sampler: it stays awake.
      if (!seat_.ArmWake(&entry.clocked, cpu_ns)) return;
    }
  }
  if (running_.load()) seat_.Sleep(0);
  wakeups_.fetch_add(1, std::memory_order_relaxed);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (Entry& entry : entries_) seat_.DisarmWake(&entry.clocked);
  }
  // The thread that woke us runs now, at a random amount of its CPU: a fair moment for a sample.
  Tick(period_ns);
  quiet_since_ns_ = capture::MonotonicNowNs();
  used_since_ns_ = 0;
}

}  // namespace strobe::clock
