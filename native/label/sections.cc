#include "label/sections.h"

#include <algorithm>

#include "capture/clocks.h"

namespace strobe::label {

uint32_t EnterSection(capture::LabelSource* source, const SectionOwner& owner, uint64_t stack_address) {
  source->in_section.store(1, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  // The stack grows down: what was opened at this height or below it has been left without an exit.
  while (!source->open.empty() && source->open.back().stack_address <= stack_address) source->open.pop_back();
  source->open.push_back({capture::ThreadCpuNowNs(), capture::MonotonicNowNs(), 0, 0, stack_address, owner.span_slot, owner.span_generation,
                          owner.label_set, owner.label_generation});
  return static_cast<uint32_t>(source->open.size());
}

void ExitSection(capture::LabelSource* source, LabelTable* table, uint32_t depth, uint64_t thread, uint64_t since_cpu_ns) {
  if (depth == 0 || depth > source->open.size()) return;
  source->open.resize(depth);
  const capture::OpenSection section = source->open.back();
  source->open.pop_back();
  const uint64_t cpu_now = capture::ThreadCpuNowNs();
  const uint64_t cpu_start = std::max(section.cpu_start_ns, since_cpu_ns);
  const uint64_t cpu = cpu_now > cpu_start ? cpu_now - cpu_start : 0;
  const uint64_t wall = capture::MonotonicNowNs() - section.wall_start_ns;
  const uint64_t own_cpu = cpu > section.nested_cpu_ns ? cpu - section.nested_cpu_ns : 0;
  const uint64_t own_wall = wall > section.nested_wall_ns ? wall - section.nested_wall_ns : 0;
  source->measured = true;
  if (capture::SpanUse* span = source->spans.Find(section.span_slot, section.span_generation)) {
    span->exact_ns.store(span->exact_ns.load(std::memory_order_relaxed) + own_cpu, std::memory_order_relaxed);
  }
  table->AddExact(section.label_set, section.label_generation, thread, {own_cpu, own_wall, 1});
  if (!source->open.empty()) {
    source->open.back().nested_cpu_ns += cpu;
    source->open.back().nested_wall_ns += wall;
    return;
  }
  source->sections_ns.store(source->sections_ns.load(std::memory_order_relaxed) + cpu, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  source->in_section.store(0, std::memory_order_relaxed);
}

uint64_t OpenSectionsNs(const capture::LabelSource& source, uint32_t span_slot, uint32_t span_generation, uint64_t since_cpu_ns) {
  uint64_t sum = 0;
  uint64_t end = 0;  // of the section's own part: where the one inside it began, or now
  for (auto section = source.open.rbegin(); section != source.open.rend(); ++section) {
    if (section->span_slot == span_slot && section->span_generation == span_generation) {
      if (end == 0) end = capture::ThreadCpuNowNs();
      const uint64_t taken_off = std::max(section->cpu_start_ns, since_cpu_ns) + section->nested_cpu_ns;
      if (end > taken_off) sum += end - taken_off;
    }
    end = section->cpu_start_ns;
  }
  return sum;
}

}  // namespace strobe::label
