// The collector's account of one thread's wall time: every nanosecond between the switching on and the last sample goes to one stack.
//
// A wall sample says from when on it stands for the thread (`SampleRecord::wall_from_ns`); what lies between the last sample and there the
// thread slept in the last one's stack. A thread that sleeps on has no sample: at each cut its time up to the moment when the sampler last
// saw it asleep is added to the stack that it sleeps in, so that every window has its share. Both only move `done_ns` forward, so nothing
// is counted twice.
#pragma once

#include <cstdint>
#include <vector>

#include "capture/record.h"
#include "stack/slice.h"
#include "stack/slice_builder.h"

namespace strobe {

struct WallLedger {
  uint32_t run = 0;                 // ThreadState::wall_runs of the samples below
  uint32_t closed_run = 0;          // switched off: the rest of its time is `(unsampled)`
  uint64_t done_ns = 0;             // CLOCK_MONOTONIC: time before is accounted for
  uint64_t ticks_done = 0;          // idle ticks likewise
  std::vector<stack::Frame> stack;  // of the last sample, leaf first
  capture::SampleLabel label;
  stack::GcKind gc = stack::GcKind::kNone;

  // The time that the thread slept up to `until_ns`, and the ticks that found it so; nothing before its first sample.
  struct Idle {
    uint64_t ns = 0;
    uint32_t ticks = 0;
  };
  Idle Take(uint64_t until_ns, uint64_t ticks) {
    Idle idle;
    if (run == 0 || until_ns <= done_ns) return idle;
    idle.ns = until_ns - done_ns;
    done_ns = until_ns;
    if (ticks > ticks_done) {
      idle.ticks = static_cast<uint32_t>(ticks - ticks_done);
      ticks_done = ticks;
    }
    return idle;
  }
};

}  // namespace strobe
