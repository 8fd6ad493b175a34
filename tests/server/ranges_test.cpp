#include "server/ranges.hpp"

#include <doctest/doctest.h>

#include "tests/server/support.hpp"

using namespace whittle;
using server::Ranges;
using test::view;

namespace {

// "0+2 5+1", "whole", "none"
std::string parsed(std::string_view header, long long size) {
  const Ranges ranges = server::parse_ranges(view(header), size);
  if (ranges.answer == Ranges::Answer::whole) return "whole";
  if (ranges.answer == Ranges::Answer::unsatisfiable) return "none";
  std::string text;
  for (int i = 0; i < ranges.count; ++i) {
    text += (i > 0 ? " " : "") + std::to_string(ranges.list[i].first) + "+" + std::to_string(ranges.list[i].size);
  }
  return text;
}

}  // namespace

TEST_CASE("ranges are first, last and suffix") {
  CHECK(parsed("bytes=0-0", 10) == "0+1");
  CHECK(parsed("bytes=2-4", 10) == "2+3");
  CHECK(parsed("bytes=5-", 10) == "5+5");
  CHECK(parsed("bytes=-3", 10) == "7+3");
  CHECK(parsed("bytes=-30", 10) == "0+10");
  CHECK(parsed("bytes=5-500", 10) == "5+5");
  CHECK(parsed("Bytes=0-1, 4-5 ,, 8-", 10) == "0+2 4+2 8+2");
  CHECK(parsed("bytes=6-7,0-1", 10) == "6+2 0+2");
}

TEST_CASE("ranges beyond the end cannot be satisfied, unless another one can") {
  CHECK(parsed("bytes=10-", 10) == "none");
  CHECK(parsed("bytes=-0", 10) == "none");
  CHECK(parsed("bytes=0-", 0) == "none");
  CHECK(parsed("bytes=10-,0-1", 10) == "0+2");
}

TEST_CASE("what is no range is ignored") {
  for (const std::string_view header : {"bytes=", "bytes=a-b", "bytes=4-2", "bytes=1", "bytes=-", "lines=0-1", "0-1",
                                        "bytes=0-1,x", "bytes=--1", "bytes=99999999999999999999-"}) {
    CAPTURE(header);
    CHECK(parsed(header, 10) == "whole");
  }
}

TEST_CASE("many parts, or the same bytes again and again, are answered with the whole") {
  CHECK(parsed("bytes=0-,0-,0-", 10) == "whole");
  CHECK(parsed("bytes=0-5,3-8", 10) == "whole");
  CHECK(parsed("bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16", 100) == "whole");
}
