// Staying harmless at the edges of a process's life: signals that end it, exit(), fork().
//
// Ending signals (SIGINT, SIGTERM). A native action is installed only where the application has none: the disposition is the default one,
// or Node's own (which resets the terminal and raises again). When the signal comes, the action (async-signal-safe: atomics and one futex
// wake) asks the collector to flush; it works with a hung loop, because neither the collector nor the encoder needs the main thread. After
// the flush, or its limit, what was there before is put back and the signal is sent again, so the process dies of it with the true status.
// Another signal more than half a second later ends it at once. An application that installs its own handler later replaces ours, and is
// never touched. Process 1 of a container is left alone: the kernel gives it no default action, and ours would change that.
//
// An application whose handler was in the way and is gone (process.once, then raising the signal again) is served by FollowEndingSignals.
//
// exit(): the clock is disarmed by atexit too, because process.exit() runs static destructors but no environment cleanup hook.
// fork(): the child is inert: its handlers do nothing of ours (an ending signal ends it), and it has none of our threads, so exit() waits
// for none.
#pragma once

#include <functional>

namespace strobe::lifecycle {

// `on_signal` is called in the signal's action: async-signal-safe only.
void InstallEndingSignals(void (*on_signal)());
// Again for those that have the default action by now; keeps a signal that waits.
void FollowEndingSignals();
void RemoveEndingSignals();
// The signal that waits, or 0.
int PendingSignal();
// Puts back what was there before and sends the pending signal again.
void EndByPendingSignal();

// Once a process; `at_exit` runs in exit(), not in a forked child's; `in_child` in a forked child (async-signal-safe).
void InstallExitAndFork(void (*at_exit)(), void (*in_child)());

}  // namespace strobe::lifecycle
