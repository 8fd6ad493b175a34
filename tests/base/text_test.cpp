#include "base/text.hpp"

#include <doctest/doctest.h>

using namespace whittle;

TEST_CASE("splitting and joining are each other's inverse") {
  for (const std::string_view text : {"", ",", "a", "a,b", ",a,,b,"}) CHECK(join(split(text, ','), ",") == text);
  CHECK(split("a,,b", ',') == std::vector<std::string>{"a", "", "b"});
  CHECK(split_lines("a\r\nb\n\nc") == std::vector<std::string>{"a", "b", "", "c"});
  CHECK(split_lines("a\n") == std::vector<std::string>{"a"});
  CHECK(split_lines("").empty());
}

TEST_CASE("text is trimmed and lowered as ASCII") {
  CHECK(trim(" \t a b\r\n") == "a b");
  CHECK(trim(" \n") == "");
  CHECK(lower("ABC-\xC3\x9C") == "abc-\xC3\x9C");
}

TEST_CASE("what is printed cannot steer a terminal") {
  CHECK(printable("plain ünïcode") == "plain ünïcode");
  CHECK(printable("a\nb\t\x1b[31m\x7f") == "a\\nb\\t\\x1b[31m\\x7f");
  CHECK(printable("\xff\xC2\x9B") == "\\xff\\xc2\\x9b");
  CHECK(backticked("a b") == "`a b`");
}

TEST_CASE("a command line can be pasted into a shell") {
  const std::vector<std::string> argv = {"echo", "a b", "", "it's", "$x", "--a=b/c"};
  CHECK(shell_line(argv) == "echo 'a b' '' 'it'\\''s' '$x' --a=b/c");
}

TEST_CASE("UTF-8 is what RFC 3629 says") {
  for (const std::string_view text : {"", "a", "ü", "日", "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF"}) CHECK(is_utf8(text));
  for (const std::string_view text :
       {"\x80", "\xC0\x80", "\xC3", "\xED\xA0\x80", "\xE0\x80\x80", "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80"}) {
    CHECK_FALSE(is_utf8(text));
  }
}

TEST_CASE("sizes are written for people and read back") {
  CHECK(human_size(0) == "0 B");
  CHECK(human_size(999) == "999 B");
  CHECK(human_size(4'600'000) == "4.6 MB");
  CHECK(human_size(389'000'000) == "389 MB");
  CHECK(parse_size("15MB") == 15'000'000);
  CHECK(parse_size(" 64 KiB ") == 65536);
  CHECK(parse_size("1024") == 1024);
  for (const std::string_view text :
       {"", "MB", "-1", "1.5MB", "1 XB", "99999999999999999999", "18446744073709551615k"}) {
    CHECK_FALSE(parse_size(text));
  }
  CHECK(parse_number("18446744073709551615") == UINT64_MAX);
  CHECK_FALSE(parse_number("18446744073709551616"));
  CHECK_FALSE(parse_number("1 "));
  CHECK_FALSE(parse_number("+1"));
}

TEST_CASE("the nearest word is offered when it is near") {
  const std::vector<std::string> keys = {"certificates", "user", "workdir"};
  CHECK(nearest("certificate", keys) == "certificates");
  CHECK(nearest("Wrkdir", keys) == "workdir");
  CHECK_FALSE(nearest("compression", keys));
}

TEST_CASE("globs match by components") {
  CHECK(matches_glob("*.md", "a.md"));
  CHECK_FALSE(matches_glob("*.md", "docs/a.md"));
  CHECK(matches_glob("**/*.md", "a.md"));
  CHECK(matches_glob("**/*.md", "x/y/a.md"));
  CHECK(matches_glob("docs/**", "docs/a/b"));
  CHECK(matches_glob("docs/**", "docs"));
  CHECK(matches_glob("a/**/b", "a/b"));
  CHECK(matches_glob("a?c", "abc"));
  CHECK_FALSE(matches_glob("a?c", "a/c"));
  CHECK(matches_glob("[a-c]x[!0-9]", "bxz"));
  CHECK_FALSE(matches_glob("[a-c]x[!0-9]", "bx7"));
  CHECK(matches_glob("*a*b*c*", "xaxbxcx"));
  // No exponential search.
  CHECK_FALSE(matches_glob("**/a/**/a/**/a/**/a/**/a/**/b", "a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a"));
  CHECK_FALSE(matches_glob("*a*a*a*a*a*a*a*a*b", std::string(2000, 'a')));
}
