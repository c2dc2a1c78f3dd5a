// Tests of clock/code_spread.h and spread_work.h: a loop is not spread, a compiler is; what SpreadWork runs is what it says.
#include "clock/code_spread.h"

#include <cstdint>
#include <random>

#include "capture/clocks.h"
#include "clock/spread_work.h"
#include "test/check.h"

namespace strobe::clock {
namespace {

constexpr uint64_t kCode = 0x7f00'1234'5000;
constexpr uint64_t kLine = 64;

// Of samples that fall evenly on so many lines.
double SpreadOf(uint32_t lines, int samples) {
  std::mt19937 random(lines);
  CodeSpread spread;
  double latest = 0;
  for (int i = 0; i < samples; i++) {
    latest = spread.Add(kCode + random() % lines * kLine + random() % kLine);
    if (!CHECK(latest >= 0 && latest <= 1)) return latest;
  }
  return latest;
}

TEST(code_spread_of_loops_is_none) {
  CHECK_EQ(SpreadOf(1, 3000), 0);
  CHECK_EQ(SpreadOf(8, 3000), 0);
  CHECK(SpreadOf(40, 3000) < 0.05);
}

TEST(code_spread_of_much_code_is_all) {
  CHECK_EQ(SpreadOf(SpreadWork::kLines, 20'000), 1);
  CHECK_EQ(SpreadOf(100'000, 100'000), 1);
}

TEST(code_spread_lies_between_and_grows_with_the_code) {
  const double less = SpreadOf(500, 10'000);
  const double more = SpreadOf(700, 10'000);
  CHECK(less > 0.1);
  CHECK(less < more);
  CHECK(more < 1);
}

TEST(code_spread_follows_a_program_that_changed) {
  CodeSpread spread;
  std::mt19937 random(1);
  double latest = 0;
  for (int i = 0; i < 20'000; i++) latest = spread.Add(kCode + random() % 5000 * kLine);
  CHECK_EQ(latest, 1);
  for (int i = 0; i < 20'000; i++) latest = spread.Add(kCode + random() % 3 * kLine);
  CHECK_EQ(latest, 0);
}

TEST(code_spread_knows_nothing_of_its_first_samples) {
  CodeSpread spread;
  for (uint64_t i = 0; i < 20; i++) CHECK_EQ(spread.Add(kCode + i * kLine), 0);
  CHECK_EQ(spread.Add(0), 0);
}

TEST(spread_work_takes_about_its_time_over_little_and_over_much) {
  for (const auto over : {SpreadWork::Over::kLittle, SpreadWork::Over::kMuch}) {
    SpreadWork work(over, 1'000'000);
    const uint64_t start = capture::ThreadCpuNowNs();
    for (int i = 0; i < 10; i++) work.Round();
    const uint64_t took = capture::ThreadCpuNowNs() - start;
    // That there is work at all, and no end of it: how fast a machine is from one moment to the next is not asserted.
    CHECK(took > 100'000);
    CHECK(took < 10'000'000'000);
  }
}

}  // namespace
}  // namespace strobe::clock
