// A collector whose own thread does not run, and threads for it, for tests: a test drains and cuts by hand. A "thread" here is a ring that
// the test writes like the handler.
#pragma once

#include <string.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "collector.h"

namespace strobe::test {

struct SampleSpec {
  std::vector<uint64_t> frames;  // leaf first
  uint64_t pc = 0x7f0000000000;  // native code
  v8api::VmState state = v8api::VmState::kExternal;
  uint64_t weight_ns = 1000;
  uint16_t flags = 0;
  int64_t code_events = -1;  // -1: as many as are published now
  uint64_t time_ns = 0;
  uint16_t profiles = capture::kCpu | capture::kCpuProfile;
};

class FakeThread {
 public:
  explicit FakeThread(uint64_t key = 1, uint32_t ring_bytes = 1 << 16) : memory_(ring_bytes / 8) {
    state.ring.Init(reinterpret_cast<uint8_t*>(memory_.data()), ring_bytes);
    state.code_events = &thread.events.published();
    thread.key = key;
    thread.state = &state;
    thread.tid = static_cast<int32_t>(1000 + key);
    thread.node_thread_id = static_cast<int32_t>(key);
    thread.name = "thread " + std::to_string(key);
  }

  void Add(uint64_t start, uint64_t length, std::string_view text, uint8_t code_type = v8api::JitCodeEvent::kJitCode) {
    v8::CodeEvent event;
    event.type = v8::CodeEvent::Type::kAdded;
    event.code_type = code_type;
    event.start = start;
    event.length_or_new_start = length;
    event.name = text;
    thread.events.Push(event);
  }
  void Move(uint64_t from, uint64_t to) { Push(v8::CodeEvent::Type::kMoved, from, to); }
  void Remove(uint64_t start) { Push(v8::CodeEvent::Type::kRemoved, start, 0); }
  void Reset() { Push(v8::CodeEvent::Type::kReset, 0, 0); }

  bool Sample(const SampleSpec& spec) {
    const uint32_t bytes = static_cast<uint32_t>(sizeof(capture::SampleRecord) + spec.frames.size() * 8);
    uint8_t* room = state.ring.Reserve(bytes);
    if (room == nullptr) {
      state.lost_since_taken.fetch_add(1);
      state.lost_ns_since_taken.fetch_add(spec.weight_ns);
      return false;
    }
    auto* record = reinterpret_cast<capture::SampleRecord*>(room);
    record->code_events = spec.code_events < 0 ? thread.events.published().load() : static_cast<uint64_t>(spec.code_events);
    record->time_ns = spec.time_ns;
    record->weight_ns = spec.weight_ns;
    record->pc = spec.pc;
    record->vm_state = static_cast<uint16_t>(spec.state);
    record->flags = static_cast<uint16_t>(spec.flags | spec.profiles);
    record->frame_count = static_cast<uint32_t>(spec.frames.size());
    record->label = {};
    if (!spec.frames.empty()) memcpy(room + sizeof(capture::SampleRecord), spec.frames.data(), spec.frames.size() * 8);
    state.ring.Commit(bytes);
    return true;
  }

  capture::ThreadState state;
  SampledThread thread;

 private:
  void Push(v8::CodeEvent::Type type, uint64_t start, uint64_t to) {
    v8::CodeEvent event;
    event.type = type;
    event.start = start;
    event.length_or_new_start = to;
    thread.events.Push(event);
  }
  std::vector<uint64_t> memory_;
};

// "root;…;leaf" -> count, over all threads.
inline std::map<std::string, uint64_t> Stacks(const stack::Slice& slice) {
  std::map<std::string, uint64_t> stacks;
  for (size_t row = 0; row < slice.sample_node.size(); row++) {
    std::string path;
    for (uint32_t node = slice.sample_node[row]; node != 0; node = slice.node_parent[node]) {
      const std::string& name = slice.strings[slice.function_name[slice.frame_function[slice.node_frame[node]]]];
      path = path.empty() ? name : name + ";" + path;
    }
    stacks[path] += slice.sample_count[row];
  }
  return stacks;
}

inline double Weight(const stack::Slice& slice) {
  double weight = 0;
  for (const double one : slice.sample_weight_ns) weight += one;
  return weight;
}

inline std::string Show(const std::map<std::string, uint64_t>& stacks) {
  std::string out;
  for (const auto& [stack, count] : stacks) out += stack + " " + std::to_string(count) + "\n";
  return out;
}

// One collector with one thread.
struct Fixture {
  Fixture() { collector.Add(&fake.thread); }
  // Drains and cuts.
  std::string Drained() {
    collector.DrainForTest();
    return Show(Stacks(*collector.CutForTest()));
  }
  FakeThread fake;
  Collector collector{[](SampledThread*) {}};
};

}  // namespace strobe::test
