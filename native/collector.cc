#include "collector.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <system_error>

#include "capture/capture.h"
#include "capture/clocks.h"

namespace strobe {

namespace {

// At 1 kHz a ring of 256 KiB is half full after about 250 ms of 50-frame stacks.
constexpr uint64_t kNapNs = 200'000'000;
constexpr int kQuietRoundsBeforeSleep = 2;
constexpr uint64_t kFlushPollNs = 5'000'000;
// A slice is cut on the collector's own account when it is this old or this large: what waits in native memory stays small.
constexpr uint64_t kSliceAgeNs = 10'000'000'000;
constexpr size_t kSliceNodes = 100'000;
// Finished slices that nobody takes (an encoder that hangs): the oldest goes, counted.
constexpr size_t kMaxSlices = 64;
constexpr size_t kMaxWaitingNodes = 1'000'000;  // some 30 MB
constexpr size_t kMaxNativeAddresses = 4096;

const v8::FunctionRef& VmFunction(const char* name) {
  static auto* table = new std::unordered_map<std::string, v8::FunctionRef>;
  auto& slot = (*table)[name];
  if (!slot) slot = std::make_shared<v8::Function>(name, v8::FunctionKind::kVm, v8::FrameRole::kShown);
  return slot;
}

double UnixMs() { return static_cast<double>(capture::ReadClockNs(CLOCK_REALTIME)) / 1e6; }

void Bump(std::atomic<uint64_t>* counter, uint64_t by) { counter->fetch_add(by, std::memory_order_relaxed); }

}  // namespace

void YieldToApplication() {
  constexpr int kNicer = 10;
  errno = 0;
  const int nice = getpriority(PRIO_PROCESS, 0);
  // Linux: 0 means the calling thread. Raising nice needs no privilege.
  if (errno == 0) setpriority(PRIO_PROCESS, 0, nice + kNicer);
}

bool Collector::EnsureStarted() {
  std::lock_guard<std::mutex> lock(start_mutex_);
  if (started_) return true;
  // Our threads take no signals of the application.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    std::thread([this] { Run(); }).detach();
    started_ = true;
  } catch (const std::system_error&) {
    // A limit on threads or memory: the caller says so.
    started_ = false;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return started_;
}

void Collector::Add(SampledThread* thread) {
  {
    std::lock_guard<std::mutex> lock(threads_mutex_);
    threads_.push_back(thread);
  }
  Wake();
}

void Collector::Rename(int32_t node_thread_id, const std::string& name) {
  std::lock_guard<std::mutex> lock(threads_mutex_);
  for (SampledThread* thread : threads_) {
    if (thread->node_thread_id == node_thread_id && !thread->ended.load()) thread->name = name;
  }
}

void Collector::Wake() { capture::g_doorbell.Ring(true); }

void Collector::MarkStart() { slice_start_unix_ms_.store(UnixMs()); }

bool Collector::CutNow(int timeout_ms) {
  const uint64_t wanted = cuts_wanted_.fetch_add(1) + 1;
  Wake();
  std::unique_lock<std::mutex> lock(slices_mutex_);
  return cut_done_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [&] { return cuts_made_ >= wanted; });
}

std::vector<std::unique_ptr<stack::Slice>> Collector::TakeSlices() {
  std::lock_guard<std::mutex> lock(slices_mutex_);
  std::vector<std::unique_ptr<stack::Slice>> taken;
  taken.reserve(slices_.size());
  for (auto& slice : slices_) taken.push_back(std::move(slice));
  slices_.clear();
  waiting_nodes_ = 0;
  return taken;
}

void Collector::SetSliceListener(std::function<void()> listener) {
  std::lock_guard<std::mutex> lock(slices_mutex_);
  slice_listener_ = std::move(listener);
}

void Collector::SetFlushHooks(FlushHooks hooks, int timeout_ms) {
  std::lock_guard<std::mutex> lock(flush_mutex_);
  flush_hooks_ = std::move(hooks);
  flush_ended_ = false;
  flush_timeout_ms_ = timeout_ms;
}

void Collector::Run() {
  prctl(PR_SET_NAME, "strobe-collect");
  YieldToApplication();
  for (;;) {
    const uint64_t wanted = cuts_wanted_.load();
    const bool worked = Drain();
    const uint64_t now = capture::MonotonicNowNs();
    bool cut_waits;
    {
      std::lock_guard<std::mutex> lock(slices_mutex_);
      cut_waits = cuts_made_ < wanted;
    }
    if (cut_waits) {
      CutSlice();
      std::lock_guard<std::mutex> lock(slices_mutex_);
      cuts_made_ = wanted;
      cut_done_.notify_all();
    } else if (!builder_.empty() && (builder_.nodes() > kSliceNodes || now - builder_since_ns_ > kSliceAgeNs)) {
      CutSlice();
      std::lock_guard<std::mutex> lock(slices_mutex_);
      if (slice_listener_) slice_listener_();
    }
    StepFlush(now);
    counters_.cpu_ns.store(capture::ThreadCpuNowNs(), std::memory_order_relaxed);
    Sleep(worked);
    Bump(&counters_.wakeups, 1);
  }
}

bool Collector::SomethingWaits() {
  if (cuts_wanted_.load() > cuts_made_) return true;
  {
    std::lock_guard<std::mutex> lock(flush_mutex_);
    if (!flushing_ && !flush_ended_ && flush_hooks_.wanted && flush_hooks_.wanted()) return true;
    if (flushing_ && flush_done_.load()) return true;
  }
  std::lock_guard<std::mutex> lock(threads_mutex_);
  for (const SampledThread* thread : threads_) {
    if (thread->ended.load() || !thread->state->ring.Empty()) return true;
  }
  return false;
}

void Collector::Sleep(bool worked) {
  quiet_rounds_ = worked ? 0 : quiet_rounds_ + 1;
  const bool asleep = quiet_rounds_ > kQuietRoundsBeforeSleep && !flushing_;
  auto& word = capture::g_doorbell.word;
  const uint32_t declared = asleep ? capture::CollectorDoorbell::kAsleep : capture::CollectorDoorbell::kNapping;
  // Declared first, looked after: whoever rings in between either sees the declaration or is seen here (CollectorDoorbell::Ring is the
  // other half).
  word.exchange(declared, std::memory_order_acq_rel);
  bool waits = cuts_wanted_.load() > cuts_made_;
  if (asleep) {
    waits = SomethingWaits();
  } else if (!waits) {
    std::lock_guard<std::mutex> lock(flush_mutex_);
    waits = (!flushing_ && !flush_ended_ && flush_hooks_.wanted && flush_hooks_.wanted()) || (flushing_ && flush_done_.load());
  }
  if (!waits) {
    const uint64_t ns = flushing_ ? kFlushPollNs : kNapNs;
    const timespec limit{static_cast<time_t>(ns / 1'000'000'000u), static_cast<long>(ns % 1'000'000'000u)};
    syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAIT_PRIVATE, declared, asleep ? nullptr : &limit, nullptr, 0);
  }
  word.store(capture::CollectorDoorbell::kAwake, std::memory_order_release);
}

bool Collector::Drain() {
  std::vector<SampledThread*> threads;
  {
    std::lock_guard<std::mutex> lock(threads_mutex_);
    threads = threads_;
  }
  bool worked = false;
  uint64_t entries = 0;
  uint64_t overlap = ended_overlap_;
  uint64_t bound = ended_bound_;
  bool names_freed = false;
  for (SampledThread* thread : threads) {
    // Read before the drain: what an ended thread wrote was written before it ended.
    const bool ended = thread->ended.load(std::memory_order_acquire);
    worked |= DrainThread(thread);
    entries += thread->map.size();
    overlap += thread->map.evicted_by_overlap();
    bound += thread->map.evicted_by_bound();
    if (ended) {
      ended_overlap_ += thread->map.evicted_by_overlap();
      ended_bound_ += thread->map.evicted_by_bound();
      {
        std::lock_guard<std::mutex> lock(threads_mutex_);
        threads_.erase(std::find(threads_.begin(), threads_.end(), thread));
      }
      on_drained_(thread);
      names_freed = true;
    }
  }
  if (names_freed) functions_.Sweep();
  counters_.code_entries.store(entries, std::memory_order_relaxed);
  counters_.evicted_overlap.store(overlap, std::memory_order_relaxed);
  counters_.evicted_bound.store(bound, std::memory_order_relaxed);
  return worked;
}

bool Collector::DrainThread(SampledThread* thread) {
  capture::ThreadState* state = thread->state;
  const uint64_t events = thread->events.published().load(std::memory_order_acquire);
  const uint64_t head = state->ring.Head();
  bool worked = false;
  uint32_t bytes = 0;
  while (const uint8_t* at = state->ring.Next(head, &bytes)) {
    const auto& record = *reinterpret_cast<const capture::SampleRecord*>(at);
    ApplyEvents(thread, record.code_events);
    Resolve(thread, record, reinterpret_cast<const uint64_t*>(at + sizeof(capture::SampleRecord)));
    state->ring.Release(bytes);
    worked = true;
  }
  ApplyEvents(thread, events);
  const uint64_t lost = state->lost_since_taken.exchange(0, std::memory_order_relaxed);
  const uint64_t lost_ns = state->lost_ns_since_taken.exchange(0, std::memory_order_relaxed);
  if (lost != 0 || lost_ns != 0) {
    if (builder_.empty()) builder_since_ns_ = capture::MonotonicNowNs();
    const uint32_t node = builder_.Child(builder_.Root(), {VmFunction("(lost)")});
    builder_.AddSample(node, ThreadRow(thread), 0, static_cast<uint32_t>(lost), static_cast<double>(lost_ns));
    builder_.totals().lost += lost;
    Bump(&counters_.lost, lost);
    worked = true;
  }
  const uint64_t unsampled_ns = state->unsampled_ns_since_taken.exchange(0, std::memory_order_relaxed);
  if (unsampled_ns != 0) {
    if (builder_.empty()) builder_since_ns_ = capture::MonotonicNowNs();
    builder_.AddSample(builder_.Child(builder_.Root(), {VmFunction("(unsampled)")}), ThreadRow(thread), 0, 0,
                       static_cast<double>(unsampled_ns));
    worked = true;
  }
  return worked;
}

void Collector::ApplyEvents(SampledThread* thread, uint64_t limit) {
  v8::CodeEvent event;
  uint64_t applied = 0;
  while (thread->events.Next(limit, &event)) {
    applied++;
    switch (event.type) {
      case v8::CodeEvent::Type::kAdded: {
        const v8::CodeIdentity identity = v8::IdentifyCode(event.name, event.code_type);
        thread->map.Add(event.start, event.length_or_new_start, functions_.Intern(identity), event.code_type == 0);
        break;
      }
      case v8::CodeEvent::Type::kMoved:
        thread->map.Move(event.start, event.length_or_new_start);
        break;
      case v8::CodeEvent::Type::kRemoved:
        thread->map.Remove(event.start);
        break;
      case v8::CodeEvent::Type::kReattach:
        thread->map.Clear();
        break;
      case v8::CodeEvent::Type::kReset:
        thread->map.Clear();
        Bump(&counters_.code_resets, 1);
        break;
    }
  }
  if (applied != 0) Bump(&counters_.code_events, applied);
}

// True for an address in the executable or a library. dladdr takes the loader's lock: asked once an address, of which there are a handful.
bool Collector::IsNativeCode(uint64_t address) {
  const auto known = native_code_.find(address);
  if (known != native_code_.end()) return known->second;
  if (native_code_.size() >= kMaxNativeAddresses) native_code_.clear();
  Dl_info info;
  const bool native = dladdr(reinterpret_cast<void*>(address), &info) != 0;
  native_code_.emplace(address, native);
  return native;
}

// Pushes the function at `address` on stack_. `is_pc`: the interrupted instruction, which may be anything; others are V8's frames.
// Returns false when a frame's address is in no known code.
bool Collector::ResolveAddress(SampledThread* thread, uint64_t address, bool is_pc) {
  uint64_t start = 0;
  const v8::CodeMap::Entry* entry = thread->map.Find(address, &start);
  // No pc lies in bytecode: the entry is dead, and something native lives there now.
  if (is_pc && entry != nullptr && entry->bytecode) return false;
  if (entry == nullptr && !is_pc) {
    // A frame at function entry is reported as one below its code; a return address behind a last call is one past it.
    entry = thread->map.Find(address + 1, &start);
    if (entry == nullptr) entry = thread->map.Find(address - 1, &start);
  }
  if (entry == nullptr && !thread->builtins_looked_for && address - thread->builtins.code_start < thread->builtins.code_length) {
    thread->builtins_looked_for = true;
    const uint64_t copy = v8::FindBuiltinsCopy(thread->builtins);
    if (copy != 0) thread->map.SetAlias(copy, thread->builtins.blob_start, thread->builtins.blob_length);
    entry = thread->map.Find(address, &start);
  }
  // V8 11 (Node 20) reports the C++ callback that JavaScript was called through (RunMicrotasks, a timer) as a frame of its own: glue
  // between two frames.
  if (entry == nullptr) return !is_pc && IsNativeCode(address);
  if (entry->function->role() == v8::FrameRole::kShown) stack_.push_back(entry->function);
  return true;
}

uint32_t Collector::ThreadRow(SampledThread* thread) {
  std::lock_guard<std::mutex> lock(threads_mutex_);
  return builder_.Thread(thread->key, thread->tid, thread->name);
}

void Collector::Resolve(SampledThread* thread, const capture::SampleRecord& record, const uint64_t* frames) {
  stack_.clear();
  // GetStackSample starts at the caller when the interrupted pc is in compiled code: the pc itself is the leaf then. In native code it
  // resolves to nothing, in a bytecode handler or another piece of machinery to something skipped: the first frame is the leaf.
  ResolveAddress(thread, record.pc, true);
  uint64_t unresolved = 0;
  for (uint32_t i = 0; i < record.frame_count; i++) {
    if (ResolveAddress(thread, frames[i], false)) continue;
    unresolved++;
    stack_.push_back(VmFunction("(unresolved)"));
  }
  const auto state = static_cast<v8api::VmState>(record.vm_state);
  if (state == v8api::VmState::kGc) {
    stack_.insert(stack_.begin(), VmFunction("(garbage collector)"));
  } else if (stack_.empty()) {
    const bool idle = state == v8api::VmState::kIdle || state == v8api::VmState::kIdleExternal;
    stack_.push_back(VmFunction(idle ? "(idle)" : "(program)"));
  }
  const bool truncated = (record.flags & capture::kTruncated) != 0;
  if (truncated) stack_.push_back(VmFunction("(truncated)"));

  if (builder_.empty()) builder_since_ns_ = capture::MonotonicNowNs();
  uint32_t node = builder_.Root();
  for (size_t i = stack_.size(); i-- > 0;) node = builder_.Child(node, {stack_[i]});
  builder_.AddSample(node, ThreadRow(thread), 0, 1, static_cast<double>(record.weight_ns));
  stack::SliceTotals& totals = builder_.totals();
  totals.samples++;
  totals.truncated += truncated ? 1 : 0;
  totals.frames += record.frame_count;
  totals.unresolved_frames += unresolved;
  Bump(&counters_.samples, 1);
  Bump(&counters_.truncated, truncated ? 1 : 0);
  Bump(&counters_.frames, record.frame_count);
  Bump(&counters_.unresolved_frames, unresolved);
}

void Collector::CutSlice() {
  std::unique_ptr<stack::Slice> slice = builder_.Cut();
  slice->number = ++slice_number_;
  slice->start_unix_ms = slice_start_unix_ms_.load();
  slice->end_unix_ms = UnixMs();
  slice->frequency_hz = frequency_hz_.load();
  slice_start_unix_ms_.store(slice->end_unix_ms);
  std::lock_guard<std::mutex> lock(slices_mutex_);
  waiting_nodes_ += slice->node_parent.size();
  slices_.push_back(std::move(slice));
  while (slices_.size() > 1 && (slices_.size() > kMaxSlices || waiting_nodes_ > kMaxWaitingNodes)) {
    waiting_nodes_ -= slices_.front()->node_parent.size();
    slices_.pop_front();
    Bump(&counters_.dropped_slices, 1);
  }
}

void Collector::StepFlush(uint64_t now_ns) {
  std::unique_lock<std::mutex> lock(flush_mutex_);
  if (!flushing_) {
    if (flush_ended_ || !flush_hooks_.wanted || !flush_hooks_.wanted()) return;
    flushing_ = true;
    flush_done_.store(false);
    flush_deadline_ns_ = now_ns + static_cast<uint64_t>(flush_timeout_ms_) * 1'000'000u;
    flush_asked_ = false;
    flush_hooks_.disarm();
  }
  if (!flush_asked_) {
    const Delivery delivery = flush_hooks_.deliver();
    flush_asked_ = delivery != Delivery::kNotYet;
    if (delivery == Delivery::kNobody) flush_done_.store(true);
  }
  if (flush_done_.load() || now_ns >= flush_deadline_ns_) {
    flushing_ = false;
    flush_ended_ = true;
    flush_hooks_.end();
  }
}

}  // namespace strobe
