// The stack that a garbage collection was triggered from. V8 gives no stack while it collects; so it is taken when the collection begins,
// in V8's prologue callback, and every sample that lands inside the collection carries it.
//
// Contract: both run on the isolate's thread, as V8's callbacks, outside of any signal handler; they allocate nothing and take no lock. The
// handler interrupts them on the same thread, so order within the thread is all that is needed: `gc_since` is stored last at the beginning
// and first at the end (with release, because the collector reads it too), and the handler uses the frames only while it is set.
//
// `gc_since` and code moves: addresses in the stack are those of the beginning, before anything moved. Samples inside carry the number of
// code events published then, and the collector holds later events back until the collection is over (collector.h).
#pragma once

#include <cstdint>

#include "capture/thread_state.h"

namespace strobe::capture {

void GcBegins(ThreadState* state, uint32_t gc_type);
void GcEnds(ThreadState* state);

}  // namespace strobe::capture
