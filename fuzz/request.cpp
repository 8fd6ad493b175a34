// What a client of the file server sends: head, target, ranges, encodings, conditions.
#include <cstdint>
#include <cstdlib>

#include "server/conditions.hpp"
#include "server/content_type.hpp"
#include "server/encodings.hpp"
#include "server/ranges.hpp"
#include "server/target.hpp"

using namespace whittle::server;

namespace {

constexpr long long kSize = 1000;

void check(bool holds) {
  if (!holds) std::abort();
}

// Nothing that opens another folder's file, whatever the request was.
void check_path(Text path) {
  check(!path.starts_with("/") && !path.ends_with("/"));
  while (!path.empty()) {
    const Text part = take_until(path, '/');
    check(!part.empty() && !(part == ".") && !(part == "..") && !part.has('\0'));
    check(part[0] != '.' || part == ".well-known");
  }
}

void check_ranges(const Ranges& ranges) {
  for (int i = 0; i < ranges.count; ++i) {
    const Range& range = ranges.list[i];
    check(range.first >= 0 && range.size > 0 && range.first + range.size <= kSize);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Text received(reinterpret_cast<const char*>(data), size);
  const size_t end = head_size(received);
  check(end <= size);
  Request request;
  if (end == 0 || parse_request(received.first(end), request) != 0) return 0;
  Target target;
  if (parse_target(request.target, target) == 0) {
    check_path(target.path.text());
    content_type_of(target.path.text());
    is_named_by_content(target.path.text());
  }
  check_ranges(parse_ranges(request.range, kSize));
  const EncodingWishes wishes = parse_accept_encoding(request.accept_encoding);
  for (const int quality : wishes.quality) check(quality >= 0 && quality <= 1000);
  const Validators validators = {.tag = "\"0123\"", .modified = 784111777};
  const int status = check_conditions(request, validators);
  check(status == 0 || status == 304 || status == 412);
  range_applies(request, validators);
  return 0;
}
