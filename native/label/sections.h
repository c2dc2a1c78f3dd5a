// Exact sections: the thread's CPU between entry and exit of a call that asked to be measured, sections inside it taken off.
//
// Contract: on the JavaScript thread only. While a section is open the handler charges nobody (LabelSource::in_section); at its exit its
// CPU goes to the span's slot and to the label set, and into `sections_ns`, which the handler takes off what it charges to the next sample
// outside. So exact and sampled CPU of a thread add up to its clock.
//
// Order at entry: `in_section` first, the clock after it; at exit: the counters first, `in_section` last. A sample between sees an open
// section and leaves its CPU to the next one: nothing is charged twice.
//
// Reading the thread's clock is a system call: 0.5 to 2 us by itself, and what it leaves in the processor costs the code behind it as much
// again and more (docs/spans.md). So behind a reading the clock is taken to go on with CLOCK_MONOTONIC, which is read without the kernel,
// for kFreshNs of running, then it is read again. Where a callback is over, the loop may have waited for events: libuv counts how long,
// and that is taken out. (It counts the kernel's own work at a wait as waiting, and nothing of a wait that a signal broke off: after
// kMostWaitedNs of waits the clock is read again.) Where the loop's waits are not known, the next callback reads the clock.
//
// An estimate is never the base of another. What a reading shows the estimate to have been ahead is a wait that was somewhere since the
// last reading, and it is taken from where it is likely to have been: in a part of that time (closed sections, open ones, what is outside)
// that is long enough for it, by the parts' lengths where several are. Open sections are set right by that, for closed ones the next
// sections are charged less. So the usual displacement of a thread, for longer than kFreshNs, is no error; a shorter wait (a moment's lock,
// a file that comes at once, a collection that joins others) can make a section wrong by as much as that wait, in either direction, and
// sums by what chance puts on the wrong side. No section is charged more than the time that it was open. Sections that asked to be exact
// (SectionWords::exact) read the clock in each callback anew, and have the narrower kExactFreshNs at both ends.
//
// A section whose exit never runs (V8 terminates execution without `finally`, as for vm's timeout) is given up without a count by the next
// exit further out, or by JavaScript's side when its stack is empty (ExitSection with 0). Not by the height of the stack: two sections of
// code that was inlined into one frame stand at the same height, the inner one even above where the outer one was opened by slower code.
// What was measured inside of it stays measured.
#pragma once

#include <cstdint>

#include "capture/label_source.h"
#include "label/label_table.h"

namespace strobe::label {

struct SectionOwner {
  uint32_t span_slot = 0;
  uint32_t span_generation = 0;
  uint32_t label_set = 0;
  uint32_t label_generation = 0;
};

inline constexpr uint64_t kFreshNs = 200'000;
inline constexpr uint64_t kExactFreshNs = 20'000;
inline constexpr uint64_t kMostWaitedNs = 1'000'000;

// `since_cpu_ns`: the thread's clock when sampling began: CPU before it is nobody's. How many sections are open now, this one among them:
// what ExitSection wants back.
uint32_t EnterSection(capture::LabelSource* source, const SectionOwner& owner, uint64_t since_cpu_ns);

// `thread`: SampledThread::key. `depth` 0: whatever is open is given up.
void ExitSection(capture::LabelSource* source, LabelTable* table, uint32_t depth, uint64_t thread, uint64_t since_cpu_ns);

// Own CPU so far of the span's sections that are open now, nanoseconds: a span usually ends inside the call that it measures.
uint64_t OpenSectionsNs(capture::LabelSource* source, uint32_t span_slot, uint32_t span_generation, uint64_t since_cpu_ns);

}  // namespace strobe::label
