#include "stack/frame_order.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <vector>

namespace strobe::stack {

namespace {

// Ids by (first, line, column); what is equal by id.
void Order(std::span<const uint32_t> first, std::span<const uint32_t> line, std::span<const uint32_t> column, std::span<uint32_t> order) {
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return std::tie(first[a], line[a], column[a], a) < std::tie(first[b], line[b], column[b], b); });
}

}  // namespace

bool OrderFrames(const FunctionColumns& functions, const FrameColumns& frames, std::span<uint32_t> function_order,
                 std::span<uint32_t> frame_order) {
  const size_t function_count = function_order.size();
  const size_t frame_count = frame_order.size();
  if (functions.file_rank.size() != function_count || functions.line.size() != function_count ||
      functions.column.size() != function_count || frames.function.size() != frame_count || frames.line.size() != frame_count ||
      frames.column.size() != frame_count) {
    return false;
  }
  if (std::any_of(frames.function.begin(), frames.function.end(), [&](uint32_t id) { return id >= function_count; })) return false;
  Order(functions.file_rank, functions.line, functions.column, function_order);
  std::vector<uint32_t> rank(function_count);
  for (uint32_t at = 0; at < function_count; at++) rank[function_order[at]] = at;
  std::vector<uint32_t> frame_function(frame_count);
  for (size_t id = 0; id < frame_count; id++) frame_function[id] = rank[frames.function[id]];
  Order(frame_function, frames.line, frames.column, frame_order);
  return true;
}

}  // namespace strobe::stack
