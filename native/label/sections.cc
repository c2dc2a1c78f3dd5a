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

// The thread's clock and CLOCK_MONOTONIC, now.
ClockTold ReadClocks(capture::LabelSource* source) {
  capture::ClockReading& last = source->last_reading;
  const bool follows = source->words.stale == 0 || FollowsOverTheLoop(source);
  const uint64_t now = capture::MonotonicNowNs();
  ClockTold told{last.cpu_ns + (now - last.at_ns), now};
  if (!follows || now - last.at_ns >= (source->words.exact != 0 ? kExactFreshNs : kFreshNs)) {
    told.cpu_ns = capture::ThreadCpuNowNs();
    // The kernel read it somewhere in between.
    told.at_ns = now + (capture::MonotonicNowNs() - now) / 2;
    last = {told.cpu_ns, told.at_ns, LoopIdleNs(*source), 0};
    source->words.stale = 0;
  }
  told.cpu_ns = std::max(told.cpu_ns, source->told_cpu_ns);
  source->told_cpu_ns = told.cpu_ns;
  return told;
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
      {now.cpu_ns, now.at_ns, 0, 0, since_cpu_ns, owner.span_slot, owner.span_generation, owner.label_set, owner.label_generation});
  source->words.open = static_cast<uint32_t>(source->open.size());
  return source->words.open;
}

void ExitSection(capture::LabelSource* source, LabelTable* table, uint32_t depth, uint64_t thread, uint64_t since_cpu_ns) {
  if (depth > source->open.size()) return;
  GiveUpBeyond(source, depth, since_cpu_ns);
  if (depth == 0) return Left(source);
  capture::OpenSection section = source->open.back();
  source->open.pop_back();
  Rebase(&section, since_cpu_ns);
  const ClockTold now = ReadClocks(source);
  const uint64_t cpu_start = std::max(section.cpu_start_ns, since_cpu_ns);
  const uint64_t cpu = now.cpu_ns > cpu_start ? now.cpu_ns - cpu_start : 0;
  const uint64_t wall = now.at_ns - section.wall_start_ns;
  const uint64_t own_cpu = cpu > section.nested_cpu_ns ? cpu - section.nested_cpu_ns : 0;
  const uint64_t own_wall = wall > section.nested_wall_ns ? wall - section.nested_wall_ns : 0;
  source->measured = true;
  if (capture::SpanUse* span = source->spans.Find(section.span_slot, section.span_generation)) capture::AddNs(&span->exact_ns, own_cpu);
  table->AddExact(section.label_set, section.label_generation, thread, {own_cpu, own_wall, 1});
  Measured(source, cpu, wall, since_cpu_ns);
  Left(source);
}

uint64_t OpenSectionsNs(capture::LabelSource* source, uint32_t span_slot, uint32_t span_generation, uint64_t since_cpu_ns) {
  uint64_t sum = 0;
  uint64_t end = 0;  // of the section's own part: where the one inside it began, or now
  for (auto section = source->open.rbegin(); section != source->open.rend(); ++section) {
    if (section->span_slot == span_slot && section->span_generation == span_generation) {
      if (end == 0) end = ReadClocks(source).cpu_ns;
      const uint64_t taken_off = std::max(section->cpu_start_ns, since_cpu_ns) + section->nested_cpu_ns;
      if (end > taken_off) sum += end - taken_off;
    }
    end = section->cpu_start_ns;
  }
  return sum;
}

}  // namespace strobe::label
