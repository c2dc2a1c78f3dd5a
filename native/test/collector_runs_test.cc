// Tests of collector.h: CPU is conserved from the ring to the slice, whoever comes, goes, is renamed or loses samples meanwhile; each run
// has its own samples; and the collector's own thread cuts when it is asked.
#include "collector.h"

#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "capture/capture.h"
#include "capture/clocks.h"
#include "test/check.h"
#include "test/collector_world.h"

namespace strobe {
namespace {

using test::FakeThread;
using test::Fixture;
using test::SampleSpec;
using test::Show;
using test::Stacks;
using test::Weight;
using v8api::VmState;

constexpr uint8_t kByteCode = v8api::JitCodeEvent::kByteCode;

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
