// Slices as JavaScript objects: the shape of `Slice` in src/native.ts.
#pragma once

#include <napi.h>

#include "stack/slice.h"

namespace strobe {

Napi::Object SliceToObject(Napi::Env env, const stack::Slice& slice);

}  // namespace strobe
