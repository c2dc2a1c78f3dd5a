// The Node-API face of labels, sections, spans and attribution (src/native.ts says what each call does).
#pragma once

#include <napi.h>

namespace strobe {

void AddLabelFunctions(Napi::Env env, Napi::Object exports);

// stats().features.labels of the calling thread.
std::string LabelsFeature();

}  // namespace strobe
