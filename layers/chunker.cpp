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

std::size_t RollingSum::roll(Bytes bytes, std::size_t from, std::size_t to) {
  std::uint32_t first = first_, second = second_;
  for (; from < to; ++from) {
    const auto out = std::to_integer<std::uint32_t>(bytes[from - kWindow]);
    first += std::to_integer<std::uint32_t>(bytes[from]) - out;
    second += first - std::uint32_t{kWindow} * (out + kOffset);
    if ((second & kMask) != kMask) continue;
    ++from;
    break;
  }
  first_ = first;
  second_ = second;
  return from;
}

void RollingSum::start(Bytes bytes, std::size_t end) {
  // As if 64 zeros had come before, which have dropped out by now.
  first_ = 0;
  second_ = kOffset * kWindow * (kWindow - 3) / 2;
  for (std::size_t at = end - kWindow; at < end; ++at) {
    first_ += std::to_integer<std::uint32_t>(bytes[at]) + kOffset;
    second_ += first_;
  }
}

std::optional<ChunkSpan> Chunker::next(Bytes bytes, bool is_end) {
  if (in_zeros_) {
    const std::optional<ChunkSpan> zeros = next_zeros(bytes, is_end);
    if (zeros || in_zeros_) return zeros;
  }
  if (!before_zeros_) find_data(bytes, is_end);
  const std::size_t stop = std::min(data_end_, kChunkMaximum);
  if (rolled_ == 0 && stop >= kChunkMinimum) {
    rolled_ = kChunkMinimum;
    sum_.start(bytes, rolled_);
    if (sum_.is_cut()) return cut(rolled_, false);
  }
  if (rolled_ > 0 && rolled_ < stop) {
    rolled_ = sum_.roll(bytes, rolled_, stop);
    if (sum_.is_cut()) return cut(rolled_, false);
  }
  if (stop == kChunkMaximum) return cut(stop, false);
  if (before_zeros_) {
    before_zeros_ = false;
    in_zeros_ = true;
    return data_end_ > 0 ? cut(data_end_, false) : next_zeros(bytes, is_end);
  }
  if (is_end && !bytes.empty()) return cut(bytes.size(), false);
  return std::nullopt;
}

void Chunker::find_data(Bytes bytes, bool is_end) {
  const Data data = data_from(bytes, data_end_, is_end);
  data_end_ = data.end;
  before_zeros_ = data.before_zeros;
}

std::optional<ChunkSpan> Chunker::next_zeros(Bytes bytes, bool is_end) {
  const Bytes piece = bytes.first(std::min(bytes.size(), kZerosMaximum));
  rolled_ = first_nonzero(piece, rolled_);
  const bool run_ends = rolled_ < bytes.size() && bytes[rolled_] != kZero;
  if (run_ends) in_zeros_ = false;
  if (rolled_ > 0 && (run_ends || is_end || rolled_ == kZerosMaximum)) return cut(rolled_, true);
  return std::nullopt;
}

ChunkSpan Chunker::cut(std::size_t size, bool is_zeros) {
  rolled_ = 0;
  data_end_ -= std::min(data_end_, size);
  return {size, is_zeros};
}

}  // namespace whittle::layers
