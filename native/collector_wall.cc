// The collector's wall side: samples of the wall profile, and the time of threads that sleep. See wall_ledger.h.
#include <algorithm>

#include "capture/capture.h"
#include "collector.h"

namespace strobe {

void Collector::AddWall(SampledThread* thread, const capture::SampleRecord& record, const std::vector<stack::Frame>& frames,
                        stack::GcKind gc) {
  WallLedger& wall = thread->wall;
  // Taken while the mode was being switched off; its time is counted.
  if (record.wall_run == wall.closed_run) return;
  if (record.wall_run != wall.run) {
    // Switched off and on again since the last sample: what it slept before it was switched off is still to be added.
    AddIdle(thread, record.wall_before_idle_ns, wall.ticks_done);
    wall.run = record.wall_run;
    wall.done_ns = record.wall_from_ns;
    wall.ticks_done = record.idle_ticks;
  }
  if ((record.flags & capture::kWallLoss) != 0) {
    TakeLostWall(thread);
    LoseStack(&wall);
  }
  AddIdle(thread, record.wall_from_ns, record.idle_ticks);
  wall.ticks_done = std::max(wall.ticks_done, record.idle_ticks);
  wall.stack = frames;
  if ((record.flags & capture::kAtWait) != 0 && record.frame_count == 0 && gc == stack::GcKind::kNone) {
    wall.stack.assign(1, {VmFunction("(idle)")});
  }
  wall.label = record.label;
  wall.gc = gc;
  const uint64_t own_ns = record.time_ns > wall.done_ns ? record.time_ns - wall.done_ns : 0;
  wall.done_ns = std::max(wall.done_ns, record.time_ns);
  AddWallRow(thread, 1, own_ns, record.time_ns);
}

// The thread's last stack is not known: what it slept behind is lost, too.
void Collector::LoseStack(WallLedger* wall) {
  wall->stack.assign(1, {VmFunction("(lost)")});
  wall->label = {};
  wall->gc = stack::GcKind::kNone;
}

// Samples that found no room. True when there were any.
bool Collector::TakeLostWall(SampledThread* thread) {
  const uint64_t lost = thread->state->wall_lost_since_taken.exchange(0, std::memory_order_relaxed);
  const uint64_t ns = thread->state->wall_lost_ns_since_taken.exchange(0, std::memory_order_relaxed);
  if (lost == 0 && ns == 0) return false;
  thread->wall.done_ns += ns;
  AddLost(thread, kWallMode, lost, ns);
  LoseStack(&thread->wall);
  return true;
}

void Collector::AddIdle(SampledThread* thread, uint64_t until_ns, uint64_t ticks) {
  const WallLedger::Idle idle = thread->wall.Take(until_ns, ticks);
  if (idle.ns != 0) AddWallRow(thread, idle.ticks, idle.ns, 0);
}

void Collector::AddWallRow(SampledThread* thread, uint32_t count, uint64_t ns, uint64_t time_ns) {
  const WallLedger& wall = thread->wall;
  Begin();
  uint32_t node = builder_.Root();
  for (size_t i = wall.stack.size(); i-- > 0;) node = builder_.Child(node, wall.stack[i]);
  const uint32_t row =
      builder_.AddSample({node, ThreadRow(thread), kWallMode, wall.gc, LabelRow(wall.label)}, count, static_cast<double>(ns));
  if (time_ns != 0 && record_times_.load()) builder_.AddTime(row, time_ns, static_cast<double>(ns));
}

// Those that sleep now, up to where the sampler last saw them.
void Collector::AddSleepers() {
  std::vector<SampledThread*> threads;
  {
    std::lock_guard<std::mutex> lock(threads_mutex_);
    threads = threads_;
  }
  for (SampledThread* thread : threads) {
    const capture::ThreadState* state = thread->state;
    // The moment first: it belongs to a sample that is in the ring already, and the drain behind it makes that sample the last one.
    const uint64_t until_ns = state->idle_until_ns.load(std::memory_order_acquire);
    const uint64_t ticks = state->idle_ticks.load(std::memory_order_relaxed);
    DrainThread(thread);
    if (thread->wall.run != thread->wall.closed_run) AddIdle(thread, until_ns, ticks);
  }
}

}  // namespace strobe
