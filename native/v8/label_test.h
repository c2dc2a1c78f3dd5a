// The self-test of labels, in the encoder's isolate: is a label read as it was written, by both ways (capture/label_source.h), and where
// does the isolate keep the continuation-preserved data?
#pragma once

#include <cstdint>
#include <string>

#include "capture/record.h"
#include "v8/api.h"
#include "v8/layout.h"

namespace strobe::v8 {

// Handles' slots: each holds a tagged pointer.
struct LabelTestHandles {
  uint64_t* label;   // a Label whose fields are `expected`
  uint64_t* holder;  // an object whose only field is the label
  uint64_t* frame;   // a Map of some entries, one of them `storage` -> label
  uint64_t* other;   // another Map
  uint64_t* storage;
};

struct LabelTestResult {
  std::string holder;  // 'passed' or what was wrong; labels are switched off then
  std::string frame;   // the same; 'not there' where V8 has no such data
};

// The isolate's only word that equals its continuation data now, bytes from its start; 0: none, or more than one. `data` must be a fresh
// object: a common one (undefined) stands in many places.
uint32_t FindContinuationSlot(const v8api::Isolate* isolate, uint64_t data);

LabelTestResult TestLabels(const v8api::Symbols& symbols, const LabelTestHandles& handles, const capture::SampleLabel& expected);

}  // namespace strobe::v8
