// Tests of v8/code_map.h: which function an address belongs to after any sequence of additions, overlaps, moves and removals (compared with
// a simple model), the bound's second chance, and the interning of functions.
#include "v8/code_map.h"

#include <sys/mman.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "test/check.h"

namespace strobe::v8 {
namespace {

FunctionRef Make(const std::string& name, FunctionKind kind = FunctionKind::kJs) {
  return std::make_shared<Function>(name, kind, FrameRole::kShown);
}

// The function at an address by name, "" for none.
std::string At(CodeMap* map, uint64_t address) {
  uint64_t start = 0;
  const CodeMap::Entry* entry = map->Find(address, &start);
  return entry == nullptr ? "" : entry->function->rest();
}

TEST(code_map_borders) {
  CodeMap map;
  uint64_t start = 7;
  CHECK(map.Find(0, &start) == nullptr);
  CHECK(map.Find(~uint64_t{0}, &start) == nullptr);
  const FunctionRef a = Make("a");
  map.Add(0x1000, 0x100, a, true);
  CHECK_EQ(At(&map, 0xfff), "");
  CHECK_EQ(At(&map, 0x1000), "a");
  CHECK_EQ(At(&map, 0x10ff), "a");
  CHECK_EQ(At(&map, 0x1100), "");
  const CodeMap::Entry* entry = map.Find(0x1080, &start);
  if (!CHECK(entry != nullptr)) return;
  CHECK_EQ(start, 0x1000);
  CHECK_EQ(entry->length, 0x100);
  CHECK(entry->function == a);
  CHECK(entry->bytecode);
  // Neighbours that touch are no overlap.
  map.Add(0x1100, 0x10, Make("b"), false);
  map.Add(0xff0, 0x10, Make("c"), false);
  CHECK_EQ(At(&map, 0xfff), "c");
  CHECK_EQ(At(&map, 0x1000), "a");
  CHECK_EQ(At(&map, 0x10ff), "a");
  CHECK_EQ(At(&map, 0x1100), "b");
  CHECK_EQ(map.size(), 3);
  CHECK_EQ(map.evicted_by_overlap(), 0);
  map.Add(0x5000, 0, Make("empty"), false);
  CHECK_EQ(At(&map, 0x5000), "");
  CHECK_EQ(map.size(), 3);
  map.Add(0x1, 1, Make("one"), false);
  CHECK_EQ(At(&map, 0), "");
  CHECK_EQ(At(&map, 1), "one");
  CHECK_EQ(At(&map, 2), "");
}

TEST(code_map_overlap_evicts) {
  struct Case {
    const char* what;
    uint64_t start, length;
    std::vector<std::string> left;  // of a [100,200) b [200,300) c [300,400)
  };
  const std::vector<Case> cases = {
      {"same place", 0x200, 0x100, {"a", "c"}},
      {"shorter at the same start", 0x200, 1, {"a", "c"}},
      {"inside one", 0x240, 0x10, {"a", "c"}},
      {"first byte of one", 0x1ff, 1, {"b", "c"}},
      {"end of one", 0x3ff, 0x100, {"a", "b"}},
      {"start of one", 0xf0, 0x11, {"b", "c"}},
      {"across a border", 0x2ff, 2, {"a"}},
      {"covers all", 0x0, 0x1000, {}},
      {"covers one and parts", 0x180, 0x200, {}},
      {"touches only", 0x400, 0x10, {"a", "b", "c"}},
      {"ends where one starts", 0x80, 0x80, {"a", "b", "c"}},
  };
  for (const Case& one : cases) {
    CodeMap map;
    map.Add(0x100, 0x100, Make("a"), false);
    map.Add(0x200, 0x100, Make("b"), false);
    map.Add(0x300, 0x100, Make("c"), false);
    map.Add(one.start, one.length, Make("new"), false);
    bool held = CHECK_EQ(map.size(), one.left.size() + 1);
    held &= CHECK_EQ(map.evicted_by_overlap(), 3 - one.left.size());
    held &= CHECK_EQ(At(&map, one.start), "new") && CHECK_EQ(At(&map, one.start + one.length - 1), "new");
    uint64_t place = 0x100;
    for (const char* name : {"a", "b", "c"}) {
      bool stays = false;
      for (const std::string& left : one.left) stays |= left == name;
      for (const uint64_t address : {place, place + 0xff}) {
        const bool covered = address - one.start < one.length;
        held &= CHECK_EQ(At(&map, address), covered ? "new" : stays ? name : "");
      }
      place += 0x100;
    }
    if (!held) CHECK_EQ(one.what, "");
  }
}

TEST(code_map_move) {
  CodeMap map;
  map.Add(0x1000, 0x100, Make("a"), true);
  map.Add(0x2000, 0x100, Make("b"), false);
  map.Move(0x1000, 0x3000);  // to free memory
  CHECK_EQ(At(&map, 0x1000), "");
  CHECK_EQ(At(&map, 0x3000), "a");
  CHECK_EQ(At(&map, 0x30ff), "a");
  CHECK_EQ(At(&map, 0x3100), "");
  uint64_t start = 0;
  CHECK(map.Find(0x3000, &start)->bytecode);
  map.Move(0x3000, 0x2080);  // over another
  CHECK_EQ(At(&map, 0x2000), "");
  CHECK_EQ(At(&map, 0x2080), "a");
  CHECK_EQ(map.size(), 1);
  CHECK_EQ(map.evicted_by_overlap(), 1);
  map.Move(0x2080, 0x2080);  // nowhere
  CHECK_EQ(At(&map, 0x2080), "a");
  map.Move(0x2080, 0x20a0);  // over itself: no eviction
  CHECK_EQ(At(&map, 0x2080), "");
  CHECK_EQ(At(&map, 0x20a0), "a");
  CHECK_EQ(At(&map, 0x219f), "a");
  CHECK_EQ(map.size(), 1);
  CHECK_EQ(map.evicted_by_overlap(), 1);
  map.Move(0x20a1, 0x5000);  // not a start
  map.Move(0x7000, 0x5000);  // unknown
  CHECK_EQ(At(&map, 0x20a0), "a");
  CHECK_EQ(At(&map, 0x5000), "");
  CHECK_EQ(map.size(), 1);
}

// V8 moved something that the map doesn't know (dropped by the bound, or by a reset) to where the map has an entry: that entry's code is
// gone. "Their addresses become unresolved, never wrong."
TEST(code_map_move_of_unknown_over_a_known_entry) {
  CodeMap map;
  map.Add(0x2000, 0x100, Make("dead"), false);
  map.Move(0x1000, 0x2000);
  CHECK_EQ(At(&map, 0x2000), "");
  CHECK_EQ(At(&map, 0x2050), "");
}

TEST(code_map_remove_and_clear) {
  CodeMap map;
  map.Add(0x1000, 0x100, Make("a"), false);
  map.Add(0x2000, 0x100, Make("b"), false);
  map.Remove(0x1001);
  CHECK_EQ(At(&map, 0x1000), "a");
  map.Remove(0x1000);
  CHECK_EQ(At(&map, 0x1000), "");
  CHECK_EQ(At(&map, 0x2000), "b");
  map.Clear();
  CHECK_EQ(At(&map, 0x2000), "");
  CHECK_EQ(map.size(), 0);
  map.Add(0x1000, 0x100, Make("c"), false);
  CHECK_EQ(At(&map, 0x10ff), "c");
}

TEST(code_map_drops_what_is_not_mapped) {
  CodeMap map;
  map.Add(0x1000, 0x100, Make("mapped"), false);
  map.Add(0x2f00, 0x100, Make("gone"), false);
  map.Add(0x3000, 0x100, Make("first bytes"), false);
  map.Add(0x4f80, 0x100, Make("last bytes"), false);
  map.Add(0x6000, 0x100, Make("replaced"), false);
  map.Add(0x7000, 0x100, Make("moved"), false);
  map.Add(0x9000, 0x100, Make("behind all"), false);
  MappedRanges mapped;
  mapped.Add(0x1000, 0x2000);
  mapped.Add(0x3000, 0x4000);
  mapped.Add(0x4000, 0x5000);
  CHECK_EQ(mapped.size(), 2);  // neighbours are one
  const size_t bytes = map.bytes();
  CHECK_EQ(map.Suspect(mapped), 4);
  // Nothing is dropped before the samples of that moment are resolved; what comes meanwhile is not meant.
  CHECK_EQ(At(&map, 0x2f80), "gone");
  CHECK_EQ(map.bytes(), bytes);
  map.Add(0x6000, 0x80, Make("new"), false);
  map.Move(0x7000, 0x8000);
  CHECK_EQ(map.DropSuspects(), 2);
  CHECK_EQ(map.evicted_as_dead(), 2);
  CHECK_EQ(At(&map, 0x2f80), "");
  CHECK_EQ(At(&map, 0x9000), "");
  CHECK_EQ(At(&map, 0x1000), "mapped");
  CHECK_EQ(At(&map, 0x3000), "first bytes");
  CHECK_EQ(At(&map, 0x507f), "last bytes");
  CHECK_EQ(At(&map, 0x6000), "new");
  CHECK_EQ(At(&map, 0x8000), "moved");
  CHECK(map.bytes() < bytes);
  CHECK_EQ(map.DropSuspects(), 0);
}

TEST(mapped_ranges_of_this_process) {
  constexpr size_t kPage = 4096;
  auto* memory = static_cast<uint8_t*>(mmap(nullptr, 8 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (!CHECK(memory != MAP_FAILED)) return;
  const auto at = reinterpret_cast<uint64_t>(memory);
  CHECK_EQ(mprotect(memory + 2 * kPage, kPage, PROT_NONE), 0);
  CHECK_EQ(munmap(memory + 5 * kPage, kPage), 0);
  MappedRanges mapped;
  if (!CHECK(mapped.Read())) return;
  for (size_t page = 0; page < 8; page++) {
    const uint64_t from = at + page * kPage;
    if (!CHECK_EQ(mapped.Touches(from, from + kPage), page != 2 && page != 5)) CHECK_EQ(page, 0);
  }
  CHECK(mapped.Touches(at + 2 * kPage, at + 3 * kPage + 1));
  CHECK(mapped.Touches(reinterpret_cast<uint64_t>(&munmap), reinterpret_cast<uint64_t>(&munmap) + 1));
  munmap(memory, 8 * kPage);
}

TEST(code_map_alias_of_the_builtins) {
  CodeMap map;
  map.Add(0x10000, 0x100, Make("ArrayForEach", FunctionKind::kBuiltin), false);
  map.Add(0x10f00, 0x100, Make("Last", FunctionKind::kBuiltin), false);
  CHECK_EQ(At(&map, 0x90010), "");
  map.SetAlias(0x90000, 0x10000, 0x1000);
  CHECK_EQ(At(&map, 0x90000), "ArrayForEach");
  CHECK_EQ(At(&map, 0x900ff), "ArrayForEach");
  CHECK_EQ(At(&map, 0x90100), "");  // a gap of the original is one of the copy
  CHECK_EQ(At(&map, 0x90fff), "Last");
  CHECK_EQ(At(&map, 0x91000), "");
  CHECK_EQ(At(&map, 0x8ffff), "");
  CHECK_EQ(At(&map, 0x10010), "ArrayForEach");
  // What is known at the copy itself goes first.
  map.Add(0x90000, 0x10, Make("own"), false);
  CHECK_EQ(At(&map, 0x90000), "own");
  CHECK_EQ(At(&map, 0x90010), "ArrayForEach");
}

TEST(code_map_bound_gives_a_second_chance) {
  constexpr size_t kMost = 1000;
  CodeMap map(kMost);
  // A tenth builtins, the rest functions; one full turn takes the mark of the new off.
  uint64_t next = 0;
  const auto add = [&](FunctionKind kind) {
    map.Add(0x1000 + next * 0x10, 0x10, Make(std::to_string(next), kind), false);
    next++;
  };
  for (size_t i = 0; i < 100; i++) add(FunctionKind::kBuiltin);
  while (map.size() < kMost) add(FunctionKind::kJs);
  CHECK_EQ(map.evicted_by_bound(), 0);
  add(FunctionKind::kJs);
  CHECK_EQ(map.size(), kMost - kMost / 10);
  CHECK_EQ(map.evicted_by_bound(), 101);

  // 100 functions that samples touch between all that follows.
  std::vector<uint64_t> hot;
  for (uint64_t i = 100; i < next && hot.size() < 100; i++) {
    if (At(&map, 0x1000 + i * 0x10) == std::to_string(i)) hot.push_back(i);
  }
  CHECK_EQ(hot.size(), 100);
  for (int i = 0; i < 20'000; i++) {
    add(FunctionKind::kJs);
    if (!CHECK(map.size() <= kMost)) return;
    if (i % 20 == 0) {
      for (const uint64_t one : hot) At(&map, 0x1000 + one * 0x10);
    }
  }
  size_t hot_left = 0;
  for (const uint64_t one : hot) hot_left += At(&map, 0x1000 + one * 0x10) == std::to_string(one) ? 1 : 0;
  CHECK_EQ(hot_left, hot.size());
  size_t builtins_left = 0;
  for (uint64_t i = 0; i < 100; i++) builtins_left += At(&map, 0x1000 + i * 0x10) == std::to_string(i) ? 1 : 0;
  CHECK_EQ(builtins_left, 100);
  // Everything that came is there or was counted.
  CHECK_EQ(map.size() + map.evicted_by_bound(), next);
  CHECK_EQ(map.evicted_by_overlap(), 0);
}

TEST(code_map_bound_with_nothing_to_evict) {
  CodeMap map(100);
  for (uint64_t i = 0; i < 300; i++) map.Add(0x1000 + i * 0x10, 0x10, Make("builtin", FunctionKind::kBuiltin), false);
  CHECK_EQ(map.size(), 300);
  CHECK_EQ(map.evicted_by_bound(), 0);
  map.Add(0x100000, 0x10, Make("js"), false);
  CHECK_EQ(map.size(), 300);  // the only one that may go
  CHECK_EQ(map.evicted_by_bound(), 1);
}

TEST(code_map_random_operations_against_a_model) {
  // The model: one owner a byte.
  constexpr uint64_t kBytes = 512;
  std::mt19937 random(1);
  for (int round = 0; round < 30; round++) {
    CodeMap map;
    std::vector<int> owner(kBytes * 2, 0);
    std::map<int, std::pair<uint64_t, uint64_t>> live;  // id -> start, length
    const auto kill = [&](int id) {
      const auto [start, length] = live[id];
      for (uint64_t i = 0; i < length; i++) owner[start + i] = 0;
      live.erase(id);
    };
    const auto place = [&](int id, uint64_t start, uint64_t length) {
      for (uint64_t i = 0; i < length; i++) {
        if (owner[start + i] != 0) kill(owner[start + i]);
      }
      for (uint64_t i = 0; i < length; i++) owner[start + i] = id;
      live[id] = {start, length};
    };
    for (int id = 1; id <= 600; id++) {
      const uint64_t start = random() % kBytes;
      const uint64_t length = 1 + random() % 40;
      switch (random() % 5) {
        case 0: {
          if (live.empty()) break;
          auto it = live.begin();
          std::advance(it, random() % live.size());
          const auto [from, size] = it->second;
          const int moved = it->first;
          map.Move(from, start);
          if (from == start) break;
          kill(moved);
          place(moved, start, size);
          break;
        }
        case 1: {
          map.Remove(start);
          if (owner[start] != 0 && live[owner[start]].first == start) kill(owner[start]);
          break;
        }
        default:
          map.Add(start, length, Make(std::to_string(id)), false);
          place(id, start, length);
      }
      if (!CHECK_EQ(map.size(), live.size())) return;
      for (uint64_t address = 0; address < owner.size(); address++) {
        const std::string expected = owner[address] == 0 ? "" : std::to_string(owner[address]);
        uint64_t found_start = 0;
        const CodeMap::Entry* entry = map.Find(address, &found_start);
        if ((entry == nullptr ? "" : entry->function->rest()) != expected) {
          CHECK_EQ(At(&map, address), expected);
          return;
        }
      }
    }
  }
}

TEST(code_map_functions_are_interned) {
  FunctionTable table;
  const std::string text = "JS:~f /a.js:1:2";
  const FunctionRef interpreted = table.Intern(IdentifyCode(text, 0));
  const FunctionRef optimised = table.Intern(IdentifyCode("JS:*f /a.js:1:2", 1));
  CHECK(interpreted == optimised);
  CHECK(table.Intern(IdentifyCode("JS:~f /a.js:1:3", 0)) != interpreted);
  // One text, two kinds: two functions.
  const CodeIdentity script{FunctionKind::kScript, FrameRole::kShown, interpreted->rest()};
  CHECK(table.Intern(script) != interpreted);
  CHECK_EQ(table.size(), 3);
  CHECK_EQ(interpreted->name().name, "f");
  CHECK_EQ(&interpreted->name(), &interpreted->name());  // parsed once
  CHECK_EQ(interpreted->name().file, "/a.js");
}

TEST(code_map_sweep_frees_what_nobody_refers_to) {
  FunctionTable table;
  CodeMap map;
  std::weak_ptr<Function> gone;
  FunctionRef held;
  {
    std::string text = "JS:~gone /a.js:1:2";
    gone = table.Intern(IdentifyCode(text, 0));
    text = "JS:~held /a.js:1:2";
    held = table.Intern(IdentifyCode(text, 0));
    text = "JS:~mapped /a.js:1:2";
    map.Add(0x1000, 0x10, table.Intern(IdentifyCode(text, 0)), false);
  }
  table.Sweep();
  CHECK_EQ(table.size(), 2);
  CHECK(gone.expired());
  CHECK_EQ(held->rest(), "held /a.js:1:2");
  CHECK(table.Intern(IdentifyCode("JS:*held /a.js:1:2", 1)) == held);
  CHECK_EQ(At(&map, 0x1000), "mapped /a.js:1:2");
  map.Clear();
  table.Sweep();
  CHECK_EQ(table.size(), 1);
}

TEST(code_map_table_of_functions_stays_small) {
  // A program that makes code for ever: nobody holds it, so the table must not grow with it.
  FunctionTable table;
  size_t largest = 0;
  for (int i = 0; i < 100'000; i++) {
    const std::string text = "JS:~f" + std::to_string(i) + " /a.js:1:2";
    const FunctionRef function = table.Intern(IdentifyCode(text, 0));
    if (function->rest() != std::string_view(text).substr(4)) {
      CHECK_EQ(function->rest(), text);
      return;
    }
    largest = table.size() > largest ? table.size() : largest;
  }
  CHECK(largest < 10'000);
}

}  // namespace
}  // namespace strobe::v8
