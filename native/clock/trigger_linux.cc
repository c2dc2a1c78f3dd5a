// Linux: rt_tgsigqueueinfo to the sampled thread, per-thread POSIX CPU timers as the detector that a parked process runs again.
//
// The wake timers notify the sampler thread itself (SIGEV_THREAD_ID), which waits with the signal blocked: no handler runs on the sampled
// thread for them. timer_create is called as a system call: glibc before 2.38 and musl name the sigevent's thread field differently.
#include "clock/trigger.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
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

// The kernel's struct sched_attr (uapi/linux/sched/types.h), first version.
struct KernelSchedAttr {
  uint32_t size;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime;
  uint64_t deadline;
  uint64_t period;
};
static_assert(sizeof(KernelSchedAttr) == 48);
// A standard signal needs no entry in the user's signal queue, which others may have filled: a kick always arrives. It goes to the sampler
// thread only, where it is blocked and waited for; the process's own SIGURG is not touched.
constexpr int kKickSignal = SIGURG;
constexpr uint64_t kSliceNs = 100'000;  // the least that the kernel takes

// CPUCLOCK_SCHED (2) | CPUCLOCK_PERTHREAD_MASK (4) below the inverted tid: the CPU clock of a thread (linux/posix-timers.h).
constexpr int kThreadCpuClockBits = 6;

// This thread's clock moves between readings, as those of others will.
bool ClockIsFine() {
  constexpr int kReadings = 50;  // some 10 us
  const uint64_t first = capture::ThreadCpuNowNs();
  for (int i = 0; i < kReadings; i++) {
    if (capture::ThreadCpuNowNs() != first) return true;
  }
  return false;
}

int CpuClockOf(int32_t tid) { return static_cast<int>((~static_cast<unsigned>(tid) << 3) | kThreadCpuClockBits); }

int OpenOfThread(int32_t tid, const char* name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/%s", tid, name);
  return open(path, O_RDONLY | O_CLOEXEC);
}

// Its signal goes to the thread `tid`, with `value`. `*timer` stays as it was when the kernel refuses.
bool MakeTimer(int clock, int32_t tid, uint64_t value, int* timer) {
  KernelSigevent event;
  memset(&event, 0, sizeof event);
  event.value = value;
  event.signal = capture::SampleSignal();
  event.notify = kNotifyThread;
  event.tid = tid;
  int made = -1;
  if (syscall(SYS_timer_create, clock, &event, &made) != 0) return false;
  *timer = made;
  return true;
}

void OpenStat(ClockedThread* thread) { thread->stat_fd = OpenOfThread(thread->tid, "stat"); }

}  // namespace

bool OpenClockedThread(int32_t tid, ClockedThread* thread) {
  // Beyond the kernel's PID_MAX_LIMIT (2^22) the shift below would make another clock's id.
  if (tid <= 0 || tid > (1 << 22)) return false;
  thread->tid = tid;
  thread->cpu_clock = CpuClockOf(tid);
  OpenStat(thread);
  return ReadCpuNs(*thread) != 0;
}

void CloseClockedThread(ClockedThread* thread) {
  if (thread->stat_fd >= 0) close(thread->stat_fd);
  thread->stat_fd = -1;
  if (thread->slices_fd >= 0) close(thread->slices_fd);
  thread->slices_fd = -1;
  if (thread->wake_timer >= 0) syscall(SYS_timer_delete, thread->wake_timer);
  thread->wake_timer = -1;
}

uint64_t ReadCpuNs(const ClockedThread& thread) { return capture::ReadClockNs(thread.cpu_clock); }

bool IsRunnable(ClockedThread* thread) {
  // Not to be opened when the process had no descriptor free; running threads are sampled without it.
  if (thread->stat_fd < 0) OpenStat(thread);
  char line[128];  // "tid (comm) S …": comm is at most 15 characters
  const ssize_t length = pread(thread->stat_fd, line, sizeof line - 1, 0);
  if (length <= 0) return false;
  line[length] = '\0';
  const char* after_name = strrchr(line, ')');
  return after_name != nullptr && after_name[1] == ' ' && after_name[2] == 'R';
}

bool ReadSchedule(ClockedThread* thread, Schedule* schedule) {
  // "CPU waiting slices" (kernel Documentation/scheduler/sched-stats.rst); missing without CONFIG_SCHED_INFO.
  if (thread->slices_fd < 0) thread->slices_fd = OpenOfThread(thread->tid, "schedstat");
  char line[96];
  const ssize_t length = pread(thread->slices_fd, line, sizeof line - 1, 0);
  if (length <= 0) return false;
  line[length] = '\0';
  unsigned long long cpu = 0;
  unsigned long long waiting = 0;
  unsigned long long count = 0;
  // Without a single slice the kernel does not count: this thread has run.
  if (sscanf(line, "%llu %llu %llu", &cpu, &waiting, &count) != 3 || count == 0) return false;
  *schedule = {waiting, count};
  return true;
}

int SendSample(int32_t pid, const ClockedThread& thread, uint64_t token) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  info.si_code = SI_QUEUE;
  info.si_pid = pid;
  info.si_value.sival_ptr = reinterpret_cast<void*>(token);
  return syscall(SYS_rt_tgsigqueueinfo, pid, thread.tid, capture::SampleSignal(), &info) == 0 ? 0 : errno;
}

bool MakeThreadTimer(const ClockedThread& thread, uint64_t token, int32_t* timer) {
  return MakeTimer(CLOCK_MONOTONIC, thread.tid, token, timer);
}

void SetThreadTimer(int32_t timer, uint64_t at_ns) {
  itimerspec when;
  memset(&when, 0, sizeof when);
  when.it_value.tv_sec = static_cast<time_t>(at_ns / 1'000'000'000u);
  when.it_value.tv_nsec = static_cast<long>(at_ns % 1'000'000'000u);
  syscall(SYS_timer_settime, timer, TIMER_ABSTIME, &when, nullptr);
}

void DropThreadTimer(int32_t timer) { syscall(SYS_timer_delete, timer); }

bool ThreadTimerIsOver(int32_t timer) {
  itimerspec left;
  memset(&left, 0, sizeof left);
  return syscall(SYS_timer_gettime, timer, &left) != 0 || (left.it_value.tv_sec == 0 && left.it_value.tv_nsec == 0);
}

void Seat::TakeCurrentThread() {
  tid_ = static_cast<int32_t>(syscall(SYS_gettid));
  pid_ = getpid();
  cpu_clock_ = CpuClockOf(tid_);
  core_ = ClockIsFine() ? capture::OwnCoreWord() : nullptr;
  prctl(PR_SET_NAME, "strobe-sampler");
  // The default slack of 50 us is 5 % of a 1 kHz period.
  prctl(PR_SET_TIMERSLACK, 1000);
  AskForLowLatency();
}

// static
void Seat::AskForLowLatency() {
  // A waking thread may have to wait behind the thread that runs on its core until that one's slice is over, some milliseconds: then the
  // clock would see the ends of bursts only. A short slice of our own (Linux 6.12 on, no privilege needed) lets the scheduler put us first;
  // we use some microseconds of it.
  KernelSchedAttr attributes;
  memset(&attributes, 0, sizeof attributes);
  // Only the slice changes: niceness stays, and a process that was put in another class knows why.
  if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0 || attributes.policy != SCHED_OTHER) return;
  attributes.size = sizeof attributes;
  attributes.runtime = kSliceNs;
  syscall(SYS_sched_setattr, 0, &attributes, 0);
}

bool Seat::Sleep(uint64_t ns) {
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, capture::SampleSignal());
  sigaddset(&wanted, kKickSignal);
  const timespec limit{static_cast<time_t>(ns / 1'000'000'000u), static_cast<long>(ns % 1'000'000'000u)};
  siginfo_t info;
  int got;
  do {
    got = ns == 0 ? sigwaitinfo(&wanted, &info) : sigtimedwait(&wanted, &info, &limit);
  } while (got < 0 && errno == EINTR);
  kicked_ = got == kKickSignal;
  return got > 0;
}

void Seat::Kick() { syscall(SYS_tgkill, getpid(), tid_, kKickSignal); }

bool Seat::ArmWake(ClockedThread* thread, uint64_t cpu_ns) {
  if (thread->wake_timer < 0 && !MakeTimer(thread->cpu_clock, tid_, 0, &thread->wake_timer)) return false;
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
