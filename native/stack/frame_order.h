// The order in which a profile's functions and frames are written. Any would do for a reader; gzip sees 32 KiB back, so what is alike must
// stand together: functions by file, line and column, frames by function, line and column. (Samples stand along the stack trie:
// profile_bytes.h.) All of it saves a third of the bytes.
#pragma once

#include <cstdint>
#include <span>

namespace strobe::stack {

// Equally long columns of a table.
struct FunctionColumns {
  // The place of the function's file among all, by name.
  std::span<const uint32_t> file_rank;
  std::span<const uint32_t> line;
  std::span<const uint32_t> column;
};

struct FrameColumns {
  std::span<const uint32_t> function;
  std::span<const uint32_t> line;
  std::span<const uint32_t> column;
};

// Ids in the order of writing. False, with nothing written, when the columns don't fit together or the orders are not as long as their
// tables.
bool OrderFrames(const FunctionColumns& functions, const FrameColumns& frames, std::span<uint32_t> function_order,
                 std::span<uint32_t> frame_order);

}  // namespace strobe::stack
