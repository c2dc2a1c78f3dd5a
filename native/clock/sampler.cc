#include "clock/sampler.h"

#include <signal.h>

#include <algorithm>
#include <cmath>
#include <system_error>

#include "capture/clocks.h"
#include "capture/handler.h"

namespace strobe::clock {

namespace {

// Parks after this long (and at least so many periods) with less than 1 % of a CPU used: short enough to cost an idle process nothing, long
// enough that a server with requests every few ms is sampled by the clock and not by its wake timers, which land on kernel ticks.
constexpr uint64_t kQuietNs = 100'000'000;
constexpr uint64_t kQuietPeriods = 5;
constexpr uint64_t kQuietDivisor = 100;
constexpr uint64_t kLongestGapPeriods = 16;
using capture::DeadTimeNs;
using capture::kDeadTime;
// Ticks of a quiet process in wall mode: this far apart at the least.
constexpr uint64_t kSlowPeriodNs = 10'000'000;
// A signal that did not arrive while its thread used so much CPU was swallowed (somebody ignored or waited for it), or the thread blocks
// it: it is sent again, each time after twice as much, so that a thread that blocks it for months does not fill its queue.
constexpr uint64_t kPatienceNs = 1'000'000'000;
// Threads that clock themselves are checked this often.
constexpr uint64_t kCheckNs = 250'000'000;

}  // namespace

Modes Sampler::modes() const {
  const uint32_t bits = modes_.load(std::memory_order_relaxed);
  return {.cpu = (bits & 1) != 0, .wall = (bits & 2) != 0};
}

bool Sampler::Start(double frequency_hz, Modes modes) {
  std::lock_guard<std::mutex> control(control_mutex_);
  if (running_.load()) return true;
  period_ns_.store(static_cast<uint64_t>(1e9 / frequency_hz));
  capture::PrepareSelfClocks();
  capture::g_self_clock_rate.period_ns.store(period_ns_.load());
  modes_.store((modes.cpu ? 1 : 0) | (modes.wall ? 2 : 0));
  signal_taken_.store(false);
  seated_.store(false);
  running_.store(true);
  // Our threads take no signals of the application.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (const std::system_error&) {
    // A limit on threads or memory.
    running_.store(false);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return running_.load();
}

void Sampler::Stop() {
  std::lock_guard<std::mutex> control(control_mutex_);
  if (!running_.exchange(false)) return;
  Kick();
  thread_.join();
  std::lock_guard<std::mutex> lock(mutex_);
  for (Entry& entry : entries_) {
    // The wake timers notify a thread that is gone.
    const int fd = entry.clocked.stat_fd;
    entry.clocked.stat_fd = -1;
    CloseClockedThread(&entry.clocked);
    entry.clocked.stat_fd = fd;
  }
}

void Sampler::SetFrequency(double frequency_hz) {
  period_ns_.store(static_cast<uint64_t>(1e9 / frequency_hz));
  capture::g_self_clock_rate.period_ns.store(period_ns_.load());
  rate_changed_.store(true);
  std::lock_guard<std::mutex> control(control_mutex_);
  if (running_.load()) Kick();
}

void Sampler::SetModes(Modes modes) {
  modes_.store((modes.cpu ? 1 : 0) | (modes.wall ? 2 : 0));
  std::lock_guard<std::mutex> control(control_mutex_);
  // It may be parked.
  if (running_.load()) Kick();
}

bool Sampler::Add(capture::ThreadState* state, int32_t tid) {
  Entry entry;
  entry.state = state;
  if (!OpenClockedThread(tid, &entry.clocked)) {
    CloseClockedThread(&entry.clocked);
    return false;
  }
  entry.seen_cpu_ns = ReadCpuNs(entry.clocked);
  state->self_clock.on.store(false);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    entries_.push_back(entry);
  }
  // A parked sampler has no timer on the new thread yet.
  std::lock_guard<std::mutex> control(control_mutex_);
  if (running_.load()) Kick();
  return true;
}

void Sampler::Remove(capture::ThreadState* state) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (size_t i = 0; i < entries_.size(); i++) {
    if (entries_[i].state != state) continue;
    SelfClocked::Forget(state);
    CloseClockedThread(&entries_[i].clocked);
    entries_[i] = entries_.back();
    entries_.pop_back();
    return;
  }
}

void Sampler::Kick() {
  // Start does not wait for the thread (on busy cores that may be milliseconds of the application's). Before it is seated there is no sleep
  // to end: it declares itself seated first and reads what was set (running_, period_ns_) after, so a Kick that comes too early loses
  // nothing.
  if (seated_.load()) seat_.Kick();
}

uint32_t Sampler::Random() {
  // xorshift32: all that jitter needs.
  random_ ^= random_ << 13;
  random_ ^= random_ >> 17;
  random_ ^= random_ << 5;
  return random_;
}

uint64_t Sampler::RandomGap(uint64_t period_ns) {
  // Exponential: memoryless, so that where a tick falls says nothing about where the next one will. The mean is what the dead time leaves
  // of a period.
  const double uniform = (Random() + 1.0) / 4294967297.0;
  return static_cast<uint64_t>(-std::log(uniform) * static_cast<double>(period_ns) * (1 - kDeadTime));
}

bool Sampler::SleepToNextTick(uint64_t period_ns, bool kicked) {
  // The schedule is absolute: what a tick itself takes does not thin out the ticks. Those that were missed meanwhile are one; the gaps have
  // no memory, so the next one may as well be counted from now.
  const uint64_t now = capture::MonotonicNowNs();
  // Ended before its tick came: a new gap from here is as good as the rest of the old one, and right for a new rate. Added to the old one,
  // kicks that come faster than ticks would put the tick off for ever.
  next_tick_ns_ = (kicked ? now : next_tick_ns_) + RandomGap(period_ns) + 1;
  if (next_tick_ns_ <= now) next_tick_ns_ = now + RandomGap(period_ns) + 1;
  const uint64_t longest = now + kLongestGapPeriods * period_ns;  // after a pause, or a change of rate
  if (next_tick_ns_ > longest) next_tick_ns_ = longest;
  return seat_.Sleep(next_tick_ns_ - now);
}

void Sampler::Run() {
  seat_.TakeCurrentThread();
  {
    std::lock_guard<std::mutex> lock(cpu_mutex_);
    counts_cpu_ = true;
  }
  capture::g_self_clock_rate.sampler_tid.store(seat_.tid());
  seated_.store(true);
  random_ ^= static_cast<uint32_t>(capture::MonotonicNowNs());
  if (random_ == 0) random_ = 1;  // xorshift's one fixed point
  WatchForQuiet(capture::MonotonicNowNs());
  next_tick_ns_ = quiet_since_ns_;
  slow_ = false;
  bool kicked = false;
  while (running_.load()) {
    uint64_t period_ns = period_ns_.load(std::memory_order_relaxed);
    if (slow_ && modes().wall) period_ns = std::max(period_ns, kSlowPeriodNs);
    kicked = SleepToNextTick(period_ns, kicked);
    wakeups_.fetch_add(1, std::memory_order_relaxed);
    if (rate_changed_.exchange(false)) RenewSelfClocked();
    if (kicked) continue;
    const uint64_t now = capture::MonotonicNowNs();
    if (!Tick(period_ns)) break;
    bool taken_back = false;
    if (now - checked_ns_ >= kCheckNs) CheckSelfClocked(period_ns, &taken_back);
    // Nobody to look at: who ends its clock says so, a new thread is announced, one that is armed later is met by its wake timer.
    if (all_self_clocked_ && !taken_back) {
      if (!Park(period_ns)) break;
      continue;
    }
    // What it ran while it clocked itself is not in what makes a process quiet.
    if (taken_back) WatchForQuiet(now);
    const uint64_t quiet_for = now - quiet_since_ns_;
    if (quiet_for >= kQuietNs && quiet_for >= kQuietPeriods * period_ns) {
      const bool quiet = used_since_ns_ < quiet_for / kQuietDivisor;
      WatchForQuiet(now);
      slow_ = quiet && modes().wall;
      if (quiet && !slow_ && !Park(period_ns)) break;
    }
  }
  {
    // Nobody checks them any more.
    std::lock_guard<std::mutex> lock(mutex_);
    for (Entry& entry : entries_) {
      SelfClocked::Stop(entry.state);
      entry.self_clocked = false;
    }
  }
  seated_.store(false);
  capture::g_self_clock_rate.sampler_tid.store(0);
  std::lock_guard<std::mutex> lock(cpu_mutex_);
  cpu_base_ns_ += capture::ThreadCpuNowNs();
  counts_cpu_ = false;
}

uint64_t Sampler::cpu_ns() const {
  std::lock_guard<std::mutex> lock(cpu_mutex_);
  return cpu_base_ns_ + (counts_cpu_ ? capture::ReadClockNs(seat_.cpu_clock()) : 0);
}

bool Sampler::SignalIsOurs() {
  // A signal whose disposition is the default one again would end the process.
  if (!handler_seen_ && !capture::HandlerInPlace()) signal_taken_.store(true);
  handler_seen_ = true;
  return !signal_taken_.load();
}

bool Sampler::Tick(uint64_t period_ns) {
  handler_seen_ = false;
  const uint64_t dead_ns = DeadTimeNs(period_ns);
  const Modes modes = this->modes();
  const uint64_t now = capture::MonotonicNowNs();
  all_self_clocked_ = false;
  size_t self_clocked = 0;
  size_t others = 0;
  std::lock_guard<std::mutex> lock(mutex_);
  for (Entry& entry : entries_) {
    if (!entry.state->armed.load(std::memory_order_relaxed)) continue;
    if (entry.self_clocked && modes.wall) {
      SelfClocked::Stop(entry.state);
      entry.self_clocked = false;
    } else if (entry.self_clocked) {
      // What it left behind when it went to sleep is looked at by a tick, not at the moment at which it did.
      if (!entry.state->self_clock.on.load(std::memory_order_acquire)) {
        entry.self_clocked = entry.self.GoesOn(entry.state, &entry.clocked, now, period_ns);
      }
      if (entry.self_clocked) {
        // Its timer sends the same signal.
        if (!SignalIsOurs()) return false;
        self_clocked++;
        continue;
      }
      entry.seen_cpu_ns = ReadCpuNs(entry.clocked);
    }
    Look(&entry, modes, now, dead_ns);
    if (signal_taken_.load()) return false;
    // Not `now`: what the thread ran while the sampler was kept from going on is in its clock.
    const uint64_t looked_ns = capture::MonotonicNowNs();
    if (!modes.wall) entry.self_clocked = entry.self.Begins(entry.state, &entry.clocked, entry.seen_cpu_ns, looked_ns, period_ns);
    others++;
  }
  all_self_clocked_ = self_clocked > 0 && others == 0;
  return true;
}

size_t Sampler::CheckSelfClocked(uint64_t period_ns, bool* taken_back) {
  const uint64_t now = capture::MonotonicNowNs();
  checked_ns_ = now;
  size_t count = 0;
  std::lock_guard<std::mutex> lock(mutex_);
  for (Entry& entry : entries_) {
    if (!entry.self_clocked) continue;
    entry.self_clocked = entry.self.GoesOn(entry.state, &entry.clocked, now, period_ns);
    if (entry.self_clocked) {
      count++;
    } else {
      *taken_back = true;
    }
    entry.seen_cpu_ns = ReadCpuNs(entry.clocked);
  }
  return count;
}

void Sampler::RenewSelfClocked() {
  // Sets timers to fire now.
  handler_seen_ = false;
  if (!SignalIsOurs()) return;
  std::lock_guard<std::mutex> lock(mutex_);
  for (const Entry& entry : entries_) {
    if (entry.self_clocked) SelfClocked::Renew(entry.state);
  }
}

bool Sampler::TookItsCore(const Entry& entry, ThreadLook* look) const {
  // A thread that others displaced is met when it runs again, wherever it was; only who is displaced by the tick itself would never be met.
  // Asking the kernel for a thread's state is the dearest part of a tick that finds it asleep, so first whether it can be so at all. (The
  // number is old in a call within which the thread was moved: docs/clock.md, Limits.)
  const volatile uint32_t* core = entry.state->core;
  const uint32_t last = core == nullptr ? capture::kNoCore : *core;
  const uint32_t own = seat_.core();
  if (last < capture::kNoCore && own < capture::kNoCore && last != own) return false;
  return look->Runnable();
}

void Sampler::Look(Entry* entry, Modes modes, uint64_t now, uint64_t dead_ns) {
  capture::ThreadState* state = entry->state;
  ThreadLook look(&entry->clocked);
  const uint64_t cpu = look.cpu_ns();
  // Whether ticks are slow is decided by the process's use over a while, never by what a thread just did: a gap that depends on the state
  // before it favours the short waits behind long ones (measured: 17 % for a true 15).
  if (cpu > entry->seen_cpu_ns) used_since_ns_ += cpu - entry->seen_cpu_ns;
  entry->seen_cpu_ns = cpu;
  capture::Wanted wanted;
  wanted.cpu = false;
  if (modes.wall && state->wall_began_ns.load(std::memory_order_acquire) != 0) {
    wanted.wall = entry->wall.Due(state, &entry->clocked, &look, now, dead_ns);
  }
  // Also without a CPU profile: attribution takes what wall samples see of running threads.
  if ((modes.cpu || wanted.wall) && cpu >= state->last_cpu_ns.load(std::memory_order_relaxed) + dead_ns) {
    wanted.cpu = look.Running() || TookItsCore(*entry, &look);
  }
  if ((!wanted.cpu && !wanted.wall) || !SignalIsOurs()) return;
  wanted.runnable = wanted.cpu && !look.Running();
  // One signal of ours on its way at a time; a thread that blocks it keeps its CPU for later.
  if (state->pending.exchange(1, std::memory_order_acq_rel) != 0) {
    // A sleeping thread uses none: there time counts, too.
    const bool waited = wanted.wall && now > entry->sent_ns + 10 * entry->patience_ns;
    if (cpu < entry->sent_cpu_ns + entry->patience_ns && !waited) return;
    entry->patience_ns *= 2;
  } else {
    entry->patience_ns = kPatienceNs;
  }
  entry->sent_ns = now;
  if (wanted.wall) {
    entry->wall.Sends(&entry->clocked, &look, now + dead_ns);
    batches_idle_.store(entry->wall.batches(), std::memory_order_relaxed);
  }
  Send(entry, wanted, cpu);
}

void Sampler::Send(Entry* entry, const capture::Wanted& wanted, uint64_t cpu_ns) {
  capture::ThreadState* state = entry->state;
  entry->sent_cpu_ns = cpu_ns;
  if (const int refused = SendSample(seat_.pid(), entry->clocked, capture::MakeToken(state->index, wanted)); refused != 0) {
    state->pending.store(0, std::memory_order_release);
    refused_errno_.store(refused, std::memory_order_relaxed);
    refused_.fetch_add(1, std::memory_order_relaxed);
  } else {
    refused_.store(0, std::memory_order_relaxed);
  }
}

void Sampler::WatchForQuiet(uint64_t now) {
  quiet_since_ns_ = now;
  used_since_ns_ = 0;
}

bool Sampler::Park(uint64_t period_ns) {
  bool taken_back = false;
  const size_t self_clocked = CheckSelfClocked(period_ns, &taken_back);
  if (taken_back) {
    // That one needs ticks.
    WatchForQuiet(capture::MonotonicNowNs());
    return true;
  }
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (Entry& entry : entries_) {
      if (entry.self_clocked) continue;
      const uint64_t cpu_ns = DeadTimeNs(period_ns) + RandomGap(period_ns);
      // Without a timer on every thread nobody would wake the sampler: it stays awake.
      if (seat_.ArmWake(&entry.clocked, cpu_ns)) continue;
      for (Entry& armed : entries_) seat_.DisarmWake(&armed.clocked);
      return true;
    }
  }
  bool in_place = true;
  bool woken = false;
  while (running_.load() && in_place && !woken) {
    woken = seat_.Sleep(self_clocked > 0 ? kCheckNs : 0);
    wakeups_.fetch_add(1, std::memory_order_relaxed);
    if (rate_changed_.exchange(false)) RenewSelfClocked();
    if (woken || self_clocked == 0) break;
    // Timers go on sending: the sooner they stop the better when somebody took the signal.
    handler_seen_ = false;
    in_place = SignalIsOurs();
    // One that is gone may have been the last that clocked itself.
    if (CheckSelfClocked(period_ns, &taken_back) < self_clocked || taken_back) break;
  }
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (Entry& entry : entries_) seat_.DisarmWake(&entry.clocked);
  }
  WatchForQuiet(capture::MonotonicNowNs());
  // The thread that woke us by its timer runs now, at a random amount of its CPU: a fair moment for a sample. The end of a check is none,
  // and a kick least of all: it may come from a thread that has just gone to sleep.
  if (!in_place) return false;
  return woken && !seat_.kicked() ? Tick(period_ns) : true;
}

}  // namespace strobe::clock
