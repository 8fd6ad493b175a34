// The parts of a file that a request asks for. RFC 9110, 14.
#pragma once

#include "server/text.hpp"

namespace whittle::server {

struct Range {
  long long first = 0, size = 0;
};

struct Ranges {
  static constexpr int kMost = 8;
  enum class Answer {
    whole,  // no ranges, or what need not be understood
    parts,  // `list`
    unsatisfiable
  } answer = Answer::whole;
  Range list[kMost];
  int count = 0;
};

// One of them: `first-last`, `first-` or `-count`. `beyond`: it begins after the file's end.
enum class RangePart { good, beyond, broken };
RangePart parse_range_part(Text text, long long size, Range& range);

// `header` is the value of `Range`, of a file of `size` bytes. More parts than kMost, and parts that overlap, are
// answered with the whole: only who attacks asks for them.
Ranges parse_ranges(Text header, long long size);

}  // namespace whittle::server
