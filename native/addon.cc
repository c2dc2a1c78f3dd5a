// The Node-API face of the engine: checks argument types, calls the profiler, turns results into objects. No logic. The calls are described
// in src/native.ts.
#include <napi.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <limits>

#include "addon_labels.h"
#include "addon_profile.h"
#include "addon_slices.h"
#include "addon_stats.h"
#include "lifecycle.h"
#include "probe/probe.h"
#include "profiler.h"
#include "v8/self_test.h"

namespace strobe {

namespace {

int32_t CurrentTid() { return static_cast<int32_t>(syscall(SYS_gettid)); }

// An Error with a `code` of StrobeError's; src/native.ts's callers turn it into one.
void Throw(Napi::Env env, const char* code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  error.ThrowAsJavaScriptException();
}

void ThrowArgument(Napi::Env env, const char* what) { Napi::TypeError::New(env, what).ThrowAsJavaScriptException(); }

// Reads a number property; NaN when it is missing or of another type.
double Number(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  return value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : std::numeric_limits<double>::quiet_NaN();
}

// { cpu, wall } -> Modes; false when neither is on.
bool ReadModes(const Napi::Object& given, clock::Modes* modes) {
  modes->cpu = given.Get("cpu").ToBoolean().Value();
  modes->wall = given.Get("wall").ToBoolean().Value();
  return modes->cpu || modes->wall;
}

Napi::Value Start(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (info.Length() < 1 || !info[0].IsObject()) {
    ThrowArgument(env, "start(options)");
    return env.Undefined();
  }
  const Napi::Object given = info[0].As<Napi::Object>();
  StartOptions options;
  options.frequency_hz = Number(given, "frequencyHz");
  const double max_depth = Number(given, "maxDepth");
  const double exit_timeout_ms = Number(given, "exitTimeoutMs");
  const double thread_id = Number(given, "threadId");
  options.budget_share = Number(given, "budgetShare");
  options.times = given.Get("times").ToBoolean().Value();
  if (!(options.frequency_hz >= 1 && options.frequency_hz <= 1000) || !(max_depth >= 1 && max_depth <= capture::kMaxDepthLimit) ||
      !(exit_timeout_ms >= 0 && exit_timeout_ms <= 600'000) || !given.Get("threadName").IsString() ||
      !(thread_id >= 0 && thread_id <= 2147483647.0) || !(options.budget_share >= 0 && options.budget_share <= 1) ||
      !ReadModes(given, &options.modes)) {
    ThrowArgument(env,
                  "start: frequencyHz, maxDepth, exitTimeoutMs, threadName, threadId, budgetShare or cpu/wall is missing or out of range");
    return env.Undefined();
  }
  options.max_depth = static_cast<uint32_t>(max_depth);
  options.exit_timeout_ms = static_cast<int>(exit_timeout_ms);
  options.thread_id = static_cast<int32_t>(thread_id);
  options.thread_name = given.Get("threadName").As<Napi::String>().Utf8Value();
  options.handle_signals = given.Get("handleSignals").ToBoolean().Value();
  StartTimings timings;
  std::string error;
  switch (Profiler::Get().Start(options, &timings, &error)) {
    case StartResult::kAlreadyRunning:
      Throw(env, "ERR_ALREADY_RUNNING", "the profiler is already running in this process");
      return env.Undefined();
    case StartResult::kUnsupportedRuntime:
      Throw(env, "ERR_UNSUPPORTED_RUNTIME", error);
      return env.Undefined();
    case StartResult::kStarted:
      break;
  }
  Napi::Object out = Napi::Object::New(env);
  out.Set("symbolsNs", static_cast<double>(timings.symbols_ns));
  out.Set("threadsNs", static_cast<double>(timings.threads_ns));
  out.Set("enumerateNs", static_cast<double>(timings.enumerate_ns));
  out.Set("totalNs", static_cast<double>(timings.total_ns));
  return out;
}

Napi::Value Stop(const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), Profiler::Get().Stop()); }

Napi::Value Release(const Napi::CallbackInfo& info) {
  Profiler::Get().Release();
  return info.Env().Undefined();
}

Napi::Value FollowSignals(const Napi::CallbackInfo& info) {
  Profiler::Get().FollowSignals();
  return info.Env().Undefined();
}

Napi::Value Join(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (info.Length() < 3 || !info[0].IsString() || !info[1].IsNumber() || !info[2].IsBoolean()) {
    ThrowArgument(env, "join(name, threadId, fromStart)");
    return env.Undefined();
  }
  std::string error;
  if (!Profiler::Get().Join(info[0].As<Napi::String>().Utf8Value(), info[1].As<Napi::Number>().Int32Value(),
                            info[2].As<Napi::Boolean>().Value(), &error)) {
    Throw(env, "ERR_UNSUPPORTED_RUNTIME", error);
    return env.Undefined();
  }
  return Napi::Boolean::New(env, Profiler::Get().running());
}

Napi::Value NameThread(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (info.Length() < 2 || !info[0].IsNumber() || !info[1].IsString()) {
    ThrowArgument(env, "nameThread(threadId, name)");
    return env.Undefined();
  }
  Profiler::Get().NameThread(info[0].As<Napi::Number>().Int32Value(), info[1].As<Napi::String>().Utf8Value());
  return env.Undefined();
}

Napi::Value SetFrequency(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const double hz = info.Length() > 0 && info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : 0;
  if (!(hz >= 1 && hz <= 1000)) {
    ThrowArgument(env, "setFrequency(1 to 1000)");
    return env.Undefined();
  }
  Profiler::Get().SetFrequency(hz);
  return env.Undefined();
}

Napi::Value SetModes(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  clock::Modes modes;
  if (info.Length() < 1 || !info[0].IsObject() || !ReadModes(info[0].As<Napi::Object>(), &modes)) {
    ThrowArgument(env, "setModes({ cpu, wall }), one of them at least");
    return env.Undefined();
  }
  return Napi::Boolean::New(env, Profiler::Get().SetModes(modes));
}

Napi::Value Disarm(const Napi::CallbackInfo& info) {
  Profiler::Get().Disarm();
  return info.Env().Undefined();
}

Napi::Value StepAside(const Napi::CallbackInfo& info) {
  Profiler::Get().StepAside();
  return info.Env().Undefined();
}

Napi::Value PendingSignal(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), lifecycle::PendingSignal()); }

Napi::Value AttachEncoder(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (info.Length() < 1 || !info[0].IsFunction()) {
    ThrowArgument(env, "attachEncoder(wake)");
    return env.Undefined();
  }
  auto wake = Napi::ThreadSafeFunction::New(env, info[0].As<Napi::Function>(), "strobe wake", 0, 1);
  wake.Unref(env);
  const int32_t tid = CurrentTid();
  YieldToApplication();
  Profiler::Get().AttachEncoder(tid, [wake](char reason) {
    // An environment that closes answers napi_closing: nobody is left to wake.
    (void)wake.NonBlockingCall(
        [reason](Napi::Env js, Napi::Function callback) { callback.Call({Napi::String::New(js, reason == 'f' ? "flush" : "slice")}); });
  });
  // Runs before the function's own cleanup (last in, first out), so that the collector never calls a dead one.
  env.AddCleanupHook([tid] { Profiler::Get().DetachEncoder(tid); });
  return env.Undefined();
}

Napi::Value TakeSlices(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::vector<std::unique_ptr<stack::Slice>> slices;
  if (!info[0].IsNumber()) {
    Napi::TypeError::New(env, "takeSlices(limitMs)").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  const int limit_ms = info[0].As<Napi::Number>().Int32Value();
  const bool complete = Profiler::Get().TakeSlices(limit_ms, &slices);
  Napi::Array out = Napi::Array::New(env, slices.size());
  for (uint32_t i = 0; i < slices.size(); i++) {
    Napi::HandleScope scope(env);
    out.Set(i, SliceToObject(env, *slices[i]));
  }
  Napi::Object taken = Napi::Object::New(env);
  taken.Set("slices", out);
  taken.Set("complete", complete);
  return taken;
}

Napi::Value Flushed(const Napi::CallbackInfo& info) {
  Profiler::Get().Flushed();
  return info.Env().Undefined();
}

// Encoder only.
Napi::Value MeasureSignals(const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), Profiler::Get().MeasureSignals(true)); }

// Encoder only. selfTest(compile, run, limitMs): `compile(source)` evaluates the function under test, `run()` calls it.
Napi::Value SelfTest(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (info.Length() < 3 || !info[0].IsFunction() || !info[1].IsFunction() || !info[2].IsNumber()) {
    ThrowArgument(env, "selfTest(compile, run, limitMs)");
    return env.Undefined();
  }
  std::string missing;
  const v8api::Symbols* symbols = v8api::LoadSymbols(&missing);
  if (symbols == nullptr) {
    Throw(env, "ERR_UNSUPPORTED_RUNTIME", missing);
    return env.Undefined();
  }
  const auto compile = info[0].As<Napi::Function>();
  const auto run = info[1].As<Napi::Function>();
  const v8::SelfTestResult result = v8::RunSelfTest(
      *symbols,
      [&] {
        compile.Call({Napi::String::New(env, v8::kSelfTestSource)});
        return !env.IsExceptionPending();
      },
      [&] {
        Napi::HandleScope scope(env);
        run.Call({});
        return !env.IsExceptionPending();
      },
      info[2].As<Napi::Number>().Int32Value());
  if (env.IsExceptionPending()) return env.Undefined();
  Profiler::Get().MeasureSignals(false);
  Napi::Object out = Napi::Object::New(env);
  out.Set("bytecode", result.bytecode);
  out.Set("baseline", result.baseline);
  out.Set("optimised", result.optimised);
  out.Set("sourceMap", result.source_map);
  out.Set("exitFrame", result.exit_frame);
  out.Set("runs", static_cast<double>(result.runs));
  return out;
}

Napi::Value ReadProcessStats(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  probe::ProcessUsageOptions options;
  if (info.Length() > 0 && info[0].IsObject()) options.pss = info[0].As<Napi::Object>().Get("pss").ToBoolean().Value();
  options.known_kind = [](int32_t tid, probe::ThreadKind* kind) { return Profiler::Get().KnownKind(tid, kind); };
  probe::ProcessUsage usage;
  std::string error;
  if (!probe::ReadProcessUsage(options, &usage, &error)) {
    Throw(env, "ERR_IO", error);
    return env.Undefined();
  }
  Napi::Object out = Napi::Object::New(env);
  Napi::Array threads = Napi::Array::New(env, usage.threads.size());
  for (uint32_t i = 0; i < usage.threads.size(); i++) {
    const probe::ThreadUsage& thread = usage.threads[i];
    Napi::Object row = Napi::Object::New(env);
    row.Set("tid", thread.tid);
    row.Set("name", thread.name);
    row.Set("kind", probe::ThreadKindName(thread.kind));
    row.Set("cpuNs", static_cast<double>(thread.cpu_ns));
    threads.Set(i, row);
  }
  out.Set("threads", threads);
  out.Set("cpuNs", static_cast<double>(usage.cpu_ns));
  out.Set("cpuUserNs", static_cast<double>(usage.cpu_user_ns));
  out.Set("cpuSystemNs", static_cast<double>(usage.cpu_system_ns));
  out.Set("rssBytes", static_cast<double>(usage.rss_bytes));
  out.Set("virtualBytes", static_cast<double>(usage.virtual_bytes));
  out.Set("peakRssBytes", static_cast<double>(usage.peak_rss_bytes));
  if (usage.has_pss) {
    out.Set("pssBytes", static_cast<double>(usage.pss_bytes));
    out.Set("anonymousBytes", static_cast<double>(usage.anonymous_bytes));
  }
  return out;
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  // Each environment (main, every Worker that loads the addon) leaves on its own thread, before its isolate is gone.
  Profiler::Get().EnvironmentBegins();
  env.AddCleanupHook([] { Profiler::Get().EnvironmentEnds(); });
  exports.Set("version", STROBE_VERSION);
  exports.Set("start", Napi::Function::New(env, Start));
  exports.Set("stop", Napi::Function::New(env, Stop));
  exports.Set("release", Napi::Function::New(env, Release));
  exports.Set("followSignals", Napi::Function::New(env, FollowSignals));
  exports.Set("join", Napi::Function::New(env, Join));
  exports.Set("nameThread", Napi::Function::New(env, NameThread));
  exports.Set("setFrequency", Napi::Function::New(env, SetFrequency));
  exports.Set("setModes", Napi::Function::New(env, SetModes));
  exports.Set("disarm", Napi::Function::New(env, Disarm));
  exports.Set("stepAside", Napi::Function::New(env, StepAside));
  exports.Set("pendingSignal", Napi::Function::New(env, PendingSignal));
  exports.Set("attachEncoder", Napi::Function::New(env, AttachEncoder));
  exports.Set("takeSlices", Napi::Function::New(env, TakeSlices));
  exports.Set("flushed", Napi::Function::New(env, Flushed));
  exports.Set("selfTest", Napi::Function::New(env, SelfTest));
  exports.Set("measureSignals", Napi::Function::New(env, MeasureSignals));
  exports.Set("stats", Napi::Function::New(env, Stats));
  AddLabelFunctions(env, exports);
  AddProfileFunctions(env, exports);
  exports.Set("processStats", Napi::Function::New(env, ReadProcessStats));
  return exports;
}

NODE_API_MODULE(strobe, Init)

}  // namespace

}  // namespace strobe
