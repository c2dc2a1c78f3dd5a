#include "addon_stats.h"

#include <initializer_list>

#include "addon_labels.h"
#include "label/label_table.h"
#include "profiler.h"
#include "v8/self_test.h"

namespace strobe {

namespace {

// So many refusals in a row are no passing shortage.
constexpr uint64_t kRefusedIsOff = 20;

}  // namespace

Napi::Value Stats(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const Profiler::Stats stats = Profiler::Get().ReadStats();
  const CollectorCounters& c = Profiler::Get().counters();
  const auto count = [&](const std::atomic<uint64_t>& value) { return static_cast<double>(value.load(std::memory_order_relaxed)); };
  Napi::Object out = Napi::Object::New(env);
  out.Set("running", stats.running);
  out.Set("samples", static_cast<double>(stats.samples));
  out.Set("lost", count(c.lost));
  out.Set("wallSamples", static_cast<double>(stats.wall_samples));
  out.Set("wallLost", count(c.wall_lost));
  out.Set("truncated", count(c.truncated));
  out.Set("frames", count(c.frames));
  out.Set("unresolvedFrames", count(c.unresolved_frames));
  out.Set("droppedSlices", count(c.dropped_slices));
  out.Set("lateSamples", count(c.late));
  out.Set("codeEvents", count(c.code_events));
  out.Set("codeEntries", count(c.code_entries));
  out.Set("codeEvictedOverlap", count(c.evicted_overlap));
  out.Set("codeEvictedBound", count(c.evicted_bound));
  out.Set("codeEvictedDead", count(c.evicted_dead));
  out.Set("codeDetails", static_cast<double>(stats.details));
  out.Set("codeDetailsRefused", static_cast<double>(stats.details_refused));
  out.Set("codeWithoutPositions", static_cast<double>(stats.without_positions));
  out.Set("mendedCallers", count(c.mended));
  out.Set("gcSamples", count(c.gc_samples));
  out.Set("gcSamplesWithStack", count(c.gc_with_stack));
  const label::LabelTable& table = label::LabelTable::Get();
  Napi::Object labels = Napi::Object::New(env);
  labels.Set("sets", static_cast<double>(table.live()));
  labels.Set("evictedSets", static_cast<double>(table.evicted()));
  labels.Set("refusedSets", static_cast<double>(table.refused()));
  labels.Set("samples", count(c.labelled));
  labels.Set("evictedSamples", count(c.evicted_labels));
  labels.Set("refusedSamples", static_cast<double>(stats.labels_refused));
  out.Set("labels", labels);
  Napi::Object memory = Napi::Object::New(env);
  memory.Set("code", count(c.code_bytes));
  memory.Set("names", count(c.name_bytes));
  memory.Set("scriptUrls", count(c.script_url_bytes));
  memory.Set("codeEvents", static_cast<double>(v8::CodeEventQueue::AllocatedBytes()));
  memory.Set("labels", static_cast<double>(table.bytes() + table.retired_bytes()));
  memory.Set("slices", count(c.slice_bytes));
  memory.Set("rings", static_cast<double>(stats.ring_bytes));
  out.Set("memory", memory);
  Napi::Array threads = Napi::Array::New(env, stats.threads.size());
  for (uint32_t i = 0; i < stats.threads.size(); i++) {
    Napi::Object thread = Napi::Object::New(env);
    thread.Set("tid", stats.threads[i].tid);
    thread.Set("name", stats.threads[i].name);
    thread.Set("samples", static_cast<double>(stats.threads[i].samples));
    thread.Set("cpuNs", static_cast<double>(stats.threads[i].cpu_ns));
    threads.Set(i, thread);
  }
  out.Set("threads", threads);
  out.Set("frequencyHz", stats.frequency_hz);
  out.Set("askedHz", stats.asked_hz);
  out.Set("effectiveHz",
          stats.sampled_cpu_ns == 0 ? 0.0 : static_cast<double>(stats.samples) * 1e9 / static_cast<double>(stats.sampled_cpu_ns));
  Napi::Object wakeups = Napi::Object::New(env);
  wakeups.Set("sampler", static_cast<double>(stats.sampler_wakeups));
  wakeups.Set("collector", count(c.wakeups));
  out.Set("wakeups", wakeups);
  out.Set("selfClocked", stats.self_clocked);
  Napi::Object overhead = Napi::Object::New(env);
  overhead.Set("handlerNs", static_cast<double>(stats.handler_ns));
  overhead.Set("signalNs", static_cast<double>(stats.signal_ns));
  overhead.Set("gcNs", static_cast<double>(stats.gc_ns));
  overhead.Set("codeEventNs", static_cast<double>(stats.code_event_ns));
  overhead.Set("samplerNs", static_cast<double>(stats.sampler_ns));
  overhead.Set("collectorNs", count(c.cpu_ns));
  overhead.Set("encoderNs", static_cast<double>(stats.encoder_ns));
  out.Set("overhead", overhead);
  Napi::Object features = Napi::Object::New(env);
  std::string clock = "on";
  if (stats.signal_taken) clock = "off: the sampling signal was taken by other code";
  if (stats.signals_refused >= kRefusedIsOff) {
    clock =
        "off: the kernel refuses signals (errno " + std::to_string(stats.refused_errno) + "): a full signal queue (ulimit -i) or a filter";
  }
  features.Set("clock", clock);
  std::string wall = "off: not asked for";
  if (stats.modes.wall) {
    wall = stats.batches_idle ? "on" : "on; the kernel does not count time slices, so that sleeping threads are signalled at each tick";
  }
  features.Set("wall", wall);
  const auto reading = [&](std::initializer_list<v8::DetailKind> kinds) -> std::string {
    if (!stats.lines_off.empty()) return "off: " + stats.lines_off;
    for (const v8::DetailKind kind : kinds) {
      if (!v8::DetailsAllowed(kind)) return "off: the self-test failed on this V8";
    }
    return "on";
  };
  std::string lines = reading({v8::DetailKind::kBytecode, v8::DetailKind::kBaseline});
  if (lines == "on" && stats.without_positions != 0) {
    lines =
        "on; " + std::to_string(stats.without_positions) + " functions were compiled before the profiler started and show their first line";
  }
  features.Set("lines", lines);
  features.Set("inlinedFrames", reading({v8::DetailKind::kOptimised}));
  features.Set("gcStacks", stats.gc_stacks ? "on" : "off: this V8 has no callbacks around collections");
  features.Set("labels", LabelsFeature());
  features.Set("names", c.code_resets.load() == 0 ? "on" : "on, with gaps: memory ran out for code events");
  out.Set("features", features);
  return out;
}

}  // namespace strobe
