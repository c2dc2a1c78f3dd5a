// Tests of label/label_table.h: equal sets are one, a place that is taken again has another generation, what is used or pinned stays, and
// the table is bounded whatever comes, also while nobody takes what was evicted.
#include "label/label_table.h"

#include <atomic>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "capture/clocks.h"
#include "test/check.h"

namespace strobe::label {
namespace {

struct Id {
  uint32_t id = 0;
  uint32_t generation = 0;
  bool operator==(const Id&) const = default;
};

Id Intern(LabelTable* table, Pairs pairs) {
  Id out;
  out.id = table->Intern(std::move(pairs), &out.generation);
  return out;
}

Pairs Numbered(uint64_t n) { return {{"n", std::to_string(n)}}; }

// As the collector: Find needs one that was announced.
void Collect(LabelTable* table) {
  table->CollectorStarts([] {});
}

size_t CountLiving(LabelTable* table) {
  size_t count = 0;
  table->ForEach([&](const LabelSet&) { count++; });
  return count;
}

TEST(label_table_equal_sets_are_one) {
  LabelTable table;
  const Id a = Intern(&table, {{"a", "1"}, {"b", "2"}});
  CHECK(a.id != 0 && a.generation != 0);
  CHECK(a == Intern(&table, {{"b", "2"}, {"a", "1"}}));
  const LabelSet* set = table.Find(a.id, a.generation);
  if (!CHECK(set != nullptr)) return;
  CHECK(set->pairs == (Pairs{{"a", "1"}, {"b", "2"}}));
  CHECK_EQ(table.live(), 1);
  // No set is mistaken for another by the way its text is joined.
  std::set<uint32_t> ids{a.id};
  const std::vector<Pairs> others = {{{"a", "1"}},
                                     {{"a", "12"}},
                                     {{"a1", "2"}},
                                     {{"a", "1b2"}},
                                     {{"a", ""}, {"1", "2"}},
                                     {{"a", "1:b"}},
                                     {{"", "a"}},
                                     {{"a", ""}},
                                     {{"b", "1"}},
                                     {{"a", "2"}, {"b", "1"}},
                                     {{"a", std::string("\0", 1)}},
                                     {{"a", "1"}, {"b", "2"}, {"c", "3"}}};
  for (const Pairs& pairs : others) ids.insert(Intern(&table, pairs).id);
  CHECK_EQ(ids.size(), others.size() + 1);
  CHECK_EQ(table.live(), others.size() + 1);
}

TEST(label_table_nothing_is_no_set) {
  LabelTable table;
  CHECK(Intern(&table, {}) == Id{});
  CHECK_EQ(table.live() + table.refused(), 0);
  CHECK(table.Find(0, 0) == nullptr);
  CHECK(table.Find(0xffffffff, 0) == nullptr);
  CHECK(table.Find(1, 0) == nullptr);
  CHECK(!table.Pin(0, 0));
  // Never given out: its generation is 0, too.
  CHECK(!table.Pin(1, 0));
  CHECK(!table.Pin(0xffffffff, 0));
}

TEST(label_table_a_place_taken_again_is_another_generation) {
  LabelTable table({.sets = 2});
  Id last;
  std::set<uint32_t> generations;
  for (uint64_t n = 0; n < 100; n++) {
    const Id id = Intern(&table, Numbered(n));
    CHECK_EQ(id.id, 1);
    CHECK(generations.insert(id.generation).second);
    CHECK_EQ(table.generations()[1].load(), id.generation);
    if (n != 0) CHECK(table.Find(last.id, last.generation) == nullptr);
    CHECK(table.Find(id.id, id.generation) != nullptr);
    last = id;
  }
  CHECK_EQ(table.evicted(), 99);
  CHECK_EQ(table.live(), 1);
}

TEST(label_table_generations_wrap_around_zero) {
  LabelTable table({.sets = 2});
  Intern(&table, Numbered(0));
  table.generations()[1].store(0xfffffffd);
  std::set<uint32_t> generations;
  for (uint64_t n = 1; n <= 4; n++) {
    const Id id = Intern(&table, Numbered(n));
    CHECK(id.generation != 0);
    CHECK(generations.insert(id.generation).second);
    CHECK(table.Find(id.id, id.generation) != nullptr);
  }
}

TEST(label_table_evicts_what_nobody_used) {
  LabelTable table({.sets = 9});
  std::vector<Id> ids;
  for (uint64_t n = 0; n < 8; n++) ids.push_back(Intern(&table, Numbered(n)));
  Intern(&table, Numbered(100));  // all marks go, one set with them
  // Used since, each in its own way: interned again, entered again, seen in a sample.
  std::vector<size_t> living;
  for (size_t n = 0; n < 8; n++) {
    if (table.generations()[ids[n].id].load() == ids[n].generation) living.push_back(n);
  }
  CHECK_EQ(living.size(), 7);
  Collect(&table);
  CHECK(Intern(&table, Numbered(living[0])) == ids[living[0]]);
  table.used()[ids[living[1]].id].store(1);
  CHECK(table.Find(ids[living[2]].id, ids[living[2]].generation) != nullptr);
  table.AddExact(ids[living[3]].id, ids[living[3]].generation, 1, {1, 1, 1});
  for (uint64_t n = 200; n < 203; n++) Intern(&table, Numbered(n));
  for (size_t i = 0; i < living.size(); i++) {
    const Id& id = ids[living[i]];
    CHECK_EQ(table.generations()[id.id].load() == id.generation, i < 4);
  }
}

TEST(label_table_evicts_by_bytes) {
  LabelTable table({.bytes = 64 * 1024});
  const std::string large(8 * 1024, 'x');
  for (uint64_t n = 0; n < 100; n++) CHECK(Intern(&table, {{"n", std::to_string(n) + large}}).id != 0);
  CHECK(table.live() <= 8);
  CHECK(table.live() >= 2);
  CHECK_EQ(table.live() + table.evicted(), 100);
  CHECK_EQ(CountLiving(&table), table.live());
  // One that does not fit even alone takes nobody's place.
  const uint64_t living = table.live();
  CHECK_EQ(Intern(&table, {{"n", std::string(128 * 1024, 'x')}}).id, 0);
  CHECK_EQ(table.live(), living);
  CHECK_EQ(table.refused(), 1);
}

TEST(label_table_pinned_sets_stay) {
  LabelTable table({.sets = 5});
  const Id pinned = Intern(&table, {{"pinned", "yes"}});
  CHECK(table.Pin(pinned.id, pinned.generation));
  CHECK(table.Pin(pinned.id, pinned.generation));
  CHECK(!table.Pin(pinned.id, pinned.generation + 1));
  table.Unpin(pinned.id, pinned.generation);
  for (uint64_t n = 0; n < 100; n++) Intern(&table, Numbered(n));
  CHECK(table.Find(pinned.id, pinned.generation) != nullptr);
  table.used()[pinned.id].store(0);
  table.Unpin(pinned.id, pinned.generation + 2);  // another generation's
  for (uint64_t n = 100; n < 200; n++) Intern(&table, Numbered(n));
  CHECK(table.Find(pinned.id, pinned.generation) != nullptr);
  table.used()[pinned.id].store(0);
  table.Unpin(pinned.id, pinned.generation);
  table.Unpin(pinned.id, pinned.generation);  // once too often
  for (uint64_t n = 200; n < 300; n++) Intern(&table, Numbered(n));
  CHECK(table.Find(pinned.id, pinned.generation) == nullptr);
}

TEST(label_table_an_empty_place_can_not_be_pinned) {
  LabelTable table({.bytes = 2048});
  const Id small = Intern(&table, Numbered(1));
  Intern(&table, {{"large", std::string(700, 'x')}});  // evicts it, and leaves its place
  const uint32_t now = table.generations()[small.id].load();
  if (!CHECK(now != small.generation)) return;
  if (table.Find(small.id, now) == nullptr) CHECK(!table.Pin(small.id, now));
}

TEST(label_table_all_pinned_is_refused) {
  LabelTable table({.sets = 4});
  for (uint64_t n = 0; n < 3; n++) {
    const Id id = Intern(&table, Numbered(n));
    CHECK(table.Pin(id.id, id.generation));
  }
  CHECK(Intern(&table, Numbered(7)) == Id{});
  CHECK_EQ(table.refused(), 1);
  CHECK(Intern(&table, Numbered(2)).id != 0);
}

TEST(label_table_refuses_when_nobody_takes_evicted_sets) {
  LabelTable table({.sets = 4, .retired = 10});
  uint64_t woken = 0;
  table.CollectorStarts([&] { woken++; });
  for (uint64_t n = 0; n < 100; n++) Intern(&table, Numbered(n));
  CHECK_EQ(table.retired(), 10);
  CHECK_EQ(table.live(), 3);
  CHECK_EQ(table.refused(), 100 - 13);
  CHECK_EQ(woken, 0);
  // What stands in the table still can be had.
  CHECK(Intern(&table, Numbered(12)).id != 0);
  uint64_t seen = 0;
  table.TakeRetired([&](const LabelSet& set) {
    seen++;
    CHECK(!set.pairs.empty());
  });
  CHECK_EQ(seen, 10);
  CHECK_EQ(table.retired() + table.retired_bytes(), 0);
  CHECK(Intern(&table, Numbered(200)).id != 0);
  CHECK_EQ(table.refused(), 100 - 13);
}

TEST(label_table_retired_sets_are_bounded_by_bytes) {
  constexpr size_t kText = 100'000;
  LabelTable table({.sets = 4, .retired_bytes = 1 << 20});
  uint64_t woken = 0;
  table.CollectorStarts([&] { woken++; });
  for (uint64_t n = 0; n < 1000; n++) Intern(&table, {{"n", std::to_string(n) + std::string(kText, 'x')}});
  CHECK(table.retired_bytes() < (1 << 20) + 4 * kText);
  CHECK(table.refused() > 900);
  // A collector that sleeps is told long before there are so many sets that it would be.
  LabelTable roomy({.sets = 4, .retired_bytes = 64 << 20});
  roomy.CollectorStarts([&] { woken++; });
  for (uint64_t n = 0; n < 100; n++) Intern(&roomy, {{"n", std::to_string(n) + std::string(kText, 'x')}});
  CHECK(woken >= 1);
}

TEST(label_table_wakes_its_collector) {
  LabelTable table({.sets = 4});
  uint64_t woken = 0;
  table.CollectorStarts([&] { woken++; });
  for (uint64_t n = 0; n < 5000; n++) Intern(&table, Numbered(n));
  CHECK(woken >= 4 && woken < 100);
}

TEST(label_table_a_million_sets_do_not_grow) {
  for (const bool collected : {false, true}) {
    LabelTable table({.sets = 1024, .bytes = 1 << 20, .retired = 512});
    if (collected) Collect(&table);
    uint64_t most = 0;
    uint64_t most_bytes = 0;
    for (uint64_t n = 0; n < 1'000'000; n++) {
      Intern(&table, Numbered(n));
      if (collected && n % 300 == 0) table.TakeRetired([](const LabelSet&) {});
      most = std::max(most, table.live() + table.retired());
      most_bytes = std::max(most_bytes, table.retired_bytes());
    }
    CHECK(most <= 1024 + 512);
    CHECK(most_bytes <= 1 << 20);
    CHECK_EQ(table.refused(), 0);
    CHECK_EQ(table.live() + table.evicted(), 1'000'000);
    CHECK_EQ(CountLiving(&table), table.live());
  }
}

TEST(label_table_exact_use_by_thread) {
  LabelTable table({.sets = 2});
  const Id id = Intern(&table, Numbered(1));
  table.AddExact(id.id, id.generation, 7, {10, 20, 1});
  table.AddExact(id.id, id.generation, 7, {1, 2, 1});
  table.AddExact(id.id, id.generation, 8, {100, 200, 1});
  const LabelSet* set = table.Find(id.id, id.generation);
  if (!CHECK(set != nullptr)) return;
  CHECK_EQ(set->exact.at(7).cpu_ns, 11);
  CHECK_EQ(set->exact.at(7).wall_ns, 22);
  CHECK_EQ(set->exact.at(7).sections, 2);
  table.ForgetThread(7);
  table.ForgetThread(7);
  table.ForgetThread(99);
  CHECK_EQ(set->exact.count(7), 0);
  CHECK_EQ(set->exact.at(0).cpu_ns, 11);
  table.ForgetThread(8);
  CHECK_EQ(set->exact.size(), 1);
  CHECK_EQ(set->exact.at(0).cpu_ns, 111);
  table.ResetExact();
  CHECK(set->exact.empty());
}

TEST(label_table_exact_use_of_no_set_is_kept_apart) {
  LabelTable table({.sets = 2});
  const Id first = Intern(&table, Numbered(1));
  const Id second = Intern(&table, Numbered(2));
  table.AddExact(first.id, first.generation, 7, {10, 0, 1});  // evicted
  table.AddExact(0xffffffff, 0, 7, {5, 0, 1});                // had no room
  table.AddExact(0, 0, 7, {3, 0, 1});                         // no labels
  CHECK(table.Find(second.id, second.generation)->exact.empty());
  CHECK_EQ(table.ReadLoose().evicted.at(7).cpu_ns, 15);
  CHECK_EQ(table.ReadLoose().unlabelled.at(7).cpu_ns, 3);
  table.ForgetThread(7);
  CHECK_EQ(table.ReadLoose().evicted.at(0).cpu_ns, 15);
  CHECK_EQ(table.ReadLoose().unlabelled.at(0).cpu_ns, 3);
  table.ResetExact();
  CHECK(table.ReadLoose().evicted.empty() && table.ReadLoose().unlabelled.empty());
}

// Who interns passes (id, generation) on to the collector, as the handler does: at most that many are on the way.
constexpr size_t kPassed = 256;

TEST(label_table_three_threads_and_a_collector) {
  LabelTable table({.sets = 64, .bytes = 64 * 1024, .retired = 64});
  Collect(&table);
  struct Passed {
    std::atomic<uint64_t> id{0};  // generation << 32 | id
    std::atomic<uint64_t> n{0};
    std::atomic<uint32_t> full{0};
  };
  static Passed passed[3][kPassed];
  std::atomic<int> left{3};
  std::atomic<uint64_t> wrong{0};
  std::vector<std::thread> threads;
  const uint64_t end = capture::MonotonicNowNs() + 150'000'000;
  for (uint64_t t = 0; t < 3; t++) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(t + 1);
      for (uint64_t round = 0; round < 20'000 || capture::MonotonicNowNs() < end; round++) {
        // Mostly a few that all threads share, now and then one of its own.
        const uint64_t n = random() % 4 != 0 ? random() % 32 : (t + 1) * 1'000'000 + round;
        const Id id = Intern(&table, Numbered(n));
        if (id.id == 0) continue;
        if (random() % 8 == 0 && table.Pin(id.id, id.generation)) {
          if (table.generations()[id.id].load() != id.generation) wrong++;
          table.Unpin(id.id, id.generation);
        }
        table.AddExact(id.id, id.generation, n + 1, {1, 1, 1});
        Passed& slot = passed[t][round % kPassed];
        if (slot.full.load(std::memory_order_acquire) != 0) continue;
        slot.id.store((uint64_t{id.generation} << 32) | id.id, std::memory_order_relaxed);
        slot.n.store(n, std::memory_order_relaxed);
        slot.full.store(1, std::memory_order_release);
        if (random() % 256 == 0) {
          table.ForEach([&](const LabelSet& set) { wrong += set.pairs.size() == 1 && set.pairs[0].first == "n" ? 0 : 1; });
        }
      }
      left--;
    });
  }
  uint64_t found = 0;
  uint64_t stale = 0;
  uint64_t exact_wrong = 0;
  const auto fold = [&](const LabelSet& set) {
    // Each set's sections were counted for the thread that is named as the set is.
    for (const auto& [thread, use] : set.exact) exact_wrong += set.pairs[0].second == std::to_string(thread - 1) ? 0 : 1;
  };
  for (bool last = false; !last;) {
    last = left.load() == 0;
    for (auto& of_thread : passed) {
      for (Passed& slot : of_thread) {
        if (slot.full.load(std::memory_order_acquire) == 0) continue;
        const uint64_t id = slot.id.load(std::memory_order_relaxed);
        const LabelSet* set = table.Find(static_cast<uint32_t>(id), static_cast<uint32_t>(id >> 32));
        if (set == nullptr) {
          stale++;
        } else {
          found++;
          wrong += set->pairs == Numbered(slot.n.load(std::memory_order_relaxed)) ? 0 : 1;
        }
        slot.full.store(0, std::memory_order_release);
      }
    }
    table.TakeRetired(fold);
  }
  for (std::thread& thread : threads) thread.join();
  table.ForEach(fold);
  table.TakeRetired(fold);
  CHECK_EQ(wrong.load(), 0);
  CHECK_EQ(exact_wrong, 0);
  CHECK(found > 100);
  CHECK(stale + table.evicted() > 0);
  CHECK_EQ(table.retired(), 0);
  CHECK(table.live() < 64);
}

}  // namespace
}  // namespace strobe::label
