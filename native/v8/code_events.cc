#include "v8/code_events.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "capture/capture.h"
#include "capture/clocks.h"

namespace strobe::v8 {

namespace {

constexpr uint32_t kChunkBytes = 64 * 1024;
// V8 composes names in a buffer of 4 KB; a longer one would not fit a chunk's rules.
constexpr size_t kMaxNameBytes = 4096;
constexpr uint64_t kTimedEvery = 32;

constexpr uint32_t kChunksPerWake = 32;  // 2 MiB

constexpr uint32_t kMaxIsolates = capture::kMaxThreads;

// Isolate -> queue. Slots are taken and given back on the isolates' threads, read by the callback on V8's threads.
struct IsolateSlot {
  std::atomic<v8api::Isolate*> isolate{nullptr};
  std::atomic<CodeEventQueue*> queue{nullptr};
};
IsolateSlot g_isolates[kMaxIsolates];
std::atomic<uint32_t> g_isolates_high{0};

CodeEventQueue* FindQueue(v8api::Isolate* isolate) {
  const uint32_t high = g_isolates_high.load(std::memory_order_acquire);
  for (uint32_t i = 0; i < high; i++) {
    if (g_isolates[i].isolate.load(std::memory_order_acquire) == isolate) return g_isolates[i].queue.load(std::memory_order_acquire);
  }
  return nullptr;
}

void OnJitCodeEvent(const v8api::JitCodeEvent* event) {
  CodeEvent ours;
  switch (event->type) {
    case v8api::JitCodeEvent::kAdded:
      ours.type = CodeEvent::Type::kAdded;
      ours.length_or_new_start = event->code_len;
      ours.name = std::string_view(event->name.str, event->name.len < kMaxNameBytes ? event->name.len : kMaxNameBytes);
      break;
    case v8api::JitCodeEvent::kMoved:
      ours.type = CodeEvent::Type::kMoved;
      ours.length_or_new_start = event->new_code_start;
      break;
    case v8api::JitCodeEvent::kRemoved:
      ours.type = CodeEvent::Type::kRemoved;
      break;
    default:
      return;  // line information: one event a position, not used
  }
  ours.code_type = static_cast<uint8_t>(event->code_type);
  ours.start = event->code_start;
  CodeEventQueue* queue = FindQueue(event->isolate);
  if (queue != nullptr) queue->Push(ours);
}

}  // namespace

struct CodeEventQueue::Chunk {
  Chunk* next;  // written before the event that follows is published
  uint32_t used;
  uint8_t bytes[kChunkBytes];
};

struct CodeEventQueue::Header {
  uint32_t size;  // of header and name, rounded up to 8; 0: go on in the next chunk
  uint8_t type;
  uint8_t code_type;
  uint16_t name_length;
  uint64_t start;
  uint64_t length_or_new_start;
};

CodeEventQueue::CodeEventQueue() = default;

CodeEventQueue::~CodeEventQueue() {
  while (head_ != nullptr) {
    Chunk* next = head_->next;
    std::free(head_);
    head_ = next;
  }
}

void CodeEventQueue::Push(const CodeEvent& event) {
  while (writing_.test_and_set(std::memory_order_acquire)) {
  }
  const uint64_t count = published_.load(std::memory_order_relaxed);
  if (count % kTimedEvery == 0) {
    const uint64_t start = capture::ThreadCpuNowNs();
    PushLocked(event);
    callback_ns.store(callback_ns.load(std::memory_order_relaxed) + (capture::ThreadCpuNowNs() - start) * kTimedEvery,
                      std::memory_order_relaxed);
  } else {
    PushLocked(event);
  }
  writing_.clear(std::memory_order_release);
}

void CodeEventQueue::PushLocked(const CodeEvent& event) {
  if (in_doubt_) {
    CodeEvent reset;
    reset.type = CodeEvent::Type::kReset;
    if (!Append(reset)) return;  // still no memory; the doubt covers this event too
    in_doubt_ = false;
  }
  if (Append(event)) return;
  // Published at once where it fits what is left of the chunk, so that no sample in between resolves against a map that misses this event.
  CodeEvent reset;
  reset.type = CodeEvent::Type::kReset;
  in_doubt_ = !Append(reset);
}

bool CodeEventQueue::Append(const CodeEvent& event) {
  const uint32_t name_length = static_cast<uint32_t>(event.name.size());
  const uint32_t size = (static_cast<uint32_t>(sizeof(Header)) + name_length + 7) & ~7u;
  // Room is always left for the zero word that ends a chunk.
  if (tail_ == nullptr || tail_->used + size + sizeof(Header) > kChunkBytes) {
    auto* fresh = static_cast<Chunk*>(std::malloc(sizeof(Chunk)));
    if (fresh == nullptr) return false;
    fresh->next = nullptr;
    fresh->used = 0;
    if (tail_ == nullptr) {
      head_ = fresh;  // the reader looks only after the first event is published
    } else {
      Header end{};
      std::memcpy(tail_->bytes + tail_->used, &end, sizeof end);
      tail_->next = fresh;
    }
    tail_ = fresh;
    // Without samples (the profiler stopped, the clock refused) nobody else would wake the collector, and chunks would pile up. Not at each
    // one: while existing code is listed, a collector at work on the neighbouring core would slow the application's start.
    if (++chunks_ % kChunksPerWake == 0) capture::g_doorbell.Ring(true);
  }
  const Header header{size,        static_cast<uint8_t>(event.type), event.code_type, static_cast<uint16_t>(name_length),
                      event.start, event.length_or_new_start};
  uint8_t* at = tail_->bytes + tail_->used;
  std::memcpy(at, &header, sizeof header);
  if (name_length != 0) std::memcpy(at + sizeof header, event.name.data(), name_length);
  tail_->used += size;
  published_.fetch_add(1, std::memory_order_release);
  return true;
}

bool CodeEventQueue::Next(uint64_t limit, CodeEvent* event) {
  if (consumed_ >= limit) return false;
  Header header;
  std::memcpy(&header, head_->bytes + read_offset_, sizeof header);
  if (header.size == 0) {
    Chunk* done = head_;
    head_ = head_->next;
    read_offset_ = 0;
    std::free(done);
    std::memcpy(&header, head_->bytes, sizeof header);
  }
  event->type = static_cast<CodeEvent::Type>(header.type);
  event->code_type = header.code_type;
  event->start = header.start;
  event->length_or_new_start = header.length_or_new_start;
  event->name = std::string_view(reinterpret_cast<const char*>(head_->bytes + read_offset_ + sizeof header), header.name_length);
  read_offset_ += header.size;
  consumed_++;
  return true;
}

bool AttachCodeEvents(const v8api::Symbols& symbols, v8api::Isolate* isolate, CodeEventQueue* queue, bool enumerate) {
  for (uint32_t i = 0; i < kMaxIsolates; i++) {
    v8api::Isolate* free_slot = nullptr;
    if (!g_isolates[i].isolate.compare_exchange_strong(free_slot, isolate)) continue;
    g_isolates[i].queue.store(queue, std::memory_order_release);
    uint32_t high = g_isolates_high.load();
    while (high < i + 1 && !g_isolates_high.compare_exchange_weak(high, i + 1)) {
    }
    symbols.set_jit_code_event_handler(isolate, enumerate ? v8api::kJitCodeEventEnumExisting : v8api::kJitCodeEventDefault, OnJitCodeEvent);
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
