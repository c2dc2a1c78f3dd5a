// Tests of label/sections.h and the span slots of capture/label_source.h: what sections measure adds up to the thread's clock, however they
// nest and whichever of them is never left. No time is expected, only which of two is larger and what equals what.
#include "label/sections.h"

#include <memory>

#include "test/check.h"
#include "test/sections_world.h"

namespace strobe::label {
namespace {

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
