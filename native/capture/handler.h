// The signal handler's installation: one real-time signal, chosen once a process, never given back.
#pragma once

#include <cstdint>
#include <string>

namespace strobe::capture {

// Installs the handler on a real-time signal that nobody uses. Idempotent. Returns the signal number, or 0 with `error` set.
int InstallHandler(std::string* error);

// The signal number, 0 before InstallHandler.
int SampleSignal();

// True while the disposition is still ours. When somebody took the signal away, sending it could kill the process: the sampler stops
// instead.
bool HandlerInPlace();

// In a forked child: the handler does nothing from here on.
void MakeInert();

}  // namespace strobe::capture
