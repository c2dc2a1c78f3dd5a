// Tests of collector.h with real captures: samples inside a collection resolve with the names of its beginning, although code moved before
// they were taken and drained; whenever the collector looks. The argument for it stands at the top of collector.h.
//
// The application is a model: functions live at places, a collection moves them, V8's stack is a list of places. What each sample should
// read is known when it is taken.
#include "collector.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "capture/capture.h"
#include "capture/clocks.h"
#include "capture/gc_stack.h"
#include "test/check.h"

namespace strobe {
namespace {

using v8api::VmState;

constexpr uint64_t kPlaces = 12;
uint64_t StartOf(size_t place) { return 0x10000 + place * 0x1000; }

class Application {
 public:
  Application() : memory_(kRingBytes / 8), gc_frames_(capture::kMaxDepthLimit + 1), names_(kPlaces) {
    capture::ThreadState& s = state;
    s.isolate = this;
    s.get_stack_sample = GetStackSample;
    s.max_depth = 16;
    s.code_events = &thread.events.published();
    s.gc_frames = gc_frames_.data();
    s.ring.Init(reinterpret_cast<uint8_t*>(memory_.data()), kRingBytes);
    s.armed.store(true);
    thread.key = 1;
    thread.state = &state;
    thread.tid = 1;
    thread.name = "application";
  }

  void Compile(size_t place, const std::string& name) {
    names_[place] = name;
    v8::CodeEvent event;
    event.type = v8::CodeEvent::Type::kAdded;
    event.code_type = v8api::JitCodeEvent::kJitCode;
    event.start = StartOf(place);
    event.length_or_new_start = 0x100;
    const std::string text = "JS:*" + name + " /a.js:1:1";
    event.name = text;
    thread.events.Push(event);
  }
  // The event only: V8 may announce it on another thread. `Moved` is what the application knows of it.
  void AnnounceMove(size_t from, size_t to) {
    v8::CodeEvent event;
    event.type = v8::CodeEvent::Type::kMoved;
    event.start = StartOf(from);
    event.length_or_new_start = StartOf(to);
    thread.events.Push(event);
  }
  void Moved(size_t from, size_t to) {
    names_[to] = names_[from];
    names_[from].clear();
    for (size_t& place : stack_) {
      if (place == from) place = to;
    }
  }
  void Move(size_t from, size_t to) {
    AnnounceMove(from, to);
    Moved(from, to);
  }
  bool Occupied(size_t place) const { return !names_[place].empty(); }
  size_t CountOccupied() const {
    size_t count = 0;
    for (size_t place = 0; place < kPlaces; place++) count += Occupied(place) ? 1 : 0;
    return count;
  }
  void Call(std::vector<size_t> places) { stack_ = std::move(places); }
  const std::vector<size_t>& stack() const { return stack_; }

  void Begin() {
    vm_state_ = VmState::kExternal;
    capture::GcBegins(&state, v8api::kGcMarkSweepCompact);
    at_begin_ = Names();
    vm_state_ = VmState::kGc;
  }
  void End() {
    vm_state_ = VmState::kExternal;
    capture::GcEnds(&state);
    vm_state_ = VmState::kJs;
  }
  void Sample() {
    capture::Registers registers;
    registers.pc = registers.sp = registers.fp = reinterpret_cast<void*>(uint64_t{0x7f00'0000'0000});
    if (Capture(&state, registers, {}) != capture::CaptureResult::kRecorded) return;
    const std::string names = vm_state_ == VmState::kGc ? at_begin_ + (at_begin_.empty() ? "" : ";") + "(garbage collector)" : Names();
    expected[names.empty() ? "(program)" : names]++;
    recorded++;
  }

  capture::ThreadState state;
  SampledThread thread;
  std::map<std::string, uint64_t> expected;
  uint64_t recorded = 0;

 private:
  static constexpr uint32_t kRingBytes = 64 * 1024;

  static void GetStackSample(v8api::Isolate* isolate, const v8api::RegisterState&, void** frames, size_t limit, v8api::SampleInfo* info) {
    const auto* self = static_cast<const Application*>(isolate);
    info->vm_state = static_cast<uint16_t>(self->vm_state_);
    info->frames_count = 0;
    if (self->vm_state_ == VmState::kGc) return;
    for (; info->frames_count < self->stack_.size() && info->frames_count < limit; info->frames_count++) {
      frames[info->frames_count] = reinterpret_cast<void*>(StartOf(self->stack_[info->frames_count]) + 0x10);
    }
  }
  // Root first, as slices tell it.
  std::string Names() const {
    std::string out;
    for (size_t i = stack_.size(); i-- > 0;) out += (out.empty() ? "" : ";") + names_[stack_[i]];
    return out;
  }

  std::vector<uint64_t> memory_;
  std::vector<void*> gc_frames_;
  std::vector<std::string> names_;
  std::vector<size_t> stack_;  // leaf first
  std::string at_begin_;
  VmState vm_state_ = VmState::kJs;
};

void AddStacks(const stack::Slice& slice, std::map<std::string, uint64_t>* stacks) {
  for (size_t row = 0; row < slice.sample_node.size(); row++) {
    std::string path;
    for (uint32_t node = slice.sample_node[row]; node != 0; node = slice.node_parent[node]) {
      const std::string& name = slice.strings[slice.function_name[slice.frame_function[slice.node_frame[node]]]];
      path = path.empty() ? name : name + ";" + path;
    }
    (*stacks)[path] += slice.sample_count[row];
  }
}

bool Same(const std::map<std::string, uint64_t>& seen, const std::map<std::string, uint64_t>& expected) {
  if (seen == expected) return true;
  for (const auto& [stack, count] : seen) {
    const auto found = expected.find(stack);
    if (found == expected.end() || found->second != count) CHECK_EQ(stack + " " + std::to_string(count), "(as expected)");
  }
  return CHECK_EQ(seen.size(), expected.size());
}

TEST(collector_gc_drained_at_every_place) {
  // One collection with everything that may happen around it, and the collector looking between any two steps, or not: all combinations.
  const std::vector<void (*)(Application*)> steps = {
      [](Application* app) { app->Sample(); },
      [](Application* app) { app->Begin(); },
      [](Application* app) { app->Sample(); },
      [](Application* app) { app->Move(0, 5); },  // f moves away …
      [](Application* app) { app->Sample(); },
      [](Application* app) { app->Move(1, 0); },  // … and g comes to its place: the stack of the beginning names f there
      [](Application* app) { app->Sample(); },
      [](Application* app) { app->End(); },
      [](Application* app) { app->Sample(); },
      [](Application* app) { app->Compile(1, "new"); },
      [](Application* app) {
        app->Begin();
        app->Sample();
        app->Move(1, 7);
      },
      [](Application* app) {
        app->Sample();
        app->End();
        app->Sample();
      },
  };
  for (uint32_t looks = 0; looks < 1u << steps.size(); looks += 1) {
    Application app;
    Collector collector([](SampledThread*) {});
    collector.Add(&app.thread);
    app.Compile(0, "f");
    app.Compile(1, "g");
    app.Compile(2, "root");
    app.Call({0, 1, 2});
    for (size_t step = 0; step < steps.size(); step++) {
      steps[step](&app);
      if ((looks >> step & 1) != 0) collector.DrainForTest();
    }
    collector.DrainForTest();
    std::map<std::string, uint64_t> seen;
    AddStacks(*collector.CutForTest(), &seen);
    if (!CHECK(Same(seen, app.expected))) {
      CHECK_EQ(looks, 0xffffffff);
      return;
    }
  }
}

TEST(collector_gc_counts_and_kinds) {
  Application app;
  Collector collector([](SampledThread*) {});
  collector.Add(&app.thread);
  app.Compile(0, "f");
  app.Call({0});
  app.Sample();
  app.Begin();
  app.Sample();
  app.Sample();
  app.End();
  app.Call({});
  app.Begin();
  app.Sample();
  app.End();
  collector.DrainForTest();
  CHECK_EQ(collector.counters().gc_samples.load(), 3);
  CHECK_EQ(collector.counters().gc_with_stack.load(), 2);
  const auto slice = collector.CutForTest();
  for (size_t row = 0; row < slice->sample_node.size(); row++) {
    const bool plain = slice->sample_count[row] == 1 && slice->frame_function[slice->node_frame[slice->sample_node[row]]] == 0;
    CHECK_EQ(slice->sample_gc[row], static_cast<uint8_t>(plain ? stack::GcKind::kNone : stack::GcKind::kMarkSweepCompact));
  }
}

TEST(collector_gc_events_wait_while_it_runs) {
  Application app;
  Collector collector([](SampledThread*) {});
  collector.Add(&app.thread);
  app.Compile(0, "f");
  app.Call({0});
  app.Begin();
  app.Move(0, 1);
  collector.DrainForTest();
  CHECK_EQ(app.thread.events.backlog(), 1);
  app.Sample();
  collector.DrainForTest();
  CHECK_EQ(app.thread.events.backlog(), 1);
  app.End();
  collector.DrainForTest();
  CHECK_EQ(app.thread.events.backlog(), 0);
}

// Takes some microseconds now and then: a collector that always has samples to resolve is never at the beginning of a drain.
void Dawdle(std::mt19937* random) {
  if ((*random)() % 4 != 0) return;
  const uint64_t end = capture::MonotonicNowNs() + 4'000;
  while (capture::MonotonicNowNs() < end) {
  }
}

// One round of the application: code comes, calls, samples, collections that move things, announced by `announce`.
void Live(Application* app, std::mt19937* random, const std::function<void(size_t, size_t)>& announce) {
  const auto below = [&](uint32_t n) { return (*random)() % n; };
  if (below(4) == 0) {
    const size_t place = below(kPlaces);
    bool on_stack = false;
    for (const size_t one : app->stack()) on_stack |= one == place;
    // Half of the places stay free, for things to move to.
    if (!on_stack && (app->Occupied(place) || app->CountOccupied() < kPlaces / 2)) app->Compile(place, "f" + std::to_string(below(50)));
  }
  std::vector<size_t> calls;
  for (uint32_t n = below(4); n > 0; n--) {
    const size_t place = below(kPlaces);
    if (app->Occupied(place)) calls.push_back(place);
  }
  app->Call(std::move(calls));
  for (uint32_t n = below(3); n > 0; n--) app->Sample();
  if (below(3) == 0) return;
  app->Begin();
  for (uint32_t n = below(12); n > 0; n--) {
    const size_t from = below(kPlaces);
    const size_t to = below(kPlaces);
    if (app->Occupied(from) && !app->Occupied(to)) {
      announce(from, to);
      app->Moved(from, to);
    }
    if (below(2) == 0) app->Sample();
  }
  app->End();
  if (below(2) == 0) app->Sample();
}

TEST(collector_gc_at_random_against_a_model) {
  Application app;
  Collector collector([](SampledThread*) {});
  collector.Add(&app.thread);
  std::mt19937 random(5);
  std::map<std::string, uint64_t> seen;
  for (int round = 0; round < 30'000; round++) {
    Live(&app, &random, [&](size_t from, size_t to) {
      if (random() % 8 == 0) collector.DrainForTest();
      app.AnnounceMove(from, to);
      if (random() % 8 == 0) collector.DrainForTest();
    });
    if (random() % 10 == 0) collector.DrainForTest();
    if (random() % 100 == 0) AddStacks(*collector.CutForTest(), &seen);
  }
  collector.DrainForTest();
  AddStacks(*collector.CutForTest(), &seen);
  CHECK(app.recorded > 20'000);
  CHECK(Same(seen, app.expected));
}

// Stops the calling thread for a while, again and again and anywhere, so that the others get far between any two of its instructions.
class Interruptions {
 public:
  Interruptions() {
    struct sigaction action {};
    action.sa_handler = [](int) {
      const timespec nap{0, 60'000};
      nanosleep(&nap, nullptr);
    };
    sigaction(SIGUSR2, &action, &before_);
    thread_ = std::thread([this, target = pthread_self()] {
      while (!stop_.load()) {
        pthread_kill(target, SIGUSR2);
        sent.fetch_add(1);
        const timespec nap{0, 40'000};
        nanosleep(&nap, nullptr);
      }
    });
  }
  ~Interruptions() {
    stop_.store(true);
    thread_.join();
    sigaction(SIGUSR2, &before_, nullptr);
  }
  Interruptions(const Interruptions&) = delete;
  Interruptions& operator=(const Interruptions&) = delete;
  std::atomic<uint64_t> sent{0};

 private:
  std::atomic<bool> stop_{false};
  struct sigaction before_ {};
  std::thread thread_;
};

TEST(collector_gc_on_three_threads) {
  // The application, a helper that announces the moves while the application is being sampled, and the collector, all at once. A thread's
  // own order is all that the handler has: whatever the collector sees of the others' must give the names of the moment.
  Application app;
  Collector collector([](SampledThread*) {});
  collector.Add(&app.thread);
  Interruptions interruptions;
  std::atomic<bool> done{false};
  std::atomic<uint64_t> wanted{0};  // from << 32 | to << 8 | 1
  std::thread helper([&] {
    for (;;) {
      const uint64_t move = wanted.load(std::memory_order_acquire);
      if (move != 0) {
        app.AnnounceMove(move >> 32, (move >> 8) & 0xff);
        wanted.store(0, std::memory_order_release);
      } else if (done.load()) {
        return;
      } else {
        std::this_thread::yield();
      }
    }
  });
  std::thread application([&] {
    app.state.last_cpu_ns = capture::ThreadCpuNowNs();
    std::mt19937 random(6);
    for (int round = 0; round < 1'000'000 && (round < 2'000 || interruptions.sent.load() < 8'000 || app.recorded <= 1'000); round++) {
      Dawdle(&random);
      Live(&app, &random, [&](size_t from, size_t to) {
        Dawdle(&random);
        if (random() % 16 != 0) return app.AnnounceMove(from, to);
        wanted.store(uint64_t{from} << 32 | uint64_t{to} << 8 | 1, std::memory_order_release);
        while (wanted.load(std::memory_order_acquire) != 0) {
          // The collection goes on meanwhile.
          if (random() % 4 == 0) app.Sample();
          std::this_thread::yield();
        }
      });
    }
    done.store(true);
  });
  std::map<std::string, uint64_t> seen;
  for (bool last_round = false; !last_round;) {
    last_round = done.load();
    collector.DrainForTest();
  }
  application.join();
  helper.join();
  AddStacks(*collector.CutForTest(), &seen);
  seen.erase("(lost)");
  CHECK(app.recorded > 1'000);
  CHECK(Same(seen, app.expected));
}

}  // namespace
}  // namespace strobe
