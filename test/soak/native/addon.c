// A native addon as applications have them: it starts threads, opens and closes libraries, forks, and uses a real-time signal of its own.
//
//   storm(plugin, threads, rounds) -> rounds done     every thread, the calling one among them, opens the library, calls it, closes it, so many times
//   forkChild() -> wait status                        fork(2) without exec; the child ends with _exit(5)
//   signals(offset, n) -> how many arrived            n queued SIGRTMIN+offset to the calling thread, under a handler of this addon; -1 when the number is taken
//   takeSignal(offset) -> 0, or errno                 installs a handler on SIGRTMIN+offset that stays
//   taken() -> how many of the taken ones arrived
//   startTimer(offset, microseconds) -> 0, or errno   a timer that sends SIGRTMIN+offset to the process; EBUSY when the number is taken
//   stopTimer() -> how often it expired               signals that arrived and their overruns
#include <dlfcn.h>
#include <errno.h>
#include <node_api.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kMaxThreads = 64, kPath = 4096 };

struct Storm {
  char plugin[kPath];
  int rounds;
  atomic_int done;
};

static void* Rounds(void* data) {
  struct Storm* storm = data;
  for (int i = 0; i < storm->rounds; i++) {
    void* library = dlopen(storm->plugin, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) continue;
    double (*work)(int) = NULL;
    *(void**)&work = dlsym(library, "plugin_work");
    if (work != NULL && work(20000) > 0) atomic_fetch_add(&storm->done, 1);
    dlclose(library);
  }
  return NULL;
}

static int32_t Int(napi_env env, napi_value value) {
  int32_t out = 0;
  napi_get_value_int32(env, value, &out);
  return out;
}

static napi_value Number(napi_env env, int32_t value) {
  napi_value out;
  napi_create_int32(env, value, &out);
  return out;
}

static napi_value RunStorm(napi_env env, napi_callback_info info) {
  napi_value args[3];
  size_t count = 3;
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  struct Storm storm = {.done = 0};
  size_t length = 0;
  napi_get_value_string_utf8(env, args[0], storm.plugin, sizeof storm.plugin, &length);
  int threads = Int(env, args[1]);
  if (threads > kMaxThreads) threads = kMaxThreads;
  storm.rounds = Int(env, args[2]);
  pthread_t ids[kMaxThreads];
  int started = 0;
  while (started < threads && pthread_create(&ids[started], NULL, Rounds, &storm) == 0) started++;
  Rounds(&storm);
  for (int i = 0; i < started; i++) pthread_join(ids[i], NULL);
  return Number(env, atomic_load(&storm.done));
}

static napi_value ForkChild(napi_env env, napi_callback_info info) {
  (void)info;
  const pid_t pid = fork();
  if (pid == 0) _exit(5);
  int status = -1;
  if (pid > 0) {
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
  }
  return Number(env, status);
}

static atomic_int arrived;
static void OnSignal(int signal) {
  (void)signal;
  atomic_fetch_add(&arrived, 1);
}

static napi_value Signals(napi_env env, napi_callback_info info) {
  napi_value args[2];
  size_t count = 2;
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  const int signal = SIGRTMIN + Int(env, args[0]);
  const int n = Int(env, args[1]);
  struct sigaction before;
  if (sigaction(signal, NULL, &before) != 0 || (before.sa_flags & SA_SIGINFO) != 0 || before.sa_handler != SIG_DFL) return Number(env, -1);
  struct sigaction own;
  memset(&own, 0, sizeof own);
  own.sa_handler = OnSignal;
  own.sa_flags = SA_RESTART;
  sigemptyset(&own.sa_mask);
  if (sigaction(signal, &own, NULL) != 0) return Number(env, -1);
  const int from = atomic_load(&arrived);
  for (int i = 0; i < n; i++) syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), signal);
  const int got = atomic_load(&arrived) - from;
  sigaction(signal, &before, NULL);
  return Number(env, got);
}

static atomic_int taken;
static void OnTaken(int signal) {
  (void)signal;
  atomic_fetch_add(&taken, 1);
}

static napi_value TakeSignal(napi_env env, napi_callback_info info) {
  napi_value args[1];
  size_t count = 1;
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  struct sigaction own;
  memset(&own, 0, sizeof own);
  own.sa_handler = OnTaken;
  own.sa_flags = SA_RESTART;
  sigemptyset(&own.sa_mask);
  return Number(env, sigaction(SIGRTMIN + Int(env, args[0]), &own, NULL) == 0 ? 0 : errno);
}

static napi_value Taken(napi_env env, napi_callback_info info) {
  (void)info;
  return Number(env, atomic_load(&taken));
}

static timer_t timer;
static int timer_signal;
static atomic_int expired;
static void OnTimer(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)context;
  if (info->si_code == SI_TIMER) atomic_fetch_add(&expired, 1 + info->si_overrun);
}

static napi_value StartTimer(napi_env env, napi_callback_info info) {
  napi_value args[2];
  size_t count = 2;
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  timer_signal = SIGRTMIN + Int(env, args[0]);
  const long us = Int(env, args[1]);
  struct sigaction before;
  if (sigaction(timer_signal, NULL, &before) != 0) return Number(env, errno);
  if ((before.sa_flags & SA_SIGINFO) != 0 || before.sa_handler != SIG_DFL) return Number(env, EBUSY);
  struct sigaction own;
  memset(&own, 0, sizeof own);
  own.sa_sigaction = OnTimer;
  own.sa_flags = SA_RESTART | SA_SIGINFO;
  sigemptyset(&own.sa_mask);
  struct sigevent event;
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = timer_signal;
  if (sigaction(timer_signal, &own, NULL) != 0 || timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) return Number(env, errno);
  const struct timespec every = {us / 1000000, (us % 1000000) * 1000};
  const struct itimerspec when = {every, every};
  atomic_store(&expired, 0);
  return Number(env, timer_settime(timer, 0, &when, NULL) == 0 ? 0 : errno);
}

static napi_value StopTimer(napi_env env, napi_callback_info info) {
  (void)info;
  timer_delete(timer);
  // One may be pending: from here on it is ignored, which the default action is not.
  signal(timer_signal, SIG_IGN);
  const int32_t out = atomic_load(&expired);
  signal(timer_signal, SIG_DFL);
  return Number(env, out);
}

NAPI_MODULE_INIT() {
  const struct {
    const char* name;
    napi_callback call;
  } functions[] = {{"storm", RunStorm}, {"forkChild", ForkChild}, {"signals", Signals}, {"takeSignal", TakeSignal}, {"taken", Taken},
                 {"startTimer", StartTimer}, {"stopTimer", StopTimer}};
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
    napi_value function;
    napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].call, NULL, &function);
    napi_set_named_property(env, exports, functions[i].name, function);
  }
  return exports;
}
