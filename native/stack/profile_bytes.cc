#include "stack/profile_bytes.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "stack/trie_walk.h"

namespace strobe::stack {

namespace {

// A field's tag: its number, and how it is encoded.
constexpr uint8_t Varint(uint8_t field) { return static_cast<uint8_t>(field << 3); }
constexpr uint8_t Bytes(uint8_t field) { return static_cast<uint8_t>(field << 3 | 2); }

constexpr uint8_t kSample = Bytes(2);
constexpr uint8_t kSampleLocationId = Bytes(1);
constexpr uint8_t kSampleValue = Bytes(2);
constexpr uint8_t kLocation = Bytes(4);
constexpr uint8_t kLocationId = Varint(1);
constexpr uint8_t kLocationLine = Bytes(4);
constexpr uint8_t kLineFunction = Varint(1);
constexpr uint8_t kLineLine = Varint(2);
constexpr uint8_t kLineColumn = Varint(3);

size_t VarintSize(uint64_t value) {
  size_t size = 1;
  for (; value > 127; value >>= 7) size++;
  return size;
}

uint8_t* PutVarint(uint8_t* at, uint64_t value) {
  for (; value > 127; value >>= 7) *at++ = static_cast<uint8_t>(value | 128);
  *at++ = static_cast<uint8_t>(value);
  return at;
}

uint64_t ToInt64(double value) {
  const double whole = std::round(value);
  if (std::isnan(whole)) return 0;
  // The double just above the largest int64.
  constexpr double kLimit = 9223372036854775808.0;
  if (whole >= kLimit) return static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  if (whole <= -kLimit) return static_cast<uint64_t>(std::numeric_limits<int64_t>::min());
  return static_cast<uint64_t>(static_cast<int64_t>(whole));
}

// The ids of the stack that a walk stands on. They grow towards the leaf, which comes first: so they stand at the end of a buffer, each
// before the one of its caller.
class StackBytes {
 public:
  // The callers, depth - 1 of them, are those of a call before.
  void Set(size_t depth, uint64_t id) {
    const size_t length = length_[depth - 1] + VarintSize(id);
    if (length > bytes_.size()) Grow(length);
    (void)PutVarint(bytes_.data() + bytes_.size() - length, id);
    if (depth == length_.size()) length_.push_back(0);
    length_[depth] = length;
  }

  std::span<const uint8_t> Take(size_t depth) const { return std::span<const uint8_t>(bytes_).last(length_[depth]); }

 private:
  void Grow(size_t needed) {
    std::vector<uint8_t> longer(std::max(needed, bytes_.size() * 2));
    std::copy_backward(bytes_.begin(), bytes_.end(), longer.end());
    bytes_.swap(longer);
  }

  std::vector<uint8_t> bytes_ = std::vector<uint8_t>(4096);
  // Of the stack of each depth.
  std::vector<size_t> length_ = {0};
};

bool Fit(const ProfileTrie& trie, const SampleRows& rows) {
  const size_t count = rows.node.size();
  if (rows.labels.size() != count || rows.count.size() != count || rows.weight.size() != count) return false;
  for (size_t i = 0; i < rows.label_end.size(); i++) {
    if (rows.label_end[i] < (i == 0 ? 0 : rows.label_end[i - 1]) || rows.label_end[i] > rows.label_bytes.size()) return false;
  }
  for (const uint32_t labels : rows.labels) {
    if (labels >= rows.label_end.size()) return false;
  }
  for (const uint32_t node : rows.node) {
    if (node >= trie.size()) return false;
  }
  for (uint32_t node = 1; node < trie.size(); node++) {
    if (trie[node].frame >= rows.frame_rank.size()) return false;
  }
  return true;
}

// Counts what it is given, and writes it as long as there is room.
class Writer {
 public:
  explicit Writer(std::span<uint8_t> out) : out_(out) {}

  size_t size() const { return size_; }

  void Sample(std::span<const uint8_t> stack, std::span<const uint8_t> labels, uint64_t count, uint64_t weight) {
    const size_t values = VarintSize(count) + VarintSize(weight);
    const size_t ids = stack.empty() ? 0 : 1 + VarintSize(stack.size()) + stack.size();
    const size_t length = ids + labels.size() + 1 + VarintSize(values) + values;
    const size_t start = size_;
    size_ += 1 + VarintSize(length) + length;
    if (size_ > out_.size()) return;
    uint8_t* at = out_.data() + start;
    *at++ = kSample;
    at = PutVarint(at, length);
    if (!stack.empty()) {
      *at++ = kSampleLocationId;
      at = PutVarint(at, stack.size());
      at = Put(at, stack);
    }
    at = Put(at, labels);
    *at++ = kSampleValue;
    at = PutVarint(at, values);
    at = PutVarint(at, count);
    (void)PutVarint(at, weight);
  }

  void Location(uint64_t id, uint64_t function, uint32_t line, uint32_t column) {
    const size_t inner = 1 + VarintSize(function) + FieldSize(line) + FieldSize(column);
    const size_t length = 1 + VarintSize(id) + 1 + VarintSize(inner) + inner;
    const size_t start = size_;
    size_ += 1 + VarintSize(length) + length;
    if (size_ > out_.size()) return;
    uint8_t* at = out_.data() + start;
    *at++ = kLocation;
    at = PutVarint(at, length);
    *at++ = kLocationId;
    at = PutVarint(at, id);
    *at++ = kLocationLine;
    at = PutVarint(at, inner);
    *at++ = kLineFunction;
    at = PutVarint(at, function);
    at = PutField(at, kLineLine, line);
    (void)PutField(at, kLineColumn, column);
  }

 private:
  // Of a field that is left out when 0.
  static size_t FieldSize(uint32_t value) { return value == 0 ? 0 : 1 + VarintSize(value); }

  static uint8_t* PutField(uint8_t* at, uint8_t tag, uint32_t value) {
    if (value == 0) return at;
    *at++ = tag;
    return PutVarint(at, value);
  }

  static uint8_t* Put(uint8_t* at, std::span<const uint8_t> bytes) {
    if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
    return at + bytes.size();
  }

  std::span<uint8_t> out_;
  size_t size_ = 0;
};

}  // namespace

bool EncodeSamples(const ProfileTrie& trie, const SampleRows& rows, std::span<uint8_t> out, size_t* size) {
  if (!Fit(trie, rows)) return false;
  StackBytes stack;
  Writer writer(out);
  const auto enter = [&](uint32_t node, size_t depth) { stack.Set(depth, uint64_t{rows.frame_rank[trie[node].frame]} + 1); };
  const auto visit = [&](uint32_t row, size_t depth) {
    const uint32_t labels = rows.labels[row];
    const uint32_t begin = labels == 0 ? 0 : rows.label_end[labels - 1];
    writer.Sample(stack.Take(depth), rows.label_bytes.subspan(begin, rows.label_end[labels] - begin), ToInt64(rows.count[row]),
                  ToInt64(rows.weight[row]));
  };
  if (rows.keep_order) {
    std::vector<uint32_t> way;
    for (uint32_t row = 0; row < rows.node.size(); row++) {
      way.clear();
      for (uint32_t node = rows.node[row]; node != ProfileTrie::kRoot; node = trie[node].parent) way.push_back(node);
      for (size_t depth = 1; depth <= way.size(); depth++) enter(way[way.size() - depth], depth);
      visit(row, way.size());
    }
  } else {
    TrieWalk(trie, rows.node).Run(enter, visit);
  }
  *size = writer.size();
  return true;
}

bool EncodeLocations(const LocationColumns& locations, std::span<uint8_t> out, size_t* size) {
  const size_t count = locations.function.size();
  if (locations.line.size() != count || locations.column.size() != count) return false;
  Writer writer(out);
  for (size_t at = 0; at < count; at++) {
    writer.Location(at + 1, uint64_t{locations.function[at]} + 1, locations.line[at], locations.column[at]);
  }
  *size = writer.size();
  return true;
}

}  // namespace strobe::stack
