// The overhead budget: how many samples a second may be taken so that strobe's own CPU stays at a given share of the process's.
//
// A closed loop, stepped about once a second from what was measured. Own CPU is in two parts: what samples cost (handler, sampler,
// collector), which goes with the rate, and the rest (code events, encoding), which does not. The share of one sample a second is averaged
// over some seconds, that of the rest over some more, and the rate that fits follows. The rate moves when the fitting one is off by more
// than the hysteresis, at most eight times down and one and a half times up a step, between 1 Hz and what was asked for. At least a fifth
// of the budget is for samples, whatever the rest takes: a budget that code events alone exceed leaves a slow profile, not none.
//
// The share is of the process's CPU, but of a tenth of a core at the least: an idle process has no CPU to speak of to take a share from.
//
// No clock, no threads in here: `Step` is given totals.
#pragma once

#include <cstdint>

namespace strobe::clock {

class Budget {
 public:
  struct Totals {
    uint64_t now_ns = 0;       // CLOCK_MONOTONIC
    uint64_t sampling_ns = 0;  // CPU that goes with the rate
    uint64_t rest_ns = 0;      // other CPU of ours
    uint64_t process_ns = 0;   // CPU of the process, ours with it
  };

  // `share`: 0.01 is 1 %; 0: no budget.
  void Begin(double share, double asked_hz, const Totals& totals);
  // The rate to begin with.
  static double FirstHz(double share, double asked_hz);
  bool on() const { return share_ > 0; }
  // The user asked for another rate.
  void Ask(double asked_hz) { asked_hz_ = asked_hz; }
  // The rate to use from now on, when it is another one than `hz`, else 0.
  double Step(const Totals& totals, double hz);

 private:
  double share_ = 0;
  double asked_hz_ = 0;
  Totals last_;
  // Averages that forget: of sampling_ns / hz and of the CPU that it is a share of; of rest_ns and its.
  double sample_cost_ = 0;
  double sample_base_ = 0;
  double rest_cost_ = 0;
  double rest_base_ = 0;
};

}  // namespace strobe::clock
