#include "addon_slices.h"

#include <cstring>

namespace strobe {

namespace {

// A copy into memory that the JavaScript heap owns: the encoder keeps it as long as it likes.
template <typename Array, typename T>
Array Column(Napi::Env env, const std::vector<T>& values) {
  Array array = Array::New(env, values.size());
  // In an environment that is being torn down nothing can be made any more; the slice is not wanted either.
  if (array.IsEmpty() || array.Data() == nullptr) return array;
  if (!values.empty()) std::memcpy(array.Data(), values.data(), values.size() * sizeof(T));
  return array;
}

Napi::Object TotalsToObject(Napi::Env env, const stack::SliceTotals& totals) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("samples", static_cast<double>(totals.samples));
  out.Set("lost", static_cast<double>(totals.lost));
  out.Set("truncated", static_cast<double>(totals.truncated));
  out.Set("frames", static_cast<double>(totals.frames));
  out.Set("unresolvedFrames", static_cast<double>(totals.unresolved_frames));
  out.Set("mended", static_cast<double>(totals.mended));
  return out;
}

}  // namespace

Napi::Object SliceToObject(Napi::Env env, const stack::Slice& slice) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("number", slice.number);
  out.Set("startUnixMs", slice.start_unix_ms);
  out.Set("endUnixMs", slice.end_unix_ms);
  out.Set("frequencyHz", slice.frequency_hz);
  Napi::Array strings = Napi::Array::New(env, slice.strings.size());
  for (uint32_t i = 0; i < slice.strings.size(); i++) strings.Set(i, Napi::String::New(env, slice.strings[i]));
  out.Set("strings", strings);
  out.Set("functionName", Column<Napi::Uint32Array>(env, slice.function_name));
  out.Set("functionFile", Column<Napi::Uint32Array>(env, slice.function_file));
  out.Set("functionLine", Column<Napi::Uint32Array>(env, slice.function_line));
  out.Set("functionColumn", Column<Napi::Uint32Array>(env, slice.function_column));
  out.Set("functionKind", Column<Napi::Uint8Array>(env, slice.function_kind));
  out.Set("functionMapKind", Column<Napi::Uint8Array>(env, slice.function_map_kind));
  out.Set("functionMapUrl", Column<Napi::Uint32Array>(env, slice.function_map_url));
  out.Set("frameFunction", Column<Napi::Uint32Array>(env, slice.frame_function));
  out.Set("frameLine", Column<Napi::Uint32Array>(env, slice.frame_line));
  out.Set("frameColumn", Column<Napi::Uint32Array>(env, slice.frame_column));
  out.Set("nodeParent", Column<Napi::Uint32Array>(env, slice.node_parent));
  out.Set("nodeFrame", Column<Napi::Uint32Array>(env, slice.node_frame));
  Napi::Array threads = Napi::Array::New(env, slice.threads.size());
  for (uint32_t i = 0; i < slice.threads.size(); i++) {
    Napi::Object thread = Napi::Object::New(env);
    thread.Set("tid", slice.threads[i].tid);
    thread.Set("name", slice.threads[i].name);
    threads.Set(i, thread);
  }
  out.Set("threads", threads);
  out.Set("labelEnd", Column<Napi::Uint32Array>(env, slice.label_end));
  out.Set("labelKey", Column<Napi::Uint32Array>(env, slice.label_key));
  out.Set("labelValue", Column<Napi::Uint32Array>(env, slice.label_value));
  out.Set("sampleNode", Column<Napi::Uint32Array>(env, slice.sample_node));
  out.Set("sampleThread", Column<Napi::Uint32Array>(env, slice.sample_thread));
  out.Set("sampleLabel", Column<Napi::Uint32Array>(env, slice.sample_label));
  out.Set("sampleMode", Column<Napi::Uint8Array>(env, slice.sample_mode));
  out.Set("sampleGc", Column<Napi::Uint8Array>(env, slice.sample_gc));
  out.Set("sampleCount", Column<Napi::Uint32Array>(env, slice.sample_count));
  out.Set("sampleWeightNs", Column<Napi::Float64Array>(env, slice.sample_weight_ns));
  out.Set("timeMs", Column<Napi::Float64Array>(env, slice.time_ms));
  out.Set("timeSample", Column<Napi::Uint32Array>(env, slice.time_sample));
  out.Set("timeWeightNs", Column<Napi::Float64Array>(env, slice.time_weight_ns));
  Napi::Array rates = Napi::Array::New(env, slice.rate_changes.size());
  for (uint32_t i = 0; i < slice.rate_changes.size(); i++) {
    constexpr const char* kReasons[] = {"start", "asked", "budget"};
    Napi::Object rate = Napi::Object::New(env);
    rate.Set("unixMs", slice.rate_changes[i].unix_ms);
    rate.Set("hz", slice.rate_changes[i].hz);
    rate.Set("why", kReasons[static_cast<size_t>(slice.rate_changes[i].why)]);
    rates.Set(i, rate);
  }
  out.Set("rateChanges", rates);
  out.Set("totals", TotalsToObject(env, slice.totals));
  out.Set("wallTotals", TotalsToObject(env, slice.wall_totals));
  return out;
}

}  // namespace strobe
