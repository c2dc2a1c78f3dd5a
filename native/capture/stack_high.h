// Where the calling thread's stack ends. Not for a signal handler: asked once a thread.
#pragma once

#include <cstdint>

namespace strobe::capture {

// One past the highest address of this thread's stack; 0 when it can't be told.
uint64_t StackHigh();

}  // namespace strobe::capture
