// One slice: an immutable, numbered piece of the profile as columns. The TypeScript side sees the same tables (`Slice` in src/native.ts
// says what each column holds). Ids are indexes into the slice's own tables.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace strobe::stack {

struct SliceTotals {
  uint64_t samples = 0;
  uint64_t lost = 0;
  uint64_t truncated = 0;
  uint64_t frames = 0;
  uint64_t unresolved_frames = 0;
  uint64_t mended = 0;  // samples that got their caller back
};

// What a sample inside a garbage collection stood in. The order is the one of GC_KINDS in src/native.ts.
enum class GcKind : uint8_t { kNone, kScavenge, kMinorMarkSweep, kMarkSweepCompact, kIncrementalMarking, kWeakCallbacks, kStep };

// Why the rate changed.
enum class RateReason : uint8_t { kStart, kAsked, kBudget };

struct RateChange {
  double unix_ms = 0;
  double hz = 0;
  RateReason why = RateReason::kStart;
};

struct SliceThread {
  int32_t tid = 0;
  std::string name;
};

struct Slice {
  uint32_t number = 0;
  double start_unix_ms = 0;
  double end_unix_ms = 0;
  double frequency_hz = 0;  // at its end

  std::vector<std::string> strings;  // [0] is ""
  std::vector<uint32_t> function_name;
  std::vector<uint32_t> function_file;
  std::vector<uint32_t> function_line;
  std::vector<uint32_t> function_column;
  std::vector<uint8_t> function_kind;
  std::vector<uint8_t> function_map_kind;  // v8::MapKind
  std::vector<uint32_t> function_map_url;
  std::vector<uint32_t> frame_function;
  std::vector<uint32_t> frame_line;
  std::vector<uint32_t> frame_column;
  std::vector<uint32_t> node_parent;  // [0] is the root
  std::vector<uint32_t> node_frame;
  std::vector<SliceThread> threads;
  // What samples carry: row 0 is nothing. Row i has the pairs [label_end[i - 1], label_end[i]) of label_key and label_value.
  std::vector<uint32_t> label_end;
  std::vector<uint32_t> label_key;
  std::vector<uint32_t> label_value;
  std::vector<uint32_t> sample_node;
  std::vector<uint32_t> sample_thread;
  std::vector<uint32_t> sample_label;
  std::vector<uint8_t> sample_mode;  // 0 CPU, 1 wall
  std::vector<uint8_t> sample_gc;    // GcKind
  std::vector<uint32_t> sample_count;
  std::vector<double> sample_weight_ns;
  // When samples were taken, one row each, in any order; empty unless asked for. Milliseconds since `start_unix_ms`; a row of the sample
  // table; CPU or wall nanoseconds.
  std::vector<double> time_ms;
  std::vector<uint32_t> time_sample;
  std::vector<double> time_weight_ns;
  std::vector<RateChange> rate_changes;
  SliceTotals totals;       // of the CPU profile
  SliceTotals wall_totals;  // of the wall profile
};

}  // namespace strobe::stack
