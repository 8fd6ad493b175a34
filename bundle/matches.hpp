// What of a new file is almost what an old one has, by a suffix array of the old one, as bsdiff finds it (Percival,
// "Naive differences of executable code", 2003).
#pragma once

#include <cstdint>
#include <vector>

#include "base/stream.hpp"

namespace whittle::bundle {

// `size` bytes of the new file lie at `fresh` and resemble those of the old file at `old`; mostly they are equal.
struct Match {
  std::uint64_t fresh = 0, old = 0, size = 0;
  bool operator==(const Match&) const = default;
};

// In the order of the new file, without overlaps; what no match covers is new. Equal input gives equal matches. Memory
// is four times the old file, which may have 2^31 − 1 bytes.
std::vector<Match> find_matches(Bytes old, Bytes fresh);

}  // namespace whittle::bundle
