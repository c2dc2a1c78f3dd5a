#include "v8/builtins_copy.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

namespace strobe::v8 {

namespace {

constexpr size_t kProbeBytes = 64;
constexpr uint64_t kPage = 4096;

bool ReadMemory(int fd, uint64_t address, uint8_t* out) {
  return pread(fd, out, kProbeBytes, static_cast<off_t>(address)) == static_cast<ssize_t>(kProbeBytes);
}

}  // namespace

uint64_t FindBuiltinsCopy(const BuiltinsRanges& ranges) {
  if (ranges.code_length == 0 || ranges.blob_length < 2 * kProbeBytes) return 0;
  // The blob itself may lie inside the code range (pointer-compressed builds): that is no copy.
  uint64_t found = 0;
  const int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  FILE* maps = fopen("/proc/self/maps", "re");
  uint8_t head[kProbeBytes];
  uint8_t tail[kProbeBytes];
  if (memory >= 0 && maps != nullptr && ReadMemory(memory, ranges.blob_start, head) &&
      ReadMemory(memory, ranges.blob_start + ranges.blob_length - kProbeBytes, tail)) {
    char line[512];
    while (found == 0 && fgets(line, sizeof line, maps) != nullptr) {
      unsigned long long from = 0;
      unsigned long long to = 0;
      char access[5] = {};
      if (sscanf(line, "%llx-%llx %4s", &from, &to, access) != 3 || access[1] == 'w' || access[2] != 'x') continue;
      const uint64_t low = ranges.code_start;
      const uint64_t high = ranges.code_start + ranges.code_length;
      if (to <= low || from >= high) continue;
      for (uint64_t at = (from + kPage - 1) & ~(kPage - 1); at + ranges.blob_length <= to; at += kPage) {
        if (at == ranges.blob_start) continue;
        uint8_t probe[kProbeBytes];
        if (!ReadMemory(memory, at, probe)) break;
        if (memcmp(probe, head, kProbeBytes) != 0) continue;
        if (ReadMemory(memory, at + ranges.blob_length - kProbeBytes, probe) && memcmp(probe, tail, kProbeBytes) == 0) {
          found = at;
          break;
        }
      }
    }
  }
  if (maps != nullptr) fclose(maps);
  if (memory >= 0) close(memory);
  return found;
}

}  // namespace strobe::v8
