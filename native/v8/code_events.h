// Code events: what V8 says of code that appears and moves, carried from its threads to the collector without a lock on the reader's side.
//
// Contract
//   Writer   V8's callback, on the isolate's thread or, during a garbage collection, on one of its helpers; V8 serialises them, a spin flag
//            here makes sure. It copies the event (start, length, name, detail) into the current chunk and publishes it by raising
//            `published` (release). For a new chunk it calls mmap, if none is spare, and now and then wakes the collector; it never calls
//            V8. Details are read from V8's heap (code_reader.h) on the isolate's thread only.
//   Reader   the collector: takes events up to a value of `published` (acquire), frees chunks it is through with.
//   Order    the handler stores the value of `published` in each sample. Applying exactly that many events before a sample is resolved
//            gives it the map of its moment.
//   Loss     none. When mmap fails the queue records that everything known is in doubt: the reader gets a reset and counts it. A missing
//            event would be a wrong name, a reset is at worst an unresolved one.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "v8/api.h"
#include "v8/code_reader.h"
#include "v8/wasm_positions.h"

namespace strobe::v8 {

struct CodeEvent {
  enum class Type : uint8_t {
    kAdded,
    kMoved,
    kRemoved,
    kReset,     // events may be missing before this one: memory ran out
    kReattach,  // detached before this one, on purpose; V8 announces all code again
    kScript,  // `start` is the id of a script, `name` its source map URL, `detail` its source URL; comes before the code that refers to it
  };
  Type type = Type::kAdded;
  uint8_t code_type = 0;  // v8api::JitCodeEvent::CodeType
  uint64_t start = 0;
  uint64_t length_or_new_start = 0;
  // Both point into the queue and are valid until the next call of Next.
  std::string_view name;
  std::span<const uint8_t> detail;  // code_detail.h; empty: only the name is known
};

class CodeEventQueue {
 public:
  CodeEventQueue();
  ~CodeEventQueue();
  CodeEventQueue(const CodeEventQueue&) = delete;
  CodeEventQueue& operator=(const CodeEventQueue&) = delete;

  // --- writer ---
  void Push(const CodeEvent& event);
  // V8's own event, with what its heap says of the code when this is the isolate's thread.
  void PushFromV8(const v8api::JitCodeEvent& event, bool own_thread);
  // Reads details from now on; before AttachCodeEvents. `layout` is copied.
  void ReadDetails(const Layout& layout);
  // On the isolate's thread, around V8's list of existing code.
  void SetListing(bool listing);
  // Null when no details are read.
  const CodeReader* reader() const { return reader_.get(); }

  const std::atomic<uint64_t>& published() const { return published_; }
  // CPU spent in the callback, nanoseconds; extrapolated from every 32nd event.
  std::atomic<uint64_t> callback_ns{0};

  // --- reader ---
  uint64_t consumed() const { return consumed_; }
  // The next event, or false when `limit` (a value of `published`) events were taken.
  bool Next(uint64_t limit, CodeEvent* event);
  uint64_t backlog() const { return published_.load(std::memory_order_acquire) - consumed_; }

  // Of all queues of the process. Any thread.
  static uint64_t AllocatedBytes();

 private:
  struct Chunk;
  struct Header;
  // Room for `bytes`; null when memory is refused.
  static Chunk* MakeChunk(uint32_t bytes);
  static Chunk* TakeSpare();
  static void FreeChunk(Chunk* chunk);
  static std::atomic<Chunk*> g_spare;
  static std::atomic<uint32_t> g_spare_count;

  class Writing;
  void PushLocked(const CodeEvent& event);
  void TakeWasmPositions(const v8api::JitCodeEvent& event);
  bool Append(const CodeEvent& event);

  std::atomic_flag writing_ = ATOMIC_FLAG_INIT;
  Chunk* tail_ = nullptr;               // writer
  bool in_doubt_ = false;               // writer
  uint32_t chunks_ = 0;                 // writer
  uint64_t calls_ = 0;                  // writer
  std::unique_ptr<CodeReader> reader_;  // writer
  WasmPositions wasm_positions_;        // writer
  std::atomic<uint64_t> published_{0};
  Chunk* head_ = nullptr;  // reader
  uint32_t read_offset_ = 0;
  uint64_t consumed_ = 0;
};

// Connects an isolate to a queue. Must be called on the isolate's thread. `enumerate`: V8 first announces all code that exists. Returns
// false when the table of isolates is full.
bool AttachCodeEvents(const v8api::Symbols& symbols, v8api::Isolate* isolate, CodeEventQueue* queue, bool enumerate);
// Disconnects. Must be called on the isolate's thread, before the isolate is disposed of.
void DetachCodeEvents(const v8api::Symbols& symbols, v8api::Isolate* isolate);

}  // namespace strobe::v8
