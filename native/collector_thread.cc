// The collector's thread: when it works, naps and sleeps, when a slice is cut on its own account, and the flush of an ending process.
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <system_error>

#include "capture/capture.h"
#include "capture/clocks.h"
#include "collector.h"

namespace strobe {

namespace {

// At 1 kHz a ring of 256 KiB is half full after about 250 ms of 50-frame stacks.
constexpr uint64_t kNapNs = 200'000'000;
// Of a low rate.
constexpr uint64_t kLongNapNs = 1'000'000'000;
constexpr int kQuietRoundsBeforeSleep = 2;
constexpr uint64_t kFlushPollNs = 5'000'000;
// A slice is cut on the collector's own account when it is this old or this large: what waits in native memory stays small.
constexpr uint64_t kSliceAgeNs = 10'000'000'000;
constexpr size_t kSliceNodes = 100'000;

}  // namespace

void YieldToApplication() {
  constexpr int kNicer = 10;
  errno = 0;
  const int nice = getpriority(PRIO_PROCESS, 0);
  // Linux: 0 means the calling thread. Raising nice needs no privilege.
  if (errno == 0) setpriority(PRIO_PROCESS, 0, nice + kNicer);
}

bool Collector::EnsureStarted() {
  std::lock_guard<std::mutex> lock(start_mutex_);
  if (started_) return true;
  // Our threads take no signals of the application.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    std::thread([this] { Run(); }).detach();
    started_ = true;
    labels_.CollectorStarts([this] { Wake(); });
  } catch (const std::system_error&) {
    // A limit on threads or memory: the caller says so.
    started_ = false;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return started_;
}

void Collector::Wake() { capture::g_doorbell.Ring(true); }

void Collector::SetFlushHooks(FlushHooks hooks, int timeout_ms) {
  std::lock_guard<std::mutex> lock(flush_mutex_);
  flush_hooks_ = std::move(hooks);
  flush_ended_ = false;
  flush_timeout_ms_ = timeout_ms;
}

void Collector::Run() {
  prctl(PR_SET_NAME, "strobe-collect");
  YieldToApplication();
  for (;;) {
    const uint64_t wanted = cuts_wanted_.load();
    const bool worked = Drain();
    const uint64_t now = capture::MonotonicNowNs();
    bool cut_waits;
    {
      std::lock_guard<std::mutex> lock(slices_mutex_);
      cut_waits = cuts_made_ < wanted;
    }
    if (cut_waits) {
      CutSlice();
      std::lock_guard<std::mutex> lock(slices_mutex_);
      cuts_made_ = wanted;
      cut_done_.notify_all();
    } else if (!builder_.empty() && (builder_.nodes() > kSliceNodes || now - builder_since_ns_ > kSliceAgeNs)) {
      CutSlice();
      std::lock_guard<std::mutex> lock(slices_mutex_);
      if (slice_listener_) slice_listener_();
    }
    StepFlush(now);
    if (housekeeping_) housekeeping_(now);
    counters_.cpu_ns.store(capture::ThreadCpuNowNs(), std::memory_order_relaxed);
    Sleep(worked);
    counters_.wakeups.fetch_add(1, std::memory_order_relaxed);
  }
}

bool Collector::SomethingWaits() {
  if (cuts_wanted_.load() > cuts_made_) return true;
  {
    std::lock_guard<std::mutex> lock(flush_mutex_);
    if (!flushing_ && !flush_ended_ && flush_hooks_.wanted && flush_hooks_.wanted()) return true;
    if (flushing_ && flush_done_.load()) return true;
  }
  std::lock_guard<std::mutex> lock(threads_mutex_);
  for (const SampledThread* thread : threads_) {
    if (thread->ended.load() || !thread->state->ring.Empty()) return true;
  }
  return false;
}

void Collector::Sleep(bool worked) {
  quiet_rounds_ = worked ? 0 : quiet_rounds_ + 1;
  const bool asleep = quiet_rounds_ > kQuietRoundsBeforeSleep && !flushing_;
  auto& word = capture::g_doorbell.word;
  const uint32_t declared = asleep ? capture::CollectorDoorbell::kAsleep : capture::CollectorDoorbell::kNapping;
  // Declared first, looked after: whoever rings in between either sees the declaration or is seen here (CollectorDoorbell::Ring is the
  // other half).
  word.exchange(declared, std::memory_order_acq_rel);
  bool waits = cuts_wanted_.load() > cuts_made_;
  if (asleep) {
    waits = SomethingWaits();
  } else if (!waits) {
    std::lock_guard<std::mutex> lock(flush_mutex_);
    waits = (!flushing_ && !flush_ended_ && flush_hooks_.wanted && flush_hooks_.wanted()) || (flushing_ && flush_done_.load());
  }
  if (!waits) {
    const uint64_t nap = low_rate_.load(std::memory_order_relaxed) ? kLongNapNs : kNapNs;
    const uint64_t ns = flushing_ ? kFlushPollNs : nap;
    const timespec limit{static_cast<time_t>(ns / 1'000'000'000u), static_cast<long>(ns % 1'000'000'000u)};
    syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAIT_PRIVATE, declared, asleep ? nullptr : &limit, nullptr, 0);
  }
  word.store(capture::CollectorDoorbell::kAwake, std::memory_order_release);
}

void Collector::StepFlush(uint64_t now_ns) {
  std::unique_lock<std::mutex> lock(flush_mutex_);
  if (!flushing_) {
    if (flush_ended_ || !flush_hooks_.wanted || !flush_hooks_.wanted()) return;
    flushing_ = true;
    flush_done_.store(false);
    flush_deadline_ns_ = now_ns + static_cast<uint64_t>(flush_timeout_ms_) * 1'000'000u;
    flush_asked_ = false;
    flush_hooks_.disarm();
  }
  if (!flush_asked_) {
    const Delivery delivery = flush_hooks_.deliver();
    flush_asked_ = delivery != Delivery::kNotYet;
    if (delivery == Delivery::kNobody) flush_done_.store(true);
  }
  if (flush_done_.load() || now_ns >= flush_deadline_ns_) {
    flushing_ = false;
    flush_ended_ = true;
    flush_hooks_.end();
  }
}

}  // namespace strobe
