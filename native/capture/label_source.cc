// ReadLabel and SpanSlots::Find are async-signal-safe: loads only. Each object is checked before it is read, each table is bounded by its
// own size.
#include "capture/label_source.h"

#include "v8/heap.h"

namespace strobe::capture {

std::atomic<uint32_t> g_continuation_slot{0};
std::atomic<bool> g_labels_forbidden{false};

namespace {

// JSObject: map, properties, elements, then the fields of its class. JSMap has its table there. Unchanged from V8 11 to 14.
constexpr uint32_t kFirstField = 24;
constexpr uint32_t kMapTable = 24;
// OrderedHashMap: a FixedArray of three counts (Smis), the buckets, and entries of key, value, chain. (V8: objects/ordered-hash-table.h)
constexpr uint32_t kTableElements = 16;
constexpr uint32_t kTableDeleted = 24;
constexpr uint32_t kTableBuckets = 32;
constexpr uint32_t kTableData = 40;
constexpr uint32_t kEntryBytes = 24;
// A chain of two entries a bucket: V8's load factor.
constexpr int32_t kEntriesABucket = 2;
constexpr int32_t kMostBuckets = 1 << 20;

bool ReadSmi(uint64_t object, uint32_t offset, int32_t* out) {
  uint64_t word = 0;
  if (!v8::ReadField(object, offset, &word) || !v8::IsSmi(word)) return false;
  *out = v8::SmiValue(word);
  return true;
}

uint64_t Wide(int32_t high, int32_t low) { return (uint64_t{static_cast<uint32_t>(high)} << 32) | static_cast<uint32_t>(low); }

// `object` is the value that JavaScript's side stored: one of our class, or undefined.
LabelRead ReadLabelObject(const v8::Layout& layout, uint64_t object, SampleLabel* out) {
  uint16_t type = 0;
  if (!v8::TypeOf(layout, object, &type)) return LabelRead::kRefused;
  if (type != layout.type_js_object) return LabelRead::kNone;
  int32_t field[12];
  for (uint32_t i = 0; i < 12; i++) {
    if (!ReadSmi(object, kFirstField + 8 * i, &field[i])) return LabelRead::kRefused;
  }
  out->label_set = static_cast<uint32_t>(field[0]);
  out->label_set_generation = static_cast<uint32_t>(field[1]);
  out->attribution_slot = static_cast<uint32_t>(field[2]);
  out->attribution_generation = static_cast<uint32_t>(field[3]);
  out->trace_id_high = Wide(field[4], field[5]);
  out->trace_id_low = Wide(field[6], field[7]);
  out->span_id = Wide(field[8], field[9]);
  out->local_root_id = Wide(field[10], field[11]);
  return LabelRead::kFound;
}

}  // namespace

LabelRead ReadFromHolder(const v8::Layout& layout, uint64_t holder, SampleLabel* out) {
  uint64_t label = 0;
  if (!v8::HasType(layout, holder, layout.type_js_object) || !v8::ReadField(holder, kFirstField, &label)) return LabelRead::kRefused;
  return ReadLabelObject(layout, label, out);
}

LabelRead ReadFromFrame(const v8::Layout& layout, uint64_t frame, uint64_t storage, SampleLabel* out) {
  // Undefined where no storage was ever entered.
  if (!v8::HasType(layout, frame, layout.type_js_map)) return LabelRead::kNone;
  uint64_t table = 0;
  int32_t elements = 0;
  int32_t deleted = 0;
  int32_t buckets = 0;
  if (!v8::ReadField(frame, kMapTable, &table) || !v8::HasType(layout, table, layout.type_ordered_hash_map) ||
      !ReadSmi(table, kTableElements, &elements) || !ReadSmi(table, kTableDeleted, &deleted) || !ReadSmi(table, kTableBuckets, &buckets)) {
    return LabelRead::kRefused;
  }
  if (buckets <= 0 || buckets > kMostBuckets || elements < 0 || deleted < 0 || elements > kEntriesABucket * buckets ||
      deleted > kEntriesABucket * buckets - elements) {
    return LabelRead::kRefused;
  }
  const uint32_t first = kTableData + 8 * static_cast<uint32_t>(buckets);
  const auto entries = static_cast<uint32_t>(elements + deleted);
  int32_t length = 0;
  if (!v8::ReadLength(layout, table, &length) ||
      layout.array_data + uint64_t{8} * static_cast<uint32_t>(length) < first + uint64_t{kEntryBytes} * entries) {
    return LabelRead::kRefused;
  }
  for (uint32_t i = 0; i < entries; i++) {
    uint64_t key = 0;
    if (!v8::ReadField(table, first + i * kEntryBytes, &key)) return LabelRead::kRefused;
    if (key != storage) continue;
    uint64_t label = 0;
    if (!v8::ReadField(table, first + i * kEntryBytes + 8, &label)) return LabelRead::kRefused;
    return ReadLabelObject(layout, label, out);
  }
  return LabelRead::kNone;
}

LabelRead ReadLabel(const LabelSource& source, const v8::Layout& layout, const void* isolate, SampleLabel* out) {
  const uint32_t kind = source.kind.load(std::memory_order_relaxed);
  if (kind == LabelSource::kOff || g_labels_forbidden.load(std::memory_order_relaxed)) return LabelRead::kNone;
  std::atomic_signal_fence(std::memory_order_acquire);
  uint64_t start = 0;
  if (!v8::ReadMemory(reinterpret_cast<uint64_t>(source.handle), &start, sizeof start)) return LabelRead::kRefused;
  if (kind == LabelSource::kHolder) return ReadFromHolder(layout, start, out);
  const uint32_t slot = g_continuation_slot.load(std::memory_order_relaxed);
  uint64_t frame = 0;
  if (slot == 0 || slot == kNoContinuationSlot || !v8::ReadMemory(reinterpret_cast<uint64_t>(isolate) + slot, &frame, sizeof frame))
    return LabelRead::kNone;
  return ReadFromFrame(layout, frame, start, out);
}

SpanSlots::~SpanSlots() {
  for (auto& chunk : chunks_) delete[] chunk.load(std::memory_order_relaxed);
}

SpanUse* SpanSlots::GiveChunk(uint32_t* first) {
  if (given_ == kChunks) return nullptr;
  auto* chunk = new SpanUse[kChunk];
  *first = given_ * kChunk;
  chunks_[given_++].store(chunk, std::memory_order_release);
  return chunk;
}

SpanUse* SpanSlots::Find(uint32_t slot, uint32_t generation) const {
  if (slot == 0 || slot >= kCapacity) return nullptr;
  SpanUse* chunk = chunks_[slot / kChunk].load(std::memory_order_relaxed);
  if (chunk == nullptr) return nullptr;
  SpanUse& use = chunk[slot % kChunk];
  return use.generation.load(std::memory_order_relaxed) == generation ? &use : nullptr;
}

}  // namespace strobe::capture
