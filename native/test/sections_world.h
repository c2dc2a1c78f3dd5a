// What tests of label/sections.h share: a thread's label source, three label sets, one span.
#pragma once

#include <memory>
#include <string>

#include "capture/clocks.h"
#include "label/sections.h"
#include "test/span_owner.h"

namespace strobe::label {

using capture::LabelSource;
using capture::ThreadCpuNowNs;

inline void Burn(uint64_t ns) {
  const uint64_t end = ThreadCpuNowNs() + ns;
  while (ThreadCpuNowNs() < end) {
  }
}

constexpr uint64_t kThread = 7;
constexpr uint64_t kSome = 200'000;  // ns to burn

class World {
 public:
  World() : source(std::make_unique<LabelSource>()), spans(&source->spans) {
    table.CollectorStarts([] {});
    for (uint32_t i = 0; i < 3; i++) set[i] = table.Intern({{"set", std::to_string(i)}}, &generation[i]);
    span = spans.Open(&span_generation);
  }
  uint32_t Enter(uint32_t i, bool with_span = false) {
    return EnterSection(source.get(), {with_span ? span : 0, with_span ? span_generation : 0, set[i], generation[i]}, since);
  }
  void Exit(uint32_t depth) { ExitSection(source.get(), &table, depth, kThread, since); }
  ExactUse Of(uint32_t i) {
    const LabelSet* one = table.Find(set[i], generation[i]);
    if (one == nullptr || one->exact.count(kThread) == 0) return {};
    return one->exact.at(kThread);
  }
  uint64_t Sum() { return Of(0).cpu_ns + Of(1).cpu_ns + Of(2).cpu_ns; }
  bool Inside() const { return source->in_section.load() != 0; }
  uint64_t Counted() const { return source->sections_ns.load(); }

  LabelTable table;
  std::unique_ptr<LabelSource> source;
  SpanOwner spans;
  uint64_t since = 0;
  uint32_t set[3] = {};
  uint32_t generation[3] = {};
  uint32_t span = 0;
  uint32_t span_generation = 0;
};

}  // namespace strobe::label
