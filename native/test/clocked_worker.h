// For tests of the clock with real threads and the real signal: registered threads that compute or sleep as told, over a fake
// GetStackSample.
#pragma once

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "capture/capture.h"
#include "capture/clocks.h"
#include "capture/handler.h"
#include "capture/own_core.h"
#include "clock/sampler.h"
#include "test/check.h"

namespace strobe::clock {

using capture::ThreadCpuNowNs;

inline constexpr uint64_t kMillisecond = 1'000'000;

// One frame, so that every sample counts wherever the thread stands.
inline void FakeGetStackSample(v8api::Isolate*, const v8api::RegisterState&, void** frames, size_t, v8api::SampleInfo* info) {
  frames[0] = reinterpret_cast<void*>(0x1000);
  info->frames_count = 1;
}

// States are never freed and their place in the table stays, as in the profiler; a worker takes one and gives it back.
class StatePool {
 public:
  static constexpr uint32_t kRingBytes = 1 << 20;

  capture::ThreadState* Take() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!free_.empty()) {
      capture::ThreadState* state = free_.back();
      free_.pop_back();
      state->core = nullptr;
      state->ring.Init(rings_[state->index - kFirst]->data(), kRingBytes);
      return state;
    }
    states_.push_back(std::make_unique<capture::ThreadState>());
    rings_.push_back(std::make_unique<std::vector<uint8_t>>(kRingBytes));
    capture::ThreadState* state = states_.back().get();
    state->index = kFirst + static_cast<uint32_t>(states_.size()) - 1;
    state->get_stack_sample = FakeGetStackSample;
    state->max_depth = 8;
    state->code_events = &no_events_;
    state->ring.Init(rings_.back()->data(), kRingBytes);
    capture::g_thread_table[state->index].store(state);
    return state;
  }
  void Give(capture::ThreadState* state) {
    std::lock_guard<std::mutex> lock(mutex_);
    free_.push_back(state);
  }

 private:
  static constexpr uint32_t kFirst = 100;
  std::mutex mutex_;
  std::vector<std::unique_ptr<capture::ThreadState>> states_;
  std::vector<std::unique_ptr<std::vector<uint8_t>>> rings_;
  std::vector<capture::ThreadState*> free_;
  std::atomic<uint64_t> no_events_{0};
};

inline StatePool& Pool() {
  static auto* pool = new StatePool;
  return *pool;
}

// Computes without system calls, but for a look at the clock now and then.
inline void Compute(uint64_t cpu_ns) {
  const uint64_t end = ThreadCpuNowNs() + cpu_ns;
  volatile uint64_t work = 1;
  do {
    for (int i = 0; i < 50'000; i++) work = work * 3 + 1;
  } while (ThreadCpuNowNs() < end);
}

// A registered thread that sleeps or computes as told.
class Worker {
 public:
  explicit Worker(Sampler* sampler, bool busy = false) : sampler_(sampler), busy_(busy), state_(Pool().Take()) {
    thread_ = std::thread([this] { Run(); });
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return ready_; });
  }
  ~Worker() {
    Set(false, true);
    thread_.join();
    Pool().Give(state_);
  }

  void Busy(bool busy) { Set(busy, false); }
  bool added() const { return added_; }
  capture::ThreadState* state() { return state_; }
  uint64_t samples() const { return state_->samples.load(); }
  uint64_t sampled_ns() const { return state_->sampled_cpu_ns.load(); }
  // CPU since the registration, read from outside.
  uint64_t CpuNs() {
    clockid_t clock;
    if (pthread_getcpuclockid(thread_.native_handle(), &clock) != 0) return 0;
    return capture::ReadClockNs(clock) - cpu_start_;
  }
  // On this core only.
  bool Pin(int core) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    return pthread_setaffinity_np(thread_.native_handle(), sizeof one, &one) == 0;
  }
  // Its clock at the registration.
  uint64_t start_cpu_ns() const { return cpu_start_; }
  void DropRecords() {
    uint32_t bytes = 0;
    const uint64_t head = state_->ring.Head();
    while (state_->ring.Next(head, &bytes) != nullptr) state_->ring.Release(bytes);
  }

 private:
  void Set(bool busy, bool stop) {
    std::lock_guard<std::mutex> lock(mutex_);
    busy_ = busy;
    stop_ = stop;
    changed_.notify_all();
  }

  void Run() {
    const auto tid = static_cast<int32_t>(syscall(SYS_gettid));
    state_->pending = 0;
    state_->core = capture::OwnCoreWord();
    state_->samples = 0;
    state_->sampled_cpu_ns = 0;
    state_->kept_pending = 0;
    state_->lost_since_taken = 0;
    state_->lost_ns_since_taken = 0;
    cpu_start_ = ThreadCpuNowNs();
    state_->last_cpu_ns = cpu_start_;
    state_->wall_samples = 0;
    state_->idle_ticks = 0;
    state_->idle_until_ns = 0;
    const uint64_t now = capture::MonotonicNowNs();
    state_->last_wall_ns = now;
    state_->wall_runs.fetch_add(1);
    state_->wall_began_ns = now;
    state_->tid.store(tid, std::memory_order_release);
    state_->armed.store(true, std::memory_order_release);
    added_ = sampler_->Add(state_, tid);
    std::unique_lock<std::mutex> lock(mutex_);
    ready_ = true;
    changed_.notify_all();
    while (!stop_) {
      if (!busy_) {
        changed_.wait(lock);
        continue;
      }
      lock.unlock();
      Compute(kMillisecond);
      lock.lock();
    }
    lock.unlock();
    state_->armed.store(false);
    sampler_->Remove(state_);
    state_->tid.store(0, std::memory_order_release);
  }

  Sampler* sampler_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ready_ = false;
  bool busy_;
  bool stop_ = false;
  bool added_ = false;
  uint64_t cpu_start_ = 0;
  capture::ThreadState* state_;
  std::thread thread_;
};

inline void SleepMs(uint64_t ms) {
  timespec nap{static_cast<time_t>(ms / 1000), static_cast<long>(ms % 1000 * 1'000'000)};
  nanosleep(&nap, nullptr);
}

// Up to 10 seconds.
inline bool Eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 2000; i++) {
    if (condition()) return true;
    SleepMs(5);
  }
  return false;
}

inline bool Install() {
  std::string error;
  if (!CHECK(capture::InstallHandler(&error) != 0)) {
    CHECK_EQ(error, "");
    return false;
  }
  return true;
}

// Waits until the sampler parked: half a second without a wake-up.
inline bool Parked(const Sampler& sampler) {
  for (int i = 0; i < 20; i++) {
    const uint64_t before = sampler.wakeups();
    SleepMs(500);
    if (sampler.wakeups() == before) return true;
  }
  return false;
}

}  // namespace strobe::clock
