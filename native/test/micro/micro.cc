// Micro-benchmarks of the native parts that need no Node, with Google Benchmark (Debian: libbenchmark-dev): what one sample costs the ring
// and the collector.
//
// Contract: one operation is one sample of kDepth frames, the numbers are nanoseconds an operation, except in slice_cut, where it is one
// whole slice of kStacks stacks. Build and run by `npm run bench:micro`.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "capture/record.h"
#include "capture/ring.h"
#include "stack/slice_builder.h"

namespace strobe {
namespace {

constexpr uint32_t kRingBytes = 256 * 1024;  // profiler.cc's
constexpr uint32_t kDepth = 25;
constexpr uint32_t kStacks = 1000;
constexpr uint32_t kFunctions = 800;
constexpr uint32_t kRecordBytes = sizeof(capture::SampleRecord) + kDepth * sizeof(uint64_t);

class RingBench : public benchmark::Fixture {
 public:
  RingBench() : memory_(kRingBytes / 8) { ring_.Init(reinterpret_cast<uint8_t*>(memory_.data()), kRingBytes); }

 protected:
  bool Write() {
    uint8_t* room = ring_.Reserve(kRecordBytes);
    if (room == nullptr) return false;
    std::memcpy(room, &record_, sizeof record_);
    std::memcpy(room + sizeof record_, frames_, sizeof frames_);
    ring_.Commit(kRecordBytes);
    return true;
  }
  void Read() {
    uint32_t bytes = 0;
    const uint8_t* record = ring_.Next(ring_.Head(), &bytes);
    std::memcpy(&record_, record, sizeof record_);
    benchmark::DoNotOptimize(record_);
    ring_.Release(bytes);
  }

  capture::Ring ring_;

 private:
  std::vector<uint64_t> memory_;
  capture::SampleRecord record_{};
  uint64_t frames_[kDepth] = {};
};

BENCHMARK_F(RingBench, write_and_read)(benchmark::State& state) {
  for (auto _ : state) {
    if (!Write()) state.SkipWithError("the ring refused a record although it is empty");
    Read();
  }
}

// Stacks that share their outer half, as those of one program do; root first.
class TrieBench : public benchmark::Fixture {
 public:
  TrieBench() {
    for (uint32_t i = 0; i < kFunctions; i++) {
      const std::string text =
          "work" + std::to_string(i) + " /app/src/module" + std::to_string(i % 40) + ".js:" + std::to_string(i + 1) + ":3";
      functions_.push_back(std::make_shared<v8::Function>(text, v8::FunctionKind::kJs, v8::FrameRole::kShown));
    }
    uint32_t seed = 7;
    const auto random = [&seed](uint32_t below) {
      seed = seed * 1664525u + 1013904223u;
      return (seed >> 8) % below;
    };
    for (uint32_t i = 0; i < kStacks; i++) {
      std::vector<stack::Frame> frames;
      for (uint32_t depth = 0; depth < kDepth; depth++) {
        const uint32_t function = depth < kDepth / 2 ? depth : random(kFunctions);
        frames.push_back({functions_[function], function + random(4), 5});
      }
      stacks_.push_back(std::move(frames));
    }
  }

 protected:
  void Insert(stack::SliceBuilder* builder, const std::vector<stack::Frame>& frames) const {
    const uint32_t thread = builder->Thread(1, 1, "main");
    uint32_t node = builder->Root();
    for (const stack::Frame& frame : frames) node = builder->Child(node, frame);
    builder->AddSample({node, thread, 0, stack::GcKind::kNone, 0}, 1, 1e6);
  }
  void InsertAll(stack::SliceBuilder* builder) const {
    for (const std::vector<stack::Frame>& frames : stacks_) Insert(builder, frames);
  }

  std::vector<v8::FunctionRef> functions_;
  std::vector<std::vector<stack::Frame>> stacks_;
};

// Stacks that the slice holds already: most samples of a steady program.
BENCHMARK_F(TrieBench, trie_insert_known)(benchmark::State& state) {
  stack::SliceBuilder builder;
  InsertAll(&builder);
  size_t at = 0;
  for (auto _ : state) {
    Insert(&builder, stacks_[at]);
    at = at + 1 == stacks_.size() ? 0 : at + 1;
  }
}

// Stacks that are new: their inner half becomes nodes, frames and strings.
BENCHMARK_F(TrieBench, trie_insert_new)(benchmark::State& state) {
  auto builder = std::make_unique<stack::SliceBuilder>();
  size_t at = 0;
  for (auto _ : state) {
    if (at == stacks_.size()) {
      state.PauseTiming();
      builder = std::make_unique<stack::SliceBuilder>();
      at = 0;
      state.ResumeTiming();
    }
    Insert(builder.get(), stacks_[at++]);
  }
}

BENCHMARK_F(TrieBench, slice_cut)(benchmark::State& state) {
  stack::SliceBuilder builder;
  for (auto _ : state) {
    state.PauseTiming();
    InsertAll(&builder);
    state.ResumeTiming();
    std::unique_ptr<stack::Slice> slice = builder.Cut();
    benchmark::DoNotOptimize(slice);
    state.PauseTiming();
    slice.reset();
    state.ResumeTiming();
  }
}

}  // namespace
}  // namespace strobe

BENCHMARK_MAIN();
