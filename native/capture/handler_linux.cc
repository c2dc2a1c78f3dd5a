// The Linux trigger's receiving end: siginfo and ucontext -> Registers -> Capture. Runs on the sampled thread.
//
// Contract: async-signal-safe only. Calls made: clock_gettime (in Capture), gettid, at most one futex wake; for a signal of the thread's
// own timer also timer_settime, getrusage and tgkill (self_clock.h). errno is kept. A signal is ours when its si_code is SI_QUEUE and its
// sender this process, or SI_TIMER; its token valid; and the token's thread the one it runs on; anything else is ignored. Why a real-time
// signal and not SIGPROF: V8 installs its own SIGPROF handler over ours while an inspector profile runs, and leaves SIG_DFL behind, whose
// default action ends the process.
#include <errno.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "capture/capture.h"
#include "capture/handler.h"
#include "capture/no_frame.h"
#include "capture/stack_word.h"

namespace strobe::capture {

namespace {

constexpr uintptr_t kPage = 4096;

std::atomic<int> g_signal{0};
std::atomic<pid_t> g_pid{0};  // 0 in a forked child: nothing is ours any more

// The thread's own stack from sp on is mapped: this handler may run on it.
void ReadStack(Registers* registers) {
  const auto sp = reinterpret_cast<uint64_t>(registers->sp);
  registers->leaf.stack[0] = StackWord(sp);
  registers->leaf.stack[1] = StackWord(sp + sizeof(uint64_t));
}

// The code from pc on, up to the end of its page: that much is mapped, it is being executed.
void CopyCode(const void* pc, LeafContext* leaf) {
  const uintptr_t left = kPage - (reinterpret_cast<uintptr_t>(pc) & (kPage - 1));
  leaf->code_length = static_cast<uint8_t>(left < kLeafCodeBytes ? left : kLeafCodeBytes);
  memcpy(leaf->code, pc, leaf->code_length);
}

// Reads two bytes of code at `pc`, which is mapped: it was just executed. Bytes before it are read only within the same page.
#if defined(__x86_64__)

// On CPUs with protection keys the kernel enters a handler with access to key 0 only, and V8 11 gives its WebAssembly code a key of its
// own: reading the instruction at such a pc would fault. Access (not writing) is allowed for the handler's time; returning from the signal
// restores the register.
std::atomic<bool> g_has_protection_keys{false};

void FindProtectionKeys() {
  constexpr unsigned kStructuredFeatures = 7;
  constexpr unsigned kOsPke = 1u << 4;  // ECX: the system has switched protection keys on
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (__get_cpuid_count(kStructuredFeatures, 0, &a, &b, &c, &d) != 0) g_has_protection_keys.store((c & kOsPke) != 0);
}

void AllowReading() {
  if (!g_has_protection_keys.load(std::memory_order_relaxed)) return;
  uint32_t rights;
  uint32_t zero;
  __asm__ volatile(".byte 0x0f,0x01,0xee" : "=a"(rights), "=d"(zero) : "c"(0));  // rdpkru
  rights &= 0xaaaaaaaa;                                                          // the access-disable bits; write-disable stays
  __asm__ volatile(".byte 0x0f,0x01,0xef" : : "a"(rights), "c"(0), "d"(0));      // wrpkru
}

constexpr uint8_t kSyscallInstruction[2] = {0x0f, 0x05};

bool IsWaitNumber(uint64_t number) {
  switch (number) {
    case SYS_poll:
    case SYS_select:
    case SYS_nanosleep:
    case SYS_futex:
    case SYS_clock_nanosleep:
    case SYS_epoll_wait:
    case SYS_pselect6:
    case SYS_ppoll:
    case SYS_epoll_pwait:
    case SYS_restart_syscall:
    case 441:  // epoll_pwait2
      return true;
    default:
      return false;
  }
}

// rax holds the result (or the number again, when the kernel will restart the call), so the number of a finished call is read from the
// `mov eax, imm32` (b8) that libc places before `syscall`; where it isn't there, an interrupted wait is known by its result, -EINTR.
AtSyscall StandsAt(const uint8_t* pc, uint64_t rax) {
  const uintptr_t in_page = reinterpret_cast<uintptr_t>(pc) & 0xfff;
  if (in_page <= 0xffe && memcmp(pc, kSyscallInstruction, 2) == 0) return IsWaitNumber(rax) ? AtSyscall::kWait : AtSyscall::kSyscall;
  if (in_page < 2 || memcmp(pc - 2, kSyscallInstruction, 2) != 0) return AtSyscall::kNo;
  if (static_cast<int64_t>(rax) == -EINTR) return AtSyscall::kWait;
  if (in_page >= 7 && pc[-7] == 0xb8) {
    uint32_t number;
    memcpy(&number, pc - 6, sizeof number);
    if (IsWaitNumber(number)) return AtSyscall::kWait;
  }
  return AtSyscall::kSyscall;
}

// The kernel sets the program counter back to a call that it will make again; others end with EINTR. A call that was only displaced goes on
// in the kernel and ends with a result of its own before the handler runs. (Standing before a call that was never made takes the thread a
// nanosecond; it is taken for asleep.)
bool WasCutShort(const uint8_t* pc, uint64_t rax) {
  const uintptr_t in_page = reinterpret_cast<uintptr_t>(pc) & 0xfff;
  if (in_page <= 0xffe && memcmp(pc, kSyscallInstruction, 2) == 0) return true;
  return in_page >= 2 && memcmp(pc - 2, kSyscallInstruction, 2) == 0 && static_cast<int64_t>(rax) == -EINTR;
}

Registers FromContext(const ucontext_t* context) {
  const greg_t* g = context->uc_mcontext.gregs;
  Registers registers;
  registers.pc = reinterpret_cast<void*>(g[REG_RIP]);
  registers.sp = reinterpret_cast<void*>(g[REG_RSP]);
  registers.fp = reinterpret_cast<void*>(g[REG_RBP]);
  registers.at_syscall = StandsAt(reinterpret_cast<const uint8_t*>(g[REG_RIP]), static_cast<uint64_t>(g[REG_RAX]));
  registers.asleep = registers.at_syscall != AtSyscall::kNo &&
                     WasCutShort(reinterpret_cast<const uint8_t*>(g[REG_RIP]), static_cast<uint64_t>(g[REG_RAX]));
  ReadStack(&registers);
  CopyCode(registers.pc, &registers.leaf);
  // REG_R8 to REG_R15 are numbered in a row.
  const uint32_t held = ReturnRegisterX64(registers.leaf.code, registers.leaf.code_length);
  if (held != 0) registers.leaf.lr = static_cast<uint64_t>(g[REG_R8 + static_cast<int>(held) - 8]);
  // kInterpreterBytecodeArrayRegister, kInterpreterBytecodeOffsetRegister (V8 register-x64.h).
  registers.leaf.interpreter_bytecode = static_cast<uint64_t>(g[REG_R12]);
  registers.leaf.interpreter_offset = static_cast<uint64_t>(g[REG_R9]);
  return registers;
}

// At the first instruction of a handler of SIGPROF (only: what a fault's handler would be shown may not be readable): its return address is
// libc's restorer, as ours is, its third argument the context above it.
const ucontext_t* HandlerEntered(const ucontext_t* context, uint64_t restorer) {
  const greg_t* g = context->uc_mcontext.gregs;
  const auto sp = static_cast<uint64_t>(g[REG_RSP]);
  const auto argument = static_cast<uint64_t>(g[REG_RDX]);
  constexpr uint64_t kInfoAt = sizeof(uint64_t) + 304;  // behind the return address and the kernel's struct ucontext
  if (g[REG_RDI] != SIGPROF || static_cast<uint64_t>(g[REG_RSI]) != sp + kInfoAt || argument != sp + sizeof(uint64_t) ||
      StackWord(sp) != restorer) {
    return nullptr;
  }
  return reinterpret_cast<const ucontext_t*>(argument);
}

#elif defined(__aarch64__)

void FindProtectionKeys() {}
void AllowReading() {}

constexpr uint32_t kSvc = 0xd4000001;  // svc #0

bool IsWaitNumber(uint64_t number) {
  switch (number) {
    case SYS_ppoll:
    case SYS_pselect6:
    case SYS_nanosleep:
    case SYS_futex:
    case SYS_clock_nanosleep:
    case SYS_epoll_pwait:
    case SYS_restart_syscall:
    case 441:  // epoll_pwait2
      return true;
    default:
      return false;
  }
}

// x8 keeps the number across the call.
AtSyscall StandsAt(const uint8_t* pc, uint64_t x8) {
  uint32_t here;
  memcpy(&here, pc, sizeof here);
  uint32_t before = 0;
  if ((reinterpret_cast<uintptr_t>(pc) & 0xfff) >= 4) memcpy(&before, pc - 4, sizeof before);
  if (here != kSvc && before != kSvc) return AtSyscall::kNo;
  return IsWaitNumber(x8) ? AtSyscall::kWait : AtSyscall::kSyscall;
}

// As on x64; x0 holds the result.
bool WasCutShort(const uint8_t* pc, uint64_t x0) {
  uint32_t here;
  memcpy(&here, pc, sizeof here);
  if (here == kSvc) return true;
  uint32_t before = 0;
  if ((reinterpret_cast<uintptr_t>(pc) & 0xfff) >= 4) memcpy(&before, pc - 4, sizeof before);
  return before == kSvc && static_cast<int64_t>(x0) == -EINTR;
}

Registers FromContext(const ucontext_t* context) {
  const auto& m = context->uc_mcontext;
  Registers registers;
  registers.pc = reinterpret_cast<void*>(m.pc);
  registers.sp = reinterpret_cast<void*>(m.sp);
  registers.fp = reinterpret_cast<void*>(m.regs[29]);
  registers.lr = reinterpret_cast<void*>(m.regs[30]);
  registers.at_syscall = StandsAt(reinterpret_cast<const uint8_t*>(m.pc), m.regs[8]);
  registers.asleep = registers.at_syscall != AtSyscall::kNo && WasCutShort(reinterpret_cast<const uint8_t*>(m.pc), m.regs[0]);
  ReadStack(&registers);
  registers.leaf.lr = m.regs[30];
  CopyCode(registers.pc, &registers.leaf);
  // kInterpreterBytecodeArrayRegister, kInterpreterBytecodeOffsetRegister (V8 register-arm64.h).
  registers.leaf.interpreter_bytecode = m.regs[20];
  registers.leaf.interpreter_offset = m.regs[19];
  return registers;
}

const ucontext_t* HandlerEntered(const ucontext_t* context, uint64_t restorer) {
  const auto& m = context->uc_mcontext;
  const uint64_t argument = m.regs[2];
  if (m.regs[0] != SIGPROF || m.regs[1] != m.sp || argument != m.sp + sizeof(siginfo_t) || m.regs[30] != restorer) return nullptr;
  return reinterpret_cast<const ucontext_t*>(argument);
}

#else
#error "strobe's Linux engine knows x86_64 and aarch64"
#endif

// Where the program itself was interrupted. Signals that waited for a thread without a core are delivered together: the kernel puts one
// handler's frame on the stack after the other's and starts the last, ours when the other is SIGPROF (V8's own profiler, a third of the
// samples beside it on a busy machine). The other handler has not run yet: what it is about to see is what we want.
const ucontext_t* Interrupted(const ucontext_t* context, uint64_t restorer) {
  constexpr int kMostPending = 8;
  for (int i = 0; i < kMostPending; i++) {
    const ucontext_t* below = HandlerEntered(context, restorer);
    if (below == nullptr) break;
    context = below;
  }
  return context;
}

void OnSignal(int /*signal*/, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  const pid_t pid = g_pid.load(std::memory_order_relaxed);
  const bool by_timer = info->si_code == SI_TIMER && pid != 0;
  if (by_timer || (info->si_code == SI_QUEUE && info->si_pid == pid)) {
    AllowReading();
    Wanted wanted;
    ThreadState* state = FromToken(reinterpret_cast<uint64_t>(info->si_value.sival_ptr), &wanted);
    if (state != nullptr && state->tid.load(std::memory_order_acquire) == static_cast<int32_t>(syscall(SYS_gettid))) {
      const auto restorer = reinterpret_cast<uint64_t>(__builtin_return_address(0));
      const Registers registers = FromContext(Interrupted(static_cast<const ucontext_t*>(context), restorer));
      if (by_timer) {
        CaptureByTimer(state, registers);
      } else {
        Capture(state, registers, wanted);
      }
    }
  }
  errno = saved_errno;
}

}  // namespace

void CollectorDoorbell::Ring(bool urgent) {
  // A read-modify-write, as is the collector's declaration: of two on one word one comes first. Either this one sees the declaration, or
  // the collector's last look at the heads, which comes after its own, sees the head stored before this one.
  const uint32_t now = word.fetch_add(0, std::memory_order_acq_rel);
  if (now == kAsleep || (now == kNapping && urgent)) {
    if (word.exchange(kAwake, std::memory_order_acq_rel) != kAwake) {
      syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
    }
  }
}

int InstallHandler(std::string* error) {
  if (g_signal.load() != 0 && HandlerInPlace()) {
    g_pid.store(getpid());
    return g_signal.load();
  }
  // The first time, or somebody took the signal: another one then.
  // From the middle of the range: libraries that take real-time signals start at either end.
  for (int offset = 5; offset < 5 + (SIGRTMAX - SIGRTMIN); offset++) {
    const int signal = SIGRTMIN + offset % (SIGRTMAX - SIGRTMIN + 1);
    struct sigaction current;
    if (sigaction(signal, nullptr, &current) != 0) continue;
    if ((current.sa_flags & SA_SIGINFO) != 0 || current.sa_handler != SIG_DFL) continue;
    struct sigaction ours;
    memset(&ours, 0, sizeof ours);
    ours.sa_sigaction = OnSignal;
    // SA_RESTART: system calls of the application go on; SA_ONSTACK: where the thread has an alternative stack, use it.
    ours.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
    sigemptyset(&ours.sa_mask);
    FindProtectionKeys();
    g_pid.store(getpid());
    if (sigaction(signal, &ours, nullptr) != 0) continue;
    g_signal.store(signal);
    return signal;
  }
  *error = "every real-time signal is in use";
  return 0;
}

int SampleSignal() { return g_signal.load(std::memory_order_relaxed); }

bool HandlerInPlace() {
  struct sigaction current;
  return sigaction(SampleSignal(), nullptr, &current) == 0 && (current.sa_flags & SA_SIGINFO) != 0 && current.sa_sigaction == OnSignal;
}

void MakeInert() { g_pid.store(0); }

}  // namespace strobe::capture
