// What the fuzz targets have in common. Each target is a program of its own: `<name>_fuzz.cc` with LLVMFuzzerTestOneInput and Seeds, and a
// driver: ours (fuzz_main.cc, any compiler) or clang's libFuzzer (fuzz_seeds.cc).
//
// Contract: a target takes any bytes, keeps no state that one input could leave for the next, and asks for nothing of its own but memory.
// What must hold of the answers is FUZZ_CHECKed: a failure aborts, and the driver shows the input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "test/v8_bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace strobe::fuzz {

using test::ByteVector;

// Valid inputs to start from, at least one.
std::vector<ByteVector> Seeds();

[[noreturn]] inline void Fail(const char* file, int line, const char* text) {
  std::fprintf(stderr, "%s:%d: FUZZ_CHECK(%s)\n", file, line, text);
  std::abort();
}
#define FUZZ_CHECK(...) \
  if (!(__VA_ARGS__)) ::strobe::fuzz::Fail(__FILE__, __LINE__, #__VA_ARGS__)

// Takes an input apart from its beginning; zeros behind its end.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  size_t left() const { return size_ - at_; }
  template <typename T>
  T Take() {
    T value{};
    const size_t size = sizeof value < left() ? sizeof value : left();
    if (size != 0) std::memcpy(&value, data_ + at_, size);
    at_ += size;
    return value;
  }
  // In a buffer of its own size: AddressSanitizer sees a byte too much.
  ByteVector Bytes(size_t size) {
    if (size > left()) size = left();
    ByteVector out(data_ + at_, data_ + at_ + size);
    at_ += size;
    return out;
  }
  ByteVector Rest() { return Bytes(left()); }

 private:
  const uint8_t* data_;
  size_t size_;
  size_t at_ = 0;
};

inline void Append(const ByteVector& part, ByteVector* out) { out->insert(out->end(), part.begin(), part.end()); }
template <typename T>
void AppendValue(T value, ByteVector* out) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&value);
  out->insert(out->end(), bytes, bytes + sizeof value);
}

}  // namespace strobe::fuzz
