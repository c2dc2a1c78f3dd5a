// Looks V8's functions up by their mangled names. Called from module initialisation or later, never from a static initialiser:
// dlsym(RTLD_DEFAULT) in one has crashed inside glibc.
#include <dlfcn.h>

#include "v8/api.h"

namespace strobe::v8api {

namespace {

template <typename F>
bool Find(const char* symbol, F* out) {
  void* found = dlsym(RTLD_DEFAULT, symbol);
  *out = reinterpret_cast<F>(found);
  return found != nullptr;
}

struct Loaded {
  Symbols symbols;
  std::string missing;
};

Loaded Load() {
  Loaded loaded;
  Symbols& s = loaded.symbols;
  const auto need = [&](const char* name, const char* symbol, auto* out) {
    if (!Find(symbol, out)) loaded.missing += (loaded.missing.empty() ? "" : ", ") + std::string(name);
  };
  need("Isolate::GetCurrent", "_ZN2v87Isolate10GetCurrentEv", &s.get_current);
  need("Isolate::GetStackSample", "_ZN2v87Isolate14GetStackSampleERKNS_13RegisterStateEPPvmPNS_10SampleInfoE", &s.get_stack_sample);
  need("Isolate::SetJitCodeEventHandler", "_ZN2v87Isolate22SetJitCodeEventHandlerENS_19JitCodeEventOptionsEPFvPKNS_12JitCodeEventEE",
       &s.set_jit_code_event_handler);
  // All four or none: a callback that can't be removed must not be added.
  constexpr const char* kCallback = "EPFvPS0_NS_6GCTypeENS_15GCCallbackFlagsEPvES4_";
  const std::string add = std::string(kCallback) + "S2_";
  const bool all = Find(("_ZN2v87Isolate21AddGCPrologueCallback" + add).c_str(), &s.add_gc_prologue) &&
                   Find(("_ZN2v87Isolate21AddGCEpilogueCallback" + add).c_str(), &s.add_gc_epilogue) &&
                   Find((std::string("_ZN2v87Isolate24RemoveGCPrologueCallback") + kCallback).c_str(), &s.remove_gc_prologue) &&
                   Find((std::string("_ZN2v87Isolate24RemoveGCEpilogueCallback") + kCallback).c_str(), &s.remove_gc_epilogue);
  if (!all) s.add_gc_prologue = nullptr;
  Find("_ZN2v82V810GetVersionEv", &s.get_version);
  constexpr const char* kGlobalize = "_ZN2v812api_internal18GlobalizeReferenceEPNS_8internal7IsolateE";
  s.globalize_takes_slot = !Find((std::string(kGlobalize) + "m").c_str(), &s.globalize);
  if (s.globalize_takes_slot) Find((std::string(kGlobalize) + "Pm").c_str(), &s.globalize);
  // Renamed from V8 14 on; both are there in 14.6.
  if ((!Find("_ZN2v87Isolate36SetContinuationPreservedEmbedderDataENS_5LocalINS_5ValueEEE", &s.set_continuation_data) ||
       !Find("_ZN2v87Isolate36GetContinuationPreservedEmbedderDataEv", &s.get_continuation_data)) &&
      (!Find("_ZN2v87Isolate38SetContinuationPreservedEmbedderDataV2ENS_5LocalINS_4DataEEE", &s.set_continuation_data) ||
       !Find("_ZN2v87Isolate38GetContinuationPreservedEmbedderDataV2Ev", &s.get_continuation_data))) {
    s.get_continuation_data = nullptr;
  }
  Find("_ZN2v87Isolate12GetCodeRangeEPPvPm", &s.get_code_range);
  Find("_ZN2v87Isolate20GetEmbeddedCodeRangeEPPKvPm", &s.get_embedded_code_range);
  return loaded;
}

}  // namespace

const Symbols* LoadSymbols(std::string* missing) {
  // Leaked on purpose: static destructors run in process.exit() while signals still come.
  static const Loaded* loaded = new Loaded(Load());
  if (!loaded->missing.empty()) {
    if (missing != nullptr) *missing = loaded->missing;
    return nullptr;
  }
  return &loaded->symbols;
}

}  // namespace strobe::v8api
