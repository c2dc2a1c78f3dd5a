// Tests of collector.h: a sample is named by the map of its own moment, whatever happened to the code before the drain; which address is
// the leaf; and what samples without JavaScript are called. Threads and runs: collector_runs_test.cc.
#include "collector.h"

#include <string.h>
#include <sys/mman.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "capture/capture.h"
#include "test/check.h"
#include "test/collector_world.h"

namespace strobe {
namespace {

using test::Fixture;
using test::Show;
using test::Stacks;
using v8api::VmState;

constexpr uint8_t kByteCode = v8api::JitCodeEvent::kByteCode;
constexpr uint8_t kJit = v8api::JitCodeEvent::kJitCode;

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

// What stats().overhead charges spread code with more than a loop.
TEST(collector_counts_how_spread_the_code_of_cpu_samples_is) {
  std::mt19937 random(1);
  const auto run = [&](uint64_t lines, int others) {
    Fixture f;
    for (int i = 0; i < 6000; i++) {
      f.fake.Sample({.frames = {0x2010}, .pc = 0x7f00'0000'0000 + random() % lines * 64});
      // Of no CPU profile: always the same line, and they count for nothing.
      for (int other = 0; other < others; other++) f.fake.Sample({.frames = {0x2010}, .pc = 0x7e00'0000'0000, .profiles = 0});
      if (i % 50 == 49) f.collector.DrainForTest();
    }
    return f.fake.thread.spread_samples.load() / SampledThread::kSpreadUnits;
  };
  CHECK_EQ(run(4, 0), 0);
  const uint64_t spread = run(100'000, 0);
  CHECK(spread > 5000);
  CHECK(spread <= 6000);
  CHECK(run(100'000, 3) > 5000);
}

}  // namespace
}  // namespace strobe
