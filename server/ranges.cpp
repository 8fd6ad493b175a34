#include "server/ranges.hpp"

namespace whittle::server {

namespace {

bool overlaps(const Ranges& ranges, const Range& range) {
  for (int i = 0; i < ranges.count; ++i) {
    const Range& other = ranges.list[i];
    if (range.first < other.first + other.size && other.first < range.first + range.size) return true;
  }
  return false;
}

}  // namespace

RangePart parse_range_part(Text text, long long size, Range& range) {
  const size_t dash = text.find('-');
  if (dash == Text::kNone) return RangePart::broken;
  const Text before = text.first(dash), after = text.from(dash + 1);
  long long first = 0, last = size - 1;
  if (before.empty()) {
    long long count = 0;
    if (!read_number(after, count)) return RangePart::broken;
    if (count == 0 || size == 0) return RangePart::beyond;
    first = count < size ? size - count : 0;
  } else {
    if (!read_number(before, first)) return RangePart::broken;
    if (!after.empty() && (!read_number(after, last) || last < first)) return RangePart::broken;
    if (first >= size) return RangePart::beyond;
    if (last >= size) last = size - 1;
  }
  range = {first, last - first + 1};
  return RangePart::good;
}

Ranges parse_ranges(Text header, long long size) {
  Ranges ranges;
  const size_t equals = header.find('=');
  if (equals == Text::kNone || !is_same_word(header.first(equals), "bytes")) return ranges;
  Text rest = header.from(equals + 1);
  bool is_any_beyond = false;
  while (!rest.empty()) {
    const Text text = take_until(rest, ',').trimmed();
    if (text.empty()) continue;
    Range range;
    const RangePart part = parse_range_part(text, size, range);
    if (part == RangePart::broken) return Ranges();
    is_any_beyond = is_any_beyond || part == RangePart::beyond;
    if (part == RangePart::beyond) continue;
    if (ranges.count == Ranges::kMost || overlaps(ranges, range)) return Ranges();
    ranges.list[ranges.count++] = range;
  }
  if (ranges.count > 0) {
    ranges.answer = Ranges::Answer::parts;
  } else if (is_any_beyond) {
    ranges.answer = Ranges::Answer::unsatisfiable;
  }
  return ranges;
}

}  // namespace whittle::server
