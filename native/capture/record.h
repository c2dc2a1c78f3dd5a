// The record that the handler writes for one sample, as it stands in the ring: this header, then `frame_count` addresses, leaf first.
//
// Addresses are raw: the collector turns them into functions. `code_events` is how many code events of the isolate were published when the
// sample was taken: the collector applies exactly those before it resolves the sample, so that a name can be neither too old nor too new.
#pragma once

#include <cstdint>

namespace strobe::capture {

// What the current label says of a sample; integers only, copied raw by the handler. All zero: no label.
struct SampleLabel {
  uint64_t trace_id_high = 0;
  uint64_t trace_id_low = 0;
  uint64_t span_id = 0;
  uint64_t local_root_id = 0;
  uint32_t attribution_slot = 0;
  uint32_t attribution_generation = 0;
  uint32_t label_set = 0;
  uint32_t label_set_generation = 0;
};

struct SampleRecord {
  uint64_t size;  // bytes, written by Ring::Commit
  uint64_t code_events;
  uint64_t time_ns;    // CLOCK_MONOTONIC
  uint64_t weight_ns;  // CPU since the thread's last sample
  uint64_t pc;
  uint16_t vm_state;  // v8api::VmState
  uint16_t flags;     // SampleFlags
  uint32_t frame_count;
  SampleLabel label;
  // followed by: uint64_t frames[frame_count]
};
static_assert(sizeof(SampleRecord) % 8 == 0);

enum SampleFlags : uint16_t {
  kTruncated = 1,  // deeper than maxDepth: the root side is missing
};

// The word at the end of the stack that GetStackSample was given; the handler asks for one frame more than maxDepth to know a cut stack.
inline constexpr uint32_t kMaxDepthLimit = 4096;

}  // namespace strobe::capture
