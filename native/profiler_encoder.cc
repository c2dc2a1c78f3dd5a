// The encoder's side of the profiler: who is woken when slices wait, and how they are taken.
#include <algorithm>

#include "profiler.h"

namespace strobe {

namespace {

constexpr int kAttemptMs = 1000;

}  // namespace

void Profiler::AttachEncoder(int32_t tid, std::function<void(char)> wake) {
  {
    std::lock_guard<std::mutex> lock(encoder_mutex_);
    encoder_comes_ = false;
    encoder_tid_ = tid;
    encoder_wake_ = std::move(wake);
  }
  collector_.SetSliceListener([this] {
    std::lock_guard<std::mutex> lock(encoder_mutex_);
    if (encoder_wake_) encoder_wake_('s');
  });
}

void Profiler::DetachEncoder(int32_t tid) {
  std::lock_guard<std::mutex> lock(encoder_mutex_);
  if (encoder_tid_ != tid) return;
  // Called on the encoder's own thread, which still has its clock.
  ended_encoder_ns_ += probe::ThreadCpuNs(tid);
  encoder_tid_ = 0;
  encoder_wake_ = nullptr;
}

bool Profiler::TakeSlices(int limit_ms, std::vector<std::unique_ptr<stack::Slice>>* slices) {
  // A machine that gives the collector no CPU for seconds: what is cut then would miss the end. Its caller has time, and says how much.
  bool complete = false;
  for (int rest_ms = limit_ms; rest_ms > 0 && !complete; rest_ms -= kAttemptMs) complete = collector_.CutNow(std::min(rest_ms, kAttemptMs));
  *slices = collector_.TakeSlices();
  return complete;
}

}  // namespace strobe
