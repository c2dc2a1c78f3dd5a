// Tests of capture/ring.h: records come out byte for byte and in order across every wrap, a full ring refuses without changing anything,
// and a reader on another thread sees whole records only, with everything that was not stored known to the writer.
#include "capture/ring.h"

#include <atomic>
#include <cstring>
#include <deque>
#include <random>
#include <thread>
#include <vector>

#include "test/check.h"

namespace strobe::capture {
namespace {

// A ring with words on both sides that nobody may write.
class GuardedRing {
 public:
  explicit GuardedRing(uint32_t capacity) : words_(capacity / 8 + 2 * kGuard, kPattern) {
    ring.Init(reinterpret_cast<uint8_t*>(words_.data() + kGuard), capacity);
  }

  bool GuardsIntact() const {
    for (size_t i = 0; i < kGuard; i++) {
      if (words_[i] != kPattern || words_[words_.size() - 1 - i] != kPattern) return false;
    }
    return true;
  }
  std::vector<uint64_t> Bytes() const { return words_; }

  Ring ring;

 private:
  static constexpr size_t kGuard = 8;
  static constexpr uint64_t kPattern = 0xa5a5a5a5a5a5a5a5;
  std::vector<uint64_t> words_;
};

uint32_t RoundUp(uint32_t bytes) { return (bytes + 7) & ~7u; }

// Reserves `reserve`, writes and commits `bytes` of it: words that follow from `seed`. False when the ring refused.
bool Write(Ring* ring, uint32_t reserve, uint32_t bytes, uint64_t seed) {
  uint8_t* room = ring->Reserve(reserve);
  if (room == nullptr) return false;
  for (uint32_t at = 8; at + 8 <= bytes; at += 8) {
    const uint64_t word = seed * 0x9e3779b97f4a7c15u + at;
    std::memcpy(room + at, &word, sizeof word);
  }
  ring->Commit(bytes);
  return true;
}

// The next record is the one that `Write` made of `bytes` and `seed`; gives it back to the ring.
bool ReadBack(Ring* ring, uint64_t limit, uint32_t bytes, uint64_t seed) {
  uint32_t found = 0;
  const uint8_t* record = ring->Next(limit, &found);
  if (!CHECK(record != nullptr) || !CHECK_EQ(found, RoundUp(bytes))) return false;
  bool same = reinterpret_cast<uintptr_t>(record) % 8 == 0;
  for (uint32_t at = 8; at + 8 <= bytes; at += 8) {
    uint64_t word;
    std::memcpy(&word, record + at, sizeof word);
    same = same && word == seed * 0x9e3779b97f4a7c15u + at;
  }
  ring->Release(found);
  return CHECK(same);
}

TEST(ring_starts_empty) {
  GuardedRing guarded(256);
  Ring& ring = guarded.ring;
  uint32_t bytes = 0;
  CHECK(ring.Empty());
  CHECK(!ring.HalfFull());
  CHECK_EQ(ring.capacity(), 256);
  CHECK(ring.Next(ring.Head(), &bytes) == nullptr);
  // A reservation alone publishes nothing.
  CHECK(ring.Reserve(64) != nullptr);
  CHECK(ring.Empty());
}

TEST(ring_wraps_at_every_alignment) {
  constexpr uint32_t kCapacity = 256;
  for (uint32_t start = 0; start < kCapacity; start += 8) {
    for (uint32_t size = 8; size <= kCapacity / 2; size += 8) {
      GuardedRing guarded(kCapacity);
      Ring& ring = guarded.ring;
      // Brings the cursor to `start` in steps that need no pad.
      for (uint32_t at = 0; at < start; at += 8) {
        if (!Write(&ring, 8, 8, 1) || !ReadBack(&ring, ring.Head(), 8, 1)) return;
      }
      if (!CHECK(Write(&ring, size, size, start + size))) return;
      if (!CHECK(Write(&ring, 8, 8, 7)) || !ReadBack(&ring, ring.Head(), size, start + size) || !ReadBack(&ring, ring.Head(), 8, 7)) return;
      if (!CHECK(ring.Empty()) || !CHECK(guarded.GuardsIntact())) return;
    }
  }
}

TEST(ring_keeps_a_random_model) {
  struct Expected {
    uint32_t bytes;
    uint64_t seed;
  };
  std::mt19937 random(7);
  for (const uint32_t capacity : {64u, 256u, 4096u}) {
    GuardedRing guarded(capacity);
    Ring& ring = guarded.ring;
    std::deque<Expected> model;
    uint64_t written = 0;
    uint64_t refused = 0;
    for (uint64_t step = 0; step < 200'000; step++) {
      if (random() % 100 < 55) {
        const uint32_t reserve = 8 + random() % (capacity / 2 - 7);
        // Less than was reserved is the usual case: stacks are shorter than the limit.
        const uint32_t bytes = 8 + random() % (reserve - 7);
        if (Write(&ring, reserve, bytes, step)) {
          model.push_back({bytes, step});
          written++;
        } else {
          refused++;
          if (!CHECK(!model.empty())) return;  // an empty ring takes every record of up to half its capacity
        }
      } else if (!model.empty()) {
        if (!ReadBack(&ring, ring.Head(), model.front().bytes, model.front().seed)) return;
        model.pop_front();
      } else {
        uint32_t bytes = 0;
        if (!CHECK(ring.Next(ring.Head(), &bytes) == nullptr)) return;
      }
    }
    for (; !model.empty(); model.pop_front()) {
      if (!ReadBack(&ring, ring.Head(), model.front().bytes, model.front().seed)) return;
    }
    CHECK(ring.Empty());
    CHECK(guarded.GuardsIntact());
    CHECK(written > 1000 && refused > 1000);
  }
}

TEST(ring_full_refuses_and_changes_nothing) {
  GuardedRing guarded(256);
  Ring& ring = guarded.ring;
  for (uint64_t i = 0; i < 8; i++) CHECK(Write(&ring, 32, 32, i));
  const uint64_t head = ring.Head();
  const std::vector<uint64_t> before = guarded.Bytes();
  for (const uint32_t size : {8u, 32u, 128u}) CHECK(ring.Reserve(size) == nullptr);
  CHECK_EQ(ring.Head(), head);
  CHECK(guarded.Bytes() == before);
  // One record read: exactly that much fits again, no word more.
  CHECK(ReadBack(&ring, head, 32, 0));
  CHECK(ring.Reserve(64) == nullptr);
  CHECK(Write(&ring, 32, 32, 8));
  for (uint64_t i = 1; i <= 8; i++) CHECK(ReadBack(&ring, ring.Head(), 32, i));
  CHECK(ring.Empty());
}

TEST(ring_pad_and_record_fit_exactly) {
  GuardedRing guarded(256);
  Ring& ring = guarded.ring;
  // Cursor at 160, everything read: 96 bytes to the end, then 128 bytes need a pad of 96: 224 of 256.
  for (uint64_t i = 0; i < 5; i++) CHECK(Write(&ring, 32, 32, i) && ReadBack(&ring, ring.Head(), 32, i));
  CHECK(Write(&ring, 128, 128, 100));
  CHECK_EQ(ring.Head(), 160 + 96 + 128);
  // The last 32 bytes, up to where the reader stands.
  CHECK(ring.Reserve(40) == nullptr);
  CHECK(Write(&ring, 32, 32, 101));
  CHECK(ring.Reserve(8) == nullptr);
  CHECK(ReadBack(&ring, ring.Head(), 128, 100));
  CHECK(ReadBack(&ring, ring.Head(), 32, 101));
  CHECK(ring.Empty());
}

TEST(ring_pad_and_record_one_word_too_large) {
  GuardedRing guarded(256);
  Ring& ring = guarded.ring;
  // Unread 32 bytes before position 160: pad 96 + record 128 = 224 just fits, 8 more do not.
  for (uint64_t i = 0; i < 4; i++) CHECK(Write(&ring, 32, 32, i) && ReadBack(&ring, ring.Head(), 32, i));
  CHECK(Write(&ring, 32, 32, 4));
  CHECK(Write(&ring, 8, 8, 5));
  CHECK(ring.Reserve(128 + 8) == nullptr);
  CHECK(ring.Reserve(128) != nullptr);  // pad 88 + 128 + 40 = 256
  ring.Commit(8);
  CHECK(ReadBack(&ring, ring.Head(), 32, 4));
  CHECK(ReadBack(&ring, ring.Head(), 8, 5));
  CHECK(ReadBack(&ring, ring.Head(), 8, 6));
  CHECK(ring.Empty());
}

TEST(ring_next_stops_at_the_limit) {
  GuardedRing guarded(256);
  Ring& ring = guarded.ring;
  CHECK(Write(&ring, 32, 32, 1));
  const uint64_t limit = ring.Head();
  CHECK(Write(&ring, 32, 32, 2));
  uint32_t bytes = 0;
  CHECK(ReadBack(&ring, limit, 32, 1));
  CHECK(ring.Next(limit, &bytes) == nullptr);
  CHECK(!ring.Empty());
  CHECK(ReadBack(&ring, ring.Head(), 32, 2));
}

TEST(ring_half_full) {
  GuardedRing guarded(256);
  Ring& ring = guarded.ring;
  CHECK(Write(&ring, 120, 120, 1));
  CHECK(!ring.HalfFull());
  CHECK(Write(&ring, 8, 8, 2));
  CHECK(ring.HalfFull());
  CHECK(ReadBack(&ring, ring.Head(), 120, 1));
  CHECK(!ring.HalfFull());
  // A pad counts as used.
  CHECK(Write(&ring, 120, 112, 3) && ReadBack(&ring, ring.Head(), 8, 2) && ReadBack(&ring, ring.Head(), 112, 3));
  CHECK(Write(&ring, 120, 16, 4));  // at 240: pad 16
  CHECK(!ring.HalfFull());
  CHECK(Write(&ring, 96, 96, 5));
  CHECK(ring.HalfFull());
}

TEST(ring_one_writer_one_reader_under_load) {
  constexpr uint32_t kCapacity = 2048;
  constexpr uint64_t kAttempts = 300'000;
  GuardedRing guarded(kCapacity);
  Ring& ring = guarded.ring;
  std::atomic<bool> done{false};
  uint64_t written = 0;
  uint64_t lost = 0;
  std::thread writer([&] {
    std::mt19937 random(11);
    for (uint64_t attempt = 1; attempt <= kAttempts; attempt++) {
      const uint32_t words = 3 + random() % 60;
      uint8_t* room = ring.Reserve(8 * (words + random() % 30));
      if (room == nullptr) {
        lost++;
        if (lost % 64 == 0) std::this_thread::yield();
        continue;
      }
      // Number of the attempt, filler, and at the end the sum of all of it.
      uint64_t sum = attempt;
      std::memcpy(room + 8, &attempt, 8);
      for (uint32_t i = 2; i + 1 < words; i++) {
        const uint64_t word = (uint64_t{random()} << 32) | random();
        std::memcpy(room + 8 * i, &word, 8);
        sum += word;
      }
      std::memcpy(room + 8 * (words - 1), &sum, 8);
      ring.Commit(8 * words);
      written++;
    }
    done.store(true);
  });
  uint64_t read = 0;
  uint64_t last = 0;
  uint64_t out_of_order = 0;
  uint64_t broken = 0;
  for (bool last_round = false; !last_round;) {
    last_round = done.load();  // before the drain: one more look after the writer ended
    const uint64_t head = ring.Head();
    uint32_t bytes = 0;
    while (const uint8_t* record = ring.Next(head, &bytes)) {
      uint64_t sum = 0;
      uint64_t word = 0;
      for (uint32_t at = 8; at + 8 < bytes; at += 8) {
        std::memcpy(&word, record + at, 8);
        if (at == 8) {
          out_of_order += word > last ? 0 : 1;
          last = word;
        }
        sum += word;
      }
      std::memcpy(&word, record + bytes - 8, 8);
      broken += word == sum ? 0 : 1;
      ring.Release(bytes);
      read++;
    }
    // Falls behind now and then, so that the writer meets a full ring.
    if (read % 7 == 0) std::this_thread::yield();
  }
  writer.join();
  CHECK_EQ(written + lost, kAttempts);
  CHECK_EQ(read, written);
  CHECK_EQ(out_of_order, 0);
  CHECK_EQ(broken, 0);
  CHECK(written > 100);
  CHECK(ring.Empty());
  CHECK(guarded.GuardsIntact());
}

}  // namespace
}  // namespace strobe::capture
