// Linux: rt_tgsigqueueinfo to the sampled thread, per-thread POSIX CPU timers as the detector that a parked process runs again.
//
// The wake timers notify the sampler thread itself (SIGEV_THREAD_ID), which waits with the signal blocked: no handler runs on the sampled thread for
// them. timer_create is called as a system call: glibc before 2.38 and musl name the sigevent's thread field differently.
#include "clock/trigger.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "capture/clocks.h"
#include "capture/handler.h"

namespace strobe::clock {

namespace {

// The kernel's struct sigevent (uapi/asm-generic/siginfo.h), 64 bytes.
struct KernelSigevent {
  uint64_t value;
  int32_t signal;
  int32_t notify;
  int32_t tid;
  int32_t pad[11];
};
static_assert(sizeof(KernelSigevent) == 64);
constexpr int kNotifyThread = 4;  // SIGEV_THREAD_ID

// CPUCLOCK_SCHED (2) | CPUCLOCK_PERTHREAD_MASK (4) below the inverted tid: the CPU clock of a thread (linux/posix-timers.h).
constexpr int kThreadCpuClockBits = 6;

}  // namespace

bool OpenClockedThread(int32_t tid, ClockedThread* thread) {
  thread->tid = tid;
  thread->cpu_clock = static_cast<int>((~static_cast<unsigned>(tid) << 3) | kThreadCpuClockBits);
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
  thread->stat_fd = open(path, O_RDONLY | O_CLOEXEC);
  return thread->stat_fd >= 0 && ReadCpuNs(*thread) != 0;
}

void CloseClockedThread(ClockedThread* thread) {
  if (thread->stat_fd >= 0) close(thread->stat_fd);
  thread->stat_fd = -1;
  if (thread->wake_timer >= 0) syscall(SYS_timer_delete, thread->wake_timer);
  thread->wake_timer = -1;
}

uint64_t ReadCpuNs(const ClockedThread& thread) {
  return capture::ReadClockNs(thread.cpu_clock);
}

bool IsRunnable(const ClockedThread& thread) {
  char line[128];  // "tid (comm) S …": comm is at most 15 characters
  const ssize_t length = pread(thread.stat_fd, line, sizeof line - 1, 0);
  if (length <= 0) return false;
  line[length] = '\0';
  const char* after_name = strrchr(line, ')');
  return after_name != nullptr && after_name[1] == ' ' && after_name[2] == 'R';
}

bool SendSample(const ClockedThread& thread, uint64_t token) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  info.si_code = SI_QUEUE;
  info.si_pid = getpid();
  info.si_uid = getuid();
  info.si_value.sival_ptr = reinterpret_cast<void*>(token);
  return syscall(SYS_rt_tgsigqueueinfo, getpid(), thread.tid, capture::SampleSignal(), &info) == 0;
}

void Seat::TakeCurrentThread() {
  tid_ = static_cast<int32_t>(syscall(SYS_gettid));
  prctl(PR_SET_NAME, "strobe-sampler");
  // The default slack of 50 us is 5 % of a 1 kHz period.
  prctl(PR_SET_TIMERSLACK, 1000);
}

bool Seat::Sleep(uint64_t ns) {
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, capture::SampleSignal());
  const timespec limit{static_cast<time_t>(ns / 1'000'000'000u), static_cast<long>(ns % 1'000'000'000u)};
  siginfo_t info;
  int got;
  do {
    got = ns == 0 ? sigwaitinfo(&wanted, &info) : sigtimedwait(&wanted, &info, &limit);
  } while (got < 0 && errno == EINTR);
  return got > 0;
}

void Seat::Kick() {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  info.si_code = SI_QUEUE;
  info.si_pid = getpid();
  syscall(SYS_rt_tgsigqueueinfo, getpid(), tid_, capture::SampleSignal(), &info);
}

bool Seat::ArmWake(ClockedThread* thread, uint64_t cpu_ns) {
  if (thread->wake_timer < 0) {
    KernelSigevent event;
    memset(&event, 0, sizeof event);
    event.signal = capture::SampleSignal();
    event.notify = kNotifyThread;
    event.tid = tid_;
    if (syscall(SYS_timer_create, thread->cpu_clock, &event, &thread->wake_timer) != 0) {
      thread->wake_timer = -1;
      return false;
    }
  }
  itimerspec when;
  memset(&when, 0, sizeof when);
  when.it_value.tv_sec = static_cast<time_t>(cpu_ns / 1'000'000'000u);
  when.it_value.tv_nsec = static_cast<long>(cpu_ns % 1'000'000'000u);
  return syscall(SYS_timer_settime, thread->wake_timer, 0, &when, nullptr) == 0;
}

void Seat::DisarmWake(ClockedThread* thread) {
  if (thread->wake_timer < 0) return;
  itimerspec never;
  memset(&never, 0, sizeof never);
  syscall(SYS_timer_settime, thread->wake_timer, 0, &never, nullptr);
}

}  // namespace strobe::clock
