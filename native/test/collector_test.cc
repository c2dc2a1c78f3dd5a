// Tests of collector.h: a sample is named by the map of its own moment, whatever happened to the code before the drain; which address is
// the leaf; what samples without JavaScript are called; and CPU is conserved from the ring to the slice.
//
// The collector's own thread does not run: a test drains and cuts by hand. A "thread" here is a ring that the test writes like the handler.
#include "collector.h"

#include <string.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "capture/capture.h"
#include "capture/clocks.h"
#include "test/check.h"

namespace strobe {
namespace {

using v8api::VmState;

constexpr uint8_t kByteCode = v8api::JitCodeEvent::kByteCode;
constexpr uint8_t kJit = v8api::JitCodeEvent::kJitCode;

struct SampleSpec {
  std::vector<uint64_t> frames;  // leaf first
  uint64_t pc = 0x7f0000000000;  // native code
  VmState state = VmState::kExternal;
  uint64_t weight_ns = 1000;
  uint16_t flags = 0;
  int64_t code_events = -1;  // -1: as many as are published now
  uint64_t time_ns = 0;
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

  void Add(uint64_t start, uint64_t length, std::string_view text, uint8_t code_type = kJit) {
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
    record->flags = static_cast<uint16_t>(spec.flags | capture::kCpu | capture::kCpuProfile);
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
std::map<std::string, uint64_t> Stacks(const stack::Slice& slice) {
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

double Weight(const stack::Slice& slice) {
  double weight = 0;
  for (const double one : slice.sample_weight_ns) weight += one;
  return weight;
}

std::string Show(const std::map<std::string, uint64_t>& stacks) {
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

// A run whose last cut came too late: what it left behind is counted, and in no slice of the next one.
TEST(collector_leftovers_of_a_run_are_in_no_other) {
  Fixture f;
  f.collector.MarkStart();
  f.fake.Add(0x1000, 0x100, "JS:~main /app/a.js:1:1", kByteCode);
  f.fake.Add(0x2000, 0x100, "JS:*old /app/a.js:2:1");
  const auto now = [] { return capture::MonotonicNowNs(); };
  // In the builder, then in the ring; each behind code that the next run meets again.
  f.fake.Sample({.frames = {0x2010, 0x1010}, .time_ns = now()});
  f.collector.DrainForTest();
  f.fake.Move(0x2000, 0x3000);
  f.fake.Sample({.frames = {0x3010, 0x1010}, .time_ns = now()});
  f.fake.state.lost_since_taken.store(3);
  f.fake.state.lost_ns_since_taken.store(3000);
  f.fake.state.unsampled_ns_since_taken.store(500);

  f.collector.MarkStart();
  f.fake.Add(0x2000, 0x100, "JS:*young /app/a.js:3:1");
  f.fake.Sample({.frames = {0x2010, 0x1010}, .weight_ns = 7000, .time_ns = now()});
  f.fake.Sample({.frames = {0x3020, 0x1010}, .weight_ns = 70, .time_ns = now()});
  f.fake.state.lost_since_taken.fetch_add(2);
  f.collector.DrainForTest();
  const auto slice = f.collector.CutForTest();
  CHECK_EQ(Show(Stacks(*slice)), "(lost) 2\nmain;old 1\nmain;young 1\n");
  CHECK_EQ(Weight(*slice), 7070.0);
  CHECK_EQ(slice->totals.samples, 2);
  CHECK_EQ(slice->totals.lost, 2);
  CHECK_EQ(f.collector.counters().late.load(), 5);

  // Cut in time: nothing is late.
  f.collector.MarkStart();
  f.fake.Sample({.frames = {0x2010, 0x1010}, .time_ns = now()});
  CHECK_EQ(f.Drained(), "main;young 1\n");
  CHECK_EQ(f.collector.counters().late.load(), 5);
}

// The collector is at work on a thread when the run begins.
TEST(collector_a_run_that_begins_during_a_drain) {
  for (int round = 0; round < 200; round++) {
    Fixture f;
    f.collector.MarkStart();
    f.fake.Add(0x1000, 0x100, "JS:~main /app/a.js:1:1", kByteCode);
    std::atomic<bool> done{false};
    uint64_t taken = 0;
    std::thread drains([&] {
      while (!done.load()) f.collector.DrainForTest();
    });
    for (int i = 0; i < 20; i++) f.fake.Sample({.frames = {0x1010}, .time_ns = capture::MonotonicNowNs()});
    f.collector.MarkStart();
    for (int i = 0; i < 20; i++) {
      if (f.fake.Sample({.frames = {0x1020}, .time_ns = capture::MonotonicNowNs()})) taken++;
    }
    done.store(true);
    drains.join();
    f.collector.DrainForTest();
    const auto slice = f.collector.CutForTest();
    CHECK_EQ(slice->totals.samples, taken);
    CHECK_EQ(f.collector.counters().late.load(), 20);
  }
}

TEST(collector_resolves_a_stack) {
  Fixture f;
  f.fake.Add(0x1000, 0x100, "JS:~main /app/a.js:1:1", kByteCode);
  f.fake.Add(0x2000, 0x100, "JS:*hot /app/a.js:2:1");
  f.fake.Sample({{0x2010, 0x1010}});
  f.fake.Sample({{0x2020, 0x1010}});
  CHECK_EQ(f.Drained(), "main;hot 2\n");
  CHECK_EQ(f.collector.counters().samples.load(), 2);
  CHECK_EQ(f.collector.counters().frames.load(), 4);
  CHECK_EQ(f.collector.counters().unresolved_frames.load(), 0);
  CHECK_EQ(f.collector.counters().code_events.load(), 2);
  CHECK_EQ(f.collector.counters().code_entries.load(), 2);
}

TEST(collector_tiers_are_one_function) {
  Fixture f;
  f.fake.Add(0x1000, 0x100, "JS:~f /app/a.js:1:1", kByteCode);
  f.fake.Add(0x2000, 0x100, "JS:*f /app/a.js:1:1");
  f.fake.Sample({{0x1010}});
  f.fake.Sample({{0x2010}});
  f.collector.DrainForTest();
  const auto slice = f.collector.CutForTest();
  CHECK_EQ(Show(Stacks(*slice)), "f 2\n");
  CHECK_EQ(slice->function_name.size(), 1);
}

TEST(collector_code_moved_after_the_sample) {
  Fixture f;
  f.fake.Add(0x1000, 0x100, "JS:~f /a.js:1:1");
  f.fake.Sample({{0x1010}});
  f.fake.Move(0x1000, 0x5000);
  f.fake.Add(0x1000, 0x100, "JS:~g /a.js:2:1");
  f.fake.Sample({{0x5010}});
  f.fake.Sample({{0x1010}});
  CHECK_EQ(f.Drained(), "f 2\ng 1\n");
}

TEST(collector_code_replaced_after_the_sample) {
  Fixture f;
  f.fake.Add(0x1000, 0x100, "JS:~f /a.js:1:1");
  f.fake.Sample({{0x1010}});
  f.fake.Add(0x1080, 0x100, "JS:~g /a.js:2:1");
  f.fake.Sample({{0x1090}});
  f.fake.Sample({{0x1010}});  // f is gone: what overlaps it took its memory
  CHECK_EQ(f.Drained(), "(unresolved) 1\nf 1\ng 1\n");
  CHECK_EQ(f.collector.counters().evicted_overlap.load(), 1);
}

TEST(collector_code_removed_or_reset_after_the_sample) {
  Fixture f;
  f.fake.Add(0x1000, 0x100, "JS:~f /a.js:1:1");
  f.fake.Add(0x2000, 0x100, "JS:~g /a.js:2:1");
  f.fake.Sample({{0x1010}});
  f.fake.Remove(0x1000);
  f.fake.Sample({{0x2010, 0x1010}});
  f.fake.Reset();
  f.fake.Sample({{0x2010}});
  f.fake.Add(0x2000, 0x100, "JS:~h /a.js:3:1");
  f.fake.Sample({{0x2010}});
  CHECK_EQ(f.Drained(), "(unresolved) 1\n(unresolved);g 1\nf 1\nh 1\n");
  CHECK_EQ(f.collector.counters().code_resets.load(), 1);
}

TEST(collector_sample_before_the_event) {
  Fixture f;
  f.fake.Sample({{0x1010}});
  f.fake.Add(0x1000, 0x100, "JS:~f /a.js:1:1");
  f.fake.Sample({{0x1010}});
  CHECK_EQ(f.Drained(), "(unresolved) 1\nf 1\n");
}

TEST(collector_late_sample_has_an_older_number) {
  // The sample read its number, two events followed before it was written; the drain meets all three at once.
  Fixture f;
  f.fake.Add(0x1000, 0x100, "JS:~old /a.js:1:1");
  f.fake.Add(0x3000, 0x100, "JS:~other /a.js:3:1");
  CHECK_EQ(f.Drained(), "");
  f.fake.Add(0x1000, 0x100, "JS:~new /a.js:2:1");
  f.fake.Move(0x3000, 0x4000);
  f.fake.Sample({{0x1010, 0x3010}, 0x7f0000000000, VmState::kExternal, 1000, 0, 2});
  f.fake.Sample({{0x1010, 0x4010}});
  CHECK_EQ(f.Drained(), "other;new 1\nother;old 1\n");
  CHECK_EQ(f.fake.thread.events.backlog(), 0);
}

TEST(collector_number_beyond_what_the_drain_saw) {
  // A sample may carry more events than the drain counted at its start: they are applied for it, and only once.
  Fixture f;
  for (uint64_t i = 0; i < 50; i++) {
    f.fake.Add(0x1000, 0x100, "JS:~f" + std::to_string(i) + " /a.js:1:1");
    f.fake.Sample({{0x1010}});
  }
  f.collector.DrainForTest();
  const auto stacks = Stacks(*f.collector.CutForTest());
  CHECK_EQ(stacks.size(), 50);
  CHECK_EQ(f.collector.counters().code_events.load(), 50);
}

TEST(collector_samples_and_events_at_random_against_a_model) {
  // Code that comes and moves on a few places; each sample's name is known when it is taken. Drains fall anywhere.
  Fixture f;
  std::mt19937 random(4);
  std::vector<std::string> at(8);  // place -> name
  std::map<std::string, uint64_t> expected;
  uint64_t samples = 0;
  for (int i = 0; i < 20'000; i++) {
    const size_t place = random() % at.size();
    const uint64_t start = 0x1000 + place * 0x100;
    switch (random() % 4) {
      case 0:
        at[place] = "f" + std::to_string(random() % 200);
        f.fake.Add(start, 0x100, "JS:~" + at[place] + " /a.js:1:1");
        break;
      case 1: {
        const size_t to = random() % at.size();
        if (to == place || at[place].empty()) break;
        f.fake.Move(start, 0x1000 + to * 0x100);
        at[to] = at[place];
        at[place].clear();
        break;
      }
      default:
        if (f.fake.Sample({{start + random() % 0xe0 + 0x10}})) {
          expected[at[place].empty() ? "(unresolved)" : at[place]]++;
          samples++;
        }
    }
    if (random() % 50 == 0) f.collector.DrainForTest();
  }
  f.collector.DrainForTest();
  const auto slice = f.collector.CutForTest();
  CHECK(Stacks(*slice) == expected);
  CHECK_EQ(slice->totals.samples, samples);
}

// V8 compiles, throws away, and gives the pages back without a word: the map must not keep it all. What was sampled before has its name.
TEST(collector_forgets_code_whose_pages_are_gone) {
  constexpr uint64_t kCode = 64;
  constexpr uint64_t kMany = SampledThread::kFirstLook + 1000;
  constexpr size_t kBytes = kMany * kCode;
  void* pages = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (!CHECK(pages != MAP_FAILED)) return;
  const auto base = reinterpret_cast<uint64_t>(pages);
  const auto living = reinterpret_cast<uint64_t>(&munmap);
  Fixture f;
  const auto fill = [&] {
    for (uint64_t i = 0; i < kMany; i++) f.fake.Add(base + i * kCode, kCode, "JS:~made" + std::to_string(i) + " /a.js:1:1");
  };
  f.fake.Add(living, 16, "JS:~living /a.js:1:1");
  fill();
  // All of it is mapped: it stays.
  f.collector.DrainForTest();
  f.collector.DrainForTest();
  f.collector.DrainForTest();
  CHECK_EQ(f.collector.counters().evicted_dead.load(), 0);
  CHECK(f.collector.counters().code_entries.load() > kMany);
  // The addresses stay ours, so that nothing else is mapped there.
  CHECK_EQ(mprotect(pages, kBytes, PROT_NONE), 0);
  // Grown by half: looked through again.
  for (uint64_t i = 0; i < kMany; i++) f.fake.Add(0x10'0000 + i * kCode, kCode, "JS:~more" + std::to_string(i) + " /a.js:1:1");
  f.collector.DrainForTest();
  CHECK_EQ(f.collector.counters().evicted_dead.load(), 0);
  // Taken while it was there, read when it is known to be gone.
  f.fake.Sample({{base + 8, living + 8}});
  CHECK_EQ(f.Drained(), "living;made0 1\n");
  CHECK(f.collector.counters().evicted_dead.load() >= kMany);
  CHECK(f.collector.counters().code_entries.load() < 10);
  CHECK(f.collector.counters().name_bytes.load() < 64 * 1024);
  f.fake.Sample({{base + 8, living + 8}});
  CHECK_EQ(f.Drained(), "living;(unresolved) 1\n");
  munmap(pages, kBytes);
}

// What moves away from a page that is given up is announced before; while a collection runs such events wait, and so do the suspects.
TEST(collector_keeps_suspects_while_moves_wait) {
  Fixture f;
  constexpr uint64_t kMany = SampledThread::kFirstLook + 1;
  for (uint64_t i = 0; i < kMany; i++) f.fake.Add(0x10'0000 + i * 64, 64, "JS:~made /a.js:1:1");
  f.collector.DrainForTest();  // finds the suspects
  f.fake.Add(0x1000, 64, "JS:~one /a.js:1:1");
  f.collector.DrainForTest();  // drops them
  CHECK_EQ(f.collector.counters().evicted_dead.load(), kMany);

  for (uint64_t i = 0; i < kMany; i++) f.fake.Add(0x10'0000 + i * 64, 64, "JS:~made /a.js:1:1");
  f.fake.state.gc_since.store(f.fake.thread.events.published().load());
  f.fake.Move(0x10'0000, reinterpret_cast<uint64_t>(&munmap));
  f.collector.DrainForTest();  // finds them
  f.collector.DrainForTest();
  CHECK_EQ(f.collector.counters().evicted_dead.load(), kMany);
  f.fake.state.gc_since.store(capture::ThreadState::kNoGc);
  f.fake.Sample({{reinterpret_cast<uint64_t>(&munmap) + 8}});
  CHECK_EQ(f.Drained(), "made 1\n");
  CHECK_EQ(f.collector.counters().evicted_dead.load(), 2 * kMany);  // all but the one that moved, and the one at 0x1000
}

TEST(collector_counts_a_script_that_is_announced_again_once) {
  Fixture f;
  const auto announce = [&](std::string_view url) {
    v8::CodeEvent event;
    event.type = v8::CodeEvent::Type::kScript;
    event.start = 7;
    event.name = url;
    event.detail = std::span(reinterpret_cast<const uint8_t*>("eval.js"), 7);
    f.fake.thread.events.Push(event);
    f.collector.DrainForTest();
    return f.fake.thread.code.map_url_bytes;
  };
  const size_t once = announce("a.js.map");
  CHECK(once > 0);
  CHECK_EQ(announce("a.js.map"), once);
  CHECK_EQ(announce("longer.js.map"), once + 5);
}

TEST(collector_leaf_by_pc) {
  Fixture f;
  f.fake.Add(0x1000, 0x100, "JS:~main /a.js:1:1", kByteCode);
  f.fake.Add(0x2000, 0x100, "JS:*hot /a.js:2:1");
  f.fake.Add(0x3000, 0x100, "BytecodeHandler:Star0Handler");
  f.fake.Add(0x4000, 0x100, "Builtin:InterpreterEntryTrampoline");
  f.fake.Add(0x5000, 0x100, "Builtin:ArrayForEach");
  f.fake.Add(0x6000, 0x100, "RegExp:a+");
  f.fake.Sample({{0x1010}, 0x2010, VmState::kJs});
  CHECK_EQ(f.Drained(), "main;hot 1\n");
  f.fake.Sample({{0x1010}, 0x3010, VmState::kJs});
  CHECK_EQ(f.Drained(), "main 1\n");
  f.fake.Sample({{0x1010}, 0x4010, VmState::kJs});
  CHECK_EQ(f.Drained(), "main 1\n");
  f.fake.Sample({{0x1010}, 0x5010, VmState::kJs});
  CHECK_EQ(f.Drained(), "main;ArrayForEach 1\n");
  f.fake.Sample({{0x1010}, 0x6010, VmState::kJs});
  CHECK_EQ(f.Drained(), "main;RegExp: a+ 1\n");
  f.fake.Sample({{0x2010, 0x1010}});
  CHECK_EQ(f.Drained(), "main;hot 1\n");
  // Skipped frames in the middle disappear, resolved ones all the same.
  f.fake.Sample({{0x2010, 0x4010, 0x5010, 0x4010, 0x1010}});
  CHECK_EQ(f.Drained(), "main;ArrayForEach;hot 1\n");
  CHECK_EQ(f.collector.counters().unresolved_frames.load(), 0);
  // Only the pc: code without a frame of its own yet.
  f.fake.Sample({{}, 0x2000, VmState::kJs});
  CHECK_EQ(f.Drained(), "hot 1\n");
}

TEST(collector_addresses_at_the_borders) {
  Fixture f;
  f.fake.Add(0x1000, 0x100, "JS:~f /a.js:1:1");
  for (const uint64_t address : {0xfff, 0x1000, 0x10ff, 0x1100}) {
    f.fake.Sample({{address}});
    if (!CHECK_EQ(f.Drained(), "f 1\n")) CHECK_EQ(address, 0);
  }
  for (const uint64_t address : {0xffe, 0x1101}) {
    f.fake.Sample({{address}});
    if (!CHECK_EQ(f.Drained(), "(unresolved) 1\n")) CHECK_EQ(address, 0);
  }
  CHECK_EQ(f.collector.counters().unresolved_frames.load(), 2);
  // The pc is exact: one past the end is another's code.
  f.fake.Sample({{}, 0x1100, VmState::kJs});
  f.fake.Sample({{}, 0xfff, VmState::kJs});
  CHECK_EQ(f.Drained(), "(program) 2\n");
}

TEST(collector_native_frames_are_glue) {
  // V8 11 reports the C++ callback between two JavaScript frames as a frame: code of the executable or a library, not a hole in the map.
  Fixture f;
  f.fake.Add(0x1000, 0x100, "JS:~f /a.js:1:1");
  f.fake.Add(0x2000, 0x100, "JS:~g /a.js:2:1");
  const auto in_libc = reinterpret_cast<uint64_t>(&munmap);
  const auto in_executable = reinterpret_cast<uint64_t>(&v8::ParseCodeName);
  f.fake.Sample({{0x1010, in_libc, 0x2010, in_executable}, in_libc});
  CHECK_EQ(f.Drained(), "g;f 1\n");
  CHECK_EQ(f.collector.counters().unresolved_frames.load(), 0);
  CHECK_EQ(f.collector.counters().frames.load(), 4);
}

TEST(collector_unresolved_frames_are_counted) {
  Fixture f;
  f.fake.Add(0x1000, 0x100, "JS:~f /a.js:1:1");
  f.fake.Sample({{0x9000, 0x1010, 0x9100, 0}});
  f.collector.DrainForTest();
  const auto slice = f.collector.CutForTest();
  CHECK_EQ(Show(Stacks(*slice)), "(unresolved);(unresolved);f;(unresolved) 1\n");
  CHECK_EQ(slice->totals.frames, 4);
  CHECK_EQ(slice->totals.unresolved_frames, 3);
  CHECK_EQ(f.collector.counters().unresolved_frames.load(), 3);
}

TEST(collector_vm_states) {
  Fixture f;
  f.fake.Add(0x1000, 0x100, "JS:~f /a.js:1:1");
  const auto empty = [&](VmState state) {
    f.fake.Sample({{}, 0x7f0000000000, state});
    return f.Drained();
  };
  CHECK_EQ(empty(VmState::kExternal), "(program) 1\n");
  CHECK_EQ(empty(VmState::kOther), "(program) 1\n");
  CHECK_EQ(empty(VmState::kCompiler), "(program) 1\n");
  CHECK_EQ(empty(VmState::kIdle), "(idle) 1\n");
  CHECK_EQ(empty(VmState::kIdleExternal), "(idle) 1\n");
  CHECK_EQ(empty(VmState::kGc), "(garbage collector) 1\n");
  // A collection with a stack is its leaf.
  f.fake.Sample({{0x1010}, 0x7f0000000000, VmState::kGc});
  CHECK_EQ(f.Drained(), "f;(garbage collector) 1\n");
  // JavaScript that idles is still JavaScript.
  f.fake.Sample({{0x1010}, 0x7f0000000000, VmState::kIdle});
  CHECK_EQ(f.Drained(), "f 1\n");
  // Only machinery on the stack: nothing to show.
  f.fake.Add(0x4000, 0x100, "Builtin:JSEntry");
  f.fake.Sample({{0x4010}, 0x4020, VmState::kJs});
  CHECK_EQ(f.Drained(), "(program) 1\n");
}

TEST(collector_truncated_stacks_say_so_at_the_root) {
  Fixture f;
  f.fake.Add(0x1000, 0x100, "JS:~f /a.js:1:1");
  f.fake.Sample({{0x1010, 0x1020}, 0x7f0000000000, VmState::kJs, 1000, capture::kTruncated});
  f.collector.DrainForTest();
  const auto slice = f.collector.CutForTest();
  CHECK_EQ(Show(Stacks(*slice)), "(truncated);f;f 1\n");
  CHECK_EQ(slice->totals.truncated, 1);
  CHECK_EQ(f.collector.counters().truncated.load(), 1);
}

TEST(collector_lost_samples_keep_their_cpu) {
  Fixture f;
  f.fake.state.lost_since_taken = 3;
  f.fake.state.lost_ns_since_taken = 12345;
  CHECK(f.collector.DrainForTest());
  const auto slice = f.collector.CutForTest();
  CHECK_EQ(Show(Stacks(*slice)), "(lost) 3\n");
  CHECK_EQ(Weight(*slice), 12345.0);
  CHECK_EQ(slice->totals.lost, 3);
  CHECK_EQ(slice->totals.samples, 0);
  CHECK_EQ(slice->threads.at(0).tid, f.fake.thread.tid);
  CHECK_EQ(f.collector.counters().lost.load(), 3);
  CHECK_EQ(f.fake.state.lost_since_taken.load(), 0);
  CHECK_EQ(f.fake.state.lost_ns_since_taken.load(), 0);
  CHECK(!f.collector.DrainForTest());  // once
  CHECK_EQ(Show(Stacks(*f.collector.CutForTest())), "");
}

TEST(collector_conserves_cpu) {
  Collector collector([](SampledThread*) {});
  std::vector<std::unique_ptr<FakeThread>> threads;
  for (uint64_t key = 1; key <= 3; key++) {
    threads.push_back(std::make_unique<FakeThread>(key, 4096));
    threads.back()->Add(0x1000, 0x100, "JS:~f /a.js:1:1");
    collector.Add(&threads.back()->thread);
  }
  std::mt19937 random(6);
  uint64_t recorded = 0;
  uint64_t lost = 0;
  uint64_t cpu = 0;
  double seen = 0;
  uint64_t samples_seen = 0;
  uint64_t lost_seen = 0;
  for (int i = 0; i < 30'000; i++) {
    SampleSpec spec;
    for (uint32_t n = random() % 20; n > 0; n--) spec.frames.push_back(random() % 2 == 0 ? 0x1010 : random());
    spec.weight_ns = random() % 20'000'000;
    spec.state = static_cast<VmState>(random() % 11);
    spec.flags = random() % 2 == 0 ? 0 : capture::kTruncated;
    cpu += spec.weight_ns;
    ++(threads[random() % 3]->Sample(spec) ? recorded : lost);
    if (random() % 100 == 0) collector.DrainForTest();
    if (random() % 1000 == 0) {
      const auto slice = collector.CutForTest();
      seen += Weight(*slice);
      samples_seen += slice->totals.samples;
      lost_seen += slice->totals.lost;
    }
  }
  collector.DrainForTest();
  const auto slice = collector.CutForTest();
  seen += Weight(*slice);
  samples_seen += slice->totals.samples;
  lost_seen += slice->totals.lost;
  CHECK(recorded > 1000 && lost > 1000);
  CHECK_EQ(samples_seen, recorded);
  CHECK_EQ(lost_seen, lost);
  CHECK_EQ(seen, static_cast<double>(cpu));  // whole nanoseconds below 2^53: exact
  CHECK_EQ(collector.counters().samples.load(), recorded);
  CHECK_EQ(collector.counters().lost.load(), lost);
}

TEST(collector_threads_have_their_own_maps) {
  Collector collector([](SampledThread*) {});
  FakeThread one(1);
  FakeThread two(2);
  collector.Add(&one.thread);
  collector.Add(&two.thread);
  one.Add(0x1000, 0x100, "JS:~f /a.js:1:1");
  two.Add(0x1000, 0x100, "JS:~g /a.js:2:1");
  one.Sample({{0x1010}, 0x7f0000000000, VmState::kJs, 100});
  two.Sample({{0x1010}, 0x7f0000000000, VmState::kJs, 200});
  collector.DrainForTest();
  const auto slice = collector.CutForTest();
  CHECK_EQ(Show(Stacks(*slice)), "f 1\ng 1\n");
  if (!CHECK_EQ(slice->threads.size(), 2)) return;
  for (size_t row = 0; row < 2; row++) {
    CHECK_EQ(slice->threads[slice->sample_thread[row]].name, slice->sample_weight_ns[row] == 100 ? "thread 1" : "thread 2");
  }
}

TEST(collector_renames_live_threads) {
  Collector collector([](SampledThread*) {});
  FakeThread one(1);
  collector.Add(&one.thread);
  collector.Rename(1, "renamed");
  collector.Rename(99, "nobody");
  one.Sample({});
  collector.DrainForTest();
  CHECK_EQ(collector.CutForTest()->threads.at(0).name, "renamed");
}

TEST(collector_drains_an_ended_thread_once_more) {
  std::vector<SampledThread*> drained;
  uint64_t samples_at_drained = 0;
  Collector* self = nullptr;
  Collector collector([&](SampledThread* thread) {
    drained.push_back(thread);
    samples_at_drained = self->counters().samples.load();
  });
  self = &collector;
  FakeThread one(1);
  FakeThread two(2);
  collector.Add(&one.thread);
  collector.Add(&two.thread);
  one.Add(0x1000, 0x100, "JS:~f /a.js:1:1");
  one.Sample({{0x1010}});
  collector.DrainForTest();
  CHECK(drained.empty());
  one.Sample({{0x1010}});
  one.state.lost_since_taken = 1;
  one.state.lost_ns_since_taken = 5;
  one.thread.ended = true;
  collector.DrainForTest();
  CHECK(drained == std::vector<SampledThread*>({&one.thread}));
  CHECK_EQ(samples_at_drained, 2);  // its last samples were taken before it was given back
  one.Sample({{0x1010}});           // what it writes now is nobody's
  two.Sample({});
  collector.DrainForTest();
  CHECK_EQ(drained.size(), 1);
  CHECK_EQ(Show(Stacks(*collector.CutForTest())), "(lost) 1\n(program) 1\nf 2\n");
}

TEST(collector_eviction_counters_do_not_shrink) {
  Collector collector([](SampledThread*) {});
  FakeThread one(1);
  collector.Add(&one.thread);
  for (uint64_t i = 0; i < 5; i++) one.Add(0x1000 + i, 0x100, "JS:~f /a.js:1:1");
  collector.DrainForTest();
  CHECK_EQ(collector.counters().evicted_overlap.load(), 4);
  one.thread.ended = true;
  collector.DrainForTest();
  collector.DrainForTest();
  CHECK_EQ(collector.counters().code_entries.load(), 0);     // what is there now
  CHECK_EQ(collector.counters().evicted_overlap.load(), 4);  // what happened so far
}

TEST(collector_builtins_copy_is_found_when_a_frame_misses) {
  // Node 20: builtins run in a copy of the blob inside the code range and are announced at the original.
  constexpr size_t kBlob = 64 * 1024;
  constexpr size_t kRange = 1024 * 1024;
  std::vector<uint8_t> blob(kBlob);
  std::mt19937 random(8);
  for (uint8_t& byte : blob) byte = static_cast<uint8_t>(random());
  void* range = mmap(nullptr, kRange, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (!CHECK(range != MAP_FAILED)) return;
  uint8_t* copy = static_cast<uint8_t*>(range) + 8 * 4096;
  memcpy(copy, blob.data(), kBlob);
  CHECK_EQ(mprotect(copy, kBlob, PROT_READ | PROT_EXEC), 0);
  Fixture f;
  const auto original = reinterpret_cast<uint64_t>(blob.data());
  f.fake.thread.code.builtins = {reinterpret_cast<uint64_t>(range), kRange, original, kBlob};
  f.fake.Add(original + 0x1000, 0x100, "Builtin:ArrayForEach");
  f.fake.Sample({{reinterpret_cast<uint64_t>(copy) + 0x1010}});
  f.fake.Sample({{reinterpret_cast<uint64_t>(copy) + 0x2010}});
  CHECK_EQ(f.Drained(), "(unresolved) 1\nArrayForEach 1\n");
  munmap(range, kRange);
}

TEST(collector_capture_thread_and_rename_at_once) {
  // The handler's side, the registry's and the collector's on three threads (ThreadSanitizer).
  Collector collector([](SampledThread*) {});
  FakeThread one(1, 8192);
  collector.Add(&one.thread);
  std::atomic<bool> done{false};
  uint64_t cpu = 0;
  std::thread writer([&] {
    for (uint64_t i = 0; i < 20'000; i++) {
      if (i % 10 == 0) one.Add(0x1000 + (i % 70) * 0x10, 0x100, "JS:~f" + std::to_string(i) + " /a.js:1:1");
      one.Sample({{0x1010, 0x1210, 0x1310}, 0x7f0000000000, VmState::kJs, i});
      cpu += i;
    }
    done.store(true);
  });
  std::thread renamer([&] {
    while (!done.load()) {
      collector.Rename(1, "one");
      collector.Rename(1, "a name that is too long for the small string buffer");
      collector.Wake();
    }
  });
  double seen = 0;
  uint64_t samples = 0;
  uint64_t lost = 0;
  for (bool last_round = false; !last_round;) {
    last_round = done.load();
    collector.DrainForTest();
    const auto slice = collector.CutForTest();
    seen += Weight(*slice);
    samples += slice->totals.samples;
    lost += slice->totals.lost;
  }
  writer.join();
  renamer.join();
  collector.DrainForTest();
  seen += Weight(*collector.CutForTest());
  CHECK_EQ(samples + lost, 20'000);
  CHECK_EQ(seen, static_cast<double>(cpu));
}

TEST(collector_names_lost_samples_while_renamed) {
  // The name belongs to the lock, also for the (lost) row (ThreadSanitizer). Short names of one length: torn, they stay strings.
  Collector collector([](SampledThread*) {});
  FakeThread one(1, 8192);
  collector.Add(&one.thread);
  std::atomic<bool> done{false};
  std::thread renamer([&] {
    for (uint64_t i = 0; !done.load(); i++) collector.Rename(1, i % 2 == 0 ? "aaaaaaaa" : "bbbbbbbb");
  });
  for (int i = 0; i < 2000; i++) {
    one.state.lost_since_taken = 1;
    one.state.lost_ns_since_taken = 10;
    collector.DrainForTest();
    const auto slice = collector.CutForTest();
    if (!CHECK_EQ(slice->threads.size(), 1) || !CHECK_EQ(Weight(*slice), 10.0)) break;
  }
  done.store(true);
  renamer.join();
}

TEST(collector_own_thread_cuts_on_request) {
  // The real thread; it lives as long as the process, so collector and thread are leaked.
  auto* collector = new Collector([](SampledThread*) {});
  auto* one = new FakeThread(1);
  collector->MarkStart();
  collector->SetFrequency(250, stack::RateReason::kAsked);
  collector->EnsureStarted();
  collector->EnsureStarted();
  collector->Add(&one->thread);
  one->Add(0x1000, 0x100, "JS:~f /a.js:1:1");
  uint32_t number = 0;
  double end = 0;
  for (int round = 0; round < 5; round++) {
    for (int i = 0; i <= round; i++) one->Sample({.frames = {0x1010}, .time_ns = capture::MonotonicNowNs()});
    if (!CHECK(collector->CutNow(10'000))) return;
    uint64_t samples = 0;
    for (const auto& slice : collector->TakeSlices()) {
      samples += slice->totals.samples;
      CHECK_EQ(slice->number, ++number);
      CHECK_EQ(slice->frequency_hz, 250.0);
      CHECK(slice->start_unix_ms > 0 && slice->start_unix_ms <= slice->end_unix_ms);
      if (end != 0) CHECK_EQ(slice->start_unix_ms, end);  // no gap between slices
      end = slice->end_unix_ms;
    }
    CHECK_EQ(samples, round + 1);  // everything written before the request is in it
  }
  // Slices that nobody takes: the oldest go, counted.
  for (int i = 0; i < 70; i++) CHECK(collector->CutNow(10'000));
  const auto slices = collector->TakeSlices();
  CHECK_EQ(slices.size(), 64);
  CHECK_EQ(collector->counters().dropped_slices.load(), 6);
  if (!slices.empty()) CHECK_EQ(slices.back()->number, number + 70);
  CHECK(collector->TakeSlices().empty());
}

}  // namespace
}  // namespace strobe
