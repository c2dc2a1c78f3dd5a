// What a process and its threads used, read from the kernel: CPU time of every thread with its kind, process CPU, resident and virtual
// memory.
//
// Contract: every call reads afresh (but for thread names, kept in one small cache: a later rename may show some calls later), waits for no
// lock of ours and may run on any thread (never in a signal handler). A thread that ends while it is being read is left out. Units:
// nanoseconds and bytes. One file a platform implements it (`probe_linux.cc`).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace strobe::probe {

enum class ThreadKind : uint8_t { kMain, kWorker, kV8Pool, kLibuvPool, kStrobe, kOther };

// The word that JavaScript sees: "main", "worker", "v8-pool", "libuv-pool", "strobe", "other".
const char* ThreadKindName(ThreadKind kind);

struct ThreadUsage {
  int32_t tid = 0;
  std::string name;  // the kernel's name of the thread (comm)
  ThreadKind kind = ThreadKind::kOther;
  uint64_t cpu_ns = 0;  // since the thread's start
};

struct ProcessUsage {
  std::vector<ThreadUsage> threads;
  uint64_t cpu_ns = 0;  // all threads, ended ones among them
  uint64_t cpu_user_ns = 0;
  uint64_t cpu_system_ns = 0;
  uint64_t rss_bytes = 0;
  uint64_t virtual_bytes = 0;
  uint64_t peak_rss_bytes = 0;
  bool has_pss = false;  // false when not asked for, or refused by the kernel
  uint64_t pss_bytes = 0;
  uint64_t anonymous_bytes = 0;
};

struct ProcessUsageOptions {
  bool pss = false;
  // What the engine knows about a thread better than its name tells (JavaScript threads, our own). Returns false when it does not know the
  // thread.
  std::function<bool(int32_t tid, ThreadKind* kind)> known_kind;
};

// Returns false with `error` set when the kernel's files can't be read at all.
bool ReadProcessUsage(const ProcessUsageOptions& options, ProcessUsage* out, std::string* error);

// CPU time of one live thread of this process, nanoseconds; 0 when it is gone.
uint64_t ThreadCpuNs(int32_t tid);

}  // namespace strobe::probe
