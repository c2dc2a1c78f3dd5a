// The collector's slices: cutting, waiting for one, handing over; and the rates that were in force while a slice was made.
#include <chrono>

#include "capture/clocks.h"
#include "collector.h"

namespace strobe {

namespace {

// Finished slices that nobody takes (an encoder that hangs): the oldest goes, counted.
constexpr size_t kMaxSlices = 64;
constexpr size_t kMaxWaitingNodes = 1'000'000;  // some 30 MB
// At a lower rate than this (a few samples a nap) naps are longer: waking up would be most of the cost.
constexpr double kLowHz = 40;

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

void Collector::MarkStart() { slice_start_unix_ms_.store(UnixMs()); }

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
  waiting_nodes_ += slice->node_parent.size();
  slices_.push_back(std::move(slice));
  while (slices_.size() > 1 && (slices_.size() > kMaxSlices || waiting_nodes_ > kMaxWaitingNodes)) {
    waiting_nodes_ -= slices_.front()->node_parent.size();
    slices_.pop_front();
    counters_.dropped_slices.fetch_add(1, std::memory_order_relaxed);
  }
}

}  // namespace strobe
