#include "v8/mapped_ranges.h"

#include <stdio.h>

#include <algorithm>
#include <iterator>

namespace strobe::v8 {

void MappedRanges::Add(uint64_t from, uint64_t to) {
  if (!ranges_.empty() && ranges_.back().second == from) {
    ranges_.back().second = to;
  } else {
    ranges_.emplace_back(from, to);
  }
}

bool MappedRanges::Touches(uint64_t from, uint64_t to) const {
  const auto behind =
      std::upper_bound(ranges_.begin(), ranges_.end(), from, [](uint64_t at, const auto& range) { return at < range.first; });
  if (behind != ranges_.end() && behind->first < to) return true;
  return behind != ranges_.begin() && std::prev(behind)->second > from;
}

bool MappedRanges::Read() {
  ranges_.clear();
  FILE* maps = fopen("/proc/self/maps", "re");
  if (maps == nullptr) return false;
  char line[512];  // a longer path is read on as a line of its own, which is no range
  while (fgets(line, sizeof line, maps) != nullptr) {
    unsigned long long from = 0;
    unsigned long long to = 0;
    char access[5] = {};
    if (sscanf(line, "%llx-%llx %4s", &from, &to, access) != 3) continue;
    // V8 takes the rights from pages that it gives up inside its code range, and keeps the addresses.
    if (access[0] == 'r' || access[2] == 'x') Add(from, to);
  }
  fclose(maps);
  return !ranges_.empty();
}

}  // namespace strobe::v8
