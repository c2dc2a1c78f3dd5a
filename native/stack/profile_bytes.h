// The large tables of a profile as fields of profile.proto (https://github.com/google/pprof/blob/main/proto/profile.proto):
//   repeated Sample sample = 2      0x12 length { 0x0a length {location ids, leaf first} labels 0x12 length {count, weight} }
//   repeated Location location = 4  0x22 length { 0x08 id 0x22 length { 0x08 function id 0x10 line 0x18 column } }, a line or column of 0
//   left out
// Ids are the place in the table + 1. A sample's values come last: what stands before them (the callers' end of the stack, the labels) is
// then often, as one piece, what it was in the sample before, and gzip sees that.
//
// Along the trie each node's id is encoded once, whatever number of stacks it stands in; a stack's bytes are then copied as one piece.
//
// Both write to `out` and say in `size` how many bytes there are: when these are more than `out` has, what is in it means nothing, and a
// call with so much room will do. False, with nothing written, when columns don't fit together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "stack/profile_trie.h"

namespace strobe::stack {

struct SampleRows {
  // Equally long: one element a row.
  std::span<const uint32_t> node;
  // Index into label_end.
  std::span<const uint32_t> labels;
  // Rounded, and kept inside int64, as they are written; NaN is 0.
  std::span<const double> count;
  std::span<const double> weight;
  // The profile's frames -> their places in it.
  std::span<const uint32_t> frame_rank;
  // The encoded `label` fields of each set of labels: label_bytes from label_end[i - 1] (0 for the first) to label_end[i].
  std::span<const uint32_t> label_end;
  std::span<const uint8_t> label_bytes;
  // Rows are written by number; otherwise along the trie, which packs best.
  bool keep_order = false;
};

bool EncodeSamples(const ProfileTrie& trie, const SampleRows& rows, std::span<uint8_t> out, size_t* size);

// Equally long: one element a location.
struct LocationColumns {
  // Places in the profile's table of functions.
  std::span<const uint32_t> function;
  std::span<const uint32_t> line;
  std::span<const uint32_t> column;
};

bool EncodeLocations(const LocationColumns& locations, std::span<uint8_t> out, size_t* size);

}  // namespace strobe::stack
