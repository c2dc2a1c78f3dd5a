// Tests of label/attribution.h: whatever is evicted, folded, forgotten or asked for by another key, no CPU comes from nowhere and none
// goes.
#include "label/attribution.h"

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "test/check.h"

namespace strobe::label {
namespace {

using Whose = Attribution::Whose;

struct Known {
  uint32_t id = 0;
  uint32_t generation = 0;
};

class World {
 public:
  explicit World(LabelTableLimits limits = {}) : table(limits) {
    table.CollectorStarts([] {});
  }
  Known Set(Pairs pairs) {
    Known known;
    known.id = table.Intern(std::move(pairs), &known.generation);
    return known;
  }
  void Sample(const Known& known, uint64_t thread, uint64_t ns) {
    const LabelSet* set = known.id != 0 ? table.Find(known.id, known.generation) : nullptr;
    attribution.AddSample(set, set == nullptr && known.id != 0, thread, ns);
  }
  void Section(const Known& known, uint64_t thread, uint64_t ns) { table.AddExact(known.id, known.generation, thread, {ns, 2 * ns, 1}); }
  void Fold() {
    table.TakeRetired([this](const LabelSet& set) { attribution.Fold(set); });
  }
  // All threads together.
  Use Of(const std::string& key, Whose whose, const std::string& value = "") {
    Use sum;
    for (const auto& row : attribution.Read(key, &table)) {
      if (row.whose != whose || row.value != value) continue;
      for (const auto& [thread, use] : row.threads) sum.Add(use);
    }
    return sum;
  }
  Use All(const std::string& key) {
    Use sum;
    for (const auto& row : attribution.Read(key, &table)) {
      for (const auto& [thread, use] : row.threads) sum.Add(use);
    }
    return sum;
  }

  LabelTable table;
  Attribution attribution;
};

TEST(attribution_by_key_and_value) {
  World world;
  const Known a = world.Set({{"agent", "a"}, {"tool", "x"}});
  const Known b = world.Set({{"agent", "b"}, {"tool", "x"}});
  const Known other = world.Set({{"step", "1"}});
  world.Sample(a, 1, 10);
  world.Sample(b, 1, 20);
  world.Sample(b, 2, 40);
  world.Sample(other, 1, 100);
  world.Sample({}, 1, 1000);
  world.Section(a, 1, 5);
  CHECK_EQ(world.Of("agent", Whose::kValue, "a").sampled_ns, 10);
  CHECK_EQ(world.Of("agent", Whose::kValue, "a").exact.cpu_ns, 5);
  CHECK_EQ(world.Of("agent", Whose::kValue, "a").exact.wall_ns, 10);
  CHECK_EQ(world.Of("agent", Whose::kValue, "b").sampled_ns, 60);
  CHECK_EQ(world.Of("agent", Whose::kValue, "b").samples, 2);
  CHECK_EQ(world.Of("agent", Whose::kUnlabelled).sampled_ns, 1100);
  CHECK_EQ(world.Of("tool", Whose::kValue, "x").sampled_ns, 70);
  CHECK_EQ(world.Of("step", Whose::kValue, "1").sampled_ns, 100);
  CHECK_EQ(world.Of("nobody's", Whose::kUnlabelled).sampled_ns, 1170);
  for (const char* key : {"agent", "tool", "step", "nobody's", ""}) {
    CHECK_EQ(world.All(key).sampled_ns, 1170);
    CHECK_EQ(world.All(key).samples, 5);
    CHECK_EQ(world.All(key).exact.cpu_ns, 5);
  }
}

TEST(attribution_sections_without_a_set) {
  World world({.sets = 2});
  const Known first = world.Set({{"k", "1"}});
  const Known second = world.Set({{"k", "2"}});
  world.Section(first, 1, 10);  // evicted
  world.Section({0xffffffff, 0}, 1, 20);
  world.Section({}, 1, 40);
  world.Section(second, 1, 80);
  CHECK_EQ(world.Of("k", Whose::kEvicted).exact.cpu_ns, 30);
  CHECK_EQ(world.Of("k", Whose::kUnlabelled).exact.cpu_ns, 40);
  CHECK_EQ(world.Of("k", Whose::kValue, "2").exact.cpu_ns, 80);
  CHECK_EQ(world.All("k").exact.cpu_ns, 150);
}

TEST(attribution_evicted_sets_keep_their_values) {
  World world({.sets = 2});
  const Known first = world.Set({{"k", "1"}, {"l", "x"}});
  world.Sample(first, 1, 10);
  world.Section(first, 1, 5);
  const Known second = world.Set({{"k", "2"}});
  // Evicted and not yet folded: it is somebody's, nobody knows whose.
  CHECK_EQ(world.Of("k", Whose::kEvicted).sampled_ns, 10);
  world.Fold();
  CHECK_EQ(world.Of("k", Whose::kValue, "1").sampled_ns, 10);
  CHECK_EQ(world.Of("k", Whose::kValue, "1").exact.cpu_ns, 5);
  CHECK_EQ(world.Of("l", Whose::kValue, "x").sampled_ns, 10);
  CHECK_EQ(world.Of("m", Whose::kUnlabelled).sampled_ns, 10);
  // A late sample of it, and the same set again under its new number.
  world.Sample(first, 1, 3);
  CHECK_EQ(world.Of("k", Whose::kEvicted).sampled_ns, 3);
  const Known again = world.Set({{"k", "1"}, {"l", "x"}});
  CHECK(again.generation != first.generation);
  world.Sample(again, 1, 7);
  world.Sample(second, 1, 1);  // evicted by now
  CHECK_EQ(world.Of("k", Whose::kValue, "1").sampled_ns, 17);
  CHECK_EQ(world.Of("k", Whose::kEvicted).sampled_ns, 4);
  CHECK_EQ(world.All("k").sampled_ns, 21);
}

TEST(attribution_values_are_bounded) {
  constexpr uint64_t kSets = 15'000;
  World world({.sets = 16});
  for (uint64_t n = 0; n < kSets; n++) {
    const Known known = world.Set({{"n", std::to_string(n)}, {"few", n % 2 == 0 ? "even" : "odd"}});
    world.Sample(known, 1, 1);
    world.Section(known, 1, 2);
    world.Fold();
  }
  CHECK(world.attribution.Read("n", &world.table).size() < 10'100);
  const Use other = world.Of("n", Whose::kOther);
  CHECK(other.sampled_ns > 4'000 && other.sampled_ns < 5'100);
  CHECK_EQ(other.exact.cpu_ns, 2 * other.sampled_ns);
  CHECK_EQ(world.Of("few", Whose::kValue, "even").sampled_ns, kSets / 2);
  CHECK_EQ(world.Of("few", Whose::kOther).sampled_ns, 0);
  for (const char* key : {"n", "few", "none"}) {
    CHECK_EQ(world.All(key).sampled_ns, kSets);
    CHECK_EQ(world.All(key).exact.cpu_ns, 2 * kSets);
  }
}

TEST(attribution_threads_that_ended_are_one) {
  World world({.sets = 4});
  for (uint64_t thread = 1; thread <= 1000; thread++) {
    const Known known = world.Set({{"k", std::to_string(thread % 5)}});
    world.Sample(known, thread, 10);
    world.Sample({}, thread, 1);
    world.Section(known, thread, 5);
    // In the collector's order: a set that was evicted keeps its sections by thread until it is folded.
    world.table.ForgetThread(thread);
    world.Fold();
    world.attribution.ForgetThread(thread);
  }
  CHECK_EQ(world.All("k").sampled_ns, 11'000);
  CHECK_EQ(world.All("k").exact.cpu_ns, 5'000);
  for (const auto& row : world.attribution.Read("k", &world.table)) CHECK_EQ(row.threads.size(), row.threads.count(0));
}

TEST(attribution_reset_forgets_the_run_before) {
  World world({.sets = 2});
  const Known first = world.Set({{"k", "1"}});
  world.Sample(first, 1, 10);
  world.Section(first, 1, 5);
  world.Section({}, 1, 5);
  world.Set({{"k", "2"}});  // the first waits for the collector, with its section
  world.attribution.Reset(&world.table);
  world.Fold();
  CHECK_EQ(world.All("k").sampled_ns + world.All("k").samples + world.All("k").exact.cpu_ns, 0);
  const Known third = world.Set({{"k", "3"}});
  world.Section(third, 1, 7);
  world.Set({{"k", "4"}});
  world.Fold();
  CHECK_EQ(world.Of("k", Whose::kValue, "3").exact.cpu_ns, 7);
}

TEST(attribution_at_random_nothing_is_lost) {
  World world({.sets = 32, .retired = 64});
  std::mt19937_64 random(3);
  uint64_t sampled = 0;
  uint64_t samples = 0;
  uint64_t exact = 0;
  std::vector<Known> held;
  for (int round = 0; round < 50'000; round++) {
    if (held.size() < 100) held.push_back({});
    Known& known = held[random() % held.size()];
    if (random() % 4 == 0) known = world.Set({{"a", std::to_string(random() % 7)}, {"b", std::to_string(random() % 50)}});
    const uint64_t thread = 1 + random() % 5;
    const uint64_t ns = random() % 1000;
    if (random() % 2 == 0) {
      world.Sample(known, thread, ns);
      sampled += ns;
      samples++;
    } else {
      world.Section(known, thread, ns);
      exact += ns;
    }
    if (random() % 16 == 0) world.Fold();
    if (random() % 64 == 0) {
      world.table.ForgetThread(thread);
      world.attribution.ForgetThread(thread);
    }
    if (round % 500 != 0) continue;
    world.Fold();
    for (const char* key : {"a", "b", "c"}) {
      const Use all = world.All(key);
      if (!CHECK_EQ(all.sampled_ns, sampled) || !CHECK_EQ(all.samples, samples) || !CHECK_EQ(all.exact.cpu_ns, exact)) return;
    }
  }
  CHECK(world.table.evicted() > 1000);
}

}  // namespace
}  // namespace strobe::label
