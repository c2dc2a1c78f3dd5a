// Tests of capture/handler.h with the real signal: the handler answers to our signals only, leaves nothing behind, and knows where in a
// system call it found its thread.
#include "capture/handler.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "test/fake_thread.h"

namespace strobe::capture {
namespace {

// A queued signal to one thread with the given word and code, as the sampler sends it.
bool Send(int32_t tid, uint64_t word, int code = SI_QUEUE) {
  siginfo_t info;
  memset(&info, 0, sizeof info);
  info.si_code = code;
  info.si_pid = getpid();
  info.si_uid = getuid();
  info.si_value.sival_ptr = reinterpret_cast<void*>(word);
  return syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, SampleSignal(), &info) == 0;
}

void Nap() {
  timespec nap{0, 1'000'000};
  nanosleep(&nap, nullptr);
}

// Up to 5 seconds until `condition` holds. Sleeps in between, which is also where ThreadSanitizer delivers signals.
bool Eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 5000; i++) {
    if (condition()) return true;
    Nap();
  }
  return false;
}

bool Install() {
  std::string error;
  if (!CHECK(InstallHandler(&error) != 0)) {
    CHECK_EQ(error, "");
    return false;
  }
  return true;
}

// A thread that computes (or does `wait`) with a registered state until the guard goes.
class SampledWorker {
 public:
  explicit SampledWorker(uint32_t index, std::function<void()> once = nullptr) {
    fake.List(index);
    thread_ = std::thread([this, once] {
      fake.state.last_cpu_ns = ThreadCpuNowNs();
      fake.state.tid.store(CurrentTid(), std::memory_order_release);
      do {
        if (once) {
          once();
        } else {
          BurnCpu(1'000'000);
          sched_yield();  // an intercepted call, where ThreadSanitizer delivers signals
        }
      } while (!stop_.load());
    });
    while (fake.state.tid.load() == 0) sched_yield();
  }
  ~SampledWorker() {
    stop_.store(true);
    thread_.join();
    fake.state.tid = 0;
  }
  void Stop() { stop_.store(true); }
  int32_t tid() const { return fake.state.tid.load(); }
  pthread_t handle() { return thread_.native_handle(); }
  uint64_t token(bool runnable = false) const { return MakeToken(fake.state.index, {.runnable = runnable}); }
  uint64_t samples() const { return fake.state.samples.load(); }

  FakeThread fake;

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

TEST(capture_signal_samples_the_registered_thread) {
  if (!Install()) return;
  CHECK(HandlerInPlace());
  const int signal = SampleSignal();
  std::string error;
  CHECK_EQ(InstallHandler(&error), signal);  // idempotent
  CHECK(signal >= SIGRTMIN && signal <= SIGRTMAX);
  SampledWorker worker(10);
  worker.fake.isolate.frames = 3;
  for (uint64_t i = 1; i <= 5; i++) {
    worker.fake.state.pending = 1;
    CHECK(Send(worker.tid(), worker.token()));
    if (!CHECK(Eventually([&] { return worker.samples() == i; }))) return;
    CHECK(Eventually([&] { return worker.fake.state.pending.load() == 0; }));
  }
  const std::vector<Sample> samples = worker.fake.Drain();
  if (!CHECK_EQ(samples.size(), 5)) return;
  for (const Sample& sample : samples) {
    CHECK_EQ(sample.frames.size(), 3);
    CHECK(sample.record.pc != 0);
  }
  // The registers are the interrupted code's: the stack pointer lies on that thread's stack.
  pthread_attr_t attributes;
  void* low = nullptr;
  size_t size = 0;
  CHECK_EQ(pthread_getattr_np(worker.handle(), &attributes), 0);
  pthread_attr_getstack(&attributes, &low, &size);
  pthread_attr_destroy(&attributes);
  CHECK(worker.fake.isolate.sp_seen.load() - reinterpret_cast<uint64_t>(low) < size);
}

TEST(capture_signal_of_others_is_ignored) {
  if (!Install()) return;
  SampledWorker worker(11);
  SampledWorker other(12);
  worker.fake.isolate.frames = 1;
  other.fake.isolate.frames = 1;
  // Right code, foreign word.
  for (const uint64_t word : {uint64_t{0}, uint64_t{1}, ~uint64_t{0}, worker.token() ^ (uint64_t{1} << 40), MakeToken(kMaxThreads, {}),
                              MakeToken(13, {}), reinterpret_cast<uint64_t>(&worker)}) {
    CHECK(Send(worker.tid(), word));
    Nap();
  }
  // Another thread's token, on this thread.
  CHECK(Send(worker.tid(), other.token()));
  // Right word, wrong code.
  for (const int code : {SI_TIMER, SI_MESGQ, SI_ASYNCIO}) CHECK(Send(worker.tid(), worker.token(), code));
  // The ordinary ways to send a signal.
  CHECK_EQ(kill(getpid(), SampleSignal()), 0);
  CHECK_EQ(pthread_kill(worker.handle(), SampleSignal()), 0);
  sigval value;
  value.sival_ptr = reinterpret_cast<void*>(uint64_t{1234});
  CHECK_EQ(sigqueue(getpid(), SampleSignal(), value), 0);
  CHECK_EQ(pthread_sigqueue(worker.handle(), SampleSignal(), value), 0);
  // Queued signals of one number arrive in order: when this one was taken, those before it to this thread were ignored. The pause is for
  // ThreadSanitizer, which defers signals and keeps one of each number.
  for (int i = 0; i < 20; i++) Nap();
  CHECK(Send(worker.tid(), worker.token()));
  CHECK(Eventually([&] { return worker.samples() > 0; }));
  Nap();
  CHECK_EQ(worker.samples(), 1);
  CHECK_EQ(other.samples(), 0);
}

TEST(capture_signal_to_a_state_that_was_given_back_is_ignored) {
  if (!Install()) return;
  FakeThread thread;
  thread.isolate.frames = 1;
  thread.List(14);
  CHECK(Send(CurrentTid(), MakeToken(14, {})));  // tid 0: not registered
  Nap();
  thread.state.tid = CurrentTid() + 1;  // somebody else's by now
  CHECK(Send(CurrentTid(), MakeToken(14, {})));
  Nap();
  CHECK_EQ(thread.state.samples.load(), 0);
  thread.state.tid = CurrentTid();
  CHECK(Send(CurrentTid(), MakeToken(14, {})));
  CHECK(Eventually([&] { return thread.state.samples.load() == 1; }));
  thread.state.tid = 0;
}

TEST(capture_signal_keeps_errno) {
  if (!Install()) return;
  FakeThread thread;
  thread.isolate.frames = 1;
  thread.List(15);
  thread.state.tid = CurrentTid();
  const uint64_t token = MakeToken(15, {});
  siginfo_t info;
  memset(&info, 0, sizeof info);
  info.si_code = SI_QUEUE;
  info.si_pid = getpid();
  info.si_value.sival_ptr = reinterpret_cast<void*>(token);
  errno = 77;
  syscall(SYS_rt_tgsigqueueinfo, getpid(), CurrentTid(), SampleSignal(), &info);
  const int after = errno;
  CHECK_EQ(after, 77);
  CHECK(Eventually([&] { return thread.state.samples.load() == 1; }));
  thread.state.tid = 0;
}

TEST(capture_signal_inert_after_a_fork_until_installed_again) {
  if (!Install()) return;
  FakeThread thread;
  thread.isolate.frames = 1;
  thread.List(16);
  thread.state.tid = CurrentTid();
  MakeInert();
  CHECK(Send(CurrentTid(), MakeToken(16, {})));
  Nap();
  Nap();
  CHECK_EQ(thread.state.samples.load(), 0);
  if (!Install()) return;
  CHECK(Send(CurrentTid(), MakeToken(16, {})));
  CHECK(Eventually([&] { return thread.state.samples.load() == 1; }));
  thread.state.tid = 0;
}

TEST(capture_signal_in_place_is_noticed) {
  if (!Install()) return;
  struct sigaction ours;
  struct sigaction theirs;
  memset(&theirs, 0, sizeof theirs);
  theirs.sa_handler = SIG_IGN;
  CHECK_EQ(sigaction(SampleSignal(), &theirs, &ours), 0);
  CHECK(!HandlerInPlace());
  CHECK_EQ(sigaction(SampleSignal(), &ours, nullptr), 0);
  CHECK(HandlerInPlace());
}

// A second start after the signal was taken: what InstallHandler returns is about to be sent, so it must be ours (or 0). In a child: the
// handler's place is the process's.
TEST(capture_signal_install_after_it_was_taken) {
  if (!Install()) return;
  const pid_t child = fork();
  if (!CHECK(child >= 0)) return;
  if (child == 0) {
    signal(SampleSignal(), SIG_DFL);
    std::string error;
    const int again = InstallHandler(&error);
    _exit(again == 0 ? (error.empty() ? 1 : 0) : (HandlerInPlace() ? 0 : 2));
  }
  int status = 0;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(WEXITSTATUS(status), 0);
}

#if !defined(__SANITIZE_THREAD__)  // the interrupted place is ThreadSanitizer's own there

TEST(capture_signal_at_a_real_wait_is_kept_pending) {
  if (!Install()) return;
  sem_t semaphore;
  sem_init(&semaphore, 0, 0);
  const std::vector<std::pair<const char*, std::function<void()>>> waits = {
      {"nanosleep",
       [] {
         timespec nap{1, 0};
         nanosleep(&nap, nullptr);
       }},
      {"poll", [] { poll(nullptr, 0, 1000); }},
      {"sem_timedwait",
       [&semaphore] {
         timespec limit;
         clock_gettime(CLOCK_REALTIME, &limit);
         limit.tv_sec++;
         sem_timedwait(&semaphore, &limit);
       }},
  };
  for (const auto& [name, wait] : waits) {
    SampledWorker worker(17, wait);
    Nap();  // until it waits; earlier signals meet it on its way there
    const auto kept = [&] { return worker.fake.state.kept_pending.load() > 0; };
    bool was_kept = false;
    for (int i = 0; i < 50 && !was_kept; i++) {
      CHECK(Send(worker.tid(), worker.token()));
      for (int wait_ms = 0; wait_ms < 20 && !(was_kept = kept()); wait_ms++) Nap();
    }
    if (!CHECK(was_kept)) CHECK_EQ(name, "");
    // With JavaScript on the stack (Atomics.wait, a synchronous child process) the same place is a sample.
    worker.fake.isolate.frames = 2;
    const uint64_t before = worker.samples();
    CHECK(Send(worker.tid(), worker.token()));
    CHECK(Eventually([&] { return worker.samples() > before; }));
    worker.Stop();
  }
  sem_destroy(&semaphore);
}

TEST(capture_signal_at_a_system_call_depends_on_running) {
  if (!Install()) return;
  FakeThread thread;
  thread.List(18);
  thread.state.tid = CurrentTid();
  // Sent to ourselves: taken right behind the system call that sends it.
  CHECK(Send(CurrentTid(), MakeToken(18, {})));
  CHECK(Eventually([&] { return thread.state.samples.load() == 1; }));
  CHECK(Send(CurrentTid(), MakeToken(18, {.runnable = true})));
  CHECK(Eventually([&] { return thread.state.kept_pending.load() == 1; }));
  CHECK_EQ(thread.state.samples.load(), 1);
  thread.state.tid = 0;
}

#endif

}  // namespace
}  // namespace strobe::capture
