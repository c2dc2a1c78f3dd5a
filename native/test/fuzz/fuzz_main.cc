// Our own driver of a fuzz target: no coverage, no corpus; inputs that are mutations of the target's seeds, or noise, as fast as they go.
//
//   fuzz_positions [--seconds N] [--seed N]   runs for N seconds (5)
//   fuzz_positions --only I [--seed N]        runs input I of that seed again
//   fuzz_positions FILE…                      runs these inputs
//
// Contract: input I of a seed is always the same, whatever ran before. The last line says how many inputs ran. When one fails (a check, a
// sanitizer's finding, more than kLimitSeconds for a batch) its number and bytes are printed, it is written to `crash-<program>`, and the
// program ends by a signal or with an exit code that is not 0.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>

#include "test/fuzz/fuzz.h"

#if defined(__SANITIZE_ADDRESS__)
extern "C" void __sanitizer_set_death_callback(void (*callback)());
#endif

namespace strobe::fuzz {
namespace {

constexpr size_t kMaxInput = 4096;
constexpr uint64_t kBatch = 128;
constexpr unsigned kLimitSeconds = 20;

// What runs now, for the report of a failure.
std::string g_program;
uint64_t g_seed = 1;
uint64_t g_number = 0;
const uint8_t* g_data = nullptr;
size_t g_size = 0;
volatile sig_atomic_t g_reported = 0;

void Report() {
  if (g_reported != 0 || g_data == nullptr) return;
  g_reported = 1;
  std::fprintf(stderr, "%s: input %llu of seed %llu, %zu bytes:", g_program.c_str(), static_cast<unsigned long long>(g_number),
               static_cast<unsigned long long>(g_seed), g_size);
  for (size_t i = 0; i < g_size; i++) std::fprintf(stderr, " %02x", g_data[i]);
  std::fprintf(stderr, "\n");
  const std::string file = "crash-" + g_program;
  if (FILE* out = std::fopen(file.c_str(), "wb")) {
    std::fwrite(g_data, 1, g_size, out);
    std::fclose(out);
    std::fprintf(stderr, "%s: written to %s\n", g_program.c_str(), file.c_str());
  }
}

void OnSignal(int signal) {
  if (signal == SIGALRM) std::fprintf(stderr, "%s: an input takes longer than %u seconds\n", g_program.c_str(), kLimitSeconds);
  Report();
  if (signal == SIGALRM) _exit(1);
  struct sigaction usual {};
  usual.sa_handler = SIG_DFL;
  sigaction(signal, &usual, nullptr);
  raise(signal);
}

void Run(const ByteVector& input) {
  // In a buffer of its own size: AddressSanitizer sees a byte too much.
  const std::unique_ptr<uint8_t[]> exact(new uint8_t[input.size()]);
  std::copy(input.begin(), input.end(), exact.get());
  g_data = exact.get();
  g_size = input.size();
  LLVMFuzzerTestOneInput(exact.get(), input.size());
  g_data = nullptr;
}

class Mutator {
 public:
  Mutator(const std::vector<ByteVector>& seeds, uint64_t seed, uint64_t number)
      : seeds_(seeds), random_(seed * 0x9e3779b97f4a7c15u + number) {}

  ByteVector Make() {
    if (Below(10) == 0) {
      ByteVector noise(Below(200));
      for (uint8_t& byte : noise) byte = Byte();
      return noise;
    }
    ByteVector input = seeds_[Below(seeds_.size())];
    for (size_t n = Below(6); n > 0; n--) Mutate(&input);
    if (input.size() > kMaxInput) input.resize(kMaxInput);
    return input;
  }

 private:
  void Mutate(ByteVector* input) {
    if (input->empty()) {
      input->push_back(Byte());
      return;
    }
    const size_t at = Below(input->size());
    const auto place = input->begin() + static_cast<std::ptrdiff_t>(at);
    const size_t length = 1 + Below(std::min<size_t>(input->size() - at, 16));
    switch (Below(9)) {
      case 0:
        *place ^= static_cast<uint8_t>(1u << Below(8));
        break;
      case 1:
        *place = Byte();
        break;
      case 2:
        *place = kLikely[Below(std::size(kLikely))];
        break;
      case 3:
        input->erase(place, place + static_cast<std::ptrdiff_t>(length));
        break;
      case 4: {
        const ByteVector again(place, place + static_cast<std::ptrdiff_t>(length));
        input->insert(input->begin() + static_cast<std::ptrdiff_t>(Below(input->size() + 1)), again.begin(), again.end());
        break;
      }
      case 5:
        input->insert(place, length, Byte());
        break;
      case 6: {
        const uint64_t word = kWords[Below(std::size(kWords))] + Below(3) - 1;
        const size_t size = std::min<size_t>(input->size() - at, size_t{1} << Below(4));
        std::memcpy(&*place, &word, size);
        break;
      }
      case 7:
        input->resize(at);
        break;
      default: {
        // The rest of another seed.
        const ByteVector& other = seeds_[Below(seeds_.size())];
        input->resize(at);
        const size_t from = Below(other.size() + 1);
        input->insert(input->end(), other.begin() + static_cast<std::ptrdiff_t>(from), other.end());
        break;
      }
    }
  }

  size_t Below(size_t n) { return static_cast<size_t>(random_() % n); }
  uint8_t Byte() { return static_cast<uint8_t>(random_()); }

  static constexpr uint8_t kLikely[] = {0, 1, 2, 3, 7, 8, 16, 127, 128, 129, 254, 255};
  static constexpr uint64_t kWords[] = {0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff, 0x7fffffffffffffff, ~uint64_t{0}};

  const std::vector<ByteVector>& seeds_;
  std::minstd_rand random_{1};
};

bool RunFile(const char* name) {
  std::ifstream file(name, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "%s: cannot read %s\n", g_program.c_str(), name);
    return false;
  }
  Run(ByteVector(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()));
  std::printf("%s: %s is fine\n", g_program.c_str(), name);
  return true;
}

int Main(int argc, char** argv) {
  const char* slash = std::strrchr(argv[0], '/');
  g_program = slash != nullptr ? slash + 1 : argv[0];
  double seconds = 5;
  uint64_t only = 0;
  bool has_only = false;
  std::vector<const char*> files;
  for (int i = 1; i < argc; i++) {
    const std::string argument = argv[i];
    if (argument.rfind("--", 0) != 0) {
      files.push_back(argv[i]);
    } else if (i + 1 < argc && argument == "--seconds") {
      seconds = std::strtod(argv[++i], nullptr);
    } else if (i + 1 < argc && argument == "--seed") {
      g_seed = std::strtoull(argv[++i], nullptr, 10);
    } else if (i + 1 < argc && argument == "--only") {
      only = std::strtoull(argv[++i], nullptr, 10);
      has_only = true;
    } else {
      std::fprintf(stderr, "usage: %s [--seconds N] [--seed N] [--only I] [FILE…]\n", g_program.c_str());
      return 2;
    }
  }
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_set_death_callback(Report);
#endif
  signal(SIGABRT, OnSignal);
  signal(SIGALRM, OnSignal);
  if (!files.empty()) return std::all_of(files.begin(), files.end(), RunFile) ? 0 : 1;

  const std::vector<ByteVector> seeds = Seeds();
  if (has_only) {
    g_number = only;
    Run(Mutator(seeds, g_seed, only).Make());
    std::printf("%s: input %llu is fine\n", g_program.c_str(), static_cast<unsigned long long>(only));
    return 0;
  }
  for (const ByteVector& seed : seeds) Run(seed);
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  do {
    alarm(kLimitSeconds);
    for (uint64_t i = 0; i < kBatch; i++, g_number++) Run(Mutator(seeds, g_seed, g_number).Make());
  } while (elapsed() < seconds);
  alarm(0);
  std::printf("%s: %llu inputs in %.1f s, %.0f a second, %zu seeds\n", g_program.c_str(), static_cast<unsigned long long>(g_number),
              elapsed(), static_cast<double>(g_number) / elapsed(), seeds.size());
  return 0;
}

}  // namespace
}  // namespace strobe::fuzz

int main(int argc, char** argv) { return strobe::fuzz::Main(argc, argv); }
