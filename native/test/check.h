// The unit-test harness of the C++ side: a test registers itself, `main.cc` runs them all.
//
//   #include "test/check.h"
//   TEST(RingKeepsOrder) {
//     CHECK(ring.Push(1));            // a condition
//     CHECK_EQ(ring.size(), 1u);      // equality; prints both sides
//     CHECK_NEAR(share, 0.6, 0.05);   // |share - 0.6| <= 0.05, as doubles
//   }
//
// Contract: a failed check is recorded with file and line and the test goes on, so one run shows every failure.
// Where going on makes no sense: `if (!CHECK(p != nullptr)) return;`, every check is an expression that says whether it held.
// Checks may run on any thread that ends before the test does. Each argument is evaluated once.
// A test's name is unique in its file. Tests run in the order of the link: none may rely on another.
#pragma once

#include <cstddef>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace strobe::test {

using TestFunction = void (*)();

// Defined in main.cc. Called during static initialisation; the pointers must live for the program's time.
bool RegisterTest(const char* file, int line, const char* name, TestFunction function);

// Defined in main.cc: counts the failure for the running test and prints its line. Any thread.
void ReportFailure(const char* file, int line, const std::string& message);

template <typename T>
inline constexpr bool kIsText = std::is_convertible_v<const T&, std::string_view> && !std::is_null_pointer_v<T>;

// Two C strings are compared by content; a null one is not UB but a word that shows.
template <typename T>
std::string_view AsText(const T& value) {
  if constexpr (std::is_pointer_v<T>) {
    if (value == nullptr) return "(null)";
  }
  return value;
}

template <typename T>
std::string Show(const T& value) {
  std::ostringstream out;
  if constexpr (std::is_same_v<T, bool>) {
    out << (value ? "true" : "false");
  } else if constexpr (std::is_enum_v<T>) {
    out << static_cast<long long>(value);
  } else if constexpr (std::is_same_v<T, char> || std::is_same_v<T, signed char> || std::is_same_v<T, unsigned char>) {
    out << static_cast<int>(value);  // bytes are numbers in our tests
  } else if constexpr (kIsText<T>) {
    out << '"' << AsText(value) << '"';
  } else if constexpr (requires { out << value; }) {
    out << value;
  } else {
    out << "(a value of " << sizeof(T) << " bytes)";
  }
  return out.str();
}

template <typename A, typename B>
bool Equal(const A& a, const B& b) {
  if constexpr (kIsText<A> && kIsText<B>) {
    return AsText(a) == AsText(b);
  } else if constexpr (std::is_integral_v<A> && std::is_integral_v<B> && !std::is_same_v<A, bool> && !std::is_same_v<B, bool>) {
    // By value: `CHECK_EQ(vector.size(), 3)` must neither warn nor let -1 equal 2^64 - 1.
    if constexpr (std::is_signed_v<A> == std::is_signed_v<B>) {
      return a == b;
    } else if constexpr (std::is_signed_v<A>) {
      return a >= 0 && static_cast<std::make_unsigned_t<A>>(a) == b;
    } else {
      return b >= 0 && a == static_cast<std::make_unsigned_t<B>>(b);
    }
  } else {
    return a == b;
  }
}

inline bool CheckTrue(const char* file, int line, bool held, const char* text) {
  if (!held) ReportFailure(file, line, std::string("CHECK(") + text + ")");
  return held;
}

template <typename A, typename B>
bool CheckEqual(const char* file, int line, const A& a, const B& b, const char* text_a, const char* text_b) {
  bool held = Equal(a, b);
  if (!held) ReportFailure(file, line, std::string("CHECK_EQ(") + text_a + ", " + text_b + "): " + Show(a) + " != " + Show(b));
  return held;
}

inline bool CheckNear(const char* file, int line, double a, double b, double tolerance, const char* text_a, const char* text_b) {
  bool held = (a > b ? a - b : b - a) <= tolerance;  // false for a NaN
  if (!held) {
    std::string call = std::string("CHECK_NEAR(") + text_a + ", " + text_b + ")";
    ReportFailure(file, line, call + ": " + Show(a) + " and " + Show(b) + " differ by more than " + Show(tolerance));
  }
  return held;
}

}  // namespace strobe::test

#define TEST(name)                                                                 \
  static void StrobeTest_##name();                                                 \
  [[maybe_unused]] static const bool strobe_registered_##name =                    \
      ::strobe::test::RegisterTest(__FILE__, __LINE__, #name, &StrobeTest_##name); \
  static void StrobeTest_##name()

// Variadic, so that a comma inside a template argument list does not split the condition.
#define CHECK(...) ::strobe::test::CheckTrue(__FILE__, __LINE__, static_cast<bool>(__VA_ARGS__), #__VA_ARGS__)
#define CHECK_EQ(a, b) ::strobe::test::CheckEqual(__FILE__, __LINE__, (a), (b), #a, #b)
#define CHECK_NEAR(a, b, tolerance) \
  ::strobe::test::CheckNear(__FILE__, __LINE__, static_cast<double>(a), static_cast<double>(b), static_cast<double>(tolerance), #a, #b)
