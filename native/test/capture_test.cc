// Tests of capture/capture.h and handler.h: what one sample's record holds, that CPU is neither lost nor inherited, when a sample is kept
// for later, and that the signal handler answers to our signals only.
//
// GetStackSample is a fake: the "isolate" is a script that says which stack it finds.
#include "capture/capture.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "capture/clocks.h"
#include "capture/handler.h"
#include "capture/record.h"
#include "test/check.h"

namespace strobe::capture {
namespace {

int32_t CurrentTid() { return static_cast<int32_t>(syscall(SYS_gettid)); }

// What the fake isolate shows. `frames` deeper than the limit are cut, as V8 does.
struct FakeIsolate {
  std::atomic<uint32_t> frames{0};
  std::atomic<uint16_t> vm_state{static_cast<uint16_t>(v8api::VmState::kJs)};
  std::atomic<size_t> limit_seen{0};
  std::atomic<uint64_t> pc_seen{0};
  std::atomic<uint64_t> sp_seen{0};
  std::atomic<uint64_t> fp_seen{0};
  std::atomic<uint64_t>* bump = nullptr;  // a code event published while the stack is read
  std::function<void()> meanwhile;        // what other threads do while the stack is read
};

void FakeGetStackSample(v8api::Isolate* isolate, const v8api::RegisterState& registers, void** frames, size_t limit,
                        v8api::SampleInfo* info) {
  auto* fake = static_cast<FakeIsolate*>(isolate);
  const size_t wanted = fake->frames.load(std::memory_order_relaxed);
  const size_t count = wanted < limit ? wanted : limit;
  for (size_t i = 0; i < count; i++) frames[i] = reinterpret_cast<void*>(0x1000 + i);
  info->frames_count = count;
  info->vm_state = fake->vm_state.load(std::memory_order_relaxed);
  fake->limit_seen.store(limit, std::memory_order_relaxed);
  fake->pc_seen.store(reinterpret_cast<uint64_t>(registers.pc), std::memory_order_relaxed);
  fake->sp_seen.store(reinterpret_cast<uint64_t>(registers.sp), std::memory_order_relaxed);
  fake->fp_seen.store(reinterpret_cast<uint64_t>(registers.fp), std::memory_order_relaxed);
  if (fake->bump != nullptr) fake->bump->fetch_add(1);
  if (fake->meanwhile) fake->meanwhile();
  errno = 5;  // whatever runs in the handler may change it
}

struct Sample {
  SampleRecord record;
  std::vector<uint64_t> frames;
};

// A state with everything that registration sets. In the thread table only when `index` is given.
class FakeThread {
 public:
  explicit FakeThread(uint32_t ring_bytes = 64 * 1024, uint32_t max_depth = 16) : memory_(ring_bytes / 8) {
    state.isolate = &isolate;
    state.get_stack_sample = FakeGetStackSample;
    state.max_depth = max_depth;
    state.code_events = &events;
    state.ring.Init(reinterpret_cast<uint8_t*>(memory_.data()), ring_bytes);
    state.last_cpu_ns.store(ThreadCpuNowNs());
    state.armed.store(true);
  }
  ~FakeThread() {
    if (listed_) g_thread_table[state.index].store(nullptr);
  }

  void List(uint32_t index) {
    state.index = index;
    g_thread_table[index].store(&state);
    listed_ = true;
  }

  std::vector<Sample> Drain() {
    std::vector<Sample> samples;
    uint32_t bytes = 0;
    const uint64_t head = state.ring.Head();
    while (const uint8_t* at = state.ring.Next(head, &bytes)) {
      Sample sample;
      memcpy(&sample.record, at, sizeof sample.record);
      sample.frames.resize(sample.record.frame_count);
      if (!sample.frames.empty()) memcpy(sample.frames.data(), at + sizeof(SampleRecord), sample.frames.size() * 8);
      CHECK_EQ(sample.record.size, bytes);
      CHECK_EQ(bytes, sizeof(SampleRecord) + 8 * sample.frames.size());
      samples.push_back(std::move(sample));
      state.ring.Release(bytes);
    }
    return samples;
  }

  FakeIsolate isolate;
  std::atomic<uint64_t> events{0};
  ThreadState state;

 private:
  std::vector<uint64_t> memory_;
  bool listed_ = false;
};

void BurnCpu(uint64_t ns) {
  const uint64_t end = ThreadCpuNowNs() + ns;
  while (ThreadCpuNowNs() < end) {
  }
}

Registers At(uint64_t pc, AtSyscall at = AtSyscall::kNo) {
  Registers registers;
  registers.pc = reinterpret_cast<void*>(pc);
  registers.sp = reinterpret_cast<void*>(0x22);
  registers.fp = reinterpret_cast<void*>(0x33);
  registers.at_syscall = at;
  return registers;
}

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

// --- the real signal ---

// A queued signal to one thread with the given word and code, as the sampler sends it.
bool Send(int32_t tid, uint64_t word, int code = SI_QUEUE) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  info.si_code = code;
  info.si_pid = getpid();
  info.si_uid = getuid();
  info.si_value.sival_ptr = reinterpret_cast<void*>(word);
  return syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, SampleSignal(), &info) == 0;
}

void Nap() {
  timespec nap{0, 1'000'000};
  nanosleep(&nap, nullptr);
}

// Up to 5 seconds until `condition` holds. Sleeps in between, which is also where ThreadSanitizer delivers signals.
bool Eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 5000; i++) {
    if (condition()) return true;
    Nap();
  }
  return false;
}

bool Install() {
  std::string error;
  if (!CHECK(InstallHandler(&error) != 0)) {
    CHECK_EQ(error, "");
    return false;
  }
  return true;
}

// A thread that computes (or does `wait`) with a registered state until the guard goes.
class SampledWorker {
 public:
  explicit SampledWorker(uint32_t index, std::function<void()> once = nullptr) {
    fake.List(index);
    thread_ = std::thread([this, once] {
      fake.state.last_cpu_ns = ThreadCpuNowNs();
      fake.state.tid.store(CurrentTid(), std::memory_order_release);
      do {
        if (once) {
          once();
        } else {
          BurnCpu(1'000'000);
          sched_yield();  // an intercepted call, where ThreadSanitizer delivers signals
        }
      } while (!stop_.load());
    });
    while (fake.state.tid.load() == 0) sched_yield();
  }
  ~SampledWorker() {
    stop_.store(true);
    thread_.join();
    fake.state.tid = 0;
  }
  void Stop() { stop_.store(true); }
  int32_t tid() const { return fake.state.tid.load(); }
  pthread_t handle() { return thread_.native_handle(); }
  uint64_t token(bool runnable = false) const { return MakeToken(fake.state.index, {.runnable = runnable}); }
  uint64_t samples() const { return fake.state.samples.load(); }

  FakeThread fake;

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

TEST(capture_signal_samples_the_registered_thread) {
  if (!Install()) return;
  CHECK(HandlerInPlace());
  const int signal = SampleSignal();
  std::string error;
  CHECK_EQ(InstallHandler(&error), signal);  // idempotent
  CHECK(signal >= SIGRTMIN && signal <= SIGRTMAX);
  SampledWorker worker(10);
  worker.fake.isolate.frames = 3;
  for (uint64_t i = 1; i <= 5; i++) {
    worker.fake.state.pending = 1;
    CHECK(Send(worker.tid(), worker.token()));
    if (!CHECK(Eventually([&] { return worker.samples() == i; }))) return;
    CHECK(Eventually([&] { return worker.fake.state.pending.load() == 0; }));
  }
  const std::vector<Sample> samples = worker.fake.Drain();
  if (!CHECK_EQ(samples.size(), 5)) return;
  for (const Sample& sample : samples) {
    CHECK_EQ(sample.frames.size(), 3);
    CHECK(sample.record.pc != 0);
  }
  // The registers are the interrupted code's: the stack pointer lies on that thread's stack.
  pthread_attr_t attributes;
  void* low = nullptr;
  size_t size = 0;
  CHECK_EQ(pthread_getattr_np(worker.handle(), &attributes), 0);
  pthread_attr_getstack(&attributes, &low, &size);
  pthread_attr_destroy(&attributes);
  CHECK(worker.fake.isolate.sp_seen.load() - reinterpret_cast<uint64_t>(low) < size);
}

TEST(capture_signal_of_others_is_ignored) {
  if (!Install()) return;
  SampledWorker worker(11);
  SampledWorker other(12);
  worker.fake.isolate.frames = 1;
  other.fake.isolate.frames = 1;
  // Right code, foreign word.
  for (const uint64_t word : {uint64_t{0}, uint64_t{1}, ~uint64_t{0}, worker.token() ^ (uint64_t{1} << 40), MakeToken(kMaxThreads, {}),
                              MakeToken(13, {}), reinterpret_cast<uint64_t>(&worker)}) {
    CHECK(Send(worker.tid(), word));
    Nap();
  }
  // Another thread's token, on this thread.
  CHECK(Send(worker.tid(), other.token()));
  // Right word, wrong code.
  for (const int code : {SI_TIMER, SI_MESGQ, SI_ASYNCIO}) CHECK(Send(worker.tid(), worker.token(), code));
  // The ordinary ways to send a signal.
  CHECK_EQ(kill(getpid(), SampleSignal()), 0);
  CHECK_EQ(pthread_kill(worker.handle(), SampleSignal()), 0);
  sigval value;
  value.sival_ptr = reinterpret_cast<void*>(uint64_t{1234});
  CHECK_EQ(sigqueue(getpid(), SampleSignal(), value), 0);
  CHECK_EQ(pthread_sigqueue(worker.handle(), SampleSignal(), value), 0);
  // Queued signals of one number arrive in order: when this one was taken, those before it to this thread were ignored. The pause is for
  // ThreadSanitizer, which defers signals and keeps one of each number.
  for (int i = 0; i < 20; i++) Nap();
  CHECK(Send(worker.tid(), worker.token()));
  CHECK(Eventually([&] { return worker.samples() > 0; }));
  Nap();
  CHECK_EQ(worker.samples(), 1);
  CHECK_EQ(other.samples(), 0);
}

TEST(capture_signal_to_a_state_that_was_given_back_is_ignored) {
  if (!Install()) return;
  FakeThread thread;
  thread.isolate.frames = 1;
  thread.List(14);
  CHECK(Send(CurrentTid(), MakeToken(14, {})));  // tid 0: not registered
  Nap();
  thread.state.tid = CurrentTid() + 1;  // somebody else's by now
  CHECK(Send(CurrentTid(), MakeToken(14, {})));
  Nap();
  CHECK_EQ(thread.state.samples.load(), 0);
  thread.state.tid = CurrentTid();
  CHECK(Send(CurrentTid(), MakeToken(14, {})));
  CHECK(Eventually([&] { return thread.state.samples.load() == 1; }));
  thread.state.tid = 0;
}

TEST(capture_signal_keeps_errno) {
  if (!Install()) return;
  FakeThread thread;
  thread.isolate.frames = 1;
  thread.List(15);
  thread.state.tid = CurrentTid();
  const uint64_t token = MakeToken(15, {});
  siginfo_t info;
  memset(&info, 0, sizeof info);
  info.si_code = SI_QUEUE;
  info.si_pid = getpid();
  info.si_value.sival_ptr = reinterpret_cast<void*>(token);
  errno = 77;
  syscall(SYS_rt_tgsigqueueinfo, getpid(), CurrentTid(), SampleSignal(), &info);
  const int after = errno;
  CHECK_EQ(after, 77);
  CHECK(Eventually([&] { return thread.state.samples.load() == 1; }));
  thread.state.tid = 0;
}

TEST(capture_signal_inert_after_a_fork_until_installed_again) {
  if (!Install()) return;
  FakeThread thread;
  thread.isolate.frames = 1;
  thread.List(16);
  thread.state.tid = CurrentTid();
  MakeInert();
  CHECK(Send(CurrentTid(), MakeToken(16, {})));
  Nap();
  Nap();
  CHECK_EQ(thread.state.samples.load(), 0);
  if (!Install()) return;
  CHECK(Send(CurrentTid(), MakeToken(16, {})));
  CHECK(Eventually([&] { return thread.state.samples.load() == 1; }));
  thread.state.tid = 0;
}

TEST(capture_signal_in_place_is_noticed) {
  if (!Install()) return;
  struct sigaction ours;
  struct sigaction theirs;
  memset(&theirs, 0, sizeof theirs);
  theirs.sa_handler = SIG_IGN;
  CHECK_EQ(sigaction(SampleSignal(), &theirs, &ours), 0);
  CHECK(!HandlerInPlace());
  CHECK_EQ(sigaction(SampleSignal(), &ours, nullptr), 0);
  CHECK(HandlerInPlace());
}

// A second start after the signal was taken: what InstallHandler returns is about to be sent, so it must be ours (or 0). In a child: the
// handler's place is the process's.
TEST(capture_signal_install_after_it_was_taken) {
  if (!Install()) return;
  const pid_t child = fork();
  if (!CHECK(child >= 0)) return;
  if (child == 0) {
    signal(SampleSignal(), SIG_DFL);
    std::string error;
    const int again = InstallHandler(&error);
    _exit(again == 0 ? (error.empty() ? 1 : 0) : (HandlerInPlace() ? 0 : 2));
  }
  int status = 0;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(WEXITSTATUS(status), 0);
}

#if !defined(__SANITIZE_THREAD__)  // the interrupted place is ThreadSanitizer's own there

TEST(capture_signal_at_a_real_wait_is_kept_pending) {
  if (!Install()) return;
  sem_t semaphore;
  sem_init(&semaphore, 0, 0);
  const std::vector<std::pair<const char*, std::function<void()>>> waits = {
      {"nanosleep",
       [] {
         timespec nap{1, 0};
         nanosleep(&nap, nullptr);
       }},
      {"poll", [] { poll(nullptr, 0, 1000); }},
      {"sem_timedwait",
       [&semaphore] {
         timespec limit;
         clock_gettime(CLOCK_REALTIME, &limit);
         limit.tv_sec++;
         sem_timedwait(&semaphore, &limit);
       }},
  };
  for (const auto& [name, wait] : waits) {
    SampledWorker worker(17, wait);
    Nap();  // until it waits; earlier signals meet it on its way there
    const auto kept = [&] { return worker.fake.state.kept_pending.load() > 0; };
    bool was_kept = false;
    for (int i = 0; i < 50 && !was_kept; i++) {
      CHECK(Send(worker.tid(), worker.token()));
      for (int wait_ms = 0; wait_ms < 20 && !(was_kept = kept()); wait_ms++) Nap();
    }
    if (!CHECK(was_kept)) CHECK_EQ(name, "");
    // With JavaScript on the stack (Atomics.wait, a synchronous child process) the same place is a sample.
    worker.fake.isolate.frames = 2;
    const uint64_t before = worker.samples();
    CHECK(Send(worker.tid(), worker.token()));
    CHECK(Eventually([&] { return worker.samples() > before; }));
    worker.Stop();
  }
  sem_destroy(&semaphore);
}

TEST(capture_signal_at_a_system_call_depends_on_running) {
  if (!Install()) return;
  FakeThread thread;
  thread.List(18);
  thread.state.tid = CurrentTid();
  // Sent to ourselves: taken right behind the system call that sends it.
  CHECK(Send(CurrentTid(), MakeToken(18, {})));
  CHECK(Eventually([&] { return thread.state.samples.load() == 1; }));
  CHECK(Send(CurrentTid(), MakeToken(18, {.runnable = true})));
  CHECK(Eventually([&] { return thread.state.kept_pending.load() == 1; }));
  CHECK_EQ(thread.state.samples.load(), 1);
  thread.state.tid = 0;
}

#endif

}  // namespace
}  // namespace strobe::capture
