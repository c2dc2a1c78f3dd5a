// Async-signal-safe only: everything in this file runs inside the signal handler. See capture.h for the contract.
#include "capture/capture.h"

#include <algorithm>
#include <cstring>

#include "capture/clocks.h"
#include "capture/js_walk.h"
#include "capture/label_source.h"
#include "capture/no_frame.h"
#include "capture/record.h"
#include "capture/stack_word.h"

namespace strobe::capture {

std::atomic<ThreadState*> g_thread_table[kMaxThreads];
CollectorDoorbell g_doorbell;

namespace {

void Add(std::atomic<uint64_t>* counter, uint64_t value) {
  // One writer, the handler: a plain load and store, no locked instruction.
  counter->store(counter->load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
}

// The woken-from-a-wait rule. A thread that used CPU, then went to sleep in the event loop, must not have that CPU charged to the loop:
// when it has no JavaScript on its stack and stands at a wait, the CPU stays pending for its next sample. A thread that was only ready to
// run (not running) gets the same at any system call: it was just woken and has done nothing yet. A busy loop of system calls that runs now
// is charged where it stands.
bool KeepPending(const Registers& registers, bool runnable, const v8api::SampleInfo& info) {
  if (info.frames_count != 0 || info.vm_state == static_cast<uint16_t>(v8api::VmState::kGc)) return false;
  return registers.at_syscall == AtSyscall::kWait || (runnable && registers.at_syscall == AtSyscall::kSyscall);
}

// The interpreter's slots of the frame at fp, when they lie in this thread's stack: fp may be anything in code that is not V8's.
// When the function's own frame is whole but empty (`from_caller` and sp at fp), the caller's are meant.
void ReadFrameSlots(const ThreadState& state, const Registers& registers, bool from_caller, LeafContext* leaf) {
  auto fp = reinterpret_cast<uint64_t>(registers.fp);
  const auto sp = reinterpret_cast<uint64_t>(registers.sp);
  if (from_caller && sp == fp) fp = leaf->stack[0];
  if (!OnOwnStack(state, sp) || (fp & 7) != 0 || fp < sp || fp > state.stack_high || fp - sp < v8api::kFrameSlotsBelowFp) return;
  leaf->frame_marker = StackWord(fp - sizeof(uint64_t));
  leaf->frame_bytecode = StackWord(fp - v8api::kFrameBytecodeArray);
  leaf->frame_offset = StackWord(fp - v8api::kFrameBytecodeOffset);
}

// V8 gives no stack at all where it recognises a frame being made or taken down. There the caller's registers are known: its stack is
// taken, behind the return address. False when this is no such place.
bool SampleCaller(const ThreadState& state, const Registers& registers, void** frames, uint32_t limit, v8api::SampleInfo* info) {
  const auto vm_state = static_cast<v8api::VmState>(info->vm_state);
  if (info->frames_count != 0 || (vm_state != v8api::VmState::kJs && vm_state != v8api::VmState::kOther)) return false;
  const uint64_t sp = reinterpret_cast<uint64_t>(registers.sp);
  const LeafContext& leaf = registers.leaf;
  uint64_t caller_pc = 0;
  uint64_t caller_fp = reinterpret_cast<uint64_t>(registers.fp);
  uint64_t words = 0;  // of the stack, that are gone once the function has returned
  if (registers.sp == registers.fp) {
    // The frame is whole, nothing is pushed on it yet or any more. V8 takes what lies below sp for out of bounds.
    caller_pc = leaf.stack[1];
    caller_fp = leaf.stack[0];
    words = 2;
  } else {
    switch (ReturnAddressAt(leaf.code, leaf.code_length)) {
      case ReturnAddress::kInFrame:
        return false;
      case ReturnAddress::kAtSp:
        caller_pc = leaf.stack[0];
        words = 1;
        break;
      case ReturnAddress::kAboveSp:
        caller_pc = leaf.stack[1];
        words = 2;
        break;
      case ReturnAddress::kInLr:
        caller_pc = leaf.lr;
        break;
    }
  }
  v8api::RegisterState caller;
  caller.pc = reinterpret_cast<void*>(caller_pc);
  caller.sp = reinterpret_cast<void*>(sp + words * sizeof(uint64_t));
  caller.fp = reinterpret_cast<void*>(caller_fp);
  caller.lr = registers.lr;
  state.get_stack_sample(state.isolate, caller, frames + 1, limit - 1, info);
  if (info->frames_count == 0) return false;
  frames[0] = caller.pc;
  info->frames_count++;
  return true;
}

// CPU for the label of a sample: all since the last charge, but what sections took, which have charged themselves. Inside an open section
// none: it waits for the next sample outside.
uint64_t Charge(ThreadState* state, uint64_t cpu_now, const SampleLabel& label) {
  const LabelSource* labels = state->labels.load(std::memory_order_relaxed);
  uint64_t sections = 0;
  if (labels != nullptr) {
    if (labels->in_section.load(std::memory_order_relaxed) != 0) return 0;
    std::atomic_signal_fence(std::memory_order_acquire);
    sections = labels->sections_ns.load(std::memory_order_relaxed);
  }
  const uint64_t charged = state->charged_cpu_ns.load(std::memory_order_relaxed);
  // Armed anew on another thread while this handler waited for a core.
  if (cpu_now < charged) return 0;
  const uint64_t spent = cpu_now - charged;
  const uint64_t measured = sections - state->charged_sections_ns.load(std::memory_order_relaxed);
  // A section's clock is read a little outside of it.
  if (measured > spent) return 0;
  state->charged_cpu_ns.store(cpu_now, std::memory_order_relaxed);
  state->charged_sections_ns.store(sections, std::memory_order_relaxed);
  if (labels != nullptr) {
    if (SpanUse* span = labels->spans.Find(label.attribution_slot, label.attribution_generation)) {
      AddNs(&span->rest_ns, spent - measured);
    }
  }
  return spent - measured;
}

SampleLabel InheritedLabel(const ThreadState& state) {
  const uint64_t inherited = state.inherited_labels.load(std::memory_order_relaxed);
  SampleLabel label;
  label.label_set = static_cast<uint32_t>(inherited);
  label.label_set_generation = static_cast<uint32_t>(inherited >> 32);
  return label;
}

// Objects may be moving: a collection that began before this thread was armed, so that nothing was kept of its beginning, or one on a V8
// that announces none. A step of marking or sweeping (announced by nobody) moves nothing.
bool MayMove(const ThreadState& state, const v8api::SampleInfo& info) {
  return info.vm_state == static_cast<uint16_t>(v8api::VmState::kGc) && (state.gc_depth != 0 || !state.gc_announced);
}

// Wall time of this sample begins where the last one ended, or where the sampler last saw the thread asleep in that one's stack.
uint64_t WallFrom(const ThreadState& state) {
  return std::max(state.last_wall_ns.load(std::memory_order_relaxed), state.idle_until_ns.load(std::memory_order_relaxed));
}

CaptureResult DoneByTimer(ThreadState* state, uint64_t cpu_start, CaptureResult result) {
  Add(&state->handler_ns, ThreadCpuNowNs() - cpu_start);
  return result;
}

// No room in the ring: both clocks go on, what they measured is lost and counted.
void CountLost(ThreadState* state, const Wanted& wanted, uint64_t cpu_now, uint64_t weight) {
  if (wanted.cpu) {
    if (state->cpu_recorded.load(std::memory_order_relaxed)) {
      state->lost_since_taken.fetch_add(1, std::memory_order_relaxed);
      state->lost_ns_since_taken.fetch_add(weight, std::memory_order_relaxed);
    }
    state->last_cpu_ns.store(cpu_now, std::memory_order_relaxed);
  }
  if (!wanted.wall) return;
  const uint64_t now = MonotonicNowNs();
  const uint64_t from = WallFrom(*state);
  state->wall_lost_since_taken.fetch_add(1, std::memory_order_relaxed);
  state->wall_lost_ns_since_taken.fetch_add(now > from ? now - from : 0, std::memory_order_relaxed);
  state->last_wall_ns.store(now, std::memory_order_relaxed);
  state->stood_at_syscall.store(false, std::memory_order_relaxed);
  state->wall_lost = true;
}

}  // namespace

SampleLabel CurrentLabel(ThreadState* state) {
  SampleLabel label;
  LabelRead read = LabelRead::kNone;
  const LabelSource* labels = state->labels.load(std::memory_order_relaxed);
  if (labels != nullptr && state->layout != nullptr) {
    std::atomic_signal_fence(std::memory_order_acquire);
    read = ReadLabel(*labels, *state->layout, state->isolate, &label);
  }
  if (read == LabelRead::kFound) return label;
  if (read == LabelRead::kRefused) Add(&state->labels_refused, 1);
  return InheritedLabel(*state);
}

namespace {

CaptureResult CaptureArmed(ThreadState* state, const Registers& registers, const Wanted& asked) {
  // Pairs with the release in Profiler::Arm: who sees the thread armed sees the clocks that it starts from.
  if (!state->armed.load()) return CaptureResult::kDisarmed;
  Wanted wanted = asked;
  // Switched off while the signal was on its way.
  if (state->wall_began_ns.load(std::memory_order_acquire) == 0) wanted.wall = false;
  const uint64_t cpu_start = ThreadCpuNowNs();
  const uint64_t last = state->last_cpu_ns.load(std::memory_order_relaxed);
  const uint64_t weight = cpu_start > last ? cpu_start - last : 0;
  if (wanted.by_timer &&
      (weight < DeadTimeNs(g_self_clock_rate.period_ns.load(std::memory_order_relaxed)) || SleptAtShot(state->self_clock))) {
    return DoneByTimer(state, cpu_start, CaptureResult::kTooSoon);
  }

  CaptureResult result = CaptureResult::kRecorded;
  const uint32_t limit = state->max_depth + 1;
  uint8_t* room = state->ring.Reserve(static_cast<uint32_t>(sizeof(SampleRecord) + limit * sizeof(uint64_t)));
  if (room == nullptr) {
    CountLost(state, wanted, cpu_start, weight);
    result = CaptureResult::kLost;
  } else {
    auto* record = reinterpret_cast<SampleRecord*>(room);
    auto* frames = reinterpret_cast<void**>(room + sizeof(SampleRecord));
    v8api::RegisterState v8_registers;
    v8_registers.pc = registers.pc;
    v8_registers.sp = registers.sp;
    v8_registers.fp = registers.fp;
    v8_registers.lr = registers.lr;
    v8api::SampleInfo info;
    // Before the stack: an event published in between can't be needed by these frames, one published before may be.
    uint64_t code_events = state->code_events->load(std::memory_order_acquire);
    state->get_stack_sample(state->isolate, v8_registers, frames, limit, &info);
    uint16_t flags = SampleCaller(*state, registers, frames, limit, &info) ? kFromCaller : 0;
    uint32_t gc_type = 0;
    const uint64_t gc_since = state->gc_since.load(std::memory_order_relaxed);
    if (info.vm_state == static_cast<uint16_t>(v8api::VmState::kGc) && gc_since != ThreadState::kNoGc) {
      std::atomic_signal_fence(std::memory_order_acquire);
      flags |= kGcPrologue;
      gc_type = state->gc_type;
      code_events = gc_since;
      info.frames_count = state->gc_frame_count;
      if (state->gc_walked) flags |= kWalked;
      std::memcpy(frames, state->gc_frames, std::min(state->gc_frame_count, limit) * sizeof(void*));
    } else if (info.vm_state == static_cast<uint16_t>(v8api::VmState::kGc) && info.frames_count == 0) {
      const uint32_t walked = WalkFromExitFrame(*state, reinterpret_cast<uint64_t>(registers.sp), reinterpret_cast<WalkedFrame*>(frames),
                                                state->max_depth / kWordsAFrame);
      info.frames_count = walked * kWordsAFrame;
      if (walked != 0) flags |= kWalked;
    }
    // Disarmed meanwhile by somebody who did not wait: its CPU is counted as unsampled, the cut of its session may be made.
    if (!state->armed.load()) return CaptureResult::kDisarmed;
    if (wanted.cpu && KeepPending(registers, wanted.runnable, info)) {
      Add(&state->kept_pending, 1);
      wanted.cpu = false;
    }
    if (!wanted.cpu && !wanted.wall) {
      result = CaptureResult::kKeptPending;
    } else {
      const bool truncated = info.frames_count > state->max_depth;
      const uint32_t count = truncated ? state->max_depth : static_cast<uint32_t>(info.frames_count);
      if (truncated) flags |= kTruncated;
      if (registers.at_syscall == AtSyscall::kWait) flags |= kAtWait;
      record->code_events = code_events;
      record->time_ns = MonotonicNowNs();
      record->pc = reinterpret_cast<uint64_t>(registers.pc);
      record->vm_state = info.vm_state;
      record->frame_count = count;
      record->gc_type = gc_type;
      // Inside an announced collection objects move: its label was read before it began.
      if ((flags & kGcPrologue) != 0) {
        record->label = state->gc_label;
      } else {
        record->label = MayMove(*state, info) ? InheritedLabel(*state) : CurrentLabel(state);
      }
      record->weight_ns = 0;
      record->rest_ns = 0;
      if (wanted.cpu) {
        flags |= kCpu;
        if (state->cpu_recorded.load(std::memory_order_relaxed)) flags |= kCpuProfile;
        record->weight_ns = weight;
        record->rest_ns = Charge(state, cpu_start, record->label);
        state->last_cpu_ns.store(cpu_start, std::memory_order_relaxed);
        Add(&state->samples, 1);
        Add(&state->sampled_cpu_ns, weight);
      }
      record->wall_from_ns = 0;
      record->idle_ticks = 0;
      record->wall_run = 0;
      record->wall_before_idle_ns = 0;
      if (wanted.wall) {
        flags |= kWall;
        if (state->wall_lost) flags |= kWallLoss;
        state->wall_lost = false;
        record->wall_from_ns = WallFrom(*state);
        record->idle_ticks = state->idle_ticks.load(std::memory_order_relaxed);
        record->wall_run = state->wall_runs.load(std::memory_order_relaxed);
        record->wall_before_idle_ns = state->wall_before_idle_ns.load(std::memory_order_relaxed);
        state->last_wall_ns.store(record->time_ns, std::memory_order_relaxed);
        state->stood_at_syscall.store(registers.at_syscall != AtSyscall::kNo, std::memory_order_relaxed);
        Add(&state->wall_samples, 1);
      }
      record->flags = flags;
      record->leaf = registers.leaf;
      ReadFrameSlots(*state, registers, (flags & kFromCaller) != 0, &record->leaf);
      state->ring.Commit(static_cast<uint32_t>(sizeof(SampleRecord) + count * sizeof(uint64_t)));
    }
  }
  if (wanted.by_timer) return DoneByTimer(state, cpu_start, result);
  Add(&state->signals, 1);
  const uint64_t cpu_end = ThreadCpuNowNs();
  if (wanted.wall) state->wall_cpu_ns.store(cpu_end, std::memory_order_relaxed);
  Add(&state->handler_ns, cpu_end - cpu_start);
  return result;
}

}  // namespace

CaptureResult Capture(ThreadState* state, const Registers& registers, const Wanted& asked) {
  // One order of all for this and `armed`: either this handler sees the thread disarmed, or who disarms it sees this handler at work.
  state->in_handler.store(true);
  const CaptureResult result = CaptureArmed(state, registers, asked);
  state->in_handler.store(false, std::memory_order_release);
  // A timer's signal is not the one that the sampler waits for.
  if (!asked.by_timer) state->pending.store(0, std::memory_order_release);
  if (result == CaptureResult::kRecorded || result == CaptureResult::kLost) g_doorbell.Ring(state->ring.HalfFull());
  return result;
}

CaptureResult CaptureByTimer(ThreadState* state, const Registers& registers) {
  SelfClock& clock = state->self_clock;
  Add(&clock.fired, 1);
  if (!clock.on.load(std::memory_order_acquire)) return CaptureResult::kDisarmed;
  if (registers.asleep) {
    clock.asleep++;
    if (clock.asleep >= kAsleepShots || !state->armed.load(std::memory_order_acquire)) {
      LeaveSelfClock(state);
    } else {
      SetSelfClock(state, false);
    }
    return CaptureResult::kAsleep;
  }
  clock.asleep = 0;
  const CaptureResult result = Capture(state, registers, {.by_timer = true});
  // Switched off while it ran, or disarmed: whoever did that does not want it set again.
  if (result == CaptureResult::kDisarmed || !clock.on.load(std::memory_order_acquire)) return result;
  SetSelfClock(state, result == CaptureResult::kRecorded || result == CaptureResult::kLost);
  return result;
}

}  // namespace strobe::capture
