#include "plan/ignore_patterns.hpp"

#include <doctest/doctest.h>

#include <chrono>

#include "base/text.hpp"

using namespace whittle;
using plan::IgnorePatterns;
using Strings = std::vector<std::string>;

namespace {

struct Case {
  Strings patterns;
  std::string_view path;
  bool is_ignored;
};

}  // namespace

// Docker's own rules, which tests/end_to_end/test_ignore.py also compares with Docker's own code.
TEST_CASE("patterns cover what Docker's cover") {
  const std::vector<Case> cases = {
      {{"**"}, "file", true},
      {{"**"}, "folder/file", true},
      {{"**/"}, "folder/file", true},
      {{"folder/**"}, "folder", false},
      {{"folder/**"}, "folder/deep/file", true},
      {{"**/folder"}, "folder/file", true},
      {{"**/folder"}, "a/b/folder", true},
      {{"**/folder/*"}, "a/folder/file", true},
      {{"**file"}, "a/b/file", true},
      {{"**/file*txt"}, "a/b/file.txt", true},
      {{"**/**/*.txt"}, "file.txt", true},
      {{"**/**/*.txt"}, "file.txt2", false},
      {{"a**/*.txt"}, "a/b/c/file.txt", true},
      {{"a/*.txt"}, "a/b/file.txt", false},
      {{"a/*.txt**"}, "a/file.txt", true},
      {{"a[b-d]e"}, "ae", false},
      {{"a[b-d]e"}, "ace", true},
      {{"a[b-d]e"}, "aze", false},
      {{"a[^b-d]e"}, "aze", true},
      {{"a[^b-d]e"}, "ace", false},
      {{"a[xyz-]e"}, "a-e", true},
      {{"a[b"}, "a[b", true},
      {{".*"}, ".hidden", true},
      {{".*"}, "shown", false},
      {{"abc.def"}, "abcZdef", false},
      {{"abc?def"}, "abcZdef", true},
      {{"abc?def"}, "abc/def", false},
      {{"a(b)c/d+"}, "a(b)c/d+", true},
      {{"a\\*b"}, "a*b", true},
      {{"a\\*b"}, "axb", false},
      {{"a\\\\"}, "a\\", true},
      {{"/rooted"}, "rooted/below", true},
      {{"./a/../b/"}, "b", true},
      {{"*"}, "a/b", true},
      {{"*.md"}, "a/b.md", false},
      {{"docs"}, "docs2", false},
      {{"é?"}, "éa", true},
  };
  for (const Case& one : cases) {
    CAPTURE(join(one.patterns, "  "));
    CAPTURE(one.path);
    CHECK(IgnorePatterns(one.patterns).matches(one.path) == one.is_ignored);
  }
}

TEST_CASE("the last pattern that covers a path decides") {
  const std::vector<Case> cases = {
      {{"*", "!docs"}, "docs/a.md", false},
      {{"**", "!docs/web", "docs/web/private"}, "docs/web/private", true},
      {{"**", "!docs/web", "docs/web/private"}, "docs/web/public", false},
      {{"*.md", "!README.md"}, "README.md", false},
      {{"!README.md", "*.md"}, "README.md", true},
      {{"a", "!a/b", "a/b/c", "!a/b/c/d"}, "a/b/c/d", false},
      {{"! a ", "a"}, "a", true},
      {{"a", "! a "}, "a", false},
      {{"", "!", "/", "."}, "a", false},
  };
  for (const Case& one : cases) {
    CAPTURE(join(one.patterns, "  "));
    CAPTURE(one.path);
    CHECK(IgnorePatterns(one.patterns).matches(one.path) == one.is_ignored);
  }
  CHECK(IgnorePatterns(Strings{"a", "!b"}).takes_back());
  CHECK_FALSE(IgnorePatterns(Strings{"a"}).takes_back());
}

TEST_CASE("a pattern made to take for ever does not") {
  std::string pattern, path;
  for (int i = 0; i < 100; ++i) pattern += "**/a*", path += "aaaaa/";
  const auto begin = std::chrono::steady_clock::now();
  CHECK_FALSE(IgnorePatterns(Strings{pattern + "b"}).matches(path + "c"));
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(1));
}

TEST_CASE("an ignore file is read line by line") {
  CHECK(plan::parse_ignore_file("\xEF\xBB\xBF# comment\r\n\n  docs/ \r\n!docs/keep\n #not a comment\n") ==
        Strings{"docs/", "!docs/keep", "#not a comment"});
  CHECK(plan::parse_ignore_file("").empty());
}
