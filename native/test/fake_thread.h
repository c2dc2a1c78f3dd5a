// For tests of what a sample holds: a thread state as registration makes it, over a fake GetStackSample whose "isolate" is a script that
// says which stack it finds.
#pragma once

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "capture/capture.h"
#include "capture/clocks.h"
#include "capture/record.h"
#include "test/check.h"

namespace strobe::capture {

inline int32_t CurrentTid() { return static_cast<int32_t>(syscall(SYS_gettid)); }

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

inline void FakeGetStackSample(v8api::Isolate* isolate, const v8api::RegisterState& registers, void** frames, size_t limit,
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

inline void BurnCpu(uint64_t ns) {
  const uint64_t end = ThreadCpuNowNs() + ns;
  while (ThreadCpuNowNs() < end) {
  }
}

inline Registers At(uint64_t pc, AtSyscall at = AtSyscall::kNo) {
  Registers registers;
  registers.pc = reinterpret_cast<void*>(pc);
  registers.sp = reinterpret_cast<void*>(0x22);
  registers.fp = reinterpret_cast<void*>(0x33);
  registers.at_syscall = at;
  return registers;
}

}  // namespace strobe::capture
