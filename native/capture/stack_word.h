// One word of the sampled thread's stack, read as it is. Async-signal-safe. AddressSanitizer keeps poisoned zones between the variables of
// functions it compiled: what the handler looks at is no variable, so it must not check here.
#pragma once

#include <cstdint>

namespace strobe::capture {

__attribute__((no_sanitize_address)) inline uint64_t StackWord(uint64_t address) {
  return *reinterpret_cast<const volatile uint64_t*>(address);
}

}  // namespace strobe::capture
