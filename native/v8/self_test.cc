#include "v8/self_test.h"

#include <atomic>
#include <set>

#include "capture/clocks.h"
#include "capture/js_walk.h"
#include "capture/own_stack.h"
#include "resolver.h"
#include "v8/code_events.h"

namespace strobe::v8 {

namespace {

std::atomic<bool> g_forbidden[5];  // by DetailKind

constexpr const char* kInner = "strobeSelfTestInner";
constexpr const char* kOuter = "strobeSelfTestOuter";
constexpr const char* kMapUrl = "strobe-self-test.map";

// Of kSelfTestSource, 1-based.
struct Lines {
  uint32_t first;
  uint32_t last;
  uint32_t hot;
  // Of the last statement: a table read with too long steps never gets there.
  uint32_t end;
};
constexpr Lines kInnerLines{2, 5, 4, 4};
constexpr Lines kOuterLines{6, 12, 9, 11};

bool Within(const Lines& lines, uint32_t line) { return line == 0 || (line >= lines.first && line <= lines.last); }

// Everything that the detail says of the code, offset by offset.
class Examiner {
 public:
  Examiner(const CodeMap::Entry& entry, const BytecodeSizes* sizes, bool is_inner)
      : entry_(entry), own_(is_inner ? kInnerLines : kOuterLines) {
    std::vector<Place> places;
    for (uint32_t offset = 0; offset < entry.length; offset++) {
      if (entry.facts->detail.Lookup(offset, sizes, &places)) Examine(places);
    }
  }

  // '' while nothing was wrong.
  const std::string& wrong() const { return wrong_; }
  bool saw_lines() const { return lines_.count(own_.hot) != 0 && lines_.count(own_.end) != 0; }
  bool saw_inlined() const { return saw_inlined_; }

 private:
  void Examine(const std::vector<Place>& places) {
    if (places.back().function != 0) wrong_ = "a stack does not end in the function itself";
    if (!Within(own_, places.back().line)) wrong_ = "line " + std::to_string(places.back().line) + " is not the function's";
    lines_.insert(places.back().line);
    for (size_t i = 0; i + 1 < places.size(); i++) {
      const auto& functions = entry_.facts->functions;
      if (places[i].function >= functions.size() || !functions[places[i].function]) {
        wrong_ = "an inlined function has no name";
      } else if (functions[places[i].function]->name().name != kInner) {
        wrong_ = "an inlined function has the wrong name";
      } else if (!Within(kInnerLines, places[i].line)) {
        wrong_ = "line " + std::to_string(places[i].line) + " is not the inlined function's";
      } else if (places[i].line == kInnerLines.hot && places[i + 1].line == kOuterLines.hot) {
        saw_inlined_ = true;
      }
    }
  }

  const CodeMap::Entry& entry_;
  const Lines own_;
  std::string wrong_;
  std::set<uint32_t> lines_;
  bool saw_inlined_ = false;
};

bool Failed(const std::string& verdict) { return verdict != "passed" && verdict != "not seen"; }

// The worse of two: a failure stays, "passed" replaces "not seen".
void Judge(const Examiner& examiner, bool complete, std::string* verdict) {
  if (!examiner.wrong().empty()) {
    *verdict = examiner.wrong();
  } else if (complete && *verdict == "not seen") {
    *verdict = "passed";
  }
}

class Examination {
 public:
  Examination(CodeEventQueue* queue, const Layout& layout) : queue_(queue) {
    code_.bytecode_sizes = BytecodeSizesOf(layout.v8_major, layout.v8_minor);
    code_.bytecode_header = layout.bytecode_data;
  }

  void Drain(SelfTestResult* result) {
    CodeEvent event;
    const uint64_t limit = queue_->published().load(std::memory_order_acquire);
    while (queue_->Next(limit, &event)) {
      switch (event.type) {
        case CodeEvent::Type::kScript:
          code_.Announce(event);
          break;
        case CodeEvent::Type::kMoved:
          code_.map.Move(event.start, event.length_or_new_start);
          break;
        case CodeEvent::Type::kAdded:
          code_.Add(event, &functions_);
          Look(event, result);
          break;
        default:
          break;
      }
    }
  }

 private:
  void Look(const CodeEvent& event, SelfTestResult* result) {
    uint64_t start = 0;
    const CodeMap::Entry* entry = code_.map.Find(event.start, &start);
    if (entry == nullptr || !entry->facts) return;
    const std::string& name = entry->function->name().name;
    const bool is_inner = name == kInner;
    if (!is_inner && name != kOuter) return;
    const Examiner examiner(*entry, code_.bytecode_sizes, is_inner);
    switch (entry->facts->detail.header().kind) {
      case DetailKind::kBytecode: {
        // All of a function's bytecode is there at once: every line must be.
        Judge(examiner, examiner.saw_lines(), &result->bytecode);
        if (!examiner.saw_lines() && !Failed(result->bytecode)) result->bytecode = "lines are missing";
        const auto& url = entry->function->map_url();
        result->source_map = url && *url == kMapUrl ? "passed" : "the source map's URL was not read";
        break;
      }
      case DetailKind::kBaseline:
        Judge(examiner, examiner.saw_lines(), &result->baseline);
        if (!examiner.saw_lines() && !Failed(result->baseline)) result->baseline = "lines are missing";
        break;
      case DetailKind::kOptimised:
        Judge(examiner, examiner.saw_inlined(), &result->optimised);
        break;
      case DetailKind::kNone:
      case DetailKind::kWasm:
        break;
    }
  }

  CodeEventQueue* queue_;
  ThreadCode code_;
  FunctionTable functions_;
};

}  // namespace

std::string FindExitFrame(const v8api::Symbols& symbols, v8api::Isolate* isolate) {
  if (symbols.get_code_range == nullptr || symbols.get_embedded_code_range == nullptr) return "V8 does not tell its code's range";
  void* code = nullptr;
  const void* blob = nullptr;
  size_t code_length = 0;
  size_t blob_length = 0;
  symbols.get_code_range(isolate, &code, &code_length);
  symbols.get_embedded_code_range(isolate, &blob, &blob_length);
  const capture::CodeRanges ranges{{reinterpret_cast<uint64_t>(code), reinterpret_cast<uint64_t>(blob)}, {code_length, blob_length}};
  const uint32_t slot = capture::FindExitFrameSlot(isolate, ranges, capture::OwnStack().high);
  if (slot == 0) return "not found";
  capture::g_exit_frame_slot.store(slot);
  return "passed";
}

const char kSelfTestSource[] =
    "(function strobeSelfTest() {\n"                 // 1
    "  function strobeSelfTestInner(a) {\n"          // 2
    "    const b = a * 31;\n"                        // 3
    "    return (b ^ 7) | 0;\n"                      // 4
    "  }\n"                                          // 5
    "  return function strobeSelfTestOuter(n) {\n"   // 6
    "    let t = 0;\n"                               // 7
    "    for (let k = 0; k < n; k++) {\n"            // 8
    "      t = (t + strobeSelfTestInner(k)) | 0;\n"  // 9
    "    }\n"                                        // 10
    "    return t;\n"                                // 11
    "  };\n"                                         // 12
    "})()\n"
    "//# sourceMappingURL=strobe-self-test.map\n";

bool DetailsAllowed(DetailKind kind) { return !g_forbidden[static_cast<size_t>(kind)].load(std::memory_order_relaxed); }
void ForbidDetails(DetailKind kind) { g_forbidden[static_cast<size_t>(kind)].store(true, std::memory_order_relaxed); }

SelfTestResult RunSelfTest(const v8api::Symbols& symbols, const std::function<bool()>& compile, const std::function<bool()>& run,
                           int limit_ms) {
  SelfTestResult result;
  const Layout* layout = FindLayout(nullptr);
  v8api::Isolate* isolate = symbols.get_current();
  if (layout == nullptr || isolate == nullptr) return result;
  result.exit_frame = FindExitFrame(symbols, isolate);
  CodeEventQueue queue;
  queue.ReadDetails(*layout);
  if (!AttachCodeEvents(symbols, isolate, &queue, false)) return result;
  Examination examination(&queue, *layout);
  const uint64_t end = capture::MonotonicNowNs() + static_cast<uint64_t>(limit_ms) * 1'000'000u;
  bool fine = compile();
  while (fine && result.optimised == "not seen" && capture::MonotonicNowNs() < end) {
    fine = run();
    result.runs++;
    examination.Drain(&result);
  }
  DetachCodeEvents(symbols, isolate);
  if (Failed(result.bytecode)) ForbidDetails(DetailKind::kBytecode);
  // Sparkplug's lines rest on the bytecode's.
  if (Failed(result.bytecode) || Failed(result.baseline)) ForbidDetails(DetailKind::kBaseline);
  if (Failed(result.optimised)) ForbidDetails(DetailKind::kOptimised);
  return result;
}

}  // namespace strobe::v8
