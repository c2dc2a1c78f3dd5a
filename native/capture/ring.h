// A ring of variable-length records between one sampled thread's signal handler and the collector.
//
// Contract
//   Writer   exactly one: the signal handler on the ring's own thread (it can't interrupt itself: the signal is blocked while it runs).
//   Reader: the
//            collector, one thread. Nobody else touches it while the thread is registered.
//   Cursors  `head_` and `tail_` are bytes since the beginning, they only grow; a position is the cursor modulo the capacity (a power of
//   two).
//            Only the writer stores `head_`, only the reader stores `tail_`.
//   Ordering the writer fills a record, then stores `head_` with release; the reader loads `head_` with acquire, so it sees whole records
//   only. The
//            reader stores `tail_` with release after it has read a record; the writer loads `tail_` with acquire before it reuses the
//            bytes.
//   Records  8-byte aligned, contiguous: a record that would cross the end is preceded by a pad record up to the end. The first word holds
//   the size. Loss     `Reserve` returns null when the record might not fit: the writer counts what it could not store and never waits. The
//   reader loses nothing. Signals  every writer call is loads, stores and arithmetic: async-signal-safe. The memory belongs to the thread's
//   state and outlives the thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace strobe::capture {

class Ring {
 public:
  // `memory`: `capacity` bytes, 8-byte aligned; capacity is a power of two.
  void Init(uint8_t* memory, uint32_t capacity) {
    memory_ = memory;
    capacity_ = capacity;
    head_.store(0, std::memory_order_relaxed);
    tail_.store(0, std::memory_order_relaxed);
  }

  // --- writer ---

  // Room for a record of at most `max_bytes` (header included, at most half the capacity), or null when the ring may be too full. Nothing
  // is published.
  uint8_t* Reserve(uint32_t max_bytes) {
    max_bytes = RoundUp(max_bytes);
    const uint64_t head = head_.load(std::memory_order_relaxed);
    const uint64_t used = head - tail_.load(std::memory_order_acquire);
    const uint32_t position = Position(head);
    const uint32_t to_end = capacity_ - position;
    reserved_pad_ = to_end < max_bytes ? to_end : 0;
    if (used + reserved_pad_ + max_bytes > capacity_) return nullptr;
    return memory_ + (reserved_pad_ != 0 ? 0 : position);
  }

  // Publishes the record that was written at the last `Reserve`; `bytes` <= the reserved size. Writes the size into the record's first
  // word.
  void Commit(uint32_t bytes) {
    bytes = RoundUp(bytes);
    uint64_t head = head_.load(std::memory_order_relaxed);
    if (reserved_pad_ != 0) {
      StoreWord(memory_ + Position(head), reserved_pad_ | kPad);
      head += reserved_pad_;
    }
    StoreWord(memory_ + Position(head), bytes);
    head_.store(head + bytes, std::memory_order_release);
  }

  bool HalfFull() const { return head_.load(std::memory_order_relaxed) - tail_.load(std::memory_order_relaxed) >= capacity_ / 2; }

  // --- reader ---

  uint64_t Head() const { return head_.load(std::memory_order_acquire); }
  bool Empty() const { return Head() == tail_.load(std::memory_order_relaxed); }

  // The next record before `limit` (a value of `Head`), or null. `Release` gives its bytes back.
  const uint8_t* Next(uint64_t limit, uint32_t* bytes) {
    uint64_t tail = tail_.load(std::memory_order_relaxed);
    while (tail < limit) {
      const uint8_t* record = memory_ + Position(tail);
      const uint64_t word = LoadWord(record);
      if ((word & kPad) == 0) {
        *bytes = static_cast<uint32_t>(word);
        return record;
      }
      tail += static_cast<uint32_t>(word);
      tail_.store(tail, std::memory_order_release);
    }
    return nullptr;
  }

  void Release(uint32_t bytes) { tail_.store(tail_.load(std::memory_order_relaxed) + bytes, std::memory_order_release); }

  uint8_t* memory() const { return memory_; }
  uint32_t capacity() const { return capacity_; }

 private:
  static constexpr uint64_t kPad = uint64_t{1} << 63;

  static uint32_t RoundUp(uint32_t bytes) { return (bytes + 7) & ~7u; }
  uint32_t Position(uint64_t cursor) const { return static_cast<uint32_t>(cursor & (capacity_ - 1)); }
  static void StoreWord(uint8_t* at, uint64_t word) { __builtin_memcpy(at, &word, sizeof word); }
  static uint64_t LoadWord(const uint8_t* at) {
    uint64_t word;
    __builtin_memcpy(&word, at, sizeof word);
    return word;
  }

  uint8_t* memory_ = nullptr;
  uint32_t capacity_ = 0;
  uint32_t reserved_pad_ = 0;  // writer only
  alignas(64) std::atomic<uint64_t> head_{0};
  alignas(64) std::atomic<uint64_t> tail_{0};
};

}  // namespace strobe::capture
