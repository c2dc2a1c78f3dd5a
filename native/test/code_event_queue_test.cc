// Tests of v8/code_events.h's queue: events come out complete and in order over many chunks, up to the number asked for and not beyond,
// while other threads write; memory is given back; and a failed allocation becomes a reset, not a silent hole.
#include "v8/code_events.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>
#include <string>
#include <thread>

#include "test/check.h"

namespace strobe::v8 {
namespace {

std::string NameOf(uint64_t number, size_t length) {
  std::string name(length, 'a');
  for (size_t i = 0; i < length; i++) name[i] = static_cast<char>('a' + (number * 7 + i) % 26);
  return name;
}

size_t LengthOf(uint64_t number) {
  constexpr size_t kLengths[] = {0, 1, 7, 8, 9, 63, 100, 1000, 4095, 4096};
  return kLengths[number % 10];
}

CodeEvent EventOf(uint64_t number, const std::string& name) {
  CodeEvent event;
  event.type = static_cast<CodeEvent::Type>(number % 3);
  event.code_type = static_cast<uint8_t>(number % 3);
  event.start = number << 8;
  event.length_or_new_start = number * 3 + 1;
  event.name = name;
  return event;
}

bool IsEvent(const CodeEvent& event, uint64_t number) {
  return event.type == static_cast<CodeEvent::Type>(number % 3) && event.code_type == number % 3 && event.start == number << 8 &&
         event.length_or_new_start == number * 3 + 1 && event.name == NameOf(number, LengthOf(number));
}

TEST(code_events_empty_queue) {
  CodeEventQueue queue;
  CodeEvent event;
  CHECK_EQ(queue.published().load(), 0);
  CHECK(!queue.Next(0, &event));
  CHECK_EQ(queue.backlog(), 0);
}

TEST(code_events_order_and_contents_over_many_chunks) {
  constexpr uint64_t kEvents = 3000;  // about 2.5 MB: some 40 chunks
  CodeEventQueue queue;
  for (uint64_t i = 0; i < kEvents; i++) {
    const std::string name = NameOf(i, LengthOf(i));
    queue.Push(EventOf(i, name));
    if (!CHECK_EQ(queue.published().load(), i + 1)) return;
  }
  CHECK_EQ(queue.backlog(), kEvents);
  CodeEvent event;
  for (uint64_t i = 0; i < kEvents; i++) {
    if (!CHECK(queue.Next(kEvents, &event)) || !CHECK(IsEvent(event, i))) return;
    if (!CHECK_EQ(queue.consumed(), i + 1)) return;
  }
  CHECK(!queue.Next(kEvents, &event));
  CHECK_EQ(queue.backlog(), 0);
  CHECK(queue.callback_ns.load() > 0);
}

TEST(code_events_limit_is_kept_at_every_place) {
  // Every limit once, so that some fall on a chunk's last and first event.
  CodeEventQueue queue;
  CodeEvent event;
  uint64_t pushed = 0;
  for (; pushed < 600; pushed++) {
    const std::string name = NameOf(pushed, LengthOf(pushed));
    queue.Push(EventOf(pushed, name));
  }
  for (uint64_t limit = 0; limit <= pushed; limit++) {
    if (limit > 0 && (!CHECK(queue.Next(limit, &event)) || !CHECK(IsEvent(event, limit - 1)))) return;
    if (!CHECK(!queue.Next(limit, &event))) return;
    if (limit > 0 && !CHECK(!queue.Next(limit - 1, &event))) return;  // an older number asks for nothing
    if (!CHECK_EQ(queue.consumed(), limit)) return;
  }
}

TEST(code_events_read_and_write_in_turns) {
  CodeEventQueue queue;
  std::mt19937 random(3);
  CodeEvent event;
  uint64_t read = 0;
  uint64_t written = 0;
  for (int round = 0; round < 2000; round++) {
    for (uint32_t n = random() % 5; n > 0; n--, written++) {
      const std::string name = NameOf(written, LengthOf(written));
      queue.Push(EventOf(written, name));
    }
    const uint64_t limit = read + random() % (written - read + 1);
    for (; read < limit; read++) {
      if (!CHECK(queue.Next(limit, &event)) || !CHECK(IsEvent(event, read))) return;
    }
    if (!CHECK(!queue.Next(limit, &event))) return;
  }
  CHECK(read > 1000);
}

TEST(code_events_one_writer_one_reader) {
  constexpr uint64_t kEvents = 50'000;
  CodeEventQueue queue;
  std::thread writer([&] {
    for (uint64_t i = 0; i < kEvents; i++) {
      const std::string name = NameOf(i, LengthOf(i));
      queue.Push(EventOf(i, name));
    }
  });
  CodeEvent event;
  uint64_t read = 0;
  uint64_t wrong = 0;
  while (read < kEvents) {
    const uint64_t limit = queue.published().load(std::memory_order_acquire);
    while (queue.Next(limit, &event)) wrong += IsEvent(event, read++) ? 0 : 1;
    std::this_thread::yield();
  }
  writer.join();
  CHECK_EQ(read, kEvents);
  CHECK_EQ(wrong, 0);
}

TEST(code_events_two_writers_are_serialised) {
  constexpr uint64_t kEach = 20'000;
  CodeEventQueue queue;
  const auto write = [&](uint64_t who) {
    for (uint64_t i = 0; i < kEach; i++) {
      const std::string name = NameOf(i, LengthOf(i));
      CodeEvent event = EventOf(i, name);
      event.code_type = static_cast<uint8_t>(who);
      queue.Push(event);
    }
  };
  std::thread one(write, 1);
  std::thread two(write, 2);
  uint64_t next[3] = {};
  uint64_t wrong = 0;
  uint64_t read = 0;
  CodeEvent event;
  while (read < 2 * kEach) {
    const uint64_t limit = queue.published().load(std::memory_order_acquire);
    for (; queue.Next(limit, &event); read++) {
      if (event.code_type != 1 && event.code_type != 2) {
        wrong++;
        continue;
      }
      const uint64_t number = next[event.code_type]++;  // each writer's own order is kept
      wrong += event.start == number << 8 && event.name == NameOf(number, LengthOf(number)) ? 0 : 1;
    }
    std::this_thread::yield();
  }
  one.join();
  two.join();
  CHECK_EQ(wrong, 0);
  CHECK_EQ(next[1], kEach);
  CHECK_EQ(next[2], kEach);
}

TEST(code_events_unread_queue_is_freed) {
  // AddressSanitizer's leak check is the assertion.
  CodeEventQueue queue;
  const std::string name(1000, 'x');
  CodeEvent event;
  event.name = name;
  for (int i = 0; i < 500; i++) queue.Push(event);
  CHECK(queue.Next(250, &event));
}

TEST(code_events_give_memory_back) {
  CodeEventQueue queue;
  static char name[4096];
  CodeEvent event;
  event.name = std::string_view(name, sizeof name);
  const uint64_t before = CodeEventQueue::AllocatedBytes();
  constexpr uint64_t kEvents = 10'000;
  for (uint64_t i = 0; i < kEvents; i++) queue.Push(event);
  CHECK(CodeEventQueue::AllocatedBytes() > before + (30u << 20));
  CodeEvent out;
  for (uint64_t i = 0; i < kEvents; i++) {
    if (!CHECK(queue.Next(kEvents, &out))) return;
  }
  // The chunk that is being written, and those that are kept spare.
  CHECK(CodeEventQueue::AllocatedBytes() <= before + (2u << 20));
}

#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)  // a sanitizer's own memory would meet the limit

// In a child whose address space is full: pushes until mmap fails, then there is room again. Returns the child's exit code: the number of
// the check that failed, 0 for none.
int OutOfMemory() {
  auto* queue = new CodeEventQueue;
  static char name[4096];
  CodeEvent event;
  event.name = std::string_view(name, sizeof name);
  event.start = 1;
  queue->Push(event);
  // Takes the chunks that earlier tests left spare.
  auto* hoard = new CodeEventQueue;
  for (int i = 0; i < 500; i++) hoard->Push(event);
  rlimit before{};
  getrlimit(RLIMIT_AS, &before);
  const rlimit full_up{1 << 20, before.rlim_max};
  if (setrlimit(RLIMIT_AS, &full_up) != 0) return 1;
  // Pushes while nothing can be allocated: events that fit the chunk, then resets (small enough for its end), then nothing.
  for (int i = 0; i < 500; i++) {
    event.start++;
    queue->Push(event);
  }
  const uint64_t full = queue->published().load();
  event.start++;
  queue->Push(event);
  if (queue->published().load() != full) return 3;
  if (setrlimit(RLIMIT_AS, &before) != 0) return 11;
  event.start = 1000;
  queue->Push(event);
  if (queue->published().load() != full + 2) return 4;  // a reset and this event
  event.start = 1001;
  queue->Push(event);
  if (queue->published().load() != full + 3) return 5;
  CodeEvent out;
  uint64_t last = 0;
  bool doubt = false;
  while (queue->Next(full, &out)) {
    if (out.type == CodeEvent::Type::kReset) {
      doubt = true;
    } else if (out.start != last + 1 || doubt) {
      return 6;  // a hole that no reset announced
    } else {
      last++;
    }
  }
  if (last < 10 || last > 20) return 7;  // one chunk holds 15
  if (!queue->Next(full + 3, &out) || out.type != CodeEvent::Type::kReset) return 8;
  if (!queue->Next(full + 3, &out) || out.type != CodeEvent::Type::kAdded || out.start != 1000 || out.name.size() != sizeof name) return 9;
  if (!queue->Next(full + 3, &out) || out.type != CodeEvent::Type::kAdded || out.start != 1001) return 10;
  return 0;
}

TEST(code_events_failed_allocation_becomes_a_reset) {
  const pid_t child = fork();
  if (!CHECK(child >= 0)) return;
  if (child == 0) _exit(OutOfMemory());
  int status = 0;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK(WIFEXITED(status));
  CHECK_EQ(WEXITSTATUS(status), 0);
}

#endif

}  // namespace
}  // namespace strobe::v8
