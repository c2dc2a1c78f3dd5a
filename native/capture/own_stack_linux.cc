#include "capture/own_stack.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace strobe::capture {

namespace {

// The kernel keeps at least this much room below the main thread's stack (mmap_base, arch/x86/mm/mmap.c and mm/util.c): nothing else is
// mapped there, however high the limit.
constexpr uint64_t kMainStackRoom = 128u << 20;

}  // namespace

StackBounds OwnStack() {
  if (syscall(SYS_gettid) == getpid()) {
    // glibc knows it; its pthread_getattr_np would read /proc/self/maps for it.
    void* const* end = static_cast<void* const*>(dlsym(RTLD_DEFAULT, "__libc_stack_end"));
    rlimit limit{};
    if (end != nullptr && getrlimit(RLIMIT_STACK, &limit) == 0) {
      const auto high = reinterpret_cast<uint64_t>(*end);
      return {high - std::min<uint64_t>(limit.rlim_cur, kMainStackRoom), high};
    }
  }
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return {};
  void* low = nullptr;
  size_t size = 0;
  const bool known = pthread_attr_getstack(&attributes, &low, &size) == 0;
  pthread_attr_destroy(&attributes);
  if (!known) return {};
  return {reinterpret_cast<uint64_t>(low), reinterpret_cast<uint64_t>(low) + size};
}

}  // namespace strobe::capture
