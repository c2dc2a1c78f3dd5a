#include "capture/own_core.h"

#include <dlfcn.h>

#include <cstddef>

namespace strobe::capture {

namespace {

// struct rseq (uapi/linux/rseq.h): cpu_id_start, cpu_id, …
constexpr size_t kCoreAt = 4;
constexpr unsigned kLeastSize = 8;

const char* ThreadPointer() {
#if defined(__x86_64__)
  // Its own address stands at its beginning (System V ABI, TLS variant II); gcc has the builtin for it since 11 only.
  const char* pointer;
  __asm__("mov %%fs:0, %0" : "=r"(pointer));
  return pointer;
#else
  return static_cast<const char*>(__builtin_thread_pointer());
#endif
}

}  // namespace

const volatile uint32_t* OwnCoreWord() {
  // Asked for by name: an addon built against a libc that has them must also load where there are none.
  static const auto* offset = static_cast<const ptrdiff_t*>(dlsym(RTLD_DEFAULT, "__rseq_offset"));
  static const auto* size = static_cast<const unsigned*>(dlsym(RTLD_DEFAULT, "__rseq_size"));
  // Size 0: the kernel has no rseq, or a setting of libc leaves it to others.
  if (offset == nullptr || size == nullptr || *size < kLeastSize) return nullptr;
  return reinterpret_cast<const volatile uint32_t*>(ThreadPointer() + *offset + kCoreAt);
}

}  // namespace strobe::capture
