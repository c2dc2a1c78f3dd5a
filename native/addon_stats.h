// What the engine says of itself, as an object: `NativeStats` in src/native.ts describes it.
#pragma once

#include <napi.h>

namespace strobe {

Napi::Value Stats(const Napi::CallbackInfo& info);

}  // namespace strobe
