// Tests of how label/sections.h follows the thread's clock between two readings of it: over waits of the loop, and when a reading shows
// that the thread had waited. No time is expected, only which of two is larger and what equals what.
#include <chrono>
#include <thread>

#include "test/check.h"
#include "test/sections_world.h"

namespace strobe::label {
namespace {

TEST(sections_between_readings_of_the_clock) {
  // Sections shorter than kFreshNs, one behind the other: mostly estimates, and together the thread's clock all the same.
  World world;
  const uint64_t before = ThreadCpuNowNs();
  uint64_t readings = 0;
  for (int i = 0; i < 20'000; i++) {
    const uint64_t last = world.source->last_reading.at_ns;
    const uint32_t outer = world.Enter(0);
    const uint32_t inner = world.Enter(1);
    world.Exit(inner);
    world.Exit(outer);
    if (world.source->last_reading.at_ns != last) readings++;
  }
  const uint64_t all = ThreadCpuNowNs() - before;
  CHECK_EQ(world.Of(0).sections + world.Of(1).sections, 40'000);
  CHECK_EQ(world.Sum(), world.Counted());
  // Within kFreshNs of a reading there is no other one.
  CHECK(readings < 5'000);
  // The way into a section and out of it is outside, with room. What the thread waited for a core between a reading and an estimate is
  // inside.
  CHECK(world.Sum() > all / 20);
  CHECK(world.Sum() <= all + all / 4 + 20 * kFreshNs);
}

TEST(sections_read_the_clock_again_in_the_next_callback) {
  World world;
  world.Exit(world.Enter(0));
  const uint64_t last = world.source->last_reading.at_ns;
  world.source->words.stale = 1;
  world.Exit(world.Enter(0));
  CHECK(world.source->last_reading.at_ns != last);
  CHECK_EQ(world.source->words.stale, 0);
}

// An event loop: what it waited, nanoseconds.
uint64_t IdleOf(void* loop) { return *static_cast<uint64_t*>(loop); }

// Enters a section behind a wait of the loop for `wait_ns`; whether the thread's clock was read for it.
bool ReadsBehindAWait(World* world, uint64_t* idle_ns, uint64_t wait_ns) {
  world->Exit(world->Enter(0));
  const uint64_t last = world->source->last_reading.cpu_ns;
  const uint64_t begin = capture::MonotonicNowNs();
  std::this_thread::sleep_for(std::chrono::nanoseconds(wait_ns));
  if (idle_ns != nullptr) *idle_ns += capture::MonotonicNowNs() - begin;
  world->source->words.stale = 1;
  world->Exit(world->Enter(0));
  CHECK_EQ(world->source->words.stale, 0);
  return world->source->last_reading.cpu_ns != last;
}

TEST(sections_follow_the_clock_over_waits_of_the_loop) {
  World world;
  uint64_t idle_ns = 1'000'000;
  world.source->loop = &idle_ns;
  world.source->loop_idle_ns = IdleOf;
  const uint64_t before = ThreadCpuNowNs();
  // Waits that are longer than a reading is fresh, few enough for kMostWaitedNs: taken out, most need no reading; left in, each would.
  int estimates = 0;
  for (int i = 0; i < 200; i++) estimates += ReadsBehindAWait(&world, &idle_ns, kFreshNs + 20'000) ? 0 : 1;
  CHECK(estimates > 50);
  CHECK_EQ(world.Sum(), world.Counted());
  CHECK(world.Sum() <= ThreadCpuNowNs() - before + kFreshNs);
  // Long waits, and many short ones: the kernel's own work at each is not known.
  CHECK(ReadsBehindAWait(&world, &idle_ns, 2 * kMostWaitedNs));
  int until = 0;
  while (!ReadsBehindAWait(&world, &idle_ns, 50'000) && until < 1000) until++;
  CHECK(until < 20);
}

struct Shares {
  uint64_t charged;
  uint64_t used;  // by the thread's clock
};

// Sections of `inside_ns` with `between_ns` of running between them, and a wait at one of the two.
Shares WithWaits(uint64_t inside_ns, uint64_t between_ns, bool waits_inside) {
  World world;
  uint64_t used = 0;
  const auto wait = [] { std::this_thread::sleep_for(std::chrono::microseconds(30)); };
  for (int i = 0; i < 2000; i++) {
    const uint32_t depth = world.Enter(0);
    world.source->words.stale = 0;
    const uint64_t begin = ThreadCpuNowNs();
    Burn(inside_ns);
    if (waits_inside) wait();
    used += ThreadCpuNowNs() - begin;
    world.Exit(depth);
    Burn(between_ns);
    if (!waits_inside) wait();
  }
  CHECK_EQ(world.Sum(), world.Counted());
  return {world.Counted(), used};
}

TEST(sections_lose_little_to_waits_between_them) {
  const Shares shares = WithWaits(20'000, 5'000, false);
  CHECK(shares.charged > shares.used / 10 * 7);
}

TEST(sections_gain_little_from_waits_inside) {
  const Shares shares = WithWaits(20'000, 20'000, true);
  // Open for several times as long.
  CHECK(shares.charged < 2 * shares.used);
}

TEST(sections_read_the_clock_where_the_loop_says_nothing) {
  World world;
  CHECK(ReadsBehindAWait(&world, nullptr, 10'000));
  uint64_t idle_ns = 0;
  world.source->loop = &idle_ns;
  world.source->loop_idle_ns = IdleOf;
  // A loop that does not count; then one that begins to; then another one, that has waited less.
  CHECK(ReadsBehindAWait(&world, nullptr, 10'000));
  CHECK(ReadsBehindAWait(&world, &idle_ns, 10'000));
  world.Exit(world.Enter(0));
  idle_ns = 1;
  CHECK(ReadsBehindAWait(&world, nullptr, 10'000));
}

TEST(sections_that_ask_to_be_exact_read_the_clock_sooner) {
  World world;
  int readings = 0;
  int exact_readings = 0;
  for (int i = 0; i < 200; i++) {
    for (const uint32_t exact : {0U, 1U}) {
      world.source->words.stale = 1;
      world.source->words.exact = exact;
      const uint32_t depth = world.Enter(0);
      const uint64_t last = world.source->last_reading.cpu_ns;
      Burn(2 * kExactFreshNs);
      world.Exit(depth);
      if (world.source->last_reading.cpu_ns != last) (exact != 0 ? exact_readings : readings)++;
    }
  }
  CHECK_EQ(exact_readings, 200);
  CHECK(readings < 100);
}

TEST(sections_add_up_where_the_clock_was_behind_its_estimate) {
  // As if the thread had waited 15 us between a reading and an estimate: the estimate is ahead of the clock, the next reading behind it.
  World world;
  for (int i = 0; i < 100; i++) {
    const uint32_t outer = world.Enter(0);
    const uint32_t inner = world.Enter(1);
    world.source->last_reading = {ThreadCpuNowNs() + 15'000, capture::MonotonicNowNs(), 0, 0};
    world.source->words.stale = 0;
    world.Exit(inner);
    world.source->words.stale = 1;
    world.Exit(outer);
    // What is charged exactly is what samples are not charged, also then.
    if (!CHECK_EQ(world.Sum(), world.Counted())) return;
  }
  CHECK(world.Counted() > 0);
}

TEST(sections_that_wait_longer_than_a_reading_is_fresh) {
  World world;
  const uint32_t depth = world.Enter(0);
  std::this_thread::sleep_for(std::chrono::nanoseconds(50 * kFreshNs));
  world.Exit(depth);
  const ExactUse use = world.Of(0);
  CHECK(use.wall_ns >= 50 * kFreshNs);
  CHECK(use.cpu_ns < use.wall_ns / 2);
}

}  // namespace
}  // namespace strobe::label
