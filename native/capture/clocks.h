// The two clock reads that the handler makes. clock_gettime is async-signal-safe (POSIX) and keeps errno on success.
#pragma once

#include <ctime>

#include <cstdint>

namespace strobe::capture {

inline uint64_t ReadClockNs(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

inline uint64_t ThreadCpuNowNs() { return ReadClockNs(CLOCK_THREAD_CPUTIME_ID); }
inline uint64_t MonotonicNowNs() { return ReadClockNs(CLOCK_MONOTONIC); }

}  // namespace strobe::capture
