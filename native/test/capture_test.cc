// Tests of capture/capture.h: what one sample's record holds, that CPU is neither lost nor inherited, and when a sample is kept for later.
#include "capture/capture.h"

#include <semaphore.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "capture/handler.h"
#include "test/fake_thread.h"

namespace strobe::capture {
namespace {

// A handler that had begun before its thread was disarmed, and lost its core: who disarms waits for it, so that its sample is in the
// session that ends.
TEST(capture_disarming_waits_for_the_handler) {
  FakeThread thread;
  sem_t inside;
  sem_t go_on;
  sem_init(&inside, 0, 0);
  sem_init(&go_on, 0, 0);
  std::atomic<bool> armed_inside{false};
  thread.isolate.meanwhile = [&] {
    sem_post(&inside);
    sem_wait(&go_on);
    armed_inside = thread.state.armed.load();
  };
  std::thread sampled([&] {
    thread.state.last_cpu_ns.store(ThreadCpuNowNs());
    Capture(&thread.state, At(1), {});
  });
  sem_wait(&inside);
  CHECK(thread.state.armed.exchange(false));
  constexpr uint64_t kShortNs = 2'000'000;
  CHECK(!WaitForHandler(thread.state, MonotonicNowNs() + kShortNs));
  // Nobody waits any longer: what it would write now would be the next session's.
  sem_post(&go_on);
  sampled.join();
  CHECK(WaitForHandler(thread.state, MonotonicNowNs()));
  CHECK(!armed_inside);
  CHECK_EQ(thread.Drain().size(), 0);
  CHECK_EQ(thread.state.samples.load(), 0);
  CHECK_EQ(thread.state.pending.load(), 0);

  // One that is done in time has left its sample when the wait is over.
  thread.isolate.meanwhile = nullptr;
  thread.state.armed.store(true);
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    thread.state.last_cpu_ns.store(ThreadCpuNowNs());
    while (!stop) Capture(&thread.state, At(1), {});
  });
  while (thread.state.samples.load() == 0) std::this_thread::yield();
  thread.state.armed.store(false);
  CHECK(WaitForHandler(thread.state, MonotonicNowNs() + 60'000'000'000));
  const uint64_t samples = thread.state.samples.load();
  const uint64_t head = thread.state.ring.Head();
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  stop = true;
  busy.join();
  CHECK_EQ(thread.state.samples.load(), samples);
  CHECK_EQ(thread.state.ring.Head(), head);
  sem_destroy(&inside);
  sem_destroy(&go_on);
}

TEST(capture_record_holds_the_sample) {
  FakeThread thread;
  thread.isolate.frames = 5;
  thread.isolate.vm_state = static_cast<uint16_t>(v8api::VmState::kExternal);
  thread.events = 42;
  thread.state.pending = 1;
  const uint64_t cpu_before = thread.state.last_cpu_ns;
  const uint64_t time_before = MonotonicNowNs();
  CHECK(Capture(&thread.state, At(0xabc), {}) == CaptureResult::kRecorded);
  const uint64_t time_after = MonotonicNowNs();
  const std::vector<Sample> samples = thread.Drain();
  if (!CHECK_EQ(samples.size(), 1)) return;
  const SampleRecord& record = samples[0].record;
  CHECK_EQ(record.code_events, 42);
  CHECK_EQ(record.pc, 0xabc);
  CHECK_EQ(record.vm_state, static_cast<uint16_t>(v8api::VmState::kExternal));
  CHECK_EQ(record.flags, kCpu | kCpuProfile);
  CHECK(record.time_ns >= time_before && record.time_ns <= time_after);
  CHECK_EQ(record.weight_ns, thread.state.last_cpu_ns - cpu_before);
  CHECK_EQ(record.label.trace_id_high | record.label.span_id | record.label.label_set | record.label.attribution_slot, 0);
  CHECK(samples[0].frames == std::vector<uint64_t>({0x1000, 0x1001, 0x1002, 0x1003, 0x1004}));
  // V8 got the interrupted registers and was asked for one frame more than the limit.
  CHECK_EQ(thread.isolate.pc_seen.load(), 0xabc);
  CHECK_EQ(thread.isolate.sp_seen.load(), 0x22);
  CHECK_EQ(thread.isolate.fp_seen.load(), 0x33);
  CHECK_EQ(thread.isolate.limit_seen.load(), thread.state.max_depth + 1);
  CHECK_EQ(thread.state.samples.load(), 1);
  CHECK_EQ(thread.state.sampled_cpu_ns.load(), record.weight_ns);
  CHECK_EQ(thread.state.pending.load(), 0);
  CHECK(thread.state.handler_ns.load() > 0);
}

TEST(capture_weight_is_the_cpu_since_the_last_sample) {
  FakeThread thread;
  thread.isolate.frames = 1;
  const uint64_t start = thread.state.last_cpu_ns;
  BurnCpu(20'000'000);
  CHECK(Capture(&thread.state, At(1), {}) == CaptureResult::kRecorded);
  timespec nap{0, 30'000'000};
  nanosleep(&nap, nullptr);  // no CPU, no weight
  CHECK(Capture(&thread.state, At(2), {}) == CaptureResult::kRecorded);
  const uint64_t end = thread.state.last_cpu_ns;
  const std::vector<Sample> samples = thread.Drain();
  if (!CHECK_EQ(samples.size(), 2)) return;
  CHECK(samples[0].record.weight_ns >= 20'000'000);
  CHECK(samples[1].record.weight_ns < samples[0].record.weight_ns / 2);
  CHECK_EQ(samples[0].record.weight_ns + samples[1].record.weight_ns, end - start);
  // A last time in the future (a clock that was read elsewhere) is no weight, not a huge one.
  thread.state.last_cpu_ns = ThreadCpuNowNs() + 1'000'000'000;
  CHECK(Capture(&thread.state, At(3), {}) == CaptureResult::kRecorded);
  CHECK_EQ(thread.Drain().at(0).record.weight_ns, 0);
}

TEST(capture_truncates_behind_max_depth) {
  for (const uint32_t depth : {15u, 16u, 17u, 100u}) {
    FakeThread thread(64 * 1024, 16);
    thread.isolate.frames = depth;
    CHECK(Capture(&thread.state, At(1), {}) == CaptureResult::kRecorded);
    const std::vector<Sample> samples = thread.Drain();
    if (!CHECK_EQ(samples.size(), 1)) return;
    CHECK_EQ(samples[0].record.flags, kCpu | kCpuProfile | (depth > 16 ? kTruncated : 0));
    CHECK_EQ(samples[0].frames.size(), depth > 16 ? 16 : depth);
    CHECK_EQ(samples[0].frames.front(), 0x1000);  // the leaf side is what stays
  }
}

TEST(capture_full_ring_counts_and_is_not_inherited) {
  FakeThread thread(4096, 16);
  thread.isolate.frames = 16;
  const uint64_t start = thread.state.last_cpu_ns;
  uint64_t recorded = 0;
  while (Capture(&thread.state, At(1), {}) == CaptureResult::kRecorded) recorded++;
  CHECK(recorded > 1);
  CHECK_EQ(thread.state.lost_since_taken.load(), 1);
  const uint64_t lost_before = thread.state.lost_ns_since_taken;
  thread.state.pending = 1;
  BurnCpu(20'000'000);
  CHECK(Capture(&thread.state, At(1), {}) == CaptureResult::kLost);
  CHECK_EQ(thread.state.pending.load(), 0);
  CHECK_EQ(thread.state.lost_since_taken.load(), 2);
  CHECK(thread.state.lost_ns_since_taken.load() - lost_before >= 20'000'000);
  CHECK_EQ(thread.state.samples.load(), recorded);
  uint64_t weights = 0;
  for (const Sample& sample : thread.Drain()) weights += sample.record.weight_ns;
  CHECK_EQ(weights + thread.state.lost_ns_since_taken, thread.state.last_cpu_ns - start);
  CHECK_EQ(weights, thread.state.sampled_cpu_ns.load());
  // The next stack has nothing of the 20 ms.
  CHECK(Capture(&thread.state, At(1), {}) == CaptureResult::kRecorded);
  CHECK(thread.Drain().at(0).record.weight_ns < 10'000'000);
}

TEST(capture_keeps_waits_without_javascript_pending) {
  struct Case {
    const char* what;
    AtSyscall at;
    bool runnable;
    uint32_t frames;
    v8api::VmState state;
    CaptureResult result;
  };
  using enum v8api::VmState;
  const std::vector<Case> cases = {
      {"runs, at a wait", AtSyscall::kWait, false, 0, kExternal, CaptureResult::kKeptPending},
      {"ready, at a wait", AtSyscall::kWait, true, 0, kExternal, CaptureResult::kKeptPending},
      {"ready, at a system call", AtSyscall::kSyscall, true, 0, kExternal, CaptureResult::kKeptPending},
      {"runs, at a system call", AtSyscall::kSyscall, false, 0, kExternal, CaptureResult::kRecorded},
      {"ready, no system call", AtSyscall::kNo, true, 0, kExternal, CaptureResult::kRecorded},
      {"runs, no system call", AtSyscall::kNo, false, 0, kExternal, CaptureResult::kRecorded},
      {"JavaScript at a wait", AtSyscall::kWait, false, 1, kExternal, CaptureResult::kRecorded},
      {"JavaScript, ready, at a wait", AtSyscall::kWait, true, 1, kExternal, CaptureResult::kRecorded},
      {"collects garbage at a wait", AtSyscall::kWait, true, 0, kGc, CaptureResult::kRecorded},
  };
  for (const Case& one : cases) {
    FakeThread thread;
    thread.isolate.frames = one.frames;
    thread.isolate.vm_state = static_cast<uint16_t>(one.state);
    thread.state.pending = 1;
    const uint64_t start = thread.state.last_cpu_ns;
    BurnCpu(100'000);
    if (!CHECK(Capture(&thread.state, At(1, one.at), {.runnable = one.runnable}) == one.result)) CHECK_EQ(one.what, "");
    const bool kept = one.result == CaptureResult::kKeptPending;
    CHECK_EQ(thread.state.kept_pending.load(), kept ? 1 : 0);
    CHECK_EQ(thread.state.samples.load(), kept ? 0 : 1);
    CHECK_EQ(thread.Drain().size(), kept ? 0 : 1);
    CHECK_EQ(thread.state.last_cpu_ns.load() == start, kept);  // the CPU waits
    CHECK_EQ(thread.state.pending.load(), 0);
    if (kept) {
      // … and the next sample carries it.
      thread.isolate.frames = 1;
      CHECK(Capture(&thread.state, At(1), {}) == CaptureResult::kRecorded);
      CHECK_EQ(thread.Drain().at(0).record.weight_ns, thread.state.last_cpu_ns - start);
      CHECK(thread.state.last_cpu_ns - start >= 100'000);
    }
  }
}

TEST(capture_disarmed_does_nothing_but_clear_pending) {
  FakeThread thread;
  thread.isolate.frames = 1;
  thread.state.armed = false;
  thread.state.pending = 1;
  const uint64_t start = thread.state.last_cpu_ns;
  CHECK(Capture(&thread.state, At(1), {}) == CaptureResult::kDisarmed);
  CHECK_EQ(thread.state.pending.load(), 0);
  CHECK_EQ(thread.state.last_cpu_ns.load(), start);
  CHECK_EQ(thread.state.samples.load() + thread.state.lost_since_taken.load(), 0);
  CHECK_EQ(thread.isolate.limit_seen.load(), 0);
  CHECK(thread.state.ring.Empty());
}

TEST(capture_reads_the_event_number_before_the_stack) {
  FakeThread thread;
  thread.isolate.frames = 1;
  thread.events = 7;
  thread.isolate.bump = &thread.events;
  CHECK(Capture(&thread.state, At(1), {}) == CaptureResult::kRecorded);
  CHECK(Capture(&thread.state, At(1), {}) == CaptureResult::kRecorded);
  const std::vector<Sample> samples = thread.Drain();
  CHECK_EQ(samples.at(0).record.code_events, 7);
  CHECK_EQ(samples.at(1).record.code_events, 8);
}

// Returns the number of the expectation that failed, 0 for none.
int RingDoorbell() {
  FakeThread thread(4096, 16);
  thread.isolate.frames = 16;
  g_doorbell.word = CollectorDoorbell::kAsleep;
  Capture(&thread.state, At(1), {});
  if (g_doorbell.word.load() != CollectorDoorbell::kAwake) return 1;  // asleep: anything wakes it
  g_doorbell.word = CollectorDoorbell::kNapping;
  Capture(&thread.state, At(1), {});
  if (g_doorbell.word.load() != CollectorDoorbell::kNapping) return 2;  // napping: not for one sample
  while (!thread.state.ring.HalfFull()) Capture(&thread.state, At(1), {});
  if (g_doorbell.word.load() != CollectorDoorbell::kAwake) return 3;  // … but at half full
  g_doorbell.word = CollectorDoorbell::kAsleep;
  thread.isolate.frames = 0;
  thread.Drain();
  if (Capture(&thread.state, At(1, AtSyscall::kWait), {}) != CaptureResult::kKeptPending) return 4;
  if (g_doorbell.word.load() != CollectorDoorbell::kAsleep) return 5;  // nothing was recorded
  return 0;
}

TEST(capture_rings_the_collector_when_needed) {
  // In a child: here a collector of another test may wait at the doorbell.
  const pid_t child = fork();
  if (!CHECK(child >= 0)) return;
  if (child == 0) _exit(RingDoorbell());
  int status = 0;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
}

TEST(capture_with_a_reader_on_another_thread) {
  FakeThread thread(4096, 16);
  constexpr uint64_t kAttempts = 100'000;
  std::atomic<bool> done{false};
  uint64_t results[4] = {};
  uint64_t cpu_start = 0;
  std::thread writer([&] {
    cpu_start = ThreadCpuNowNs();
    thread.state.last_cpu_ns = cpu_start;
    for (uint64_t i = 0; i < kAttempts; i++) {
      thread.isolate.frames = i % 21;
      thread.events.fetch_add(1);
      results[static_cast<int>(Capture(&thread.state, At(i + 1), {}))]++;
    }
    done.store(true);
  });
  uint64_t read = 0;
  uint64_t weights = 0;
  uint64_t wrong = 0;
  uint64_t last_pc = 0;
  for (bool last_round = false; !last_round;) {
    last_round = done.load();
    for (const Sample& sample : thread.Drain()) {
      read++;
      weights += sample.record.weight_ns;
      const uint64_t attempt = sample.record.pc - 1;
      const uint64_t depth = attempt % 21;
      wrong += sample.record.pc > last_pc && sample.record.code_events == attempt + 1 &&
                       sample.frames.size() == (depth < 16 ? depth : 16) &&
                       sample.record.flags == (kCpu | kCpuProfile | (depth > 16 ? kTruncated : 0))
                   ? 0
                   : 1;
      last_pc = sample.record.pc;
      for (size_t i = 0; i < sample.frames.size(); i++) wrong += sample.frames[i] == 0x1000 + i ? 0 : 1;
    }
  }
  writer.join();
  const uint64_t recorded = results[static_cast<int>(CaptureResult::kRecorded)];
  const uint64_t lost = results[static_cast<int>(CaptureResult::kLost)];
  CHECK_EQ(recorded + lost, kAttempts);
  CHECK_EQ(read, recorded);
  CHECK_EQ(thread.state.samples.load(), recorded);
  CHECK_EQ(thread.state.lost_since_taken.load(), lost);
  CHECK_EQ(weights + thread.state.lost_ns_since_taken.load(), thread.state.last_cpu_ns.load() - cpu_start);
  CHECK_EQ(wrong, 0);
}

TEST(capture_tokens) {
  FakeThread first;
  FakeThread second;
  first.List(40);
  second.List(kMaxThreads - 1);
  Wanted wanted{.runnable = true};
  CHECK(FromToken(MakeToken(40, {}), &wanted) == &first.state);
  CHECK(!wanted.runnable);
  CHECK(FromToken(MakeToken(40, {.runnable = true}), &wanted) == &first.state);
  CHECK(wanted.runnable);
  CHECK(FromToken(MakeToken(kMaxThreads - 1, {.runnable = true}), &wanted) == &second.state);
  CHECK(FromToken(MakeToken(41, {.runnable = true}), &wanted) == nullptr);  // an index that was never filled
  CHECK(FromToken(MakeToken(kMaxThreads, {.runnable = true}), &wanted) == nullptr);
  CHECK(FromToken(MakeToken(0x7fffffff, {.runnable = true}), &wanted) == nullptr);
  // Foreign words: small numbers, pointers, every single flipped bit of the cookie.
  for (const uint64_t word : {uint64_t{0}, uint64_t{80}, ~uint64_t{0}, reinterpret_cast<uint64_t>(&first)}) {
    CHECK(FromToken(word, &wanted) == nullptr);
  }
  for (int bit = 32; bit < 64; bit++) CHECK(FromToken(MakeToken(40, {.runnable = true}) ^ (uint64_t{1} << bit), &wanted) == nullptr);
}

}  // namespace
}  // namespace strobe::capture
