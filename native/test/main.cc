// Runs the tests that check.h registered.
//
//   unit-tests              all of them
//   unit-tests Ring Probe   those whose name or file contains one of the words
//   unit-tests --list       prints the names, runs nothing
//
// Contract: one line a failed check (`file:line: Test: what`), the last line is `N passed, N failed` (tests, not checks).
// Exit 1 when a test failed or none ran.
#include <atomic>
#include <cstdio>
#include <cstring>
#include <vector>

#include "test/check.h"

namespace strobe::test {
namespace {

struct Test {
  const char* file;
  int line;
  const char* name;
  TestFunction function;
};

// Function-local, because the tests of other files register before this file's globals may exist.
std::vector<Test>& Tests() {
  static std::vector<Test> tests;
  return tests;
}

// Written between tests only, when no thread of a test is left; read by any thread of one.
const char* running_test = "(none)";
std::atomic<int> failures_of_test{0};

bool Selected(const Test& test, int count, char** words) {
  if (count == 0) return true;
  for (int i = 0; i < count; ++i) {
    if (std::strstr(test.name, words[i]) != nullptr || std::strstr(test.file, words[i]) != nullptr) return true;
  }
  return false;
}

int RunAll(int count, char** words) {
  int passed = 0;
  int failed = 0;
  for (const Test& test : Tests()) {
    if (!Selected(test, count, words)) continue;
    running_test = test.name;
    failures_of_test.store(0);
    test.function();
    int failures = failures_of_test.load();
    ++(failures == 0 ? passed : failed);
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}

}  // namespace

bool RegisterTest(const char* file, int line, const char* name, TestFunction function) {
  Tests().push_back({file, line, name, function});
  return true;
}

void ReportFailure(const char* file, int line, const std::string& message) {
  failures_of_test.fetch_add(1);
  // One call, so that lines of two threads do not mix; flushed, so that a crash right after does not swallow it.
  std::printf("%s:%d: %s: %s\n", file, line, running_test, message.c_str());
  std::fflush(stdout);
}

}  // namespace strobe::test

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--list") == 0) {
    for (const auto& test : strobe::test::Tests()) std::printf("%s\n", test.name);
    return 0;
  }
  return strobe::test::RunAll(argc - 1, argv + 1);
}
