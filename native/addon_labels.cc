#include "addon_labels.h"

#include <string>
#include <vector>

#include "capture/label_source.h"
#include "label/label_table.h"
#include "label/sections.h"
#include "profiler.h"
#include "v8/heap.h"
#include "v8/label_test.h"

// libuv's, from 1.39 on; Node has it in its binary. (The headers of Node-API are without libuv's.)
extern "C" __attribute__((weak)) uint64_t uv_metrics_idle_time(struct uv_loop_s* loop);

namespace strobe {

namespace {

// Handles' slots are 64-bit words that hold tagged pointers; a napi_value is the address of one.
uint64_t* Slot(Napi::Value value) { return reinterpret_cast<uint64_t*>(static_cast<napi_value>(value)); }

// The first `count` arguments, as 32 bits each. False when one is no number.
template <size_t count>
bool ReadWords(const Napi::CallbackInfo& info, uint32_t (&words)[count]) {
  for (size_t i = 0; i < count; i++) {
    if (napi_get_value_uint32(info.Env(), info[i], &words[i]) != napi_ok) return false;
  }
  return true;
}

bool AreNumbers(const Napi::CallbackInfo& info, size_t count) {
  if (info.Length() < count) return false;
  for (size_t i = 0; i < count; i++) {
    if (!info[i].IsNumber()) return false;
  }
  return true;
}

Napi::Value Wrong(Napi::Env env, const char* what) {
  Napi::TypeError::New(env, what).ThrowAsJavaScriptException();
  return env.Undefined();
}

// [key, value, key, value, …]
bool ReadPairs(const Napi::Value& value, label::Pairs* out) {
  if (!value.IsArray()) return false;
  const auto array = value.As<Napi::Array>();
  const uint32_t length = array.Length();
  if (length % 2 != 0) return false;
  for (uint32_t i = 0; i < length; i += 2) {
    const Napi::Value key = array.Get(i);
    const Napi::Value text = array.Get(i + 1);
    if (!key.IsString() || !text.IsString()) return false;
    out->emplace_back(key.As<Napi::String>().Utf8Value(), text.As<Napi::String>().Utf8Value());
  }
  return true;
}

uint64_t* Globalize(const v8api::Symbols& symbols, v8api::Isolate* isolate, uint64_t* slot) {
  return symbols.globalize(isolate, symbols.globalize_takes_slot ? reinterpret_cast<uint64_t>(slot) : *slot);
}

// attachLabels(storage, holder), called while the label that `holder` has is the current value of `storage`.
Napi::Value AttachLabels(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (info.Length() < 2 || !info[0].IsObject() || !info[1].IsObject()) return Wrong(env, "attachLabels(storage, holder)");
  std::string reason;
  const v8api::Symbols* symbols = v8api::LoadSymbols(&reason);
  const v8::Layout* layout = v8::FindLayout(&reason);
  const auto off = [&](const std::string& why) { return Napi::String::New(env, "off: " + why); };
  if (symbols == nullptr || layout == nullptr) return off(reason);
  v8api::Isolate* isolate = symbols->get_current();
  if (symbols->globalize == nullptr || isolate == nullptr) return off("this V8 has no global handles that can be read");
  capture::LabelSource* labels = Profiler::Get().Labels();
  if (labels->handle != nullptr) return off("attached twice");
  bool frame = false;
  // After a failed self-test: by hooks, which need less of V8.
  const bool allowed = capture::g_continuation_slot.load() != capture::kNoContinuationSlot;
  if (allowed && symbols->get_continuation_data != nullptr && layout->type_ordered_hash_map != 0) {
    const uint64_t* data = symbols->get_continuation_data(isolate);
    capture::SampleLabel label;
    frame = data != nullptr && capture::ReadFromFrame(*layout, *data, *Slot(info[0]), &label) == capture::LabelRead::kFound;
  }
  // The encoder's self-test is some milliseconds away, and checks it again.
  uint32_t unknown = 0;
  if (frame) {
    capture::g_continuation_slot.compare_exchange_strong(unknown,
                                                         v8::FindContinuationSlot(isolate, *symbols->get_continuation_data(isolate)));
  }
  labels->handle = Globalize(*symbols, isolate, Slot(info[frame ? 0 : 1]));
  std::atomic_signal_fence(std::memory_order_release);
  labels->kind.store(frame ? capture::LabelSource::kFrame : capture::LabelSource::kHolder);
  return Napi::String::New(env, frame ? "frame" : "hooks");
}

// A set's id and its generation in one number: generation * 2^16 + id; 0: no room. Not the id alone: until its caller had looked up the
// generation, the slot might be another set's.
constexpr uint32_t kSetIds = 1 << 16;
static_assert(label::LabelTableLimits{}.sets <= kSetIds);

Napi::Value InternLabels(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  label::Pairs pairs;
  if (info.Length() < 1 || !ReadPairs(info[0], &pairs)) return Wrong(env, "internLabels(pairs)");
  uint32_t generation = 0;
  const uint32_t id = label::LabelTable::Get().Intern(std::move(pairs), &generation);
  return Napi::Number::New(env, static_cast<double>(generation) * kSetIds + id);
}

// The table's arrays and whether a profiler runs, which live as long as the process, and this isolate's SectionWords; in place.
// How long the loop has waited for events, nanoseconds.
uint64_t LoopIdleNs(void* loop) { return uv_metrics_idle_time(static_cast<uv_loop_s*>(loop)); }

// Sections follow the clock over the loop's waits. A second environment of the thread may have another loop: then none is followed.
void FollowLoop(napi_env env, capture::LabelSource* labels) {
  uv_loop_s* loop = nullptr;
  if (uv_metrics_idle_time == nullptr || napi_get_uv_event_loop(env, &loop) != napi_ok) return;
  const bool another = labels->loop_idle_ns != nullptr && labels->loop != loop;
  labels->loop_idle_ns = LoopIdleNs;
  labels->loop = another ? nullptr : loop;
}

Napi::Value LabelArrays(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  label::LabelTable& table = label::LabelTable::Get();
  Napi::Object out = Napi::Object::New(env);
  const uint32_t count = table.capacity();
  const auto generations = Napi::ArrayBuffer::New(env, table.generations(), count * sizeof(uint32_t));
  const auto used = Napi::ArrayBuffer::New(env, table.used(), count);
  const auto running = Napi::ArrayBuffer::New(env, Profiler::Get().running_word(), sizeof(uint32_t));
  FollowLoop(env, Profiler::Get().Labels());
  const auto section = Napi::ArrayBuffer::New(env, &Profiler::Get().Labels()->words, sizeof(capture::SectionWords));
  if (env.IsExceptionPending()) return env.Undefined();
  out.Set("running", Napi::Int32Array::New(env, 1, running, 0));
  out.Set("section", Napi::Int32Array::New(env, sizeof(capture::SectionWords) / sizeof(uint32_t), section, 0));
  out.Set("generations", Napi::Int32Array::New(env, count, generations, 0));
  out.Set("used", Napi::Uint8Array::New(env, count, used, 0));
  return out;
}

Napi::Value InheritLabels(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  label::Pairs pairs;
  if (info.Length() < 2 || !info[0].IsNumber() || !ReadPairs(info[1], &pairs)) return Wrong(env, "inheritLabels(threadId, pairs)");
  Profiler::Get().InheritLabels(info[0].As<Napi::Number>().Int32Value(), pairs);
  return env.Undefined();
}

Napi::Value InheritedLabels(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (!AreNumbers(info, 1)) return Wrong(env, "inheritedLabels(threadId)");
  const label::Pairs pairs = Profiler::Get().InheritedLabels(info[0].As<Napi::Number>().Int32Value());
  Napi::Array out = Napi::Array::New(env, pairs.size() * 2);
  for (uint32_t i = 0; i < pairs.size(); i++) {
    out.Set(2 * i, pairs[i].first);
    out.Set(2 * i + 1, pairs[i].second);
  }
  return out;
}

// enterSection(), exitSection(): what they are told and what they answer stands in SectionWords. Plain Node-API functions without arguments
// and without a value: they are on the way of every span, and each call into Node-API for one costs a request of 0.2 ms more than it seems,
// because nothing of it is in the caches (docs/spans.md).
napi_value EnterSection(napi_env, napi_callback_info) {
  capture::LabelSource* labels = Profiler::Get().Labels();
  capture::SectionWords& words = labels->words;
  words.depth = 0;
  // Not sampled: nobody asks what it cost, and the counters of an earlier run stay what they are.
  if (labels->state == nullptr || !labels->state->armed.load(std::memory_order_relaxed)) return nullptr;
  const label::SectionOwner owner{words.span_slot, words.span_generation, words.label_set, words.label_generation};
  words.depth = label::EnterSection(labels, owner, labels->state->armed_cpu_ns.load(std::memory_order_relaxed));
  return nullptr;
}

napi_value ExitSection(napi_env, napi_callback_info) {
  capture::LabelSource* labels = Profiler::Get().Labels();
  if (labels->state == nullptr) return nullptr;
  label::ExitSection(labels, &label::LabelTable::Get(), labels->words.depth, labels->thread_key,
                     labels->state->armed_cpu_ns.load(std::memory_order_relaxed));
  return nullptr;
}

Napi::Value PlainFunction(Napi::Env env, const char* name, napi_callback call) {
  napi_value function = nullptr;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, call, nullptr, &function) != napi_ok) return env.Undefined();
  return Napi::Value(env, function);
}

// openSectionsNs(span, spanGeneration): own CPU so far of the span's sections that are open, nanoseconds.
Napi::Value OpenSectionsNs(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  uint32_t span[2];
  if (!ReadWords(info, span)) return Wrong(env, "openSectionsNs(span, spanGeneration)");
  capture::LabelSource* labels = Profiler::Get().Labels();
  if (labels->state == nullptr) return Napi::Number::New(env, 0);
  const uint64_t since = labels->state->armed_cpu_ns.load(std::memory_order_relaxed);
  return Napi::Number::New(env, static_cast<double>(label::OpenSectionsNs(labels, span[0], span[1], since)));
}

// The next chunk of span slots, for the caller to hand out: { first, memory }, an ArrayBuffer of kChunk SpanUse. It lives as long as this
// thread's JavaScript can run. Null when all are given; undefined when nothing was ever sampled on this thread: nobody would count.
Napi::Value SpanChunk(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  capture::LabelSource* labels = Profiler::Get().Labels();
  if (labels->state == nullptr) return env.Undefined();
  uint32_t first = 0;
  capture::SpanUse* chunk = labels->spans.GiveChunk(&first);
  if (chunk == nullptr) return env.Null();
  Napi::Object out = Napi::Object::New(env);
  out.Set("first", first);
  out.Set("memory", Napi::ArrayBuffer::New(env, chunk, sizeof(capture::SpanUse) * capture::SpanSlots::kChunk));
  return out;
}

const char* WhoseName(label::Attribution::Whose whose) {
  switch (whose) {
    case label::Attribution::Whose::kValue:
      return "value";
    case label::Attribution::Whose::kUnlabelled:
      return "unlabelled";
    case label::Attribution::Whose::kEvicted:
      return "evicted";
    case label::Attribution::Whose::kOther:
      return "other";
  }
  return "";
}

Napi::Value Attribution(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (info.Length() < 1 || !info[0].IsString()) return Wrong(env, "attribution(key)");
  const auto rows = Profiler::Get().ReadAttribution(info[0].As<Napi::String>().Utf8Value());
  Napi::Array out = Napi::Array::New(env, rows.size());
  for (uint32_t i = 0; i < rows.size(); i++) {
    Napi::HandleScope scope(env);
    Napi::Object row = Napi::Object::New(env);
    row.Set("whose", WhoseName(rows[i].whose));
    row.Set("value", rows[i].value);
    Napi::Array threads = Napi::Array::New(env, rows[i].threads.size());
    for (uint32_t t = 0; t < rows[i].threads.size(); t++) {
      const auto& [tid, name, use] = rows[i].threads[t];
      Napi::Object thread = Napi::Object::New(env);
      thread.Set("tid", tid);
      thread.Set("name", name);
      thread.Set("sampledNs", static_cast<double>(use.sampled_ns));
      thread.Set("samples", static_cast<double>(use.samples));
      thread.Set("exactNs", static_cast<double>(use.exact.cpu_ns));
      thread.Set("exactWallNs", static_cast<double>(use.exact.wall_ns));
      thread.Set("sections", static_cast<double>(use.exact.sections));
      threads.Set(t, thread);
    }
    row.Set("threads", threads);
    out.Set(i, row);
  }
  return out;
}

// Encoder only. testLabels(label, holder, frame, other, storage, fields)
Napi::Value TestLabels(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::string reason;
  const v8api::Symbols* symbols = v8api::LoadSymbols(&reason);
  if (info.Length() < 6 || symbols == nullptr || !info[5].IsTypedArray()) {
    return Wrong(env, "testLabels(label, holder, frame, other, storage, fields)");
  }
  const auto fields = info[5].As<Napi::Uint32Array>();
  if (fields.ElementLength() != 12) return Wrong(env, "testLabels: 12 fields");
  const auto wide = [&](size_t at) { return (uint64_t{fields[at]} << 32) | fields[at + 1]; };
  capture::SampleLabel expected;
  expected.label_set = fields[0];
  expected.label_set_generation = fields[1];
  expected.attribution_slot = fields[2];
  expected.attribution_generation = fields[3];
  expected.trace_id_high = wide(4);
  expected.trace_id_low = wide(6);
  expected.span_id = wide(8);
  expected.local_root_id = wide(10);
  const v8::LabelTestResult result =
      v8::TestLabels(*symbols, {Slot(info[0]), Slot(info[1]), Slot(info[2]), Slot(info[3]), Slot(info[4])}, expected);
  Napi::Object out = Napi::Object::New(env);
  out.Set("holder", result.holder);
  out.Set("frame", result.frame);
  return out;
}

}  // namespace

std::string LabelsFeature() {
  if (capture::g_labels_forbidden.load()) return "off: the self-test failed on this V8";
  const capture::LabelSource* labels = Profiler::Get().Labels();
  switch (labels->kind.load()) {
    case capture::LabelSource::kFrame:
      if (capture::g_continuation_slot.load() == capture::kNoContinuationSlot) return "off: the self-test failed on this V8";
      if (capture::g_continuation_slot.load() == 0) return "off: the self-test did not find where this V8 keeps the async context";
      return "on: read from the async context frame";
    case capture::LabelSource::kHolder:
      return "on: by async hooks";
    default:
      return "on: not used yet on this thread";
  }
}

void AddLabelFunctions(Napi::Env env, Napi::Object exports) {
  exports.Set("attachLabels", Napi::Function::New(env, AttachLabels));
  exports.Set("internLabels", Napi::Function::New(env, InternLabels));
  exports.Set("labelArrays", Napi::Function::New(env, LabelArrays));
  exports.Set("inheritLabels", Napi::Function::New(env, InheritLabels));
  exports.Set("inheritedLabels", Napi::Function::New(env, InheritedLabels));
  exports.Set("enterSection", PlainFunction(env, "enterSection", EnterSection));
  exports.Set("exitSection", PlainFunction(env, "exitSection", ExitSection));
  exports.Set("openSectionsNs", Napi::Function::New(env, OpenSectionsNs));
  exports.Set("spanChunk", Napi::Function::New(env, SpanChunk));
  exports.Set("attribution", Napi::Function::New(env, Attribution));
  exports.Set("testLabels", Napi::Function::New(env, TestLabels));
}

}  // namespace strobe
