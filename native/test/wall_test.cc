// Wall time: what the handler records, and how the collector adds it up.
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "capture/capture.h"
#include "capture/clocks.h"
#include "collector.h"
#include "test/check.h"

namespace strobe {
namespace {

using capture::AtSyscall;
using capture::CaptureResult;
using capture::SampleRecord;

constexpr uint8_t kByteCode = v8api::JitCodeEvent::kByteCode;

uint32_t g_frames = 0;
auto g_state = v8api::VmState::kExternal;
void FakeGetStackSample(v8api::Isolate*, const v8api::RegisterState&, void** frames, size_t, v8api::SampleInfo* info) {
  for (uint32_t i = 0; i < g_frames; i++) frames[i] = reinterpret_cast<void*>(0x1010);
  info->frames_count = g_frames;
  info->vm_state = static_cast<uint16_t>(g_state);
}

// A thread whose handler is called by hand, and a collector behind it.
struct World {
  explicit World(uint32_t ring_bytes = 1 << 16) : memory(ring_bytes / 8) {
    state.get_stack_sample = FakeGetStackSample;
    state.max_depth = 8;
    state.code_events = &thread.events.published();
    state.ring.Init(reinterpret_cast<uint8_t*>(memory.data()), ring_bytes);
    state.last_cpu_ns.store(capture::ThreadCpuNowNs());
    thread.key = 1;
    thread.state = &state;
    thread.tid = 1001;
    thread.name = "t";
    v8::CodeEvent event;
    event.type = v8::CodeEvent::Type::kAdded;
    event.code_type = kByteCode;
    event.start = 0x1000;
    event.length_or_new_start = 0x100;
    event.name = "JS:~f /app/a.js:1:1";
    thread.events.Push(event);
    collector.Add(&thread);
    g_frames = 1;
    g_state = v8api::VmState::kExternal;
    Begin();
    state.armed.store(true);
  }
  void Begin() {
    began = capture::MonotonicNowNs();
    state.last_wall_ns.store(began);
    state.wall_before_idle_ns.store(state.wall_ended_idle_ns.load());
    state.wall_runs.fetch_add(1);
    state.wall_began_ns.store(began);
  }
  CaptureResult Take(capture::Wanted wanted, AtSyscall at = AtSyscall::kNo) {
    capture::Registers registers;
    registers.at_syscall = at;
    return Capture(&state, registers, wanted);
  }
  // The sampler saw it asleep.
  void Idle(uint64_t ticks) {
    state.idle_ticks.fetch_add(ticks);
    state.idle_until_ns.store(capture::MonotonicNowNs());
  }
  // "stack" -> weight, of one mode.
  std::map<std::string, double> Cut(uint8_t mode = 1) {
    collector.DrainForTest();
    const auto slice = collector.CutForTest();
    std::map<std::string, double> rows;
    for (size_t i = 0; i < slice->sample_node.size(); i++) {
      if (slice->sample_mode[i] != mode) continue;
      const uint32_t frame = slice->node_frame[slice->sample_node[i]];
      const std::string& name = slice->strings[slice->function_name[slice->frame_function[frame]]];
      rows[name] += slice->sample_weight_ns[i];
      counts[name] += slice->sample_count[i];
    }
    totals = mode == 1 ? slice->wall_totals : slice->totals;
    return rows;
  }

  std::vector<uint64_t> memory;
  capture::ThreadState state;
  SampledThread thread;
  Collector collector{[](SampledThread*) {}};
  uint64_t began = 0;
  std::map<std::string, uint64_t> counts;
  stack::SliceTotals totals;
};

void Burn(uint64_t ns) {
  const uint64_t end = capture::ThreadCpuNowNs() + ns;
  while (capture::ThreadCpuNowNs() < end) {
  }
}

double Sum(const std::map<std::string, double>& rows) {
  double sum = 0;
  for (const auto& [name, weight] : rows) sum += weight;
  return sum;
}

TEST(wall_sample_of_a_waiting_thread_leaves_its_cpu_pending) {
  World world;
  g_frames = 0;
  const uint64_t cpu = world.state.last_cpu_ns.load();
  Burn(1'000'000);
  CHECK(world.Take({.cpu = true, .wall = true}, AtSyscall::kWait) == CaptureResult::kRecorded);
  CHECK_EQ(world.state.last_cpu_ns.load(), cpu);
  CHECK_EQ(world.state.samples.load(), 0);
  CHECK_EQ(world.state.wall_samples.load(), 1);
  CHECK(world.state.stood_at_syscall.load());
  auto rows = world.Cut();
  CHECK_EQ(rows.size(), 1);
  CHECK_EQ(rows["(idle)"], static_cast<double>(world.state.last_wall_ns.load() - world.began));
  // A waiting thread that JavaScript brought there stands in that JavaScript.
  g_frames = 1;
  CHECK(world.Take({.cpu = false, .wall = true}, AtSyscall::kWait) == CaptureResult::kRecorded);
  CHECK_EQ(world.Cut().count("f"), 1);
  // Without a wall sample nothing is recorded, as ever.
  g_frames = 0;
  CHECK(world.Take({}, AtSyscall::kWait) == CaptureResult::kKeptPending);
}

TEST(wall_and_cpu_share_one_record) {
  World world;
  Burn(1'000'000);
  CHECK(world.Take({.cpu = true, .wall = true}) == CaptureResult::kRecorded);
  CHECK(!world.state.stood_at_syscall.load());
  world.collector.DrainForTest();
  const auto slice = world.collector.CutForTest();
  CHECK_EQ(slice->sample_mode.size(), 2);
  CHECK_EQ(slice->totals.samples, 1);
  CHECK_EQ(slice->wall_totals.samples, 1);
  // Only wall: attribution has its CPU, the profile does not.
  world.state.cpu_recorded.store(false);
  world.Take({.cpu = true, .wall = true});
  CHECK_EQ(world.Cut(0).size(), 0);
}

TEST(wall_idle_time_goes_to_the_last_stack) {
  World world;
  world.Take({.cpu = false, .wall = true});
  const uint64_t first = world.state.last_wall_ns.load();
  Burn(100'000);
  world.Idle(3);
  const uint64_t slept = world.state.idle_until_ns.load();
  // A cut in the middle of its sleep has its share, the next one the rest.
  CHECK_EQ(Sum(world.Cut()), static_cast<double>(slept - world.began));
  CHECK_EQ(world.counts["f"], 4);
  CHECK_EQ(world.Cut().size(), 0);
  Burn(100'000);
  world.Idle(2);
  g_frames = 0;
  world.Take({.cpu = false, .wall = true}, AtSyscall::kWait);
  const uint64_t woke = world.state.last_wall_ns.load();
  auto rows = world.Cut();
  CHECK_EQ(rows["f"], static_cast<double>(world.state.idle_until_ns.load() - slept));
  CHECK_EQ(rows["(idle)"], static_cast<double>(woke - world.state.idle_until_ns.load()));
  CHECK_EQ(world.counts["f"], 6);
  CHECK(woke > first);
}

TEST(wall_loss_is_a_frame_of_its_own_and_nobody_elses_time) {
  World world(1 << 11);
  int recorded = 0;
  while (world.Take({.cpu = false, .wall = true}) == CaptureResult::kRecorded) recorded++;
  Burn(100'000);
  CHECK(world.Take({.cpu = false, .wall = true}) == CaptureResult::kLost);
  const uint64_t lost_until = world.state.last_wall_ns.load();
  // Drained, with the loss not behind a sample: what it slept then is lost, too.
  auto rows = world.Cut();
  CHECK_EQ(world.totals.samples, static_cast<uint64_t>(recorded));
  CHECK_EQ(world.totals.lost, 2);
  CHECK_EQ(Sum(rows), static_cast<double>(lost_until - world.began));
  CHECK(rows["(lost)"] > 100'000);
  Burn(100'000);
  world.Take({.cpu = false, .wall = true});
  const uint64_t end = world.state.last_wall_ns.load();
  CHECK_EQ(Sum(world.Cut()), static_cast<double>(end - lost_until));
  // Lost, and a sample behind it before anybody drained.
  while (world.Take({.cpu = false, .wall = true}) == CaptureResult::kRecorded) {
  }
  const uint64_t head = world.state.ring.Head();
  uint32_t bytes = 0;
  const uint8_t* at = world.state.ring.Next(head, &bytes);
  if (!CHECK(at != nullptr)) return;
  world.state.ring.Release(bytes);  // makes room; its time is the test's loss
  const auto dropped = reinterpret_cast<const SampleRecord*>(at)->time_ns - reinterpret_cast<const SampleRecord*>(at)->wall_from_ns;
  world.Take({.cpu = false, .wall = true});
  const uint64_t last = world.state.last_wall_ns.load();
  rows = world.Cut();
  // The dropped one's time is the previous stack's idle time, for the collector: the sum holds.
  CHECK_EQ(Sum(rows), static_cast<double>(last - end));
  CHECK(dropped > 0);
}

TEST(wall_switched_off_and_on_again_counts_no_time_between) {
  World world;
  world.Take({.cpu = false, .wall = true});
  Burn(100'000);
  world.Idle(1);
  const uint64_t idle = world.state.idle_until_ns.load();
  // Off.
  world.state.wall_began_ns.store(0);
  world.state.wall_ended_idle_ns.store(idle);
  world.state.wall_ended_run.store(world.state.wall_runs.load());
  world.state.wall_ended_seen_ns.store(idle);
  world.state.wall_unsampled_ns_since_taken.store(5);
  CHECK(world.Take({.cpu = false, .wall = true}) == CaptureResult::kKeptPending);  // a signal that was on its way
  const uint64_t first_run = idle - world.began + 5;
  Burn(200'000);
  world.Begin();
  Burn(50'000);
  world.Take({.cpu = false, .wall = true});
  const uint64_t second_run = world.state.last_wall_ns.load() - world.began;
  auto rows = world.Cut();
  CHECK_EQ(Sum(rows), static_cast<double>(first_run + second_run));
  CHECK_EQ(rows["(unsampled)"], 5.0);
}

// The collector sleeps: two whole runs, the second one's end among them, reach it in one drain.
TEST(wall_runs_that_are_seen_at_once_are_kept_apart) {
  World world;
  const auto end = [&] {
    world.state.wall_began_ns.store(0);
    const uint64_t idle = world.state.idle_until_ns.load();
    world.state.wall_ended_idle_ns.store(idle);
    world.state.wall_ended_run.store(world.state.wall_runs.load());
    world.state.wall_ended_seen_ns.store(idle);
    world.state.wall_unsampled_ns_since_taken.fetch_add(1);
    return idle;
  };
  uint64_t sum = 0;
  for (int run = 0; run < 3; run++) {
    if (run != 0) world.Begin();
    world.Take({.cpu = false, .wall = true});
    Burn(50'000);
    world.Idle(1);
    sum += end() - world.began + 1;
    Burn(100'000);
  }
  CHECK_EQ(Sum(world.Cut()), static_cast<double>(sum));
}

TEST(wall_times_are_those_of_the_samples) {
  World world;
  world.collector.MarkStart();
  world.collector.RecordTimes(true);
  world.Take({.cpu = true, .wall = true});
  world.Take({.cpu = true, .wall = true});
  world.Idle(1);
  world.collector.DrainForTest();
  const auto slice = world.collector.CutForTest();
  // Two of each mode; sleep is no sample.
  CHECK_EQ(slice->time_ms.size(), 4);
  CHECK_EQ(slice->time_sample.size(), 4);
  double weight = 0;
  for (size_t i = 0; i < slice->time_ms.size(); i++) {
    if (!CHECK(slice->time_sample[i] < slice->sample_node.size())) return;
    weight += slice->time_weight_ns[i];
  }
  double all = 0;
  for (const double one : slice->sample_weight_ns) all += one;
  CHECK(weight > 0 && weight <= all);
}

}  // namespace
}  // namespace strobe
