#include "base/stream.hpp"

#include <algorithm>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle {

namespace {
constexpr std::size_t kBuffer = 128 * 1024;
}

std::size_t StringSource::read(std::span<std::byte> room) {
  const std::size_t size = std::min(room.size(), rest_.size());
  std::copy_n(rest_.begin(), size, room.begin());
  rest_ = rest_.subspan(size);
  return size;
}

std::uint64_t copy(Source& from, Sink& to) {
  std::vector<std::byte> buffer(kBuffer);
  std::uint64_t total = 0;
  while (const std::size_t size = from.read(buffer)) {
    to.write(std::span(buffer).first(size));
    total += size;
  }
  return total;
}

std::string read_all(Source& from, std::uint64_t limit, std::string_view what) {
  std::string text;
  std::vector<std::byte> buffer(kBuffer);
  while (const std::size_t size = from.read(buffer)) {
    if (text.size() + size > limit) {
      throw Error(Exit::usage, cat(what, " is larger than ", human_size(limit)));
    }
    text += text_of(std::span(buffer).first(size));
  }
  return text;
}

}  // namespace whittle
