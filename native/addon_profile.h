// The Node-API face of a profile in the making: `ProfileTables`, `orderFrames` and `encodeLocations` of src/native.ts.
#pragma once

#include <napi.h>

namespace strobe {

void AddProfileFunctions(Napi::Env env, Napi::Object exports);

}  // namespace strobe
