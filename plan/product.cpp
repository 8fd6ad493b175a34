#include "plan/product.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/text.hpp"

namespace whittle::plan {

namespace {

constexpr std::array<std::string_view, 26> kAside = {
    "test",       "tests",    "testing",  "testdata", "unittests", "example",      "examples", "sample", "samples",
    "demo",       "demos",    "bench",    "benches",  "benchmark", "benchmarks",   "fuzz",     "vendor", "third_party",
    "thirdparty", "3rdparty", "external", "extern",   "deps",      "node_modules", "contrib",  "doc"};

constexpr std::array<std::string_view, 4> kTestWords = {"test", "bench", "benchmark", "example"};

bool is_test_word(std::string_view word) {
  if (word.size() > 1 && word.ends_with('s')) word.remove_suffix(1);
  return std::find(kTestWords.begin(), kTestWords.end(), word) != kTestWords.end() || word == "unittest";
}

}  // namespace

bool is_aside(std::string_view path) {
  const std::vector<std::string> parts = split(path, '/');
  return std::any_of(parts.begin(), parts.end(), [](const std::string& part) {
    return std::find(kAside.begin(), kAside.end(), lower(part)) != kAside.end();
  });
}

bool is_test_name(std::string_view name) {
  std::string spaced = lower(name);
  std::replace_if(
      spaced.begin(), spaced.end(), [](char c) { return c == '-' || c == '.'; }, '_');
  const std::vector<std::string> words = split(spaced, '_');
  return is_test_word(words.front()) || is_test_word(words.back());
}

}  // namespace whittle::plan
