#include "clock/budget.h"

#include <algorithm>
#include <cmath>

namespace strobe::clock {

namespace {

constexpr uint64_t kStepNs = 1'000'000'000;
constexpr double kSampleMemoryNs = 4e9;
constexpr double kRestMemoryNs = 60e9;
// What is not known yet of the rest counts as nothing over so many steps: one encoding in the first seconds is no rate.
constexpr double kRestPriorSteps = 5;
constexpr double kLeastCores = 0.1;
constexpr double kHysteresis = 0.1;
constexpr double kMostDown = 8;
constexpr double kMostUp = 1.5;
constexpr double kLeastForSamples = 0.2;
constexpr double kLowestHz = 1;
// A rate is kept as a whole number of nanoseconds.
constexpr double kSameRate = 1e-3;
// CPU of ours a sample, before any was measured: on the high side.
constexpr double kLikelySampleSeconds = 100e-6;

}  // namespace

void Budget::Begin(double share, double asked_hz, const Totals& totals) {
  *this = Budget();
  share_ = share;
  asked_hz_ = asked_hz;
  last_ = totals;
}

double Budget::FirstHz(double share, double asked_hz) {
  return std::clamp(share / kLikelySampleSeconds, std::min(kLowestHz, asked_hz), asked_hz);
}

double Budget::Step(const Totals& totals, double hz) {
  if (!on() || totals.now_ns < last_.now_ns + kStepNs) return 0;
  const auto elapsed = static_cast<double>(totals.now_ns - last_.now_ns);
  // Totals of ended threads move between sums; what runs backwards for a moment counts as nothing.
  const auto grown = [](uint64_t now, uint64_t before) { return now > before ? static_cast<double>(now - before) : 0.0; };
  const double base = std::max(grown(totals.process_ns, last_.process_ns), kLeastCores * elapsed);
  const double keep_sample = std::exp(-elapsed / kSampleMemoryNs);
  const double keep_rest = std::exp(-elapsed / kRestMemoryNs);
  sample_cost_ = sample_cost_ * keep_sample + grown(totals.sampling_ns, last_.sampling_ns) / hz;
  sample_base_ = sample_base_ * keep_sample + base;
  if (rest_base_ == 0) rest_base_ = base * kRestPriorSteps;
  rest_cost_ = rest_cost_ * keep_rest + grown(totals.rest_ns, last_.rest_ns);
  rest_base_ = rest_base_ * keep_rest + base;
  // A thread that ends is missing in one sum and back in the next: not a second's growth.
  last_ = {totals.now_ns, std::max(last_.sampling_ns, totals.sampling_ns), std::max(last_.rest_ns, totals.rest_ns),
           std::max(last_.process_ns, totals.process_ns)};

  const double left = std::max(share_ - rest_cost_ / rest_base_, share_ * kLeastForSamples);
  const double per_hz = sample_cost_ / sample_base_;
  const double fits = per_hz > 0 ? left / per_hz : asked_hz_;
  const double step = std::clamp(fits, hz / kMostDown, hz * kMostUp);
  const double next = std::clamp(step, std::min(kLowestHz, asked_hz_), asked_hz_);
  return std::fabs(next / hz - 1) > kHysteresis || (next == asked_hz_ && std::fabs(hz / asked_hz_ - 1) > kSameRate) ? next : 0;
}

}  // namespace strobe::clock
