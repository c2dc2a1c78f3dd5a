#include <time.h>

#include "capture/capture.h"
#include "capture/clocks.h"

namespace strobe::capture {

bool WaitForHandler(const ThreadState& state, uint64_t until_ns) {
  constexpr long kLookEveryNs = 50'000;
  while (state.in_handler.load()) {
    if (MonotonicNowNs() >= until_ns) return false;
    const timespec nap{0, kLookEveryNs};
    nanosleep(&nap, nullptr);
  }
  return true;
}

}  // namespace strobe::capture
