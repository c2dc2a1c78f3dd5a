// Tests of probe/probe.h: CPU of live and ended threads, names, kinds, memory, and calls that race with threads starting and ending.
//
// Contract: presence and ratios, no absolute times; a busy thread works until it *used* its CPU, so a loaded machine only takes longer.
#include "probe/probe.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "test/check.h"

namespace strobe::probe {
namespace {

constexpr uint64_t kMillisecond = 1'000'000;
constexpr uint64_t kMegabyte = 1 << 20;

int32_t CurrentTid() { return static_cast<int32_t>(syscall(SYS_gettid)); }

uint64_t CpuOf(clockid_t clock) {
  timespec time;
  clock_gettime(clock, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

void BurnCpu(uint64_t ns) {
  uint64_t end = CpuOf(CLOCK_THREAD_CPUTIME_ID) + ns;
  while (CpuOf(CLOCK_THREAD_CPUTIME_ID) < end) {
  }
}

ProcessUsage Read(const ProcessUsageOptions& options = {}) {
  ProcessUsage usage;
  std::string error;
  if (!CHECK(ReadProcessUsage(options, &usage, &error))) CHECK_EQ(error, "");
  return usage;
}

const ThreadUsage* Find(const ProcessUsage& usage, int32_t tid) {
  auto found = std::find_if(usage.threads.begin(), usage.threads.end(), [tid](const ThreadUsage& thread) { return thread.tid == tid; });
  return found == usage.threads.end() ? nullptr : &*found;
}

// A thread that runs `start`, then sleeps until the guard goes.
class Sleeper {
 public:
  template <typename Start>
  explicit Sleeper(Start start) {
    thread_ = std::thread([this, start] {
      start();
      tid_.store(CurrentTid());
      tid_.notify_all();
      done_.wait(false);
    });
    tid_.wait(0);
  }
  explicit Sleeper(const char* name) : Sleeper([name] { pthread_setname_np(pthread_self(), name); }) {}
  ~Sleeper() { End(); }

  void End() {
    if (!thread_.joinable()) return;
    done_.store(true);
    done_.notify_all();
    thread_.join();
  }
  int32_t tid() const { return tid_.load(); }

 private:
  std::atomic<int32_t> tid_{0};
  std::atomic<bool> done_{false};
  std::thread thread_;
};

// pthread_join returns when the thread's memory is free to reuse, an instant before the kernel takes the thread off the list.
bool VanishesSoon(int32_t tid) {
  for (int i = 0; i < 1000; ++i) {
    if (Find(Read(), tid) == nullptr) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

std::string KindOf(int32_t tid) {
  ProcessUsage usage = Read();
  const ThreadUsage* thread = Find(usage, tid);
  return thread == nullptr ? "(absent)" : ThreadKindName(thread->kind);
}

}  // namespace

TEST(ProbeMainThreadIsThereOnce) {
  ProcessUsage usage = Read();
  int mains = 0;
  for (const ThreadUsage& thread : usage.threads) mains += thread.kind == ThreadKind::kMain ? 1 : 0;
  CHECK_EQ(mains, 1);
  const ThreadUsage* main_thread = Find(usage, getpid());
  if (!CHECK(main_thread != nullptr)) return;
  char name[16] = "";
  pthread_getname_np(pthread_self(), name, sizeof name);
  CHECK_EQ(main_thread->name, name);
  CHECK(main_thread->cpu_ns > 0);
}

TEST(ProbeBusyThreadMatchesItsOwnClock) {
  uint64_t own_ns = 0;
  Sleeper busy([&own_ns] {
    BurnCpu(50 * kMillisecond);
    own_ns = CpuOf(CLOCK_THREAD_CPUTIME_ID);
  });
  ProcessUsage usage = Read();
  const ThreadUsage* thread = Find(usage, busy.tid());
  if (!CHECK(thread != nullptr)) return;
  CHECK_NEAR(thread->cpu_ns, own_ns, 0.05 * static_cast<double>(own_ns));
  CHECK_NEAR(ThreadCpuNs(busy.tid()), own_ns, 0.05 * static_cast<double>(own_ns));
}

TEST(ProbeCpuOfARunningThreadGrows) {
  std::atomic<bool> stop{false};
  std::atomic<int32_t> tid{0};
  std::thread busy([&] {
    tid.store(CurrentTid());
    tid.notify_all();
    while (!stop.load()) BurnCpu(kMillisecond);
  });
  tid.wait(0);
  uint64_t first = ThreadCpuNs(tid.load());
  while (ThreadCpuNs(tid.load()) < first + 20 * kMillisecond) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  ProcessUsage usage = Read();
  const ThreadUsage* thread = Find(usage, tid.load());
  if (CHECK(thread != nullptr)) CHECK(thread->cpu_ns >= first + 20 * kMillisecond);
  stop.store(true);
  busy.join();
}

TEST(ProbeEndedThreadVanishesAndTheProcessKeepsItsCpu) {
  uint64_t before_ns = Read().cpu_ns;
  Sleeper busy([] { BurnCpu(50 * kMillisecond); });
  CHECK(Find(Read(), busy.tid()) != nullptr);
  busy.End();
  CHECK(VanishesSoon(busy.tid()));
  CHECK_EQ(ThreadCpuNs(busy.tid()), 0);
  CHECK(Read().cpu_ns - before_ns >= 50 * kMillisecond);
}

TEST(ProbeProcessCpuAddsUp) {
  BurnCpu(20 * kMillisecond);
  ProcessUsage usage = Read();
  CHECK_EQ(usage.cpu_user_ns + usage.cpu_system_ns, usage.cpu_ns);
  uint64_t threads_ns = 0;
  for (const ThreadUsage& thread : usage.threads) threads_ns += thread.cpu_ns;
  CHECK(static_cast<double>(threads_ns) <= 1.02 * static_cast<double>(usage.cpu_ns));
  CHECK_NEAR(usage.cpu_ns, CpuOf(CLOCK_PROCESS_CPUTIME_ID), 0.1 * static_cast<double>(usage.cpu_ns));
  uint64_t last_ns = usage.cpu_ns;
  for (int i = 0; i < 100; ++i) {
    uint64_t now_ns = Read().cpu_ns;
    CHECK(now_ns >= last_ns);
    last_ns = now_ns;
  }
}

TEST(ProbeNoThreadHasNoCpu) {
  CHECK_EQ(ThreadCpuNs(0), 0);
  CHECK_EQ(ThreadCpuNs(-1), 0);
  CHECK_EQ(ThreadCpuNs(getppid()), 0);  // a thread, but of another process
}

TEST(ProbeNamesAndKindsByName) {
  struct {
    const char* name;
    const char* kind;
  } const cases[] = {
      {"DelayedTaskSche", "v8-pool"}, {"V8Worker", "v8-pool"},    {"node-V8Worker", "v8-pool"},
      {"libuv-worker", "libuv-pool"}, {"WorkerThread", "worker"}, {"strobe-sampler", "strobe"},
      {"SignalInspector", "other"},   {"node", "other"},          {"fifteen letters", "other"},
  };
  for (const auto& expected : cases) {
    Sleeper sleeper(expected.name);
    ProcessUsage usage = Read();
    const ThreadUsage* thread = Find(usage, sleeper.tid());
    if (!CHECK(thread != nullptr)) continue;
    CHECK_EQ(thread->name, expected.name);
    CHECK_EQ(ThreadKindName(thread->kind), expected.kind);
  }
}

TEST(ProbeKnownKindWins) {
  Sleeper sleeper("libuv-worker");
  ProcessUsageOptions options;
  options.known_kind = [&sleeper](int32_t tid, ThreadKind* kind) {
    if (tid != sleeper.tid()) return false;
    *kind = ThreadKind::kWorker;
    return true;
  };
  ProcessUsage usage = Read(options);
  const ThreadUsage* thread = Find(usage, sleeper.tid());
  if (CHECK(thread != nullptr)) CHECK_EQ(thread->kind, ThreadKind::kWorker);
  const ThreadUsage* main_thread = Find(usage, getpid());
  if (CHECK(main_thread != nullptr)) CHECK_EQ(main_thread->kind, ThreadKind::kMain);
}

// A callback that writes and then says that it does not know must not have changed anything.
TEST(ProbeUnknownKindIsLeftAlone) {
  Sleeper sleeper("libuv-worker");
  ProcessUsageOptions options;
  options.known_kind = [](int32_t, ThreadKind* kind) {
    *kind = ThreadKind::kStrobe;
    return false;
  };
  ProcessUsage usage = Read(options);
  const ThreadUsage* thread = Find(usage, sleeper.tid());
  if (CHECK(thread != nullptr)) CHECK_EQ(thread->kind, ThreadKind::kLibuvPool);
}

// What Node 20 and 22 do: V8's threads are made while SIGUSR1 is blocked, and have no name of their own.
TEST(ProbeUnnamedV8ThreadsAreToldByTheirSignalMask) {
  sigset_t startup;
  sigset_t normal;
  sigemptyset(&startup);
  sigaddset(&startup, SIGUSR1);
  pthread_sigmask(SIG_SETMASK, &startup, &normal);
  auto nothing = [] {};
  Sleeper first(nothing);
  Sleeper second(nothing);
  CHECK_EQ(KindOf(first.tid()), "other");  // the main thread blocks it too: as with --disable-sigusr1, it tells nothing
  pthread_sigmask(SIG_SETMASK, &normal, nullptr);
  Sleeper plain(nothing);
  CHECK_EQ(KindOf(first.tid()), "v8-pool");
  CHECK_EQ(KindOf(second.tid()), "v8-pool");
  CHECK_EQ(KindOf(plain.tid()), "other");

  // The same mask after the platform was complete: an addon's doing.
  pthread_sigmask(SIG_SETMASK, &startup, nullptr);
  Sleeper late(nothing);
  sigaddset(&startup, SIGUSR2);
  pthread_sigmask(SIG_SETMASK, &startup, nullptr);
  Sleeper other_mask(nothing);
  pthread_sigmask(SIG_SETMASK, &normal, nullptr);
  CHECK_EQ(KindOf(late.tid()), "other");
  CHECK_EQ(KindOf(other_mask.tid()), "other");
}

TEST(ProbeRenamedThreadShows) {
  std::atomic<bool> rename{false};
  std::atomic<bool> renamed{false};
  std::atomic<bool> stop{false};
  std::atomic<int32_t> tid{0};
  std::thread thread([&] {
    pthread_setname_np(pthread_self(), "before");
    tid.store(CurrentTid());
    tid.notify_all();
    rename.wait(false);
    pthread_setname_np(pthread_self(), "after");
    renamed.store(true);
    renamed.notify_all();
    stop.wait(false);
  });
  tid.wait(0);
  ProcessUsage usage = Read();
  if (CHECK(Find(usage, tid.load()) != nullptr)) CHECK_EQ(Find(usage, tid.load())->name, "before");
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  Read();  // from here on the name is a cached one
  rename.store(true);
  rename.notify_all();
  renamed.wait(false);
  for (size_t i = 0; i <= usage.threads.size() / 2 + 1; ++i) usage = Read();
  if (CHECK(Find(usage, tid.load()) != nullptr)) CHECK_EQ(Find(usage, tid.load())->name, "after");
  stop.store(true);
  stop.notify_all();
  thread.join();
}

TEST(ProbeMemoryGrowsWhenTouched) {
  ProcessUsage before = Read();
  CHECK(before.rss_bytes > 0);
  constexpr size_t kSize = 64 * kMegabyte;
  void* memory = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (!CHECK(memory != MAP_FAILED)) return;
  std::memset(memory, 1, kSize);
  ProcessUsageOptions options;
  options.pss = true;
  ProcessUsage after = Read();
  ProcessUsage exact = Read(options);
  munmap(memory, kSize);
  CHECK(after.rss_bytes >= before.rss_bytes + kSize / 10 * 9);  // no upper limit: a sanitizer's shadow comes on top
  CHECK(after.virtual_bytes >= before.virtual_bytes + kSize);
  CHECK(after.virtual_bytes >= after.rss_bytes);
  CHECK(after.peak_rss_bytes >= after.rss_bytes);
  CHECK(!after.has_pss);
  CHECK_EQ(after.pss_bytes, 0);

  if (access("/proc/self/smaps_rollup", R_OK) != 0) {
    CHECK(!exact.has_pss);
    return;
  }
  CHECK(exact.has_pss);
  CHECK(exact.pss_bytes >= kSize);
  CHECK(exact.anonymous_bytes >= kSize);
  CHECK(exact.rss_bytes >= exact.pss_bytes);
  CHECK(exact.rss_bytes >= exact.anonymous_bytes);
  CHECK(exact.peak_rss_bytes >= exact.rss_bytes);

  ProcessUsage freed = Read();
  CHECK(freed.rss_bytes < after.rss_bytes - kSize / 2);
  CHECK(freed.peak_rss_bytes >= after.rss_bytes - kSize / 8);  // the peak stays (the counters behind both are batched)
}

// The peak is this program's, not that of the big process that started it.
TEST(ProbePeakDoesNotSurviveExec) {
  constexpr size_t kSize = 256 * kMegabyte;
  void* memory = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (!CHECK(memory != MAP_FAILED)) return;
  std::memset(memory, 1, kSize);
  pid_t child = fork();
  if (child == 0) {
    dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);  // its "N passed" is not ours
    execl("/proc/self/exe", "probe-child", "ProbeChildPeakIsSmall", static_cast<char*>(nullptr));
    _exit(127);
  }
  munmap(memory, kSize);
  int status = -1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(ProbeChildPeakIsSmall) {
  if (std::string(program_invocation_short_name) != "probe-child") return;  // only as the child of the test before
  CHECK(Read().peak_rss_bytes < 128 * kMegabyte);
}

TEST(ProbeManyThreadsAreAllThere) {
  std::vector<std::unique_ptr<Sleeper>> sleepers;
  for (int i = 0; i < 700; ++i) sleepers.push_back(std::make_unique<Sleeper>([] {}));  // more than one read of the directory holds
  ProcessUsage usage = Read();
  for (const auto& sleeper : sleepers) CHECK(Find(usage, sleeper->tid()) != nullptr);
}

// Threads come and go under the reader, and two readers work at a time.
TEST(ProbeCallsRaceWithThreadsThatStartAndEnd) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> makers;
  for (int i = 0; i < 2; ++i) {
    makers.emplace_back([&stop] {
      while (!stop.load()) {
        std::thread one([] { pthread_setname_np(pthread_self(), "short-lived"); });
        std::thread two([] {});
        one.join();
        two.join();
      }
    });
  }
  Sleeper stays("stays");
  auto read_many = [&stays] {
    for (int i = 0; i < 500; ++i) {
      ProcessUsage usage;
      std::string error;
      if (!CHECK(ReadProcessUsage({}, &usage, &error))) return;
      const ThreadUsage* thread = Find(usage, stays.tid());
      if (CHECK(thread != nullptr)) CHECK_EQ(thread->name, "stays");
      CHECK(Find(usage, getpid()) != nullptr);
      std::vector<int32_t> tids;
      for (const ThreadUsage& each : usage.threads) tids.push_back(each.tid);
      std::sort(tids.begin(), tids.end());
      CHECK(std::adjacent_find(tids.begin(), tids.end()) == tids.end());
    }
  };
  std::thread second_reader(read_many);
  read_many();
  second_reader.join();
  stop.store(true);
  for (std::thread& maker : makers) maker.join();
}

}  // namespace strobe::probe
