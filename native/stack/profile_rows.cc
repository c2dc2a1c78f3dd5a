#include "stack/profile_rows.h"

namespace strobe::stack {

namespace {

constexpr size_t kFirstSlots = 1024;

// The finaliser of splitmix64 over two halves: every bit reaches the low ones.
size_t Hash(const ProfileRow& row) {
  uint64_t key = (uint64_t{row.node} << 32 | row.labels) ^ (uint64_t{row.thread} << 8 | row.gc) * 0x9e3779b97f4a7c15u;
  key ^= key >> 30;
  key *= 0xbf58476d1ce4e5b9u;
  key ^= key >> 27;
  return static_cast<size_t>(key);
}

bool SameIds(const ProfileRow& a, const ProfileRow& b) {
  return a.node == b.node && a.thread == b.thread && a.gc == b.gc && a.labels == b.labels;
}

bool Fit(const SliceRows& rows, uint8_t mode) {
  const size_t count = rows.mode.size();
  if (rows.node.size() != count || rows.thread.size() != count || rows.gc.size() != count || rows.labels.size() != count ||
      rows.count.size() != count || rows.weight_ns.size() != count) {
    return false;
  }
  for (size_t row = 0; row < count; row++) {
    if (rows.mode[row] != mode) continue;
    if (rows.node[row] >= rows.own_nodes.size() || rows.thread[row] >= rows.own_threads.size() ||
        rows.labels[row] >= rows.own_labels.size()) {
      return false;
    }
  }
  return true;
}

}  // namespace

ProfileRows::ProfileRows() : slots_(kFirstSlots, kNoRow) {}

bool ProfileRows::Add(const SliceRows& rows, uint8_t mode, std::span<uint32_t> own_rows) {
  if (!Fit(rows, mode) || own_rows.size() != rows.mode.size()) return false;
  for (size_t row = 0; row < rows.mode.size(); row++) {
    if (rows.mode[row] != mode) {
      own_rows[row] = kNoRow;
      continue;
    }
    const uint32_t own =
        Find({rows.own_nodes[rows.node[row]], rows.own_threads[rows.thread[row]], rows.gc[row], rows.own_labels[rows.labels[row]], 0, 0});
    rows_[own].count += rows.count[row];
    rows_[own].weight_ns += rows.weight_ns[row];
    own_rows[row] = own;
  }
  return true;
}

uint32_t ProfileRows::Find(const ProfileRow& wanted) {
  if ((rows_.size() + 1) * 2 > slots_.size()) Grow();
  const size_t mask = slots_.size() - 1;
  size_t at = Hash(wanted) & mask;
  for (; slots_[at] != kNoRow; at = (at + 1) & mask) {
    if (SameIds(rows_[slots_[at]], wanted)) return slots_[at];
  }
  slots_[at] = static_cast<uint32_t>(rows_.size());
  rows_.push_back(wanted);
  return slots_[at];
}

void ProfileRows::Grow() {
  slots_.assign(slots_.size() * 2, kNoRow);
  const size_t mask = slots_.size() - 1;
  for (size_t row = 0; row < rows_.size(); row++) {
    size_t at = Hash(rows_[row]) & mask;
    while (slots_[at] != kNoRow) at = (at + 1) & mask;
    slots_[at] = static_cast<uint32_t>(row);
  }
}

}  // namespace strobe::stack
