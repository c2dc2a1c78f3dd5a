#include "v8/code_events.h"

#include <pthread.h>
#include <sys/mman.h>

#include <cstring>
#include <new>

#include "capture/capture.h"
#include "capture/clocks.h"

namespace strobe::v8 {

namespace {

constexpr uint32_t kChunkBytes = 64 * 1024;
// Empty chunks that are kept for the next events, of whatever isolate.
constexpr uint32_t kSpareChunks = 16;
// V8 composes names in a buffer of 4 KB; a longer one would not fit a chunk's rules.
constexpr size_t kMaxNameBytes = 4096;
constexpr uint64_t kTimedEvery = 32;

constexpr uint32_t kChunksPerWake = 32;  // 2 MiB

constexpr uint32_t kMaxIsolates = capture::kMaxThreads;

// Isolate -> queue. Slots are taken and given back on the isolates' threads, read by the callback on V8's threads.
struct IsolateSlot {
  std::atomic<v8api::Isolate*> isolate{nullptr};
  pthread_t thread{};  // written before `queue`
  std::atomic<CodeEventQueue*> queue{nullptr};
};
IsolateSlot g_isolates[kMaxIsolates];
std::atomic<uint32_t> g_isolates_high{0};
std::atomic<uint64_t> g_chunk_bytes{0};

const IsolateSlot* FindSlot(v8api::Isolate* isolate) {
  const uint32_t high = g_isolates_high.load(std::memory_order_acquire);
  for (uint32_t i = 0; i < high; i++) {
    if (g_isolates[i].isolate.load(std::memory_order_acquire) == isolate) return &g_isolates[i];
  }
  return nullptr;
}

void OnJitCodeEvent(const v8api::JitCodeEvent* event) {
  // JavaScript's line information is read from the heap: as events it comes one a position, and only of some tiers.
  if (event->type > v8api::JitCodeEvent::kRemoved && event->code_type != v8api::JitCodeEvent::kWasmCode) return;
  const IsolateSlot* slot = FindSlot(event->isolate);
  if (slot == nullptr) return;
  CodeEventQueue* queue = slot->queue.load(std::memory_order_acquire);
  if (queue != nullptr) queue->PushFromV8(*event, pthread_equal(slot->thread, pthread_self()) != 0);
}

}  // namespace

// Followed by `capacity` bytes.
struct CodeEventQueue::Chunk {
  Chunk* next;  // written before the event that follows is published
  uint32_t used;
  uint32_t capacity;
  uint8_t* bytes() { return reinterpret_cast<uint8_t*>(this + 1); }
};

struct CodeEventQueue::Header {
  uint32_t size;  // of header, name and detail, rounded up to 8; 0: go on in the next chunk
  uint8_t type;
  uint8_t code_type;
  uint16_t unused;
  uint32_t name_length;
  uint32_t detail_length;
  uint64_t start;
  uint64_t length_or_new_start;
};

std::atomic<CodeEventQueue::Chunk*> CodeEventQueue::g_spare{nullptr};
std::atomic<uint32_t> CodeEventQueue::g_spare_count{0};

CodeEventQueue::CodeEventQueue() = default;

uint64_t CodeEventQueue::AllocatedBytes() { return g_chunk_bytes.load(std::memory_order_relaxed); }

// Whoever takes one takes all and puts back what it does not need: no head is compared with one that came back meanwhile.
CodeEventQueue::Chunk* CodeEventQueue::TakeSpare() {
  Chunk* taken = g_spare.exchange(nullptr, std::memory_order_acquire);
  if (taken == nullptr) return nullptr;
  g_spare_count.fetch_sub(1, std::memory_order_relaxed);
  if (Chunk* rest = taken->next; rest != nullptr) {
    Chunk* last = rest;
    while (last->next != nullptr) last = last->next;
    last->next = g_spare.load(std::memory_order_relaxed);
    while (!g_spare.compare_exchange_weak(last->next, rest, std::memory_order_release, std::memory_order_relaxed)) {
    }
  }
  return taken;
}

// Pages of their own, not malloc's: what V8's threads allocate and the collector frees, now and then many at once, would stay in the heaps
// of all those threads.
CodeEventQueue::Chunk* CodeEventQueue::MakeChunk(uint32_t bytes) {
  Chunk* chunk = bytes <= kChunkBytes - sizeof(Chunk) ? TakeSpare() : nullptr;
  if (chunk == nullptr) {
    const size_t whole = (sizeof(Chunk) + bytes + kChunkBytes - 1) / kChunkBytes * kChunkBytes;
    void* memory = mmap(nullptr, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    g_chunk_bytes.fetch_add(whole, std::memory_order_relaxed);
    chunk = new (memory) Chunk;
    chunk->capacity = static_cast<uint32_t>(whole - sizeof(Chunk));
  }
  chunk->next = nullptr;
  chunk->used = 0;
  return chunk;
}

void CodeEventQueue::FreeChunk(Chunk* chunk) {
  const size_t whole = sizeof(Chunk) + chunk->capacity;
  if (whole == kChunkBytes && g_spare_count.load(std::memory_order_relaxed) < kSpareChunks) {
    g_spare_count.fetch_add(1, std::memory_order_relaxed);
    chunk->next = g_spare.load(std::memory_order_relaxed);
    while (!g_spare.compare_exchange_weak(chunk->next, chunk, std::memory_order_release, std::memory_order_relaxed)) {
    }
    return;
  }
  g_chunk_bytes.fetch_sub(whole, std::memory_order_relaxed);
  munmap(chunk, whole);
}

CodeEventQueue::~CodeEventQueue() {
  while (head_ != nullptr) {
    Chunk* next = head_->next;
    FreeChunk(head_);
    head_ = next;
  }
}

// Holds the spin flag, and measures every so many calls.
class CodeEventQueue::Writing {
 public:
  explicit Writing(CodeEventQueue* queue) : queue_(queue) {
    while (queue_->writing_.test_and_set(std::memory_order_acquire)) {
    }
    timed_ = queue_->calls_++ % kTimedEvery == 0;
    if (timed_) start_ = capture::ThreadCpuNowNs();
  }
  ~Writing() {
    if (timed_) {
      auto& total = queue_->callback_ns;
      const uint64_t spent = capture::ThreadCpuNowNs() - start_;
      total.store(total.load(std::memory_order_relaxed) + spent * kTimedEvery, std::memory_order_relaxed);
    }
    queue_->writing_.clear(std::memory_order_release);
  }
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;

 private:
  CodeEventQueue* queue_;
  bool timed_;
  uint64_t start_ = 0;
};

void CodeEventQueue::ReadDetails(const Layout& layout) { reader_ = std::make_unique<CodeReader>(layout); }

void CodeEventQueue::SetListing(bool listing) {
  if (reader_ != nullptr) reader_->set_listing(listing);
}

void CodeEventQueue::Push(const CodeEvent& event) {
  const Writing writing(this);
  PushLocked(event);
}

void CodeEventQueue::TakeWasmPositions(const v8api::JitCodeEvent& event) {
  switch (event.type) {
    case v8api::JitCodeEvent::kStartLineInfo:
      wasm_positions_.Begin();
      break;
    case v8api::JitCodeEvent::kAddLinePosInfo:
      wasm_positions_.Add(event.line_info.offset, event.line_info.pos);
      break;
    default:
      wasm_positions_.End(event.code_start);
      break;
  }
}

void CodeEventQueue::PushFromV8(const v8api::JitCodeEvent& event, bool own_thread) {
  const Writing writing(this);
  if (event.type > v8api::JitCodeEvent::kRemoved) {
    TakeWasmPositions(event);
    return;
  }
  CodeEvent ours;
  ours.code_type = static_cast<uint8_t>(event.code_type);
  ours.start = event.code_start;
  switch (event.type) {
    case v8api::JitCodeEvent::kAdded: {
      ours.type = CodeEvent::Type::kAdded;
      ours.length_or_new_start = event.code_len;
      ours.name = std::string_view(event.name.str, event.name.len < kMaxNameBytes ? event.name.len : kMaxNameBytes);
      if (event.code_type == v8api::JitCodeEvent::kWasmCode) ours.detail = wasm_positions_.Of(event.code_start);
      if (reader_ == nullptr || !own_thread) break;
      if (!ours.detail.empty()) break;
      ScriptNote note;
      bool announce = false;
      ours.detail = reader_->Read(event, &note, &announce);
      if (announce) {
        CodeEvent script;
        script.type = CodeEvent::Type::kScript;
        script.start = note.id;
        script.name = note.map_url;
        script.detail = std::span(reinterpret_cast<const uint8_t*>(note.source_url.data()), note.source_url.size());
        PushLocked(script);
      }
      break;
    }
    case v8api::JitCodeEvent::kMoved:
      ours.type = CodeEvent::Type::kMoved;
      ours.length_or_new_start = event.new_code_start;
      break;
    default:
      ours.type = CodeEvent::Type::kRemoved;
      break;
  }
  PushLocked(ours);
}

void CodeEventQueue::PushLocked(const CodeEvent& event) {
  if (in_doubt_) {
    CodeEvent reset;
    reset.type = CodeEvent::Type::kReset;
    if (!Append(reset)) return;  // still no memory; the doubt covers this event too
    in_doubt_ = false;
  }
  if (Append(event)) return;
  // A large detail is the first thing to do without.
  CodeEvent bare = event;
  bare.detail = {};
  if (!event.detail.empty() && Append(bare)) return;
  // Published at once where it fits what is left of the chunk, so that no sample in between resolves against a map that misses this event.
  CodeEvent reset;
  reset.type = CodeEvent::Type::kReset;
  in_doubt_ = !Append(reset);
}

bool CodeEventQueue::Append(const CodeEvent& event) {
  const auto name_length = static_cast<uint32_t>(event.name.size());
  const auto detail_length = static_cast<uint32_t>(event.detail.size());
  const uint32_t size = (static_cast<uint32_t>(sizeof(Header)) + name_length + detail_length + 7) & ~7u;
  // Room is always left for the zero word that ends a chunk.
  const uint32_t needed = size + static_cast<uint32_t>(sizeof(Header));
  if (tail_ == nullptr || needed > tail_->capacity - tail_->used) {
    Chunk* fresh = MakeChunk(needed);
    if (fresh == nullptr) return false;
    if (tail_ == nullptr) {
      head_ = fresh;  // the reader looks only after the first event is published
    } else {
      Header end{};
      std::memcpy(tail_->bytes() + tail_->used, &end, sizeof end);
      tail_->next = fresh;
    }
    tail_ = fresh;
    // Without samples (the profiler stopped, the clock refused) nobody else would wake the collector, and chunks would pile up. Not at each
    // one: while existing code is listed, a collector at work on the neighbouring core would slow the application's start.
    if (++chunks_ % kChunksPerWake == 0) capture::g_doorbell.Ring(true);
  }
  const Header header{size,        static_cast<uint8_t>(event.type), event.code_type, 0, name_length, detail_length,
                      event.start, event.length_or_new_start};
  uint8_t* at = tail_->bytes() + tail_->used;
  std::memcpy(at, &header, sizeof header);
  at += sizeof header;
  if (name_length != 0) std::memcpy(at, event.name.data(), name_length);
  if (detail_length != 0) std::memcpy(at + name_length, event.detail.data(), detail_length);
  tail_->used += size;
  published_.fetch_add(1, std::memory_order_release);
  return true;
}

bool CodeEventQueue::Next(uint64_t limit, CodeEvent* event) {
  if (consumed_ >= limit) return false;
  Header header;
  std::memcpy(&header, head_->bytes() + read_offset_, sizeof header);
  if (header.size == 0) {
    Chunk* done = head_;
    head_ = head_->next;
    read_offset_ = 0;
    FreeChunk(done);
    std::memcpy(&header, head_->bytes(), sizeof header);
  }
  event->type = static_cast<CodeEvent::Type>(header.type);
  event->code_type = header.code_type;
  event->start = header.start;
  event->length_or_new_start = header.length_or_new_start;
  const uint8_t* at = head_->bytes() + read_offset_ + sizeof header;
  event->name = std::string_view(reinterpret_cast<const char*>(at), header.name_length);
  event->detail = std::span<const uint8_t>(at + header.name_length, header.detail_length);
  read_offset_ += header.size;
  consumed_++;
  return true;
}

bool AttachCodeEvents(const v8api::Symbols& symbols, v8api::Isolate* isolate, CodeEventQueue* queue, bool enumerate) {
  for (uint32_t i = 0; i < kMaxIsolates; i++) {
    v8api::Isolate* free_slot = nullptr;
    if (!g_isolates[i].isolate.compare_exchange_strong(free_slot, isolate)) continue;
    g_isolates[i].thread = pthread_self();
    g_isolates[i].queue.store(queue, std::memory_order_release);
    uint32_t high = g_isolates_high.load();
    while (high < i + 1 && !g_isolates_high.compare_exchange_weak(high, i + 1)) {
    }
    queue->SetListing(true);
    symbols.set_jit_code_event_handler(isolate, enumerate ? v8api::kJitCodeEventEnumExisting : v8api::kJitCodeEventDefault, OnJitCodeEvent);
    queue->SetListing(false);
    return true;
  }
  return false;
}

void DetachCodeEvents(const v8api::Symbols& symbols, v8api::Isolate* isolate) {
  symbols.set_jit_code_event_handler(isolate, v8api::kJitCodeEventDefault, nullptr);
  const uint32_t high = g_isolates_high.load(std::memory_order_acquire);
  for (uint32_t i = 0; i < high; i++) {
    if (g_isolates[i].isolate.load(std::memory_order_acquire) != isolate) continue;
    g_isolates[i].queue.store(nullptr, std::memory_order_release);
    g_isolates[i].isolate.store(nullptr, std::memory_order_release);
    return;
  }
}

}  // namespace strobe::v8
