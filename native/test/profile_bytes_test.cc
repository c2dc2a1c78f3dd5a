// Tests of stack/profile_bytes.h: a reader of protobuf that knows nothing of the trie gets back the rows, the stacks and the locations that
// went in; too little room is said and not overrun; columns that don't fit are refused.
#include "stack/profile_bytes.h"

#include <limits>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "test/check.h"

namespace strobe::stack {
namespace {

struct Field {
  uint64_t number = 0;
  uint64_t value = 0;
  std::span<const uint8_t> bytes;
};

class Reader {
 public:
  explicit Reader(std::span<const uint8_t> bytes) : rest_(bytes) {}

  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; !rest_.empty(); shift += 7) {
      const uint8_t byte = rest_.front();
      rest_ = rest_.subspan(1);
      value |= uint64_t{byte & 127u} << shift;
      if (byte < 128) break;
    }
    return value;
  }

  bool Next(Field* field) {
    if (rest_.empty()) return false;
    const uint64_t tag = Varint();
    *field = {tag >> 3, 0, {}};
    const uint64_t value = Varint();
    if ((tag & 7) == 0) {
      field->value = value;
      return true;
    }
    if (!CHECK_EQ(tag & 7, 2) || !CHECK(value <= rest_.size())) return false;
    field->bytes = rest_.first(value);
    rest_ = rest_.subspan(value);
    return true;
  }

  bool done() const { return rest_.empty(); }

 private:
  std::span<const uint8_t> rest_;
};

std::vector<uint64_t> Packed(std::span<const uint8_t> bytes) {
  std::vector<uint64_t> values;
  for (Reader reader(bytes); !reader.done();) values.push_back(reader.Varint());
  return values;
}

struct Sample {
  std::vector<uint64_t> locations;
  std::vector<uint64_t> values;
  std::string labels;
  bool operator==(const Sample&) const = default;
};

std::vector<Sample> Samples(std::span<const uint8_t> bytes) {
  std::vector<Sample> samples;
  Field field;
  for (Reader reader(bytes); reader.Next(&field);) {
    CHECK_EQ(field.number, 2);
    Sample sample;
    Field part;
    for (Reader inner(field.bytes); inner.Next(&part);) {
      if (part.number == 1) sample.locations = Packed(part.bytes);
      if (part.number == 2) sample.values = Packed(part.bytes);
      if (part.number == 3) sample.labels += std::string(part.bytes.begin(), part.bytes.end());
    }
    samples.push_back(sample);
  }
  return samples;
}

// As a caller does: with no room at first, then with what is asked for.
std::optional<std::vector<uint8_t>> Encode(const ProfileTrie& trie, const SampleRows& rows) {
  size_t size = 0;
  if (!EncodeSamples(trie, rows, {}, &size)) return std::nullopt;
  std::vector<uint8_t> bytes(size);
  size_t again = 0;
  CHECK(EncodeSamples(trie, rows, bytes, &again));
  CHECK_EQ(again, size);
  return bytes;
}

// "label" fields with one string each.
const std::vector<uint8_t> kLabels = {0x1a, 1, 'x', 0x1a, 2, 'y', 'z'};
const std::vector<uint32_t> kLabelEnd = {0, 3, 7};

TEST(profile_bytes_of_samples_are_their_rows) {
  std::mt19937 random(9);
  ProfileTrie trie(0);
  std::vector<uint32_t> node, labels, rank(400);
  std::vector<double> count, weight;
  for (uint32_t& place : rank) place = random() % 3'000'000;
  for (int row = 0; row < 2'000; row++) {
    uint32_t at = ProfileTrie::kRoot;
    // Some stacks are longer than the buffer that the encoder begins with.
    for (uint32_t depth = row % 500 == 7 ? 3'000 : random() % 30; depth > 0; depth--) at = trie.Child(at, random() % 400);
    node.push_back(at);
    labels.push_back(random() % 3);
    count.push_back(random() % 1000);
    weight.push_back(static_cast<double>(random()) * 1e4);
  }
  std::map<uint32_t, std::vector<Sample>> wanted;
  std::vector<Sample> by_number;
  for (size_t row = 0; row < node.size(); row++) {
    Sample sample;
    for (uint32_t at = node[row]; at != ProfileTrie::kRoot; at = trie[at].parent)
      sample.locations.push_back(uint64_t{rank[trie[at].frame]} + 1);
    sample.values = {static_cast<uint64_t>(count[row]), static_cast<uint64_t>(weight[row])};
    sample.labels = labels[row] == 0 ? "" : labels[row] == 1 ? "x" : "yz";
    by_number.push_back(sample);
  }
  const auto kept = Encode(trie, {node, labels, count, weight, rank, kLabelEnd, kLabels, true});
  if (!CHECK(kept.has_value())) return;
  CHECK(Samples(*kept) == by_number);
  const auto along = Encode(trie, {node, labels, count, weight, rank, kLabelEnd, kLabels, false});
  if (!CHECK(along.has_value())) return;
  CHECK_EQ(along->size(), kept->size());
  std::vector<uint32_t> order(node.size());
  CHECK(OrderAlong(trie, node, order));
  std::vector<Sample> ordered;
  for (const uint32_t row : order) ordered.push_back(by_number[row]);
  CHECK(Samples(*along) == ordered);
}

TEST(profile_bytes_keep_values_inside_int64) {
  ProfileTrie trie(0);
  const std::vector<uint32_t> node(5, ProfileTrie::kRoot), labels(5, 0), end = {0};
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<double> count = {0, 1.5, -1, infinity, std::numeric_limits<double>::quiet_NaN()};
  const std::vector<double> weight = {0.4, 9007199254740992.0, -0.4, -infinity, 1e300};
  const auto bytes = Encode(trie, {node, labels, count, weight, {}, end, {}, true});
  if (!CHECK(bytes.has_value())) return;
  const std::vector<Sample> samples = Samples(*bytes);
  const auto values = [&](size_t row) {
    return std::pair(static_cast<int64_t>(samples[row].values[0]), static_cast<int64_t>(samples[row].values[1]));
  };
  using Limits = std::numeric_limits<int64_t>;
  CHECK(values(0) == std::pair<int64_t, int64_t>(0, 0));
  CHECK(values(1) == std::pair<int64_t, int64_t>(2, 9007199254740992));
  CHECK(values(2) == std::pair<int64_t, int64_t>(-1, 0));
  CHECK(values(3) == std::pair<int64_t, int64_t>(Limits::max(), Limits::min()));
  CHECK(values(4) == std::pair<int64_t, int64_t>(0, Limits::max()));
  CHECK(samples[0].locations.empty());
}

TEST(profile_bytes_never_overrun_the_room) {
  ProfileTrie trie(0);
  const std::vector<uint32_t> node = {trie.Child(trie.Child(ProfileTrie::kRoot, 0), 1), trie.Child(ProfileTrie::kRoot, 1)};
  const std::vector<uint32_t> labels = {1, 2}, rank = {200, 1};
  const std::vector<double> value = {1, 300};
  size_t size = 0;
  const SampleRows rows{node, labels, value, value, rank, kLabelEnd, kLabels, false};
  CHECK(EncodeSamples(trie, rows, {}, &size));
  for (size_t room = 0; room <= size; room++) {
    std::vector<uint8_t> bytes(room + 8, 0xee);
    size_t said = 0;
    CHECK(EncodeSamples(trie, rows, std::span(bytes).first(room), &said));
    CHECK_EQ(said, size);
    for (size_t at = room; at < bytes.size(); at++) CHECK_EQ(bytes[at], 0xee);
  }
}

TEST(profile_bytes_refuse_columns_that_do_not_fit) {
  ProfileTrie trie(0);
  const std::vector<uint32_t> node = {trie.Child(ProfileTrie::kRoot, 1)}, zero = {0}, rank = {0, 1}, two = {0, 0}, beyond = {9};
  const std::vector<double> value = {1};
  const auto refused = [&](const SampleRows& rows) { return !Encode(trie, rows).has_value(); };
  CHECK(!refused({node, zero, value, value, rank, zero, {}, false}));
  CHECK(refused({beyond, zero, value, value, rank, zero, {}, false}));                            // a node
  CHECK(refused({node, beyond, value, value, rank, zero, {}, false}));                            // labels
  CHECK(refused({node, zero, value, value, zero, zero, {}, false}));                              // a frame without a place
  CHECK(refused({node, zero, value, value, rank, beyond, {}, false}));                            // labels' bytes
  CHECK(refused({node, zero, value, value, rank, std::vector<uint32_t>{3, 1}, kLabels, false}));  // ends that go back
  CHECK(refused({two, zero, value, value, rank, zero, {}, false}));                               // lengths
  size_t size = 0;
  CHECK(!EncodeLocations({zero, two, zero}, {}, &size));
  CHECK(!EncodeLocations({zero, zero, two}, {}, &size));
}

TEST(profile_bytes_of_locations_are_their_lines) {
  const std::vector<uint32_t> function = {0, 200, 0xffffffff}, line = {0, 1, 0xffffffff}, column = {3, 0, 70'000};
  size_t size = 0;
  CHECK(EncodeLocations({function, line, column}, {}, &size));
  std::vector<uint8_t> bytes(size);
  CHECK(EncodeLocations({function, line, column}, bytes, &size));
  CHECK_EQ(size, bytes.size());
  Field field;
  size_t at = 0;
  for (Reader reader(bytes); reader.Next(&field); at++) {
    CHECK_EQ(field.number, 4);
    Field part;
    std::map<uint64_t, uint64_t> values;
    for (Reader inner(field.bytes); inner.Next(&part);) {
      if (part.number == 1) CHECK_EQ(part.value, at + 1);
      if (part.number != 4) continue;
      Field of;
      for (Reader lines(part.bytes); lines.Next(&of);) values[of.number] = of.value;
    }
    CHECK_EQ(values[1], uint64_t{function[at]} + 1);
    CHECK_EQ(values[2], line[at]);
    CHECK_EQ(values[3], column[at]);
    CHECK_EQ(values.size(), 3);
  }
  CHECK_EQ(at, 3);
}

}  // namespace
}  // namespace strobe::stack
