#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <atomic>
#include <mutex>

#include "capture/clocks.h"
#include "lifecycle.h"

namespace strobe::lifecycle {

namespace {

struct EndingSignal {
  int signal;
  struct sigaction before;
  std::atomic<bool> installed{false};
};
EndingSignal g_signals[2] = {{SIGINT, {}, {}}, {SIGTERM, {}, {}}};
std::atomic<int> g_pending{0};
std::atomic<uint64_t> g_first_ns{0};  // when it came
constexpr uint64_t kSameRequestNs = 500'000'000;
std::atomic<void (*)()> g_on_signal{nullptr};
void (*g_at_exit)() = nullptr;
void (*g_in_child)() = nullptr;
std::atomic<bool> g_forked{false};  // this is a forked child: our threads are not in it

EndingSignal* Find(int signal) {
  for (EndingSignal& s : g_signals) {
    if (s.signal == signal) return &s;
  }
  return nullptr;
}

void OnEndingSignal(int signal, siginfo_t* info, void* context);

// Only when the action is still ours: the application may have put its own in the meantime, and that one is to be called.
void PutBack(int signal) {
  EndingSignal* s = Find(signal);
  if (s == nullptr || !s->installed.exchange(false)) return;
  struct sigaction current;
  if (sigaction(signal, nullptr, &current) == 0 && (current.sa_flags & SA_SIGINFO) != 0 && current.sa_sigaction == OnEndingSignal) {
    sigaction(signal, &s->before, nullptr);
  }
}

// Async-signal-safe: atomics, clock_gettime, sigaction and kill (both on POSIX's list), one futex wake in on_signal. errno is kept.
void OnEndingSignal(int signal, siginfo_t* /*info*/, void* /*context*/) {
  const int saved_errno = errno;
  int none = 0;
  // Nobody in a forked child would flush and send it again. A second one elsewhere: the user does not want to wait. (One that follows at
  // once is the same request on another way: a terminal and npm both send SIGINT.)
  bool end_now = g_forked.load();
  if (!end_now && g_pending.compare_exchange_strong(none, signal)) {
    g_first_ns.store(capture::MonotonicNowNs());
    if (void (*on_signal)() = g_on_signal.load()) on_signal();
  } else if (!end_now) {
    const uint64_t first_ns = g_first_ns.load();
    end_now = first_ns != 0 && capture::MonotonicNowNs() - first_ns > kSameRequestNs;
  }
  if (end_now) {
    PutBack(signal);
    kill(getpid(), signal);
  }
  errno = saved_errno;
}

// Default, or Node's own SignalExit: a one-shot action (SA_RESETHAND) without siginfo. libuv's, behind process.on('SIGTERM'), is not
// one-shot.
bool ApplicationHasNone(const struct sigaction& current) {
  if ((current.sa_flags & SA_SIGINFO) != 0) return false;
  return current.sa_handler == SIG_DFL || (current.sa_flags & SA_RESETHAND) != 0;
}

}  // namespace

void InstallEndingSignals(void (*on_signal)()) {
  g_pending.store(0);
  g_first_ns.store(0);
  g_on_signal.store(on_signal);
  FollowEndingSignals();
}

void FollowEndingSignals() {
  if (getpid() == 1) return;
  for (EndingSignal& s : g_signals) {
    struct sigaction current;
    if (sigaction(s.signal, nullptr, &current) != 0 || !ApplicationHasNone(current)) continue;
    s.before = current;
    struct sigaction ours;
    memset(&ours, 0, sizeof ours);
    ours.sa_sigaction = OnEndingSignal;
    ours.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
    sigemptyset(&ours.sa_mask);
    if (sigaction(s.signal, &ours, nullptr) == 0) s.installed.store(true);
  }
}

void RemoveEndingSignals() {
  for (const EndingSignal& s : g_signals) PutBack(s.signal);
}

int PendingSignal() { return g_pending.load(); }

void EndByPendingSignal() {
  const int signal = g_pending.load();
  if (signal == 0) return;
  PutBack(signal);
  kill(getpid(), signal);
}

void InstallExitAndFork(void (*at_exit)(), void (*in_child)()) {
  static std::once_flag once;
  std::call_once(once, [&] {
    g_at_exit = at_exit;
    g_in_child = in_child;
    atexit([] {
      if (!g_forked.load()) g_at_exit();
    });
    pthread_atfork(nullptr, nullptr, [] {
      g_forked.store(true);
      g_in_child();
    });
  });
}

}  // namespace strobe::lifecycle
