// Tests of clock/self_clocks.h without a sampler: when a thread begins to clock itself, by looks that are made up.
//
// Contract: no time passes and no CPU is measured: what the looks say decides. Not under ThreadSanitizer: it delivers signals when it
// likes.
#if !defined(__SANITIZE_THREAD__)

#include "clock/self_clocks.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "test/clocked_worker.h"

namespace strobe::clock {
namespace {

// The sampler's looks at one thread, made up: at 1 kHz, a millisecond apart unless said otherwise. What the kernel says of its waits is a
// file of ours.
class Looks {
 public:
  Looks() : state_(Pool().Take()) {
    thread_.tid = static_cast<int32_t>(syscall(SYS_gettid));
    thread_.slices_fd = memfd_create("schedstat", MFD_CLOEXEC);
    thread_.stat_fd = memfd_create("stat", MFD_CLOEXEC);
    TellWaits();
  }
  ~Looks() {
    SelfClocked::Forget(state_);
    CloseClockedThread(&thread_);
    Pool().Give(state_);
  }
  Looks(const Looks&) = delete;
  Looks& operator=(const Looks&) = delete;

  // How many looks it takes until the thread clocks itself, which ran and waited for so much of each gap; 0: it does not, in `most` looks.
  int Until(int most, double ran, double waited = 0, uint64_t gap_ns = kMillisecond) {
    for (int looks = 1; looks <= most; looks++) {
      now_ns_ += gap_ns;
      cpu_ns_ += static_cast<uint64_t>(static_cast<double>(gap_ns) * ran);
      waited_ns_ += static_cast<uint64_t>(static_cast<double>(gap_ns) * waited);
      TellWaits();
      if (self_.Begins(state_, &thread_, cpu_ns_, now_ns_, kMillisecond)) return looks;
    }
    return 0;
  }

 private:
  void TellWaits() {
    const std::string text = "1 " + std::to_string(waited_ns_) + " 1\n";
    CHECK_EQ(pwrite(thread_.slices_fd, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }

  capture::ThreadState* state_;
  ClockedThread thread_;
  SelfClocked self_;
  uint64_t now_ns_ = 5'000'000'000;
  uint64_t cpu_ns_ = 1'000'000'000;
  uint64_t waited_ns_ = 1'000'000'000;
};

TEST(self_clock_begins_after_twenty_periods_of_work_wherever_it_begins) {
  if (!Install()) return;
  for (const int idle : {1, 7, 30, 500}) {
    Looks looks;
    // Some work before, which is too short.
    CHECK_EQ(looks.Until(13, 1), 0);
    CHECK_EQ(looks.Until(idle + 3, 0), 0);
    const int needed = looks.Until(100, 0.93);
    CHECK(needed >= 20);
    CHECK(needed <= 23);
  }
}

TEST(self_clock_counts_waits_of_who_ran_for_most_of_it) {
  if (!Install()) return;
  {
    Looks looks;
    const int needed = looks.Until(100, 0.65, 0.3);
    CHECK(needed >= 20);
    CHECK(needed <= 23);
  }
  // A short burst and its waits.
  Looks waits;
  CHECK_EQ(waits.Until(1000, 0.5, 0.43), 0);
  // By the longer look.
  Looks displaced;
  const int needed = displaced.Until(1000, 0.4, 0.58);
  CHECK(needed >= 100);
  CHECK(needed <= 210);
}

TEST(self_clock_does_not_begin_below_nine_tenths) {
  if (!Install()) return;
  Looks looks;
  CHECK_EQ(looks.Until(1000, 0.87), 0);
  // Bursts that are shorter than twenty periods.
  for (int i = 0; i < 50; i++) {
    CHECK_EQ(looks.Until(15, 1), 0);
    CHECK_EQ(looks.Until(4, 0), 0);
  }
}

TEST(self_clock_does_not_begin_for_what_was_before_nobody_looked) {
  if (!Install()) return;
  Looks looks;
  CHECK_EQ(looks.Until(3, 1), 0);
  CHECK_EQ(looks.Until(1, 0.99, 0, 600'000 * kMillisecond), 0);
  CHECK_EQ(looks.Until(500, 0), 0);
}

}  // namespace
}  // namespace strobe::clock

#endif
