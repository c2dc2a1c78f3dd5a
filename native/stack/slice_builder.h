// Folds resolved stacks into a trie and cuts slices from it. One thread only, the collector.
//
// A stack is inserted from the root to the leaf; equal prefixes share nodes, equal stacks of one thread and mode share a sample row.
// Functions are told apart by identity (a FunctionRef is held until the cut, so that an address can't be used twice); frames by function,
// line and column.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "label/label_table.h"
#include "stack/flat_map.h"
#include "stack/slice.h"
#include "v8/code_map.h"

namespace strobe::stack {

struct Frame {
  v8::FunctionRef function;
  uint32_t line = 0;
  uint32_t column = 0;
};

class SliceBuilder {
 public:
  SliceBuilder();

  // Thread index in this slice; `key` tells threads apart (a registration number: tids are recycled).
  uint32_t Thread(uint64_t key, int32_t tid, const std::string& name);
  // What a sample carries besides its thread. `set` is only looked at during the call.
  struct LabelKey {
    const label::LabelSet* set = nullptr;
    bool evicted = false;  // it had labels, which are gone
    uint64_t trace_id_high = 0;
    uint64_t trace_id_low = 0;
    uint64_t span_id = 0;
    uint64_t local_root_id = 0;
  };
  uint32_t Label(const LabelKey& key);
  uint32_t Root() const { return 0; }
  uint32_t Child(uint32_t node, const Frame& frame);
  // What samples must have in common to share a row.
  struct Row {
    uint32_t node;
    uint32_t thread;
    uint8_t mode;  // 0 CPU, 1 wall
    GcKind gc;
    uint32_t label = 0;  // of Label(), 0 for none
  };
  // The row's index, for AddTime.
  uint32_t AddSample(const Row& row, uint32_t count, double weight_ns);
  // `time_ns` is CLOCK_MONOTONIC here; the cut turns it into the slice's own time.
  void AddTime(uint32_t row, uint64_t time_ns, double weight_ns);

  SliceTotals& totals(uint8_t mode) { return mode == 0 ? slice_->totals : slice_->wall_totals; }
  bool empty() const { return slice_->sample_node.empty(); }
  size_t nodes() const { return slice_->node_parent.size(); }
  // A node takes its two columns and its slot in the table of children, which is half empty: nearly all that a slice takes.
  static constexpr size_t kNodeBytes = 2 * sizeof(uint32_t) + 2 * 16;

  // The slice so far, complete but for number, times and rate; the builder starts empty.
  std::unique_ptr<Slice> Cut();

 private:
  void Reset();
  uint32_t String(const std::string& text);
  uint32_t FunctionIndex(const v8::FunctionRef& function);

  std::unique_ptr<Slice> slice_;
  std::unordered_map<std::string, uint32_t> strings_;
  std::unordered_map<const v8::Function*, uint32_t> functions_;
  std::vector<v8::FunctionRef> held_;
  FlatMap places_;    // (line, column) -> place
  FlatMap frames_;    // (function, place) -> frame
  FlatMap children_;  // (node, frame) -> node
  FlatMap origins_;   // (thread, label) -> origin
  FlatMap rows_;      // (node, origin, mode, gc) -> sample row
  // (label set's id and generation, or 1 for an evicted one; trace, span, local root)
  std::map<std::tuple<uint64_t, uint64_t, uint64_t, uint64_t, uint64_t>, uint32_t> labels_;
  std::unordered_map<uint64_t, uint32_t> threads_;
};

}  // namespace strobe::stack
