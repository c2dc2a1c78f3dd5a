// Reads what V8's heap knows of a piece of code at the moment V8 announces it: lines, inlined functions, source map. Copies bytes, decodes
// next to nothing (code_detail decodes, on the collector's thread).
//
// Contract: called in V8's code event callback on the isolate's own thread, where no collection runs and nothing moves. Reads V8's heap
// only; never writes it, never calls V8, allocates nothing there. Every object is checked before it is followed: tag bits, instance type,
// length against a bound. What fails a check is left out for that code (its name stays) and counted; more than kRefusedIsOff refusals with
// nothing good in between switch reading off for the isolate. Memory for the copies is this thread's; when it runs out the detail is left
// out.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>
#include <vector>

#include "v8/api.h"
#include "v8/code_detail.h"
#include "v8/heap.h"
#include "v8/layout.h"

namespace strobe::v8 {

// What a script says of itself, announced once before the first code that refers to it. Both point into V8's heap and are valid until the
// callback returns.
struct ScriptNote {
  uint32_t id = 0;
  std::string_view map_url;
  std::string_view source_url;  // of scripts without a file only
};

class CodeReader {
 public:
  explicit CodeReader(const Layout& layout) : layout_(layout) {}

  // The detail of the code that `event` adds, empty when there is none; valid until the next call. `note`: filled, and true returned, when
  // the script must be announced first.
  Bytes Read(const v8api::JitCodeEvent& event, ScriptNote* note, bool* announce);

  // While V8 lists existing code. Node's own interpreted functions, 2,500 at a bare start, are left without lines then: reading them would
  // take a tenth of the start, and the line inside Node's own code is rarely what somebody looks for. Their optimised code has lines.
  void set_listing(bool listing) { listing_ = listing; }

  // Read by other threads.
  std::atomic<uint64_t> details{0};        // code objects with a detail
  std::atomic<uint64_t> refused{0};        // … whose objects failed a check
  std::atomic<uint64_t> without_table{0};  // bytecode that V8 compiled without positions (before the profiler came)

  static constexpr uint32_t kRefusedIsOff = 64;

 private:
  struct Lines {
    uint64_t line_ends = 0;  // FixedArray; 0: none
    uint32_t count = 0;
    uint32_t line_shift = 0;
    uint32_t column_shift = 0;
  };
  struct Range {
    int32_t low = -1;
    int32_t high = -1;
    void Add(int32_t offset);
  };

  bool ReadChecked(const v8api::JitCodeEvent& event, ScriptNote* note, bool* announce);
  bool ReadBytecode(uint64_t start, uint64_t shared);
  bool ReadMachineCode(const v8api::JitCodeEvent& event, uint64_t shared, DetailKind kind);
  bool ReadBaseline(uint64_t code, uint64_t shared);
  bool ReadOptimised(uint64_t code, uint64_t shared);
  bool ReadScript(uint64_t shared, ScriptNote* note, bool* announce);
  enum class Text : uint8_t { kBroken, kNone, kUnread, kRead };
  Text ReadText(uint64_t object, int32_t limit, std::string_view* text) const;

  bool BytecodeOf(uint64_t shared, uint64_t* bytecode) const;
  bool BytecodeFrom(uint64_t object, uint64_t* bytecode, int depth) const;
  bool PositionsOf(uint64_t bytecode, Bytes* table) const;
  Lines LinesOf(uint64_t shared) const;
  void AddLines(const Lines& lines, const Range& range, FunctionHeader* header);
  void Compose(Bytes positions, Bytes offset_table, Bytes bytecode, Bytes inlinings);

  const Layout layout_;
  DetailHeader header_;
  std::vector<FunctionHeader> functions_;
  std::vector<uint8_t> line_bytes_;
  std::vector<uint8_t> out_;
  std::vector<Range> ranges_;
  uint32_t refused_in_a_row_ = 0;
  bool listing_ = false;

  // Scripts announced, by id modulo the size: a collision announces again, which is harmless.
  static constexpr uint32_t kAnnounced = 1024;
  uint32_t announced_[kAnnounced] = {};
};

}  // namespace strobe::v8
