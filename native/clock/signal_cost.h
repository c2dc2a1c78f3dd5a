// What a signal costs the thread that it interrupts, beside what the handler counts of itself (`handler_ns`): for `stats().overhead`.
//
// Measured on a thread of ours, in short and again and again (signal_account.h). A signal that is sent and taken in a tight loop costs half
// of what one costs in the midst of work: its kernel code is in the caches, and a timer that is over at once saves a virtual machine the
// exit for the real one's interrupt. So it is measured as it comes in life: some work, and the same with one signal in its midst; the
// median of the differences, with those calls of the handler that come before its clock is read or after.
//
// A program whose work is spread over much code pays more: the signal displaces its lines. How much more is the difference between two
// works that differ in that alone (spread_work.h); how spread a program is, its samples tell (code_spread.h).
#pragma once

#include <cstdint>

namespace strobe::clock {

struct SignalCost {
  uint64_t sent_ns = 0;    // one that the sampler sends, from another core
  uint64_t timer_ns = 0;   // one of the thread's own timer: with setting it and its interrupt
  uint64_t spread_ns = 0;  // what either costs work that is spread over much code more
};

// Nanoseconds of CPU of the interrupted thread; 0 for what could not be measured (the calling thread blocks the signal, no timer, no
// thread). Takes some 10 ms of CPU on the calling thread and up to 4 on a thread made for it.
SignalCost MeasureSignalCost();

}  // namespace strobe::clock
