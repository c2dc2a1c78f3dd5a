#include "stack/slice_builder.h"

namespace strobe::stack {

SliceBuilder::SliceBuilder() { Reset(); }

void SliceBuilder::Reset() {
  slice_ = std::make_unique<Slice>();
  strings_.clear();
  functions_.clear();
  held_.clear();
  places_.Clear();
  frames_.Clear();
  children_.Clear();
  rows_.Clear();
  threads_.clear();
  String("");
  slice_->node_parent.push_back(0);
  slice_->node_frame.push_back(0);
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

void SliceBuilder::AddSample(const Row& row, uint32_t count, double weight_ns) {
  bool fresh = false;
  // 28 bits are more threads than a slice can have.
  const uint64_t key = (uint64_t{row.node} << 32) | (uint64_t{row.thread} << 4) | (uint64_t{row.mode} << 3) | static_cast<uint64_t>(row.gc);
  const uint32_t at = rows_.FindOrInsert(key, static_cast<uint32_t>(slice_->sample_node.size()), &fresh);
  if (fresh) {
    slice_->sample_node.push_back(row.node);
    slice_->sample_thread.push_back(row.thread);
    slice_->sample_mode.push_back(row.mode);
    slice_->sample_gc.push_back(static_cast<uint8_t>(row.gc));
    slice_->sample_count.push_back(0);
    slice_->sample_weight_ns.push_back(0);
  }
  slice_->sample_count[at] += count;
  slice_->sample_weight_ns[at] += weight_ns;
}

std::unique_ptr<Slice> SliceBuilder::Cut() {
  std::unique_ptr<Slice> cut = std::move(slice_);
  Reset();
  return cut;
}

}  // namespace strobe::stack
