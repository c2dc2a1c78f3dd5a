// Tests of capture/own_core.h with a real thread that is moved from core to core.
#include "capture/own_core.h"

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <thread>

#include "test/check.h"

namespace strobe::capture {
namespace {

TEST(own_core_follows_the_thread_and_is_read_from_another) {
  // Without rseq in libc there is nothing to follow; where libc has it, it must be found.
  const volatile uint32_t* own = OwnCoreWord();
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 35)
  CHECK(own != nullptr);
#endif
  if (own == nullptr || *own >= kNoCore) return;
  cpu_set_t all;
  CPU_ZERO(&all);
  if (sched_getaffinity(0, sizeof all, &all) != 0) return;  // more cores than the set has room for
  std::atomic<int> wanted{-1};
  std::atomic<int> tried{-1};
  std::atomic<bool> moved_there{false};
  std::atomic<const volatile uint32_t*> word{nullptr};
  std::thread moved([&] {
    word.store(OwnCoreWord());
    for (int last = -1; last != CPU_SETSIZE;) {
      const int next = wanted.load();
      if (next == last) {
        sched_yield();
        continue;
      }
      last = next;
      if (next == CPU_SETSIZE) break;
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(next, &one);
      moved_there.store(pthread_setaffinity_np(pthread_self(), sizeof one, &one) == 0);
      tried.store(next);
    }
  });
  while (word.load() == nullptr) sched_yield();
  CHECK(word.load() != own);
  int moves = 0;
  for (int core = 0; core < CPU_SETSIZE && moves < 8; core++) {
    if (!CPU_ISSET(core, &all)) continue;
    wanted.store(core);
    while (tried.load() != core) sched_yield();
    // A core may be taken from the process meanwhile.
    if (!moved_there.load()) continue;
    CHECK_EQ(*word.load(), static_cast<uint32_t>(core));
    moves++;
  }
  CHECK(moves > 0);
  wanted.store(CPU_SETSIZE);
  moved.join();
}

}  // namespace
}  // namespace strobe::capture
