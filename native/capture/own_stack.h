// Where the calling thread's stack is. Not for a signal handler: asked once a thread.
#pragma once

#include <cstdint>

namespace strobe::capture {

struct StackBounds {
  uint64_t low = 0;  // lowest address that the stack may reach; both 0: can't be told
  uint64_t high = 0;
};
StackBounds OwnStack();

}  // namespace strobe::capture
