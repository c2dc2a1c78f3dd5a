// Tests of capture/gc_stack.h: every sample inside a collection carries the stack and the number of code events of its beginning, samples
// beside it carry their own, and a thread that isn't sampled is left alone.
#include "capture/gc_stack.h"

#include <cstddef>
#include <cstring>
#include <vector>

#include "capture/capture.h"
#include "capture/clocks.h"
#include "capture/js_walk.h"
#include "capture/record.h"
#include "test/check.h"

namespace strobe::capture {
namespace {

using v8api::VmState;

struct FakeIsolate {
  uint64_t unused = 0;
  uint64_t exit_frame = 0;  // where V8 keeps its last exit frame
  VmState state = VmState::kJs;
  std::vector<uint64_t> frames;  // none while the state is kGc, as with V8
  uint32_t calls = 0;
};

void FakeGetStackSample(v8api::Isolate* isolate, const v8api::RegisterState& registers, void** frames, size_t limit,
                        v8api::SampleInfo* info) {
  auto* fake = static_cast<FakeIsolate*>(isolate);
  fake->calls++;
  CHECK(registers.pc != nullptr && registers.sp != nullptr && registers.fp != nullptr && registers.callee_saved == nullptr);
  info->vm_state = static_cast<uint16_t>(fake->state);
  info->frames_count = 0;
  if (fake->state == VmState::kGc) return;
  for (; info->frames_count < fake->frames.size() && info->frames_count < limit; info->frames_count++) {
    frames[info->frames_count] = reinterpret_cast<void*>(fake->frames[info->frames_count]);
  }
}

class FakeThread {
 public:
  FakeThread() : memory_(kRingBytes / 8), gc_frames_(kMaxDepthLimit + 1) {
    state.isolate = &isolate;
    state.get_stack_sample = FakeGetStackSample;
    state.max_depth = 8;
    state.code_events = &events;
    state.gc_frames = gc_frames_.data();
    state.ring.Init(reinterpret_cast<uint8_t*>(memory_.data()), kRingBytes);
    state.last_cpu_ns.store(ThreadCpuNowNs());
    state.armed.store(true);
  }

  SampleRecord Sample(VmState vm_state) {
    isolate.state = vm_state;
    Registers registers;
    registers.pc = registers.sp = registers.fp = reinterpret_cast<void*>(uint64_t{0x9000});
    SampleRecord record{};
    CHECK(Capture(&state, registers, {}) == CaptureResult::kRecorded);
    uint32_t bytes = 0;
    const uint8_t* at = state.ring.Next(state.ring.Head(), &bytes);
    if (!CHECK(at != nullptr)) return record;
    std::memcpy(&record, at, sizeof record);
    frames.resize(record.frame_count);
    if (!frames.empty()) std::memcpy(frames.data(), at + sizeof record, frames.size() * 8);
    state.ring.Release(bytes);
    return record;
  }

  // V8 calls back in state EXTERNAL.
  void Begin(uint32_t gc_type = v8api::kGcScavenge) {
    isolate.state = VmState::kExternal;
    GcBegins(&state, gc_type);
  }

  FakeIsolate isolate;
  ThreadState state;
  std::atomic<uint64_t> events{5};
  std::vector<uint64_t> frames;

 private:
  static constexpr uint32_t kRingBytes = 16 * 1024;
  std::vector<uint64_t> memory_;
  std::vector<void*> gc_frames_;
};

TEST(capture_gc_samples_carry_the_trigger) {
  FakeThread thread;
  thread.isolate.frames = {0x1000, 0x2000};
  thread.Begin(v8api::kGcMarkSweepCompact);
  CHECK_EQ(thread.state.gc_since.load(), 5);
  CHECK(thread.state.gc_ns.load() > 0);
  // Code moves, the stack is no longer what it was.
  thread.events = 9;
  thread.isolate.frames = {0x7000};
  for (int i = 0; i < 3; i++) {
    const SampleRecord record = thread.Sample(VmState::kGc);
    CHECK_EQ(record.code_events, 5);
    CHECK_EQ(record.flags, kCpu | kCpuProfile | kGcPrologue);
    CHECK_EQ(record.gc_type, v8api::kGcMarkSweepCompact);
    CHECK(thread.frames == std::vector<uint64_t>({0x1000, 0x2000}));
  }
  GcEnds(&thread.state);
  CHECK_EQ(thread.state.gc_since.load(), ThreadState::kNoGc);
  // State GC outside of an announced collection: a sample like any other.
  const SampleRecord after = thread.Sample(VmState::kGc);
  CHECK_EQ(after.code_events, 9);
  CHECK_EQ(after.flags & kGcPrologue, 0);
  CHECK_EQ(after.gc_type, 0);
}

TEST(capture_gc_javascript_beside_it_keeps_its_own_stack) {
  FakeThread thread;
  thread.isolate.frames = {0x1000};
  thread.Begin();
  thread.events = 6;
  thread.isolate.frames = {0x2000, 0x3000};
  const SampleRecord record = thread.Sample(VmState::kJs);
  CHECK_EQ(record.code_events, 6);
  CHECK_EQ(record.flags | record.gc_type, kCpu | kCpuProfile);
  CHECK(thread.frames == std::vector<uint64_t>({0x2000, 0x3000}));
}

TEST(capture_gc_inside_another_belongs_to_the_outer) {
  FakeThread thread;
  thread.isolate.frames = {0x1000};
  thread.Begin(v8api::kGcMarkSweepCompact);
  thread.events = 7;
  thread.isolate.frames = {0x2000};
  thread.Begin(v8api::kGcScavenge);
  // While it runs, and when it has ended.
  for (int i = 0; i < 2; i++) {
    const SampleRecord record = thread.Sample(VmState::kGc);
    CHECK_EQ(record.code_events, 5);
    CHECK_EQ(record.gc_type, v8api::kGcMarkSweepCompact);
    CHECK(thread.frames == std::vector<uint64_t>({0x1000}));
    GcEnds(&thread.state);
  }
  CHECK_EQ(thread.state.gc_since.load(), ThreadState::kNoGc);
  GcEnds(&thread.state);  // an end without a beginning (attached in the middle)
  // The next one is its own.
  thread.Begin(v8api::kGcScavenge);
  CHECK_EQ(thread.Sample(VmState::kGc).code_events, 7);
  CHECK(thread.frames == std::vector<uint64_t>({0x2000}));
}

TEST(capture_gc_without_javascript) {
  FakeThread thread;
  thread.Begin();
  const SampleRecord record = thread.Sample(VmState::kGc);
  CHECK_EQ(record.flags, kCpu | kCpuProfile | kGcPrologue);
  CHECK_EQ(record.code_events, 5);
  CHECK_EQ(record.gc_type, v8api::kGcScavenge);
  CHECK(thread.frames.empty());
}

TEST(capture_gc_walks_where_v8_gives_no_stack) {
  // On this very stack, above the callback's own frame: an exit frame, and one that it leads to.
  alignas(16) volatile uint64_t stack[24] = {};
  const auto at = [&](size_t word) { return reinterpret_cast<uint64_t>(&stack[word]); };
  stack[2] = at(12);
  stack[3] = 0x5000;
  stack[12 - 4] = 77;
  stack[12 - 5] = 88;
  FakeThread thread;
  thread.state.stack_high = at(24);
  thread.isolate.exit_frame = at(2);
  g_exit_frame_slot.store(offsetof(FakeIsolate, exit_frame));
  thread.Begin();
  g_exit_frame_slot.store(0);
  for (size_t i = 0; i < 24; i++) stack[i] = 0;  // what the collection makes of the stack does not matter
  const SampleRecord record = thread.Sample(VmState::kGc);
  CHECK_EQ(record.flags, kCpu | kCpuProfile | kGcPrologue | kWalked);
  CHECK(thread.frames == std::vector<uint64_t>({0x5000, 77, 88}));
  GcEnds(&thread.state);
  // The next one has V8's stack again.
  thread.isolate.frames = {0x1000};
  thread.Begin();
  CHECK_EQ(thread.Sample(VmState::kGc).flags, kCpu | kCpuProfile | kGcPrologue);
  CHECK(thread.frames == std::vector<uint64_t>({0x1000}));
}

TEST(capture_gc_of_a_thread_that_is_not_sampled) {
  FakeThread disarmed;
  disarmed.state.armed = false;
  disarmed.Begin();
  CHECK_EQ(disarmed.isolate.calls, 0);
  CHECK_EQ(disarmed.state.gc_since.load(), ThreadState::kNoGc);
  CHECK_EQ(disarmed.state.gc_ns.load(), 0);
  GcEnds(&disarmed.state);
  // Armed in the middle of a collection: it has no stack, the next one has.
  disarmed.state.armed = true;
  CHECK_EQ(disarmed.Sample(VmState::kGc).flags & kGcPrologue, 0);
  FakeThread no_room;
  no_room.state.gc_frames = nullptr;
  no_room.Begin();
  CHECK_EQ(no_room.isolate.calls, 0);
  CHECK_EQ(no_room.Sample(VmState::kGc).flags & kGcPrologue, 0);
}

TEST(capture_gc_keeps_the_depth) {
  for (const size_t depth : {7, 8, 9, 50}) {
    FakeThread thread;
    thread.isolate.frames.assign(depth, 0x1000);
    thread.Begin();
    const SampleRecord record = thread.Sample(VmState::kGc);
    CHECK_EQ(record.flags, kCpu | kCpuProfile | kGcPrologue | (depth > 8 ? kTruncated : 0));
    CHECK_EQ(thread.frames.size(), depth > 8 ? 8 : depth);
  }
  // The limit is lowered between a collection's beginning and its sample (another run was started meanwhile).
  FakeThread thread;
  thread.isolate.frames.assign(8, 0x1000);
  thread.Begin();
  thread.state.max_depth = 3;
  CHECK_EQ(thread.Sample(VmState::kGc).flags, kCpu | kCpuProfile | kGcPrologue | kTruncated);
  CHECK_EQ(thread.frames.size(), 3);
}

}  // namespace
}  // namespace strobe::capture
