// probe.h for Linux: glibc and musl, any page size, any architecture.
//
// Where each number comes from (20 threads, Linux 6.18 in a virtual machine):
//   threads        getdents64 on /proc/self/task, 10 us; the kernel lists threads in the order of their creation
//   thread's CPU   clock_gettime on the clock id made from the tid, 0.2 us a thread, nanoseconds; `stat` takes 6 us and gives 10 ms ticks
//   process CPU    CLOCK_PROCESS_CPUTIME_ID. It has threads that run now on other cores up to their last scheduler tick, their own clocks
//                  have them up to this instant: the sum of the threads may exceed it by a tick a core
//   user, system   system is getrusage's; user is cpu_ns less system, so that the two always add up to cpu_ns. The kernel splits its
//                  exact total in the proportion of sampled ticks: the sum is exact, the split is not
//   RSS, virtual   VmRSS, VmSize and VmHWM (the peak) of /proc/self/status, 10 us. `statm` takes 4 us but has no peak, and getrusage's
//                  ru_maxrss is wrong for us: it survives execve, so a child of a big process starts with the peak of its parent's copy.
//                  Both files read the same counters, which the kernel batches: exact from 6.17; 6.2 to 6.16 may be off by a batch of
//                  max(32, 2 x cores) pages a core, older ones by 64 pages a thread
//   PSS, anonymous /proc/self/smaps_rollup, only when asked for: it walks the page tables (60 us for a tiny process, milliseconds for
//                  gigabytes) with the memory map locked for reading. Its Rss is exact, and replaces VmRSS then
//   names          /proc/self/task/TID/comm, 3.6 us a thread: too dear to read them all each time, see NameCache
//
// Kinds: first the engine's `known_kind`, then the main thread (its tid is the pid), then the name that the thread has:
//   "DelayedTaskSche", "V8Worker" (Node 24), "node-V8Worker" (26)  v8-pool      "strobe-..."            strobe
//   "libuv-worker" (libuv 1.50 and later: Node 22, 24, 26)         libuv-pool   "WorkerThread" (24, 26) worker
// then, because Node 20 names no thread and Node 22 not V8's pool: a thread is V8's when it blocks SIGUSR1 and no other signal while the
// main thread does not, and is listed beside other such threads. Node blocks SIGUSR1 from the start of the process until the inspector's
// handler is installed; in between it creates V8's platform, and runs no code of the application. A mask is inherited, and V8's threads
// never change theirs. Everything else is 'other'. The limits:
//   - before libuv 1.50 (Node 20 has 1.46): nothing tells libuv's pool from the threads of a native addon, so the pool is 'other'
//   - Node 22 with --disable-sigusr1: every thread blocks SIGUSR1, so V8's unnamed pool is 'other'
//   - a Worker that never called join() is 'other' on Node 20 and 22, and on 24 and 26 when it was given a name
//   - a thread that never names itself keeps its maker's name: what an addon starts from a thread of a pool counts as that pool's
#include "probe/probe.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace strobe::probe {
namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000;
constexpr uint64_t kBytesPerKb = 1024;

// A thread names itself in its first instructions, but we may look before that. So a name is final only when it was read this long after
// the thread was first seen; until then every call reads it.
constexpr uint64_t kSettleNs = 50'000'000;

// Final names that are read again, a call: a thread renamed in its later life shows after (threads / 2) calls at most, at 7 us a call.
constexpr size_t kRefreshPerCall = 2;

// One bit a signal, signal 1 is bit 0: the masks of /proc/*/status.
constexpr uint64_t kSigusr1Bit = uint64_t{1} << (SIGUSR1 - 1);

// What getdents64 writes; no libc header has it on both glibc and musl.
struct DirectoryEntry {
  uint64_t inode;
  int64_t offset;
  uint16_t size;
  uint8_t type;
  char name[];
};

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

// One read is enough: the kernel renders these files at the read from offset 0, and ours fit. -1 with errno when it can't be read.
ssize_t ReadOnce(int directory, const char* path, char* buffer, size_t size) {
  Fd fd(openat(directory, path, O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return -1;
  ssize_t length;
  do {
    length = read(fd.get(), buffer, size);
  } while (length < 0 && errno == EINTR);
  return length;
}

uint64_t ToNs(const timespec& time) { return static_cast<uint64_t>(time.tv_sec) * kNsPerSecond + static_cast<uint64_t>(time.tv_nsec); }

uint64_t ToNs(const timeval& time) {
  return static_cast<uint64_t>(time.tv_sec) * kNsPerSecond + static_cast<uint64_t>(time.tv_usec) * 1000;
}

uint64_t ClockNs(clockid_t clock) {
  timespec time;
  return clock_gettime(clock, &time) == 0 ? ToNs(time) : 0;
}

// The kernel's encoding (include/linux/posix-timers_types.h): ~tid << 3 | CPUCLOCK_PERTHREAD_MASK (4) | CPUCLOCK_SCHED (2).
clockid_t ThreadClock(int32_t tid) { return static_cast<clockid_t>((~static_cast<uint32_t>(tid) << 3) | 6); }

// The value of a "Name:  value" line; empty when the file has none. `field` is the name with its colon and the newline before it.
std::string_view Field(std::string_view file, std::string_view field) {
  size_t start = file.find(field);
  if (start == std::string_view::npos) return {};
  start += field.size();
  size_t end = std::min(file.find('\n', start), file.size());
  while (start < end && (file[start] == ' ' || file[start] == '\t')) ++start;
  return file.substr(start, end - start);
}

// The text is inside a zero-terminated buffer, and a number ends at the first character that is none.
uint64_t Number(std::string_view text, int base) { return text.empty() ? 0 : std::strtoull(text.data(), nullptr, base); }

uint64_t KbField(std::string_view file, std::string_view field) { return Number(Field(file, field), 10) * kBytesPerKb; }

// A file of "Name: value" lines, as status and smaps_rollup are. 8 KB holds the status of a machine with thousands of cores.
struct FieldFile {
  char buffer[8192];
  std::string_view text;

  bool Read(int directory, const char* path) {
    ssize_t length = ReadOnce(directory, path, buffer, sizeof buffer - 1);
    if (length <= 0) return false;
    buffer[length] = '\0';
    text = {buffer, static_cast<size_t>(length)};
    return true;
  }
  uint64_t BlockedSignals() const { return Number(Field(text, "\nSigBlk:"), 16); }
};

struct CachedThread {
  int32_t tid = 0;
  uint64_t inode = 0;
  uint64_t cpu_ns = 0;
  uint64_t first_seen_ns = 0;
  bool settled = false;
  bool startup_mask = false;  // it blocks SIGUSR1 and nothing else; known only where the name did not tell the kind
  std::string name;           // at most 15 characters: fits into the string itself
};

// The names of the last call, in the kernel's order.
//
// A thread is the same as in the last call when tid and inode are: a /proc/self/task/TID directory gets a fresh inode number when the
// kernel builds it, so a new thread with a reused tid has another one (and a CPU clock that starts again; both are checked). getdents64
// gives it for nothing. A directory that the kernel drops under memory pressure gets a new number too, which costs one more read.
// `cache_busy` instead of a lock: of two calls at a time, one works with an empty cache.
struct NameCache {
  std::vector<CachedThread> threads;
  size_t next_refresh = 0;
};

std::atomic<bool> cache_busy{false};

NameCache& SharedCache() {
  static NameCache* cache = new NameCache;  // never destroyed: calls may come while static destructors run
  return *cache;
}

bool KindByName(std::string_view name, ThreadKind* kind) {
  if (name == "V8Worker" || name == "node-V8Worker" || name == "DelayedTaskSche") {
    *kind = ThreadKind::kV8Pool;
  } else if (name == "libuv-worker") {
    *kind = ThreadKind::kLibuvPool;
  } else if (name == "WorkerThread") {
    *kind = ThreadKind::kWorker;
  } else if (name.starts_with("strobe-")) {
    *kind = ThreadKind::kStrobe;
  } else {
    return false;
  }
  return true;
}

class ThreadReader {
 public:
  ThreadReader(int task_fd, const FieldFile& status, const ProcessUsageOptions& options, NameCache* cache, ProcessUsage* out)
      : task_fd_(task_fd),
        status_(status),
        options_(options),
        cache_(cache),
        out_(out),
        pid_(getpid()),
        now_ns_(ClockNs(CLOCK_MONOTONIC)),
        main_blocks_sigusr1_((status.BlockedSignals() & kSigusr1Bit) != 0) {}

  bool ReadAll() {
    fresh_.reserve(cache_->threads.size() + 4);
    out_->threads.reserve(cache_->threads.size() + 4);
    alignas(DirectoryEntry) char buffer[16384];
    for (;;) {
      long length = syscall(SYS_getdents64, task_fd_, buffer, sizeof buffer);
      if (length < 0) return false;
      if (length == 0) break;
      for (long at = 0; at < length;) {
        const auto* entry = reinterpret_cast<const DirectoryEntry*>(buffer + at);
        at += entry->size;
        int32_t tid = static_cast<int32_t>(std::strtol(entry->name, nullptr, 10));  // 0 for "." and ".."
        if (tid > 0) ReadThread(tid, entry->inode);
      }
    }
    cache_->threads.swap(fresh_);
    cache_->next_refresh += kRefreshPerCall;
    if (cache_->next_refresh >= cache_->threads.size()) cache_->next_refresh = 0;
    return true;
  }

 private:
  // Threads leave the list anywhere and join it at its end, so what follows the last hit is nearly always the next one.
  CachedThread* Find(int32_t tid, uint64_t inode, uint64_t cpu_ns) {
    std::vector<CachedThread>& threads = cache_->threads;
    for (size_t i = next_cached_; i < threads.size(); ++i) {
      if (threads[i].tid != tid) continue;
      next_cached_ = i + 1;
      return threads[i].inode == inode && threads[i].cpu_ns <= cpu_ns ? &threads[i] : nullptr;
    }
    return nullptr;
  }

  void ReadThread(int32_t tid, uint64_t inode) {
    timespec time;
    if (clock_gettime(ThreadClock(tid), &time) != 0) return;  // it ended
    CachedThread thread;
    if (CachedThread* cached = Find(tid, inode, ToNs(time))) {
      thread = std::move(*cached);
    } else {
      thread.tid = tid;
      thread.inode = inode;
      thread.first_seen_ns = now_ns_;
    }
    thread.cpu_ns = ToNs(time);

    ThreadKind kind = ThreadKind::kOther;
    if (tid == pid_) {
      kind = ThreadKind::kMain;
      thread.name = Field(status_.text, "Name:");  // /proc/self/status is the main thread's
    } else {
      size_t turn = fresh_.size() - cache_->next_refresh;  // wraps around below zero, to a number too big
      if ((!thread.settled || turn < kRefreshPerCall) && !ReadName(&thread)) return;
      kind = KindOf(thread);
    }
    ThreadKind known;
    if (options_.known_kind && options_.known_kind(tid, &known)) kind = known;
    out_->threads.push_back({tid, thread.name, kind, thread.cpu_ns});
    fresh_.push_back(std::move(thread));
  }

  // False when the thread ended.
  bool ReadName(CachedThread* thread) {
    char path[32];
    char name[64];
    std::snprintf(path, sizeof path, "%d/comm", thread->tid);
    ssize_t length = ReadOnce(task_fd_, path, name, sizeof name);
    if (length < 0) return errno != ENOENT && errno != ESRCH;  // out of descriptors: the thread is there, with the name it had
    if (length > 0 && name[length - 1] == '\n') --length;
    thread->name.assign(name, static_cast<size_t>(length));
    if (thread->settled) return true;
    ThreadKind ignored;
    if (!KindByName(thread->name, &ignored)) {
      std::snprintf(path, sizeof path, "%d/status", thread->tid);
      FieldFile status;
      if (!status.Read(task_fd_, path)) return errno != ENOENT && errno != ESRCH;
      thread->startup_mask = status.BlockedSignals() == kSigusr1Bit;
    }
    thread->settled = now_ns_ - thread->first_seen_ns >= kSettleNs;
    return true;
  }

  ThreadKind KindOf(const CachedThread& thread) {
    ThreadKind kind = ThreadKind::kOther;
    bool startup_only = thread.startup_mask && !main_blocks_sigusr1_;
    if (!KindByName(thread.name, &kind) && startup_only && platform_ != Run::kPast) kind = ThreadKind::kV8Pool;
    // V8's threads are created in one go and live as long as the process: they are one unbroken run of the list.
    if (kind == ThreadKind::kV8Pool) {
      platform_ = Run::kInside;
    } else if (platform_ == Run::kInside) {
      platform_ = Run::kPast;
    }
    return kind;
  }

  enum class Run { kBefore, kInside, kPast };

  const int task_fd_;
  const FieldFile& status_;
  const ProcessUsageOptions& options_;
  NameCache* const cache_;
  ProcessUsage* const out_;
  const pid_t pid_;
  const uint64_t now_ns_;
  const bool main_blocks_sigusr1_;
  Run platform_ = Run::kBefore;
  size_t next_cached_ = 0;
  std::vector<CachedThread> fresh_;
};

bool ReadThreads(int task_fd, const FieldFile& status, const ProcessUsageOptions& options, ProcessUsage* out) {
  if (cache_busy.exchange(true, std::memory_order_acquire)) {
    NameCache empty;
    return ThreadReader(task_fd, status, options, &empty, out).ReadAll();
  }
  bool ok = ThreadReader(task_fd, status, options, &SharedCache(), out).ReadAll();
  cache_busy.store(false, std::memory_order_release);
  return ok;
}

void ReadMemory(const FieldFile& status, const rusage& usage, ProcessUsage* out) {
  out->rss_bytes = KbField(status.text, "\nVmRSS:");
  out->virtual_bytes = KbField(status.text, "\nVmSize:");
  out->peak_rss_bytes = KbField(status.text, "\nVmHWM:");
  // Kernels that only look like Linux leave it out.
  if (out->peak_rss_bytes == 0) out->peak_rss_bytes = static_cast<uint64_t>(usage.ru_maxrss) * kBytesPerKb;
}

void ReadPss(ProcessUsage* out) {
  FieldFile rollup;
  if (!rollup.Read(AT_FDCWD, "/proc/self/smaps_rollup")) return;  // before 4.14, or refused
  std::string_view pss = Field(rollup.text, "\nPss:");
  if (pss.empty()) return;
  out->has_pss = true;
  out->pss_bytes = Number(pss, 10) * kBytesPerKb;
  out->anonymous_bytes = KbField(rollup.text, "\nAnonymous:");
  out->rss_bytes = KbField(rollup.text, "\nRss:");
}

}  // namespace

const char* ThreadKindName(ThreadKind kind) {
  switch (kind) {
    case ThreadKind::kMain:
      return "main";
    case ThreadKind::kWorker:
      return "worker";
    case ThreadKind::kV8Pool:
      return "v8-pool";
    case ThreadKind::kLibuvPool:
      return "libuv-pool";
    case ThreadKind::kStrobe:
      return "strobe";
    case ThreadKind::kOther:
      break;
  }
  return "other";
}

uint64_t ThreadCpuNs(int32_t tid) { return tid > 0 ? ClockNs(ThreadClock(tid)) : 0; }

bool ReadProcessUsage(const ProcessUsageOptions& options, ProcessUsage* out, std::string* error) {
  *out = ProcessUsage();
  Fd task(open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (task.get() < 0) {
    *error = std::string("cannot open /proc/self/task: ") + std::strerror(errno);
    return false;
  }
  FieldFile status;
  if (!status.Read(AT_FDCWD, "/proc/self/status")) {
    *error = std::string("cannot read /proc/self/status: ") + std::strerror(errno);
    return false;
  }
  if (!ReadThreads(task.get(), status, options, out)) {
    *error = std::string("cannot list /proc/self/task: ") + std::strerror(errno);
    return false;
  }
  if (out->threads.empty()) {
    *error = "/proc belongs to another pid namespace: none of the threads in /proc/self/task is ours";
    return false;
  }

  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  out->cpu_ns = ClockNs(CLOCK_PROCESS_CPUTIME_ID);  // after the threads, so that it has what they had
  out->cpu_system_ns = std::min(ToNs(usage.ru_stime), out->cpu_ns);
  out->cpu_user_ns = out->cpu_ns - out->cpu_system_ns;

  ReadMemory(status, usage, out);
  if (options.pss) ReadPss(out);
  out->peak_rss_bytes = std::max(out->peak_rss_bytes, out->rss_bytes);
  return true;
}

}  // namespace strobe::probe
