// The samples of a profile in the making: one row for each distinct (node, thread, kind of garbage collection, labels), all of them the
// profile's own ids, with how many samples it stands for and what they weigh.
//
// One thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace strobe::stack {

struct ProfileRow {
  uint32_t node;
  uint32_t thread;
  uint32_t gc;
  uint32_t labels;
  double count;
  double weight_ns;
};

// Columns of a slice's sample table, equally long, and what its ids are in the profile.
struct SliceRows {
  std::span<const uint8_t> mode;
  std::span<const uint32_t> node;
  std::span<const uint32_t> thread;
  std::span<const uint8_t> gc;
  std::span<const uint32_t> labels;
  std::span<const uint32_t> count;
  std::span<const double> weight_ns;
  std::span<const uint32_t> own_nodes;
  std::span<const uint32_t> own_threads;
  std::span<const uint32_t> own_labels;
};

class ProfileRows {
 public:
  static constexpr uint32_t kNoRow = 0xffffffff;

  ProfileRows();

  // Adds the rows of `mode`, and says in `own_rows` which row here each became: kNoRow for those of another mode. False, with nothing
  // changed, when the columns don't fit together.
  bool Add(const SliceRows& rows, uint8_t mode, std::span<uint32_t> own_rows);

  std::span<const ProfileRow> all() const { return rows_; }
  // Of memory held.
  size_t bytes() const { return rows_.capacity() * sizeof(ProfileRow) + slots_.capacity() * sizeof(uint32_t); }

 private:
  // The row with these ids; made, empty, when there is none.
  uint32_t Find(const ProfileRow& wanted);
  void Grow();

  std::vector<ProfileRow> rows_;
  // Open addressing, a power of two, at most half full; kNoRow: free.
  std::vector<uint32_t> slots_;
};

}  // namespace strobe::stack
