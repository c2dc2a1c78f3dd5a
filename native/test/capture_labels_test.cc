// Tests of labels in capture/capture.h: the CPU that samples and sections charge adds up to the thread's clock, whatever comes between
// them, and what a thread inherits stands where nothing else is current.
//
// The label is real memory laid out as V8's heap: a holder whose first field is an object of twelve Smis.
#include <cstring>
#include <memory>
#include <vector>

#include "capture/capture.h"
#include "capture/clocks.h"
#include "capture/gc_stack.h"
#include "capture/label_source.h"
#include "label/sections.h"
#include "test/check.h"
#include "test/span_owner.h"
#include "v8/heap.h"

namespace strobe::capture {
namespace {

using v8api::VmState;

constexpr uint64_t kThread = 3;

void Burn(uint64_t ns) {
  const uint64_t end = ThreadCpuNowNs() + ns;
  while (ThreadCpuNowNs() < end) {
  }
}

class Application {
 public:
  Application() : memory_(kRingBytes / 8), gc_frames_(kMaxDepthLimit + 1), source(std::make_unique<LabelSource>()), spans(&source->spans) {
    layout_ = v8::TableLayout(13, 6);
    SetMap(map_of_object_, layout_->type_js_object);
    SetMap(map_of_oddball_, 131);
    oddball_[0] = Tag(map_of_oddball_);
    label_[0] = Tag(map_of_object_);
    holder_[0] = Tag(map_of_object_);
    handle_ = Tag(holder_);
    state.isolate = this;
    state.get_stack_sample = [](v8api::Isolate* isolate, const v8api::RegisterState&, void** frames, size_t, v8api::SampleInfo* info) {
      frames[0] = reinterpret_cast<void*>(0x1000);
      info->frames_count = 1;
      info->vm_state = static_cast<uint16_t>(static_cast<Application*>(isolate)->vm_state);
    };
    state.max_depth = 16;
    state.code_events = &events_;
    state.layout = layout_;
    state.gc_frames = gc_frames_.data();
    state.gc_announced = true;
    state.ring.Init(reinterpret_cast<uint8_t*>(memory_.data()), kRingBytes);
    source->handle = &handle_;
    source->kind.store(LabelSource::kHolder);
    state.labels.store(source.get());
    SetLabel(0);
    Arm();
  }

  // As Profiler::Arm.
  void Arm() {
    armed_ns = ThreadCpuNowNs();
    state.last_cpu_ns.store(armed_ns);
    state.armed_cpu_ns.store(armed_ns);
    state.charged_cpu_ns.store(armed_ns);
    state.charged_sections_ns.store(source->sections_ns.load());
    state.armed.store(true);
  }

  // 0: none is current.
  void SetLabel(uint32_t set, uint32_t slot = 0, uint32_t slot_generation = 0) {
    holder_[3] = set == 0 ? Tag(oddball_) : Tag(label_);
    const uint32_t fields[12] = {set, 1, slot, slot_generation, 0, 0, 0, 0, 0, 0, 0, 0};
    for (uint32_t i = 0; i < 12; i++) label_[3 + i] = uint64_t{fields[i]} << 32;
  }
  void Damage() { holder_[3] = 0; }

  // The record, taken out of the ring at once; its `rest_ns` is added to `rest`.
  SampleRecord Sample() {
    Registers registers;
    registers.pc = registers.sp = registers.fp = reinterpret_cast<void*>(uint64_t{0x7f00'0000'0000});
    SampleRecord record{};
    if (Capture(&state, registers, {}) != CaptureResult::kRecorded) return record;
    uint32_t bytes = 0;
    const uint8_t* at = state.ring.Next(state.ring.Head(), &bytes);
    if (!CHECK(at != nullptr)) return record;
    std::memcpy(&record, at, sizeof record);
    state.ring.Release(bytes);
    rest += record.rest_ns;
    return record;
  }

  ThreadState state;
  VmState vm_state = VmState::kJs;
  uint64_t rest = 0;
  uint64_t armed_ns = 0;

 private:
  static constexpr uint32_t kRingBytes = 64 * 1024;
  static uint64_t Tag(const uint64_t* object) { return reinterpret_cast<uint64_t>(object) + v8::kHeapTag; }
  void SetMap(uint64_t* map, uint16_t type) { std::memcpy(reinterpret_cast<uint8_t*>(map) + layout_->map_type, &type, sizeof type); }

  std::vector<uint64_t> memory_;
  std::vector<void*> gc_frames_;
  std::atomic<uint64_t> events_{0};
  const v8::Layout* layout_;
  uint64_t map_of_object_[8] = {};
  uint64_t map_of_oddball_[8] = {};
  uint64_t oddball_[8] = {};
  uint64_t label_[18] = {};
  uint64_t holder_[8] = {};
  uint64_t handle_;

 public:
  std::unique_ptr<LabelSource> source;
  SpanOwner spans;
};

TEST(capture_labels_charge_all_cpu_of_samples) {
  Application app;
  uint64_t weights = 0;
  for (uint32_t i = 0; i < 50; i++) {
    app.SetLabel(i % 3);
    Burn(20'000);
    const SampleRecord record = app.Sample();
    CHECK_EQ(record.label.label_set, i % 3);
    weights += record.weight_ns;
  }
  CHECK_EQ(app.rest, weights);
  CHECK_EQ(app.rest, app.state.charged_cpu_ns.load() - app.armed_ns);
  CHECK_EQ(app.state.labels_refused.load(), 0);
}

TEST(capture_labels_charge_and_sections_add_up) {
  Application app;
  label::LabelTable table;
  uint32_t generation = 0;
  const uint32_t set = table.Intern({{"k", "v"}}, &generation);
  uint32_t span_generation = 0;
  const uint32_t span = app.spans.Open(&span_generation);
  uint64_t state = 1;
  const auto random = [&] { return state = state * 6364136223846793005u + 1442695040888963407u, static_cast<uint32_t>(state >> 33); };
  uint32_t depth = 0;
  uint64_t inside = 0;
  app.SetLabel(1, span, span_generation);
  for (int round = 0; round < 3'000; round++) {
    const uint32_t what = random() % 4;
    if (what == 0 && depth < 3) {
      depth = label::EnterSection(app.source.get(), {span, span_generation, set, generation}, app.armed_ns);
    } else if (what == 1 && depth != 0) {
      label::ExitSection(app.source.get(), &table, depth, kThread, app.armed_ns);
      depth--;
    } else if (what == 2) {
      const SampleRecord record = app.Sample();
      if (depth != 0) {
        inside++;
        CHECK_EQ(record.rest_ns, 0);
      }
    } else {
      Burn(random() % 8'000);
    }
  }
  while (depth != 0) label::ExitSection(app.source.get(), &table, depth--, kThread, app.armed_ns);
  app.Sample();
  CHECK(inside > 10);
  const uint64_t exact = table.Find(set, generation)->exact.at(kThread).cpu_ns;
  const uint64_t all = app.state.charged_cpu_ns.load() - app.armed_ns;
  // To the nanosecond: what a section takes is what samples do not charge.
  CHECK_EQ(app.rest + exact, all);
  CHECK(exact > 0 && app.rest > 0);
  const SpanUse* use = app.source->spans.Find(span, span_generation);
  if (!CHECK(use != nullptr)) return;
  CHECK_EQ(use->exact_ns.load(), exact);
  CHECK_EQ(use->rest_ns.load(), app.rest);
}

TEST(capture_labels_of_an_ended_span) {
  Application app;
  uint32_t generation = 0;
  const uint32_t span = app.spans.Open(&generation);
  app.SetLabel(1, span, generation);
  app.spans.Close(span, generation);
  uint32_t next = 0;
  CHECK_EQ(app.spans.Open(&next), span);
  Burn(50'000);
  CHECK(app.Sample().rest_ns >= 50'000);
  CHECK_EQ(app.source->spans.Find(span, next)->rest_ns.load(), 0);
}

TEST(capture_labels_armed_again) {
  // Another thread arms while this one's handler waits for a core: its clock was read before. Nothing is charged, least of all 2^64 ns.
  Application app;
  app.state.charged_cpu_ns.store(ThreadCpuNowNs() + 1'000'000'000);
  CHECK_EQ(app.Sample().rest_ns, 0);
  // Inside a section across the end of one run and the beginning of the next.
  label::LabelTable table;
  uint32_t generation = 0;
  const uint32_t set = table.Intern({{"k", "v"}}, &generation);
  const uint32_t depth = label::EnterSection(app.source.get(), {0, 0, set, generation}, app.armed_ns);
  Burn(100'000);
  app.Arm();
  app.rest = 0;
  Burn(50'000);
  CHECK_EQ(app.Sample().rest_ns, 0);
  label::ExitSection(app.source.get(), &table, depth, kThread, app.armed_ns);
  app.Sample();
  CHECK_EQ(app.rest + table.Find(set, generation)->exact.at(kThread).cpu_ns, app.state.charged_cpu_ns.load() - app.armed_ns);
}

TEST(capture_labels_inherited) {
  Application app;
  app.state.inherited_labels.store((uint64_t{9} << 32) | 5);
  app.SetLabel(0);
  SampleLabel label = app.Sample().label;
  CHECK_EQ(label.label_set, 5);
  CHECK_EQ(label.label_set_generation, 9);
  // What is current comes first.
  app.SetLabel(2);
  CHECK_EQ(app.Sample().label.label_set, 2);
  // What can't be read is not current, and counted.
  app.Damage();
  CHECK_EQ(app.Sample().label.label_set, 5);
  CHECK_EQ(app.state.labels_refused.load(), 1);
  // A thread that never used labels.
  app.SetLabel(2);
  app.state.labels.store(nullptr);
  CHECK_EQ(app.Sample().label.label_set, 5);
  app.state.inherited_labels.store(0);
  label = app.Sample().label;
  CHECK_EQ(label.label_set + label.label_set_generation, 0);
}

TEST(capture_labels_of_collections) {
  Application app;
  app.state.inherited_labels.store((uint64_t{1} << 32) | 5);
  app.SetLabel(2);
  // Announced: the label of its beginning, whatever stands there while objects move.
  GcBegins(&app.state, v8api::kGcScavenge);
  app.vm_state = VmState::kGc;
  app.SetLabel(3);
  CHECK_EQ(app.Sample().label.label_set, 2);
  app.vm_state = VmState::kExternal;
  GcEnds(&app.state);
  CHECK_EQ(app.Sample().label.label_set, 3);
  // A step of marking: nothing moves.
  app.vm_state = VmState::kGc;
  CHECK_EQ(app.Sample().label.label_set, 3);
  // A V8 that announces no collection: nothing of the heap is read.
  app.state.gc_announced = false;
  CHECK_EQ(app.Sample().label.label_set, 5);
  app.state.gc_announced = true;
  // One that began before the thread was armed.
  app.vm_state = VmState::kExternal;
  app.state.armed.store(false);
  GcBegins(&app.state, v8api::kGcMarkSweepCompact);
  app.Arm();
  app.vm_state = VmState::kGc;
  CHECK_EQ(app.Sample().label.label_set, 5);
  app.vm_state = VmState::kExternal;
  GcEnds(&app.state);
  app.vm_state = VmState::kJs;
  CHECK_EQ(app.Sample().label.label_set, 3);
  CHECK_EQ(app.state.labels_refused.load(), 0);
}

}  // namespace
}  // namespace strobe::capture
