#include "layers/chunker.hpp"

#include <algorithm>

namespace whittle::layers {

namespace {

constexpr std::byte kZero{0};

bool is_nonzero(std::byte byte) {
  return byte != kZero;
}

std::size_t first_nonzero(Bytes bytes, std::size_t from) {
  return static_cast<std::size_t>(
      std::find_if(bytes.begin() + static_cast<std::ptrdiff_t>(from), bytes.end(), is_nonzero) - bytes.begin());
}

// Where the zeros begin that end at `end`, but not before `from`.
std::size_t zeros_before(Bytes bytes, std::size_t from, std::size_t end) {
  while (end > from && bytes[end - 1] == kZero) --end;
  return end;
}

struct Data {
  std::size_t end = 0;  // bytes before it are data, whatever follows
  bool before_zeros = false;
};

// A run of the minimal length covers a position in every kZerosMinimum, so only those are looked at.
Data data_from(Bytes bytes, std::size_t from, bool is_end) {
  for (std::size_t probe = from + kZerosMinimum - 1; probe < bytes.size(); probe += kZerosMinimum) {
    if (bytes[probe] != kZero) continue;
    const std::size_t begin = zeros_before(bytes, from, probe);
    const std::size_t end = first_nonzero(bytes, probe);
    if (end - begin >= kZerosMinimum) return {begin, true};
  }
  return {is_end ? bytes.size() : zeros_before(bytes, from, bytes.size()), false};
}

}  // namespace

std::size_t RollingSum::roll(Bytes bytes) {
  std::uint32_t first = first_, second = second_;
  std::size_t taken = 0;
  const auto take = [&](std::byte dropped) {
    const auto out = std::to_integer<std::uint32_t>(dropped);
    first += std::to_integer<std::uint32_t>(bytes[taken++]) - out;
    second += first - kWindow * (out + kOffset);
    return (second & 0xFFFF) == 0xFFFF;
  };
  bool cuts = false;
  while (!cuts && taken < std::min<std::size_t>(bytes.size(), kWindow)) cuts = take(window_[taken]);
  while (!cuts && taken < bytes.size()) cuts = take(bytes[taken - kWindow]);
  first_ = first;
  second_ = second;
  remember(bytes.first(taken));
  return taken;
}

void RollingSum::remember(Bytes bytes) {
  const std::size_t size = std::min<std::size_t>(bytes.size(), kWindow);
  std::copy(window_.begin() + static_cast<std::ptrdiff_t>(size), window_.end(), window_.begin());
  std::copy_n(bytes.end() - static_cast<std::ptrdiff_t>(size), size, window_.end() - static_cast<std::ptrdiff_t>(size));
}

std::optional<ChunkSpan> Chunker::next(Bytes bytes, bool is_end) {
  if (in_zeros_) {
    const std::optional<ChunkSpan> zeros = next_zeros(bytes, is_end);
    if (zeros || in_zeros_) return zeros;
  }
  const Data data = data_from(bytes, examined_, is_end);
  const std::size_t stop = std::min(data.end, kChunkMaximum);
  if (examined_ < stop) {
    examined_ += sum_.roll(bytes.subspan(examined_, stop - examined_));
    if (sum_.is_cut() || examined_ == kChunkMaximum) return cut(examined_, false);
  }
  if (data.before_zeros) {
    in_zeros_ = true;
    sum_ = {};
    return data.end > 0 ? cut(data.end, false) : next_zeros(bytes, is_end);
  }
  if (is_end && !bytes.empty()) return cut(bytes.size(), false);
  return std::nullopt;
}

std::optional<ChunkSpan> Chunker::next_zeros(Bytes bytes, bool is_end) {
  const Bytes piece = bytes.first(std::min(bytes.size(), kZerosMaximum));
  examined_ = first_nonzero(piece, examined_);
  const bool run_ends = examined_ < bytes.size() && bytes[examined_] != kZero;
  if (run_ends) in_zeros_ = false;
  if (examined_ > 0 && (run_ends || is_end || examined_ == kZerosMaximum)) return cut(examined_, true);
  return std::nullopt;
}

ChunkSpan Chunker::cut(std::size_t size, bool is_zeros) {
  examined_ = 0;
  return {size, is_zeros};
}

}  // namespace whittle::layers
