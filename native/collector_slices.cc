// The collector's slices: cutting, waiting for one, handing over; and the rates that were in force while a slice was made.
#include <algorithm>
#include <chrono>
#include <utility>

#include "capture/clocks.h"
#include "collector.h"

namespace strobe {

namespace {

// Finished slices that nobody takes (an encoder that hangs): the oldest goes, counted.
constexpr size_t kMaxSlices = 64;
constexpr size_t kMaxWaitingNodes = 1'000'000;  // some 30 MB
// At a lower rate than this (a few samples a nap) naps are longer: waking up would be most of the cost.
constexpr double kLowHz = 40;

void CountLate(std::atomic<uint64_t>* late, const stack::Slice& slice) {
  const auto of = [](const stack::SliceTotals& totals) { return totals.samples + totals.lost; };
  late->fetch_add(of(slice.totals) + of(slice.wall_totals), std::memory_order_relaxed);
}

double UnixMs() { return static_cast<double>(capture::ReadClockNs(CLOCK_REALTIME)) / 1e6; }

}  // namespace

void Collector::SetFrequency(double hz, stack::RateReason why) {
  // A budget that is followed closely changes the rate often; a slice that nobody takes must not grow with it.
  constexpr size_t kMostChanges = 256;
  std::lock_guard<std::mutex> lock(rates_mutex_);
  frequency_hz_ = hz;
  low_rate_.store(hz < kLowHz, std::memory_order_relaxed);
  if (why == stack::RateReason::kStart) rate_changes_.clear();
  if (rate_changes_.size() < kMostChanges) rate_changes_.push_back({UnixMs(), hz, why});
}

// A run that ended without its last cut (a machine that gave the collector no CPU for as long as its end may take) left samples in rings,
// in the builder, in slices. They are of no other run. What threads counted is moved aside here, while nothing is armed; the collector does
// the rest before it touches anything of the new run (FollowRun).
void Collector::MarkStart() {
  {
    std::lock_guard<std::mutex> lock(threads_mutex_);
    for (SampledThread* thread : threads_) {
      capture::ThreadState* state = thread->state;
      thread->late += state->lost_since_taken.exchange(0) + state->wall_lost_since_taken.exchange(0);
      thread->late_wall_run = state->wall_ended_run.load();
      state->lost_ns_since_taken.store(0);
      state->wall_lost_ns_since_taken.store(0);
      state->unsampled_ns_since_taken.store(0);
      state->wall_unsampled_ns_since_taken.store(0);
    }
  }
  std::lock_guard<std::mutex> lock(slices_mutex_);
  for (const auto& slice : slices_) CountLate(&counters_.late, *slice);
  slices_.clear();
  waiting_nodes_ = 0;
  run_start_ns_.store(capture::MonotonicNowNs());
  slice_start_unix_ms_.store(UnixMs());
  runs_.fetch_add(1);
}

void Collector::FollowRun() {
  const uint64_t run = runs_.load();
  if (run == run_) return;
  if (run_ != 0 && !builder_.empty()) CountLate(&counters_.late, *builder_.Cut());
  run_ = run;
  std::vector<SampledThread*> threads;
  {
    std::lock_guard<std::mutex> lock(threads_mutex_);
    threads = threads_;
  }
  for (SampledThread* thread : threads) DropLate(thread);
}

// Of one thread, what is from before the run. Code events stay in order: a sample that is dropped brings those that it waited for.
void Collector::DropLate(SampledThread* thread) {
  const uint64_t start_ns = run_start_ns_.load();
  auto& ring = thread->state->ring;
  uint64_t late = 0;
  uint32_t bytes = 0;
  const uint64_t head = ring.Head();
  while (const uint8_t* at = ring.Next(head, &bytes)) {
    const auto& record = *reinterpret_cast<const capture::SampleRecord*>(at);
    if (record.time_ns >= start_ns) break;
    ApplyEvents(thread, record.code_events);
    late += ((record.flags & capture::kCpuProfile) != 0 ? 1 : 0) + ((record.flags & capture::kWall) != 0 ? 1 : 0);
    ring.Release(bytes);
  }
  // What it slept in the earlier run is over, too.
  thread->wall.done_ns = std::max(thread->wall.done_ns, start_ns);
  std::lock_guard<std::mutex> lock(threads_mutex_);
  if (thread->late_wall_run != 0) thread->wall.closed_run = thread->late_wall_run;
  late += std::exchange(thread->late, 0);
  counters_.late.fetch_add(late, std::memory_order_relaxed);
}

bool Collector::CutNow(int timeout_ms) {
  const uint64_t wanted = cuts_wanted_.fetch_add(1) + 1;
  Wake();
  std::unique_lock<std::mutex> lock(slices_mutex_);
  return cut_done_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [&] { return cuts_made_ >= wanted; });
}

std::vector<std::unique_ptr<stack::Slice>> Collector::TakeSlices() {
  std::lock_guard<std::mutex> lock(slices_mutex_);
  std::vector<std::unique_ptr<stack::Slice>> taken;
  taken.reserve(slices_.size());
  for (auto& slice : slices_) taken.push_back(std::move(slice));
  slices_.clear();
  waiting_nodes_ = 0;
  return taken;
}

void Collector::SetSliceListener(std::function<void()> listener) {
  std::lock_guard<std::mutex> lock(slices_mutex_);
  slice_listener_ = std::move(listener);
}

void Collector::CutSlice() {
  FollowRun();
  AddSleepers();
  std::unique_ptr<stack::Slice> slice = builder_.Cut();
  slice->number = ++slice_number_;
  slice->start_unix_ms = slice_start_unix_ms_.load();
  slice->end_unix_ms = UnixMs();
  const double monotonic_ms = static_cast<double>(capture::MonotonicNowNs()) / 1e6;
  for (double& time : slice->time_ms) time += slice->end_unix_ms - monotonic_ms - slice->start_unix_ms;
  {
    std::lock_guard<std::mutex> rates_lock(rates_mutex_);
    slice->frequency_hz = frequency_hz_;
    slice->rate_changes.swap(rate_changes_);
  }
  slice_start_unix_ms_.store(slice->end_unix_ms);
  std::lock_guard<std::mutex> lock(slices_mutex_);
  if (runs_.load() != run_) {
    // Another run began meanwhile.
    CountLate(&counters_.late, *slice);
    return;
  }
  waiting_nodes_ += slice->node_parent.size();
  slices_.push_back(std::move(slice));
  while (slices_.size() > 1 && (slices_.size() > kMaxSlices || waiting_nodes_ > kMaxWaitingNodes)) {
    waiting_nodes_ -= slices_.front()->node_parent.size();
    slices_.pop_front();
    counters_.dropped_slices.fetch_add(1, std::memory_order_relaxed);
  }
}

}  // namespace strobe
