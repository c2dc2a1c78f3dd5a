#include "v8/label_test.h"

#include "capture/label_source.h"
#include "capture/stack_word.h"
#include "v8/heap.h"

namespace strobe::v8 {

namespace {

// Among the isolate's first words, which compiled code reaches with short offsets (V8 12: 576, 13: 632, 14: 680).
constexpr uint32_t kSearchBytes = 4096;

bool Same(const capture::SampleLabel& a, const capture::SampleLabel& b) {
  return a.trace_id_high == b.trace_id_high && a.trace_id_low == b.trace_id_low && a.span_id == b.span_id &&
         a.local_root_id == b.local_root_id && a.attribution_slot == b.attribution_slot &&
         a.attribution_generation == b.attribution_generation && a.label_set == b.label_set &&
         a.label_set_generation == b.label_set_generation;
}

// The one word of the isolate that is `first` now and becomes `second`'s when that is set. 0: none, or more than one.
uint32_t FindSlot(const v8api::Symbols& symbols, v8api::Isolate* isolate, uint64_t* first, uint64_t* second) {
  const auto base = reinterpret_cast<uint64_t>(isolate);
  uint64_t* before = symbols.get_continuation_data(isolate);
  uint32_t found = 0;
  uint32_t hits = 0;
  symbols.set_continuation_data(isolate, first);
  bool candidates[kSearchBytes / 8] = {};
  for (uint32_t at = 0; at < kSearchBytes; at += 8) candidates[at / 8] = capture::StackWord(base + at) == *first;
  symbols.set_continuation_data(isolate, second);
  for (uint32_t at = 0; at < kSearchBytes; at += 8) {
    if (!candidates[at / 8] || capture::StackWord(base + at) != *second) continue;
    found = at;
    hits++;
  }
  symbols.set_continuation_data(isolate, before);
  return hits == 1 ? found : 0;
}

std::string TestFrame(const v8api::Symbols& symbols, const Layout& layout, const LabelTestHandles& handles,
                      const capture::SampleLabel& expected) {
  if (symbols.get_continuation_data == nullptr || layout.type_ordered_hash_map == 0) return "not there";
  capture::SampleLabel read;
  if (capture::ReadFromFrame(layout, *handles.frame, *handles.storage, &read) != capture::LabelRead::kFound || !Same(read, expected)) {
    uint64_t table = 0;
    uint16_t map_type = 0;
    uint16_t table_type = 0;
    TypeOf(layout, *handles.frame, &map_type);
    if (ReadField(*handles.frame, 24, &table)) TypeOf(layout, table, &table_type);
    return "a map was read wrongly (types " + std::to_string(map_type) + ", " + std::to_string(table_type) + ")";
  }
  if (capture::ReadFromFrame(layout, *handles.other, *handles.storage, &read) != capture::LabelRead::kNone) {
    return "a label was found where none is";
  }
  const uint32_t slot = FindSlot(symbols, symbols.get_current(), handles.frame, handles.other);
  if (slot == 0) return "the place of the continuation data was not found";
  capture::g_continuation_slot.store(slot);
  return "passed";
}

}  // namespace

uint32_t FindContinuationSlot(const v8api::Isolate* isolate, uint64_t data) {
  const auto base = reinterpret_cast<uint64_t>(isolate);
  uint32_t found = 0;
  for (uint32_t at = 0; at < kSearchBytes; at += 8) {
    if (capture::StackWord(base + at) != data) continue;
    if (found != 0) return 0;
    found = at;
  }
  return found;
}

LabelTestResult TestLabels(const v8api::Symbols& symbols, const LabelTestHandles& handles, const capture::SampleLabel& expected) {
  std::string reason;
  const Layout* layout = FindLayout(&reason);
  if (layout == nullptr) return {reason, reason};
  LabelTestResult result;
  capture::SampleLabel read;
  const bool fine = capture::ReadFromHolder(*layout, *handles.holder, &read) == capture::LabelRead::kFound && Same(read, expected);
  result.holder = fine ? "passed" : "a label was read wrongly";
  result.frame = fine ? TestFrame(symbols, *layout, handles, expected) : result.holder;
  if (!fine) capture::g_labels_forbidden.store(true);
  // Also where a first label found the place before this test was there.
  if (result.frame != "passed" && result.frame != "not there") capture::g_continuation_slot.store(capture::kNoContinuationSlot);
  return result;
}

}  // namespace strobe::v8
