#include "capture/stack_high.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace strobe::capture {

uint64_t StackHigh() {
  if (syscall(SYS_gettid) == getpid()) {
    // glibc knows it; its pthread_getattr_np would read /proc/self/maps for it.
    void* const* end = static_cast<void* const*>(dlsym(RTLD_DEFAULT, "__libc_stack_end"));
    if (end != nullptr) return reinterpret_cast<uint64_t>(*end);
  }
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return 0;
  void* low = nullptr;
  size_t size = 0;
  const bool known = pthread_attr_getstack(&attributes, &low, &size) == 0;
  pthread_attr_destroy(&attributes);
  return known ? reinterpret_cast<uint64_t>(low) + size : 0;
}

}  // namespace strobe::capture
