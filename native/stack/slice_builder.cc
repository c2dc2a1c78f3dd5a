#include "stack/slice_builder.h"

#include <cinttypes>
#include <cstdio>

namespace strobe::stack {

namespace {

// As they stand in the profile; src/labels/sets.ts refuses them to users.
constexpr const char* kTraceId = "trace_id";
constexpr const char* kSpanId = "span_id";
constexpr const char* kLocalRootId = "local_root_span_id";
constexpr const char* kEvictedKey = "strobe_labels";
constexpr const char* kEvicted = "(evicted)";

std::string Hex(uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016" PRIx64, value);
  return text;
}

}  // namespace

SliceBuilder::SliceBuilder() { Reset(); }

void SliceBuilder::Reset() {
  slice_ = std::make_unique<Slice>();
  strings_.clear();
  functions_.clear();
  held_.clear();
  places_.Clear();
  frames_.Clear();
  children_.Clear();
  origins_.Clear();
  rows_.Clear();
  threads_.clear();
  labels_.clear();
  String("");
  slice_->node_parent.push_back(0);
  slice_->node_frame.push_back(0);
  slice_->label_end.push_back(0);
}

uint32_t SliceBuilder::String(const std::string& text) {
  const auto [it, inserted] = strings_.try_emplace(text, static_cast<uint32_t>(slice_->strings.size()));
  if (inserted) slice_->strings.push_back(text);
  return it->second;
}

uint32_t SliceBuilder::Thread(uint64_t key, int32_t tid, const std::string& name) {
  const auto [it, inserted] = threads_.try_emplace(key, static_cast<uint32_t>(slice_->threads.size()));
  if (inserted) slice_->threads.push_back({tid, name});
  return it->second;
}

uint32_t SliceBuilder::Label(const LabelKey& key) {
  uint64_t set = key.evicted ? 1 : 0;
  // Ids start at 1 and generations too: no set is mistaken for the evicted one.
  if (key.set != nullptr) set = (uint64_t{key.set->generation} << 32) | key.set->id;
  const auto [it, inserted] = labels_.try_emplace({set, key.trace_id_high, key.trace_id_low, key.span_id, key.local_root_id},
                                                  static_cast<uint32_t>(slice_->label_end.size()));
  if (!inserted) return it->second;
  const auto add = [this](const std::string& name, const std::string& value) {
    slice_->label_key.push_back(String(name));
    slice_->label_value.push_back(String(value));
  };
  if (key.set != nullptr) {
    for (const auto& [name, value] : key.set->pairs) add(name, value);
  }
  if (key.evicted) add(kEvictedKey, kEvicted);
  if (key.span_id != 0) {
    add(kTraceId, Hex(key.trace_id_high) + Hex(key.trace_id_low));
    add(kSpanId, Hex(key.span_id));
    add(kLocalRootId, Hex(key.local_root_id));
  }
  slice_->label_end.push_back(static_cast<uint32_t>(slice_->label_key.size()));
  return it->second;
}

uint32_t SliceBuilder::FunctionIndex(const v8::FunctionRef& function) {
  const auto [it, inserted] = functions_.try_emplace(function.get(), static_cast<uint32_t>(slice_->function_name.size()));
  if (inserted) {
    held_.push_back(function);
    const v8::CodeName& name = function->name();
    slice_->function_name.push_back(String(name.name));
    slice_->function_file.push_back(String(name.file));
    slice_->function_line.push_back(name.line);
    slice_->function_column.push_back(name.column);
    slice_->function_kind.push_back(static_cast<uint8_t>(name.kind));
    slice_->function_map_kind.push_back(static_cast<uint8_t>(function->map_kind()));
    slice_->function_map_url.push_back(function->map_url() ? String(*function->map_url()) : 0);
  }
  return it->second;
}

uint32_t SliceBuilder::Child(uint32_t node, const Frame& frame) {
  const uint32_t function = FunctionIndex(frame.function);
  // Two steps, so that no bit of a position is dropped: minified lines have columns beyond 16 bits.
  uint32_t place = 0;
  bool fresh = false;
  if (frame.line != 0 || frame.column != 0) {
    place = 1 + places_.FindOrInsert((uint64_t{frame.line} << 32) | frame.column, static_cast<uint32_t>(places_.size()), &fresh);
  }
  const uint32_t frame_index =
      frames_.FindOrInsert((uint64_t{function} << 32) | place, static_cast<uint32_t>(slice_->frame_function.size()), &fresh);
  if (fresh) {
    slice_->frame_function.push_back(function);
    slice_->frame_line.push_back(frame.line);
    slice_->frame_column.push_back(frame.column);
  }
  const uint32_t child =
      children_.FindOrInsert((uint64_t{node} << 32) | frame_index, static_cast<uint32_t>(slice_->node_parent.size()), &fresh);
  if (fresh) {
    slice_->node_parent.push_back(node);
    slice_->node_frame.push_back(frame_index);
  }
  return child;
}

uint32_t SliceBuilder::AddSample(const Row& row, uint32_t count, double weight_ns) {
  bool fresh = false;
  const uint32_t origin = origins_.FindOrInsert((uint64_t{row.thread} << 32) | row.label, static_cast<uint32_t>(origins_.size()), &fresh);
  // 28 bits are more origins than a slice can have.
  const uint64_t key = (uint64_t{row.node} << 32) | (uint64_t{origin} << 4) | (uint64_t{row.mode} << 3) | static_cast<uint64_t>(row.gc);
  const uint32_t at = rows_.FindOrInsert(key, static_cast<uint32_t>(slice_->sample_node.size()), &fresh);
  if (fresh) {
    slice_->sample_node.push_back(row.node);
    slice_->sample_thread.push_back(row.thread);
    slice_->sample_label.push_back(row.label);
    slice_->sample_mode.push_back(row.mode);
    slice_->sample_gc.push_back(static_cast<uint8_t>(row.gc));
    slice_->sample_count.push_back(0);
    slice_->sample_weight_ns.push_back(0);
  }
  slice_->sample_count[at] += count;
  slice_->sample_weight_ns[at] += weight_ns;
  return at;
}

void SliceBuilder::AddTime(uint32_t row, uint64_t time_ns, double weight_ns) {
  slice_->time_ms.push_back(static_cast<double>(time_ns) / 1e6);
  slice_->time_sample.push_back(row);
  slice_->time_weight_ns.push_back(weight_ns);
}

std::unique_ptr<Slice> SliceBuilder::Cut() {
  std::unique_ptr<Slice> cut = std::move(slice_);
  Reset();
  return cut;
}

}  // namespace strobe::stack
