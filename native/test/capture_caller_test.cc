// Tests of capture/capture.h: the caller's stack where V8 gives none, and what of the leaf is copied for the collector to judge.
//
// GetStackSample is a fake: a script that says which stack it finds at which pc, and remembers what it was asked.
#include <cstring>
#include <vector>

#include "capture/capture.h"
#include "capture/clocks.h"
#include "capture/record.h"
#include "test/check.h"
#include "test/resolver_world.h"

namespace strobe::capture {
namespace {

using v8api::VmState;

struct FakeIsolate {
  uint64_t pc_without_stack = 0;
  std::vector<uint64_t> frames;
  VmState state = VmState::kJs;
  struct Call {
    uint64_t pc, sp, fp;
    size_t limit;
  };
  std::vector<Call> calls;
};

void FakeGetStackSample(v8api::Isolate* isolate, const v8api::RegisterState& registers, void** frames, size_t limit,
                        v8api::SampleInfo* info) {
  auto* fake = static_cast<FakeIsolate*>(isolate);
  const auto pc = reinterpret_cast<uint64_t>(registers.pc);
  fake->calls.push_back({pc, reinterpret_cast<uint64_t>(registers.sp), reinterpret_cast<uint64_t>(registers.fp), limit});
  info->vm_state = static_cast<uint16_t>(fake->state);
  info->frames_count = 0;
  if (pc == fake->pc_without_stack) return;
  for (; info->frames_count < fake->frames.size() && info->frames_count < limit; info->frames_count++) {
    frames[info->frames_count] = reinterpret_cast<void*>(fake->frames[info->frames_count]);
  }
}

class FakeThread {
 public:
  FakeThread() : memory_(kRingBytes / 8) {
    state.isolate = &isolate;
    state.get_stack_sample = FakeGetStackSample;
    state.max_depth = 8;
    state.code_events = &events;
    state.ring.Init(reinterpret_cast<uint8_t*>(memory_.data()), kRingBytes);
    state.last_cpu_ns.store(ThreadCpuNowNs());
    state.armed.store(true);
    isolate.pc_without_stack = kPc;
    isolate.frames = {0x3000, 0x4000};
  }

  // Captures and takes the record; its frames are in `frames`.
  SampleRecord Sample(const Registers& registers) {
    SampleRecord record{};
    frames.clear();
    CHECK(Capture(&state, registers, {}) == CaptureResult::kRecorded);
    uint32_t bytes = 0;
    const uint8_t* at = state.ring.Next(state.ring.Head(), &bytes);
    if (!CHECK(at != nullptr)) return record;
    std::memcpy(&record, at, sizeof record);
    frames.resize(record.frame_count);
    if (!frames.empty()) std::memcpy(frames.data(), at + sizeof record, frames.size() * 8);
    CHECK_EQ(bytes, sizeof record + frames.size() * 8);
    state.ring.Release(bytes);
    return record;
  }

  static constexpr uint64_t kPc = 0x1010;
  static constexpr uint64_t kSp = 0x7000;
  static constexpr uint64_t kFp = 0x7100;
  FakeIsolate isolate;
  ThreadState state;
  std::vector<uint64_t> frames;

 private:
  static constexpr uint32_t kRingBytes = 16 * 1024;
  std::atomic<uint64_t> events{3};
  std::vector<uint64_t> memory_;
};

// At a return instruction, called from 0x2000.
Registers Returning() {
  Registers registers;
  registers.pc = reinterpret_cast<void*>(FakeThread::kPc);
  registers.sp = reinterpret_cast<void*>(FakeThread::kSp);
  registers.fp = reinterpret_cast<void*>(FakeThread::kFp);
  test::PutAtReturn(&registers.leaf, 0x2000);
  registers.lr = reinterpret_cast<void*>(registers.leaf.lr);
  return registers;
}

#if defined(__x86_64__)
constexpr uint64_t kTaken = 8;
#else
constexpr uint64_t kTaken = 0;
#endif

TEST(capture_from_the_caller_when_v8_gives_no_stack) {
  for (const VmState vm_state : {VmState::kJs, VmState::kOther}) {
    FakeThread thread;
    thread.isolate.state = vm_state;
    const SampleRecord record = thread.Sample(Returning());
    CHECK_EQ(record.flags, kCpu | kCpuProfile | kFromCaller);
    CHECK(thread.frames == std::vector<uint64_t>({0x2000, 0x3000, 0x4000}));
    CHECK_EQ(record.pc, FakeThread::kPc);  // the leaf is still where the thread was
    if (!CHECK_EQ(thread.isolate.calls.size(), 2)) return;
    const FakeIsolate::Call& call = thread.isolate.calls[1];
    CHECK_EQ(call.pc, 0x2000);
    CHECK_EQ(call.sp, FakeThread::kSp + kTaken);
    CHECK_EQ(call.fp, FakeThread::kFp);
    CHECK_EQ(call.limit, thread.isolate.calls[0].limit - 1);
  }
}

#if defined(__x86_64__)
TEST(capture_from_the_caller_behind_push) {
  FakeThread thread;
  Registers registers = Returning();
  test::PutCode(&registers.leaf, {0x48, 0x89, 0xe5, 0x56});  // mov rbp,rsp
  registers.leaf.stack[0] = 0xbad0;
  registers.leaf.stack[1] = 0x2000;
  const SampleRecord record = thread.Sample(registers);
  CHECK_EQ(record.flags, kCpu | kCpuProfile | kFromCaller);
  CHECK(thread.frames == std::vector<uint64_t>({0x2000, 0x3000, 0x4000}));
  CHECK_EQ(thread.isolate.calls.at(1).sp, FakeThread::kSp + 16);
}
#endif

TEST(capture_from_the_caller_of_a_frame_that_is_whole) {
  // Right behind the frame's making sp is fp: V8 takes what it would read below for out of bounds.
  FakeThread thread;
  Registers registers = Returning();
  test::PutInFrame(&registers.leaf, 0xbad0);
  registers.sp = registers.fp;
  registers.leaf.stack[0] = 0x7200;
  registers.leaf.stack[1] = 0x2000;
  const SampleRecord record = thread.Sample(registers);
  CHECK_EQ(record.flags, kCpu | kCpuProfile | kFromCaller);
  CHECK(thread.frames == std::vector<uint64_t>({0x2000, 0x3000, 0x4000}));
  CHECK_EQ(thread.isolate.calls.at(1).sp, FakeThread::kFp + 16);
  CHECK_EQ(thread.isolate.calls.at(1).fp, 0x7200);
}

#if defined(__x86_64__)
TEST(capture_from_the_caller_that_a_register_holds) {
  FakeThread thread;
  Registers registers = Returning();
  test::PutCode(&registers.leaf, {0x48, 0x8d, 0x24, 0xcc, 0x41, 0x52, 0xc3});  // lea rsp,[rsp+rcx*8]; push r10; ret
  registers.leaf.stack[0] = 0xbad0;
  registers.leaf.lr = 0x2000;
  CHECK_EQ(thread.Sample(registers).flags, kCpu | kCpuProfile | kFromCaller);
  CHECK(thread.frames == std::vector<uint64_t>({0x2000, 0x3000, 0x4000}));
  CHECK_EQ(thread.isolate.calls.at(1).sp, FakeThread::kSp);
}
#endif

TEST(capture_from_the_caller_only_where_it_is_known) {
  // V8 has a stack: it is not asked again.
  FakeThread with_stack;
  with_stack.isolate.pc_without_stack = 0;
  CHECK_EQ(with_stack.Sample(Returning()).flags, kCpu | kCpuProfile);
  CHECK(with_stack.frames == std::vector<uint64_t>({0x3000, 0x4000}));
  CHECK_EQ(with_stack.isolate.calls.size(), 1);
  // In a frame, or no code at pc: no guess.
  FakeThread in_frame;
  Registers registers = Returning();
  test::PutInFrame(&registers.leaf, 0x2000);
  CHECK_EQ(in_frame.Sample(registers).flags, kCpu | kCpuProfile);
  registers.leaf.code_length = 0;
  CHECK_EQ(in_frame.Sample(registers).flags, kCpu | kCpuProfile);
  CHECK_EQ(in_frame.isolate.calls.size(), 2);
  CHECK(in_frame.frames.empty());
  // Native code: a return address there leads nowhere that V8 knows.
  for (const VmState vm_state : {VmState::kExternal, VmState::kGc, VmState::kIdle, VmState::kCompiler, VmState::kIdleExternal}) {
    FakeThread native;
    native.isolate.state = vm_state;
    CHECK_EQ(native.Sample(Returning()).flags, kCpu | kCpuProfile);
    CHECK_EQ(native.isolate.calls.size(), 1);
    CHECK(native.frames.empty());
  }
  // The caller has no stack either.
  FakeThread nothing;
  nothing.isolate.frames.clear();
  CHECK_EQ(nothing.Sample(Returning()).flags, kCpu | kCpuProfile);
  CHECK_EQ(nothing.isolate.calls.size(), 2);
  CHECK(nothing.frames.empty());
}

TEST(capture_from_the_caller_keeps_the_depth) {
  for (const size_t behind : {6, 7, 8, 9, 40}) {
    FakeThread thread;
    thread.isolate.frames.assign(behind, 0x3000);
    const SampleRecord record = thread.Sample(Returning());
    const bool cut = behind + 1 > thread.state.max_depth;
    CHECK_EQ(record.flags, kCpu | kCpuProfile | kFromCaller | (cut ? kTruncated : 0));
    CHECK_EQ(thread.frames.size(), cut ? thread.state.max_depth : behind + 1);
    CHECK_EQ(thread.frames.front(), 0x2000);
  }
}

TEST(capture_copies_the_leaf) {
  FakeThread thread;
  Registers registers = Returning();
  registers.leaf.stack[0] = 11;
  registers.leaf.stack[1] = 12;
  registers.leaf.lr = 13;
  registers.leaf.interpreter_bytecode = 14;
  registers.leaf.interpreter_offset = 15;
  for (size_t i = 0; i < kLeafCodeBytes; i++) registers.leaf.code[i] = static_cast<uint8_t>(100 + i);
  registers.leaf.code_length = kLeafCodeBytes;
  const SampleRecord record = thread.Sample(registers);
  CHECK_EQ(std::memcmp(&record.leaf, &registers.leaf, sizeof record.leaf), 0);
}

TEST(capture_reads_the_slots_of_a_frame_on_this_stack_only) {
  FakeThread thread;
  alignas(16) uint64_t stack[64] = {};
  const auto low = reinterpret_cast<uint64_t>(stack);
  const uint64_t high = low + sizeof stack;
  thread.state.stack_high = high;
  const auto slots = [&](uint64_t sp, uint64_t fp) {
    Registers registers;
    registers.pc = reinterpret_cast<void*>(uint64_t{0x9000});
    registers.sp = reinterpret_cast<void*>(sp);
    registers.fp = reinterpret_cast<void*>(fp);
    const SampleRecord record = thread.Sample(registers);
    return std::pair(record.leaf.frame_bytecode, record.leaf.frame_offset);
  };
  const std::pair<uint64_t, uint64_t> none{0, 0};
  const uint64_t fp = low + 20 * 8;
  stack[20 - 4] = 77;
  stack[20 - 5] = 88;
  CHECK(slots(low, fp) == std::pair<uint64_t, uint64_t>(77, 88));
  CHECK(slots(fp - 40, fp) == std::pair<uint64_t, uint64_t>(77, 88));
  CHECK(slots(fp - 32, fp) == none);  // the slots are not below sp
  CHECK(slots(fp + 8, fp) == none);
  CHECK(slots(low, fp + 4) == none);
  CHECK(slots(low, 0) == none);
  CHECK(slots(low, ~uint64_t{0} - 7) == none);
  stack[64 - 4] = 5;
  CHECK_EQ(slots(low, high).first, 5);
  CHECK(slots(low, high + 8) == none);
  // On another stack: nothing between it and the thread's own need be mapped.
  thread.state.stack_low = low + 8;
  CHECK(slots(low, fp) == none);
  CHECK(slots(low + 8, fp) == std::pair<uint64_t, uint64_t>(77, 88));
  CHECK(slots(high, high) == none);
  thread.state.stack_low = 0;
  thread.state.stack_high = 0;  // not known: nothing is read
  CHECK(slots(low, fp) == none);
}

}  // namespace
}  // namespace strobe::capture
