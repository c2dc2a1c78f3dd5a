// On which core a thread runs, without asking the kernel: it writes the number into the thread's own memory (struct rseq, Linux 4.18 on)
// each time it lets the thread go on elsewhere, for threads that libc has registered (glibc 2.35 on; not musl).
#pragma once

#include <cstdint>

namespace strobe::capture {

// As read; kNoCore and above: not known.
inline constexpr uint32_t kNoCore = 0x80000000;

// Where the calling thread's number stands; null where it is not registered. Any thread may read there while this one lives. A number is
// old from the moment at which the thread was moved within a system call up to that call's end.
const volatile uint32_t* OwnCoreWord();

}  // namespace strobe::capture
