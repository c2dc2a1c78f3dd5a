// Tests of capture/js_walk.h on a made-up stack: the chain is followed while it goes up within the stack, nothing beside it is read, and
// the word that V8 keeps its exit frame in is found only when there is one.
#include "capture/js_walk.h"

#include <cstring>
#include <vector>

#include "test/check.h"

namespace strobe::capture {
namespace {

// A stack of 64 words, in a buffer of its own size so that AddressSanitizer sees a word too many; and an isolate whose word 10 is the slot.
class World {
 public:
  World() : words_(64), isolate_(512) {
    state.stack_high = At(64);
    state.isolate = isolate_.data();
    g_exit_frame_slot.store(kSlot * 8);
  }
  ~World() { g_exit_frame_slot.store(0); }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  uint64_t At(size_t word) const { return reinterpret_cast<uint64_t>(words_.data()) + word * 8; }
  void Set(size_t word, uint64_t value) { words_[word] = value; }
  void ExitFrame(uint64_t fp) { isolate_[kSlot] = fp; }
  // A frame at `word`: the next frame, where it returns to, and that one's slots.
  void Frame(size_t word, size_t next, uint64_t pc, uint64_t bytecode, uint64_t offset) {
    Set(word, At(next));
    Set(word + 1, pc);
    Set(next - 4, bytecode);
    Set(next - 5, offset);
  }
  std::vector<WalkedFrame> Walk(uint32_t limit = 100, size_t sp = 0) {
    std::vector<WalkedFrame> out(limit);
    out.resize(WalkFromExitFrame(state, At(sp), out.data(), limit));
    return out;
  }

  ThreadState state;
  static constexpr size_t kSlot = 10;

 private:
  std::vector<uint64_t> words_;
  std::vector<uint64_t> isolate_;
};

TEST(js_walk_follows_the_chain) {
  World world;
  world.ExitFrame(world.At(4));
  world.Frame(4, 12, 0x1111, 101, 102);
  world.Frame(12, 30, 0x2222, 201, 202);
  world.Frame(30, 40, 0x3333, 301, 302);  // whose own next is 0: the entry from C++
  const auto frames = world.Walk();
  if (!CHECK_EQ(frames.size(), 3)) return;
  CHECK(frames[0].pc == 0x1111 && frames[0].bytecode == 101 && frames[0].offset == 102);
  CHECK(frames[1].pc == 0x2222 && frames[1].bytecode == 201 && frames[1].offset == 202);
  CHECK(frames[2].pc == 0x3333 && frames[2].bytecode == 301 && frames[2].offset == 302);
  CHECK_EQ(world.Walk(2).size(), 2);
  CHECK_EQ(world.Walk(0).size(), 0);
  // Frames below the interrupted stack pointer are dead.
  CHECK_EQ(world.Walk(100, 4).size(), 3);
  CHECK_EQ(world.Walk(100, 5).size(), 0);
}

TEST(js_walk_stays_on_the_stack) {
  World world;
  const auto walked = [&](uint64_t fp, uint64_t next) {
    world.ExitFrame(world.At(4));
    world.Set(4, next);
    world.Set(5, 0x1111);
    world.ExitFrame(fp);
    return world.Walk().size();
  };
  const uint64_t fine = world.At(4);
  CHECK_EQ(walked(fine, world.At(10)), 1);
  for (const uint64_t fp : {uint64_t{0}, uint64_t{8}, fine + 4, world.At(0) - 8, world.At(63), world.At(64), ~uint64_t{7}}) {
    CHECK_EQ(walked(fp, world.At(10)), 0);
  }
  // The next frame: not up, too close for the slots between, not aligned, at and beyond the end.
  for (const uint64_t next : {fine, world.At(0), world.At(9), world.At(10) + 1, world.At(63), world.At(64), ~uint64_t{7}, uint64_t{0}}) {
    CHECK_EQ(walked(fine, next), 0);
  }
  CHECK_EQ(walked(fine, world.At(62)), 1);
}

TEST(js_walk_off) {
  World world;
  world.ExitFrame(world.At(4));
  world.Frame(4, 12, 0x1111, 1, 2);
  CHECK_EQ(world.Walk().size(), 1);
  world.state.stack_high = 0;
  CHECK_EQ(world.Walk().size(), 0);
  world.state.stack_high = world.At(64);
  g_exit_frame_slot.store(0);
  CHECK_EQ(world.Walk().size(), 0);
}

TEST(js_walk_finds_the_slot) {
  // On this very stack, above the search's own frame.
  alignas(16) volatile uint64_t stack[16] = {};
  const auto at = [&](size_t word) { return reinterpret_cast<uint64_t>(&stack[word]); };
  const CodeRanges code{{0x10000, 0x50000}, {0x1000, 0x1000}};
  std::vector<uint64_t> isolate(512);
  stack[2] = 6;  // a frame's marker
  stack[3] = at(8);
  stack[4] = 0x10800;
  const auto find = [&] { return FindExitFrameSlot(isolate.data(), code, at(16)); };
  CHECK_EQ(find(), 0);
  isolate[20] = at(3);
  CHECK_EQ(find(), 160);
  stack[4] = 0x50fff;
  CHECK_EQ(find(), 160);
  for (const uint64_t pc : {0xffff, 0x11000, 0x51000, 0}) {
    stack[4] = pc;
    CHECK_EQ(find(), 0);
  }
  stack[4] = 0x10800;
  for (const uint64_t marker : {0, 7, 130, -2}) {
    stack[2] = marker;
    CHECK_EQ(find(), 0);
  }
  stack[2] = 6;
  for (const uint64_t next : {at(3), at(1), at(8) + 4, uint64_t{0}}) {
    stack[3] = next;
    CHECK_EQ(find(), 0);
  }
  stack[3] = at(8);
  CHECK_EQ(find(), 160);
  isolate[30] = at(3);  // two of them: which one is not known
  CHECK_EQ(find(), 0);
}

}  // namespace
}  // namespace strobe::capture
