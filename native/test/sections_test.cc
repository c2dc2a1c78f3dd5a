// Tests of label/sections.h and the span slots of capture/label_source.h: what sections measure adds up to the thread's clock, however they
// nest and whichever of them is never left. No time is expected, only which of two is larger and what equals what.
#include "label/sections.h"

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "capture/clocks.h"
#include "test/check.h"
#include "test/span_owner.h"

namespace strobe::label {
namespace {

using capture::LabelSource;
using capture::ThreadCpuNowNs;

void Burn(uint64_t ns) {
  const uint64_t end = ThreadCpuNowNs() + ns;
  while (ThreadCpuNowNs() < end) {
  }
}

constexpr uint64_t kThread = 7;
constexpr uint64_t kSome = 200'000;  // ns to burn

class World {
 public:
  World() : source(std::make_unique<LabelSource>()), spans(&source->spans) {
    table.CollectorStarts([] {});
    for (uint32_t i = 0; i < 3; i++) set[i] = table.Intern({{"set", std::to_string(i)}}, &generation[i]);
    span = spans.Open(&span_generation);
  }
  uint32_t Enter(uint32_t i, bool with_span = false) {
    return EnterSection(source.get(), {with_span ? span : 0, with_span ? span_generation : 0, set[i], generation[i]}, since);
  }
  void Exit(uint32_t depth) { ExitSection(source.get(), &table, depth, kThread, since); }
  ExactUse Of(uint32_t i) {
    const LabelSet* one = table.Find(set[i], generation[i]);
    if (one == nullptr || one->exact.count(kThread) == 0) return {};
    return one->exact.at(kThread);
  }
  uint64_t Sum() { return Of(0).cpu_ns + Of(1).cpu_ns + Of(2).cpu_ns; }
  bool Inside() const { return source->in_section.load() != 0; }
  uint64_t Counted() const { return source->sections_ns.load(); }

  LabelTable table;
  std::unique_ptr<LabelSource> source;
  SpanOwner spans;
  uint64_t since = 0;
  uint32_t set[3] = {};
  uint32_t generation[3] = {};
  uint32_t span = 0;
  uint32_t span_generation = 0;
};

TEST(sections_one) {
  World world;
  CHECK(!world.Inside());
  const uint64_t before = ThreadCpuNowNs();
  const uint32_t depth = world.Enter(0, true);
  CHECK_EQ(depth, 1);
  CHECK(world.Inside());
  Burn(kSome);
  world.Exit(depth);
  const uint64_t after = ThreadCpuNowNs();
  CHECK(!world.Inside());
  CHECK(world.Of(0).cpu_ns >= kSome && world.Of(0).cpu_ns <= after - before);
  CHECK_EQ(world.Of(0).sections, 1);
  CHECK_EQ(world.Counted(), world.Of(0).cpu_ns);
  CHECK_EQ(world.source->spans.Find(world.span, world.span_generation)->exact_ns.load(), world.Of(0).cpu_ns);
  CHECK(world.source->measured);
}

TEST(sections_nested_are_taken_off) {
  World world;
  const uint64_t before = ThreadCpuNowNs();
  const uint32_t a = world.Enter(0);
  const uint32_t b = world.Enter(1);
  Burn(kSome);
  const uint32_t c = world.Enter(2);
  CHECK_EQ(c, 3);
  Burn(kSome);
  world.Exit(c);
  CHECK(world.Inside());
  CHECK_EQ(world.Counted(), 0);  // only the outermost counts: it contains the others
  world.Exit(b);
  const uint32_t again = world.Enter(2);
  CHECK_EQ(again, 2);
  world.Exit(again);
  world.Exit(a);
  const uint64_t after = ThreadCpuNowNs();
  CHECK(!world.Inside());
  CHECK_EQ(world.Sum(), world.Counted());
  CHECK(world.Counted() <= after - before);
  CHECK(world.Of(1).cpu_ns >= kSome && world.Of(2).cpu_ns >= kSome);
  CHECK(world.Of(0).cpu_ns < world.Of(1).cpu_ns);
  CHECK_EQ(world.Of(2).sections, 2);
  CHECK(world.Of(0).wall_ns + world.Of(1).wall_ns + world.Of(2).wall_ns >= 2 * kSome);
}

TEST(sections_two_may_stand_at_one_height_of_the_stack) {
  // Two calls that were inlined into one frame: nothing tells them apart but their order.
  World world;
  for (int i = 0; i < 100; i++) {
    const uint32_t a = world.Enter(0);
    const uint32_t b = world.Enter(1);
    CHECK_EQ(b, a + 1);
    world.Exit(b);
    world.Exit(a);
  }
  CHECK_EQ(world.Of(0).sections, 100);
  CHECK_EQ(world.Of(1).sections, 100);
  CHECK_EQ(world.Sum(), world.Counted());
}

TEST(sections_left_without_exit_are_given_up_by_the_outer_one) {
  World world;
  const uint32_t a = world.Enter(0);
  const uint32_t b = world.Enter(1);
  Burn(kSome);
  const uint32_t c = world.Enter(2);
  Burn(kSome);
  world.Exit(c);
  (void)b;  // never left
  world.Exit(a);
  CHECK(!world.Inside());
  CHECK_EQ(world.Of(1).sections, 0);
  CHECK(world.Of(0).cpu_ns >= kSome);  // the abandoned one's own time
  CHECK(world.Of(0).cpu_ns < 2 * kSome + world.Of(2).cpu_ns);
  CHECK_EQ(world.Sum(), world.Counted());  // what was measured inside of it is there once
  world.Exit(b);                           // too late, and no harm
  world.Exit(a);
  CHECK_EQ(world.Of(0).sections + world.Of(1).sections, 1);
  CHECK_EQ(world.Sum(), world.Counted());
}

TEST(sections_left_without_exit_and_nothing_outside) {
  World world;
  world.Enter(0);
  const uint32_t b = world.Enter(1);
  Burn(kSome);
  world.Exit(b);
  Burn(kSome);
  CHECK(world.Inside());
  world.Exit(0);
  CHECK(!world.Inside());
  CHECK(world.source->open.empty());
  CHECK_EQ(world.Of(0).sections, 0);
  // Samples take the rest: of what was counted, only the inner one's is gone for them.
  CHECK_EQ(world.Counted(), world.Of(1).cpu_ns);
  world.Exit(0);
  CHECK(!world.Inside());
  // As if nothing had been.
  const uint32_t next = world.Enter(2);
  CHECK_EQ(next, 1);
  world.Exit(next);
  CHECK_EQ(world.Sum(), world.Counted());
}

TEST(sections_cpu_before_sampling_is_nobodys) {
  World world;
  const uint32_t a = world.Enter(0);
  Burn(2 * kSome);
  world.since = ThreadCpuNowNs();  // stopped, and started again
  Burn(kSome);
  const uint64_t before_exit = ThreadCpuNowNs();
  world.Exit(a);
  CHECK(world.Of(0).cpu_ns >= before_exit - world.since);
  CHECK(world.Of(0).cpu_ns <= ThreadCpuNowNs() - world.since);
  CHECK_EQ(world.Counted(), world.Of(0).cpu_ns);
}

TEST(sections_nested_before_sampling_are_not_taken_off) {
  World world;
  const uint32_t a = world.Enter(0);
  const uint32_t b = world.Enter(1);
  Burn(4 * kSome);
  world.Exit(b);
  world.table.ResetExact();
  world.since = ThreadCpuNowNs();
  Burn(2 * kSome);
  const uint32_t c = world.Enter(2);
  world.Exit(c);
  world.Exit(a);
  CHECK(world.Of(0).cpu_ns >= 2 * kSome);
  CHECK_EQ(world.Of(1).sections, 0);
  CHECK_EQ(world.Sum(), world.Counted());
}

TEST(sections_of_ended_spans_and_evicted_sets) {
  World world;
  const uint32_t a = world.Enter(0, true);
  world.spans.Close(world.span, world.span_generation);
  uint32_t reused_generation = 0;
  const uint32_t reused = world.spans.Open(&reused_generation);
  CHECK_EQ(reused, world.span);
  Burn(kSome);
  world.generation[0] += 2;
  world.Exit(a);
  CHECK_EQ(world.source->spans.Find(reused, reused_generation)->exact_ns.load(), 0);
  // The sections of a set that is gone are counted, and samples are not charged with them.
  const uint32_t b = EnterSection(world.source.get(), {0, 0, world.set[1], world.generation[1] + 2}, 0);
  Burn(kSome);
  world.Exit(b);
  CHECK_EQ(world.table.ReadLoose().evicted.at(kThread).sections, 1);
  CHECK(world.Counted() >= 2 * kSome);
}

TEST(sections_at_random_add_up) {
  World world;
  uint64_t state = 1;
  const auto random = [&] { return state = state * 6364136223846793005u + 1442695040888963407u, static_cast<uint32_t>(state >> 33); };
  uint32_t depth = 0;
  for (int round = 0; round < 20'000; round++) {
    if (depth < 10 && random() % 2 == 0) {
      const uint32_t entered = world.Enter(random() % 3);
      CHECK_EQ(entered, depth + 1);
      depth = entered;
    } else if (depth != 0) {
      const uint32_t left = random() % 8 == 0 ? 1 + random() % depth : depth;
      world.Exit(left);
      depth = left - 1;
    } else if (random() % 4 == 0) {
      world.Exit(0);
    }
    CHECK_EQ(world.Inside(), depth != 0);
    if (depth != 0 && random() % 64 == 0) {
      world.Exit(0);
      depth = 0;
    }
    if (depth == 0 && !CHECK_EQ(world.Sum(), world.Counted())) return;
  }
}

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

TEST(sections_span_slots) {
  const auto slots = std::make_unique<capture::SpanSlots>();
  uint32_t first = 1;
  capture::SpanUse* chunk = slots->GiveChunk(&first);
  if (!CHECK(chunk != nullptr)) return;
  CHECK_EQ(first, 0);
  chunk[7].generation.store(3);
  CHECK(slots->Find(7, 3) == &chunk[7]);
  CHECK(slots->Find(7, 4) == nullptr);
  CHECK(slots->Find(0, 0) == nullptr && slots->Find(0, 1) == nullptr);
  CHECK(slots->Find(capture::SpanSlots::kCapacity, 1) == nullptr && slots->Find(0xffffffff, 1) == nullptr);
  CHECK(slots->Find(capture::SpanSlots::kChunk * 3, 0) == nullptr);  // of no chunk yet
  for (uint32_t i = 1; i < capture::SpanSlots::kChunks; i++) {
    capture::SpanUse* next = slots->GiveChunk(&first);
    if (!CHECK(next != nullptr)) return;
    CHECK_EQ(first, i * capture::SpanSlots::kChunk);
    CHECK(slots->Find(first, 0) == next);
  }
  CHECK(slots->GiveChunk(&first) == nullptr);
}

}  // namespace
}  // namespace strobe::label
