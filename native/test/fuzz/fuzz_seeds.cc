// With clang's libFuzzer for driver: writes the target's seeds into the folder that STROBE_FUZZ_SEEDS names, before the corpus is read.
#include <cstdlib>
#include <fstream>
#include <string>

#include "test/fuzz/fuzz.h"

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  const char* folder = std::getenv("STROBE_FUZZ_SEEDS");
  if (folder == nullptr) return 0;
  size_t number = 0;
  for (const strobe::fuzz::ByteVector& seed : strobe::fuzz::Seeds()) {
    std::ofstream file(std::string(folder) + "/seed-" + std::to_string(number++), std::ios::binary);
    for (const uint8_t byte : seed) file.put(static_cast<char>(byte));
  }
  return 0;
}
