#include "label/sections.h"

#include <algorithm>

#include "capture/clocks.h"

namespace strobe::label {

namespace {

struct ClockTold {
  uint64_t cpu_ns;
  uint64_t at_ns;  // CLOCK_MONOTONIC
};

void AddTo(std::atomic<uint64_t>* counter, uint64_t value) {
  counter->store(counter->load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
}

uint64_t LoopIdleNs(const capture::LabelSource& source) { return source.loop != nullptr ? source.loop_idle_ns(source.loop) : 0; }

// A callback is over since the clock was followed last: what the loop has waited for meanwhile is taken out of the time that has passed.
// False when that is not known, or was too long.
bool FollowsOverTheLoop(capture::LabelSource* source) {
  capture::ClockReading& last = source->last_reading;
  const uint64_t idle = LoopIdleNs(*source);
  // 0: a loop that does not count, or has not waited yet. Less than before: it is another loop's.
  if (idle == 0 || last.idle_ns == 0 || idle < last.idle_ns) return false;
  const uint64_t waited = idle - last.idle_ns;
  last.idle_ns = idle;
  last.at_ns += waited;
  last.waited_ns += waited;
  source->words.stale = 0;
  return last.waited_ns < kMostWaitedNs;
}

// Where an open section begins on the clock as it is known by now.
uint64_t StartOf(const capture::OpenSection& section) {
  const int64_t start = static_cast<int64_t>(section.cpu_start_ns) - section.ahead_ns;
  return start > 0 ? static_cast<uint64_t>(start) : 0;
}

// A wait of `waited_ns` that was in one of three parts of a window, nobody knows which: what it is likely to have taken from each. It can't
// be in a part that is shorter than itself; where all are, there were several.
struct Likely {
  Likely(uint64_t waited_ns, uint64_t closed_ns, uint64_t open_ns, uint64_t outside_ns) {
    const uint64_t parts[] = {closed_ns, open_ns, outside_ns};
    const bool fits = std::max({closed_ns, open_ns, outside_ns}) >= waited_ns;
    double all = 0;
    for (const uint64_t part : parts) all += !fits || part >= waited_ns ? static_cast<double>(part) : 0;
    const auto of = [&](uint64_t part) {
      if (all == 0 || (fits && part < waited_ns)) return uint64_t{0};
      return static_cast<uint64_t>(static_cast<double>(waited_ns) * static_cast<double>(part) / all);
    };
    in_closed = of(closed_ns);
    in_open = of(open_ns);
  }
  uint64_t in_closed;
  uint64_t in_open;
};

// The clock was read, `estimate` is what it was taken for: sections that are open keep what is theirs, whatever is charged to closed ones
// too much is owed.
void SetRight(capture::LabelSource* source, uint64_t estimate, uint64_t reading) {
  const uint64_t begin = source->last_reading.cpu_ns;
  if (reading >= estimate) {
    // The kernel's own work at the loop's waits, which were before the sections that are open.
    for (capture::OpenSection& section : source->open) {
      if (StartOf(section) >= begin) section.ahead_ns -= static_cast<int64_t>(reading - estimate);
    }
    return;
  }
  const uint64_t waited = estimate - reading;
  const auto inside = [&](const capture::OpenSection& section) {
    const uint64_t from = std::max(StartOf(section), begin);
    return estimate > from ? estimate - from : 0;
  };
  const uint64_t window = estimate - begin;
  const uint64_t open = source->open.empty() ? 0 : inside(source->open.front());
  const uint64_t closed = std::min(source->closed_ns, window - std::min(window, open));
  const Likely likely(waited, closed, open, window - std::min(window, open) - closed);
  source->debt_ns += likely.in_closed;
  for (capture::OpenSection& section : source->open) {
    const double share = open == 0 ? 0 : static_cast<double>(inside(section)) / static_cast<double>(open);
    section.ahead_ns += static_cast<int64_t>(waited) - static_cast<int64_t>(static_cast<double>(likely.in_open) * share);
  }
}

// The thread's clock and CLOCK_MONOTONIC, now.
ClockTold ReadClocks(capture::LabelSource* source) {
  capture::ClockReading& last = source->last_reading;
  const bool exact = source->words.exact != 0;
  const bool follows = source->words.stale == 0 || (!exact && FollowsOverTheLoop(source));
  const uint64_t now = capture::MonotonicNowNs();
  const uint64_t estimate = last.cpu_ns + (now - last.at_ns);
  if (follows && now - last.at_ns < (exact ? kExactFreshNs : kFreshNs)) return {estimate, now};
  const uint64_t reading = capture::ThreadCpuNowNs();
  // The kernel read it somewhere in between.
  const uint64_t at = now + (capture::MonotonicNowNs() - now) / 2;
  // Where the loop was not followed, its waits are in the estimate.
  if (follows) SetRight(source, estimate + (at - now), reading);
  last = {reading, at, LoopIdleNs(*source), 0};
  source->closed_ns = 0;
  source->words.stale = 0;
  return {reading, at};
}

// Of the section so far, by the clock `cpu_ns`.
uint64_t CpuOf(const capture::OpenSection& section, uint64_t cpu_ns, uint64_t since_cpu_ns) {
  const uint64_t start = std::max(StartOf(section), since_cpu_ns);
  return cpu_ns > start ? cpu_ns - start : 0;
}

// Sampling began anew meanwhile: what was measured inside before is off the old run's account, not off this one's.
void Rebase(capture::OpenSection* section, uint64_t since_cpu_ns) {
  if (section->since_cpu_ns == since_cpu_ns) return;
  section->since_cpu_ns = since_cpu_ns;
  section->nested_cpu_ns = 0;
}

// Off the outer section's own time, or off what samples are charged.
void Measured(capture::LabelSource* source, uint64_t cpu_ns, uint64_t wall_ns, uint64_t since_cpu_ns) {
  if (source->open.empty()) {
    AddTo(&source->sections_ns, cpu_ns);
    return;
  }
  capture::OpenSection& outer = source->open.back();
  Rebase(&outer, since_cpu_ns);
  outer.nested_cpu_ns += cpu_ns;
  outer.nested_wall_ns += wall_ns;
}

void GiveUpBeyond(capture::LabelSource* source, uint32_t depth, uint64_t since_cpu_ns) {
  while (source->open.size() > depth) {
    capture::OpenSection section = source->open.back();
    source->open.pop_back();
    Rebase(&section, since_cpu_ns);
    Measured(source, section.nested_cpu_ns, section.nested_wall_ns, since_cpu_ns);
  }
}

void Left(capture::LabelSource* source) {
  source->words.open = static_cast<uint32_t>(source->open.size());
  if (!source->open.empty()) return;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  source->in_section.store(0, std::memory_order_relaxed);
}

}  // namespace

uint32_t EnterSection(capture::LabelSource* source, const SectionOwner& owner, uint64_t since_cpu_ns) {
  source->in_section.store(1, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  const ClockTold now = ReadClocks(source);
  source->open.push_back(
      {now.cpu_ns, now.at_ns, 0, 0, since_cpu_ns, 0, owner.span_slot, owner.span_generation, owner.label_set, owner.label_generation});
  source->words.open = static_cast<uint32_t>(source->open.size());
  return source->words.open;
}

void ExitSection(capture::LabelSource* source, LabelTable* table, uint32_t depth, uint64_t thread, uint64_t since_cpu_ns) {
  if (depth > source->open.size()) return;
  GiveUpBeyond(source, depth, since_cpu_ns);
  if (depth == 0) return Left(source);
  // Before it leaves: a reading sets right what is open.
  const ClockTold now = ReadClocks(source);
  capture::OpenSection section = source->open.back();
  source->open.pop_back();
  Rebase(&section, since_cpu_ns);
  const uint64_t wall = now.at_ns - section.wall_start_ns;
  // No thread runs longer than time passes, and what was measured inside stays measured.
  uint64_t cpu = std::max(std::min(CpuOf(section, now.cpu_ns, since_cpu_ns), wall), section.nested_cpu_ns);
  uint64_t own_cpu = cpu - section.nested_cpu_ns;
  if (source->open.empty()) {
    const uint64_t paid = std::min(source->debt_ns, own_cpu);
    source->debt_ns -= paid;
    own_cpu -= paid;
    cpu -= paid;
    source->closed_ns += std::min(cpu, now.cpu_ns - std::min(now.cpu_ns, source->last_reading.cpu_ns));
  }
  const uint64_t own_wall = wall > section.nested_wall_ns ? wall - section.nested_wall_ns : 0;
  source->measured = true;
  if (capture::SpanUse* span = source->spans.Find(section.span_slot, section.span_generation)) capture::AddNs(&span->exact_ns, own_cpu);
  table->AddExact(section.label_set, section.label_generation, thread, {own_cpu, own_wall, 1});
  Measured(source, cpu, wall, since_cpu_ns);
  Left(source);
}

uint64_t OpenSectionsNs(capture::LabelSource* source, uint32_t span_slot, uint32_t span_generation, uint64_t since_cpu_ns) {
  uint64_t sum = 0;
  uint64_t end = ReadClocks(source).cpu_ns;  // of the section's own part: now, or where the one inside it began
  for (auto section = source->open.rbegin(); section != source->open.rend(); ++section) {
    if (section->span_slot == span_slot && section->span_generation == span_generation) {
      const uint64_t taken_off = std::max(StartOf(*section), since_cpu_ns) + section->nested_cpu_ns;
      if (end > taken_off) sum += end - taken_off;
    }
    end = StartOf(*section);
  }
  return sum;
}

}  // namespace strobe::label
