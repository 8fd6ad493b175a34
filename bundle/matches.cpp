#include "bundle/matches.hpp"

#include <divsufsort.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <optional>

namespace whittle::bundle {

namespace {

// A place elsewhere must explain so many bytes more than going on along the present match does: about what it costs to
// say where it is.
constexpr std::size_t kWorthwhile = 8;
// So many equal bytes along the present match and nothing better is looked for.
constexpr std::size_t kGoingWell = 32;

std::size_t common_prefix(Bytes one, Bytes other) {
  const std::size_t size = std::min(one.size(), other.size());
  std::size_t at = 0;
  while (at + 8 <= size && std::memcmp(one.data() + at, other.data() + at, 8) == 0) at += 8;
  while (at < size && one[at] == other[at]) ++at;
  return at;
}

class SuffixArray {
 public:
  explicit SuffixArray(Bytes text) : text_(text), order_(text.size()) {
    const auto* const bytes = reinterpret_cast<const sauchar_t*>(text.data());
    if (::divsufsort(bytes, order_.data(), static_cast<saidx_t>(text.size())) != 0) throw std::bad_alloc();
  }

  struct Place {
    std::size_t position = 0, size = 0;
  };
  // Where the longest beginning of `wanted` stands, and how long that is.
  Place longest(Bytes wanted) const {
    std::size_t low = 0, high = order_.size();  // the first suffix that is not smaller lies between
    std::size_t low_common = 0, high_common = 0;
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      const std::size_t known = std::min(low_common, high_common);
      const Bytes suffix = text_.subspan(static_cast<std::size_t>(order_[middle]));
      const std::size_t common = known + common_prefix(suffix.subspan(known), wanted.subspan(known));
      const bool is_smaller = common < wanted.size() && (common == suffix.size() || suffix[common] < wanted[common]);
      if (is_smaller) {
        low = middle + 1;
        low_common = common;
      } else {
        high = middle;
        high_common = common;
      }
    }
    Place best;
    if (high < order_.size()) best = {static_cast<std::size_t>(order_[high]), high_common};
    if (low > 0 && low_common > best.size) best = {static_cast<std::size_t>(order_[low - 1]), low_common};
    return best;
  }

 private:
  Bytes text_;
  std::vector<saidx_t> order_;
};

// Where the new file begins to follow another part of the old one.
struct Anchor {
  std::size_t fresh = 0, old = 0;
};

std::vector<Anchor> find_anchors(Bytes old, Bytes fresh) {
  std::vector<Anchor> anchors = {{0, 0}};
  const SuffixArray suffixes(old);
  std::size_t at = 0;
  while (at < fresh.size()) {
    const Anchor now = anchors.back();
    const std::size_t along = at - now.fresh + now.old;
    const Bytes rest = fresh.subspan(at);
    const Bytes present = along < old.size() ? old.subspan(along) : Bytes();
    const std::size_t same = common_prefix(present, rest);
    if (same >= kGoingWell || same == rest.size()) {
      at += same;
      continue;
    }
    const SuffixArray::Place place = suffixes.longest(rest);
    std::size_t score = same;
    for (std::size_t i = same; i < std::min(place.size, present.size()); ++i) score += present[i] == rest[i] ? 1 : 0;
    if (place.size > score + kWorthwhile) {
      anchors.push_back({at, place.position});
      at += place.size;
    } else {
      at += std::max<std::size_t>(same, 1);
    }
  }
  return anchors;
}

// How far two files resemble each other from here on: up to where equal bytes outnumber the others most.
// `pair(i)` tells whether the i-th bytes are equal.
template <class Pair>
std::size_t resembling(std::size_t limit, Pair&& pair) {
  std::size_t best = 0;
  std::int64_t score = 0, best_score = 0;
  for (std::size_t i = 0; i < limit; ++i) {
    score += pair(i) ? 1 : -1;
    if (score > best_score) {
      best_score = score;
      best = i + 1;
    } else if (score < best_score - 4096) {
      break;
    }
  }
  return best;
}

}  // namespace

std::vector<Match> find_matches(Bytes old, Bytes fresh) {
  if (old.empty() || fresh.empty()) return {};
  const std::vector<Anchor> anchors = find_anchors(old, fresh);
  std::vector<Match> matches;
  std::size_t begin = 0, begin_old = 0;  // of the match that is being extended; its beginning is settled
  for (std::size_t i = 0; i < anchors.size(); ++i) {
    const bool is_last = i + 1 == anchors.size();
    const Anchor next = is_last ? Anchor{fresh.size(), 0} : anchors[i + 1];
    const std::size_t room = next.fresh - begin;
    std::size_t forward = resembling(std::min(room, old.size() - begin_old),
                                     [&](std::size_t k) { return old[begin_old + k] == fresh[begin + k]; });
    std::size_t backward = is_last ? 0 : resembling(std::min(room, next.old), [&](std::size_t k) {
      return old[next.old - 1 - k] == fresh[next.fresh - 1 - k];
    });
    if (forward + backward > room) {
      // Both reach for the same bytes: cut where most of them are equal.
      const std::size_t from = room - backward, overlap = forward + backward - room;
      std::int64_t score = 0, best = 0;
      std::size_t cut = 0;
      for (std::size_t k = 0; k < overlap; ++k) {
        const std::byte byte = fresh[begin + from + k];
        score += old[begin_old + from + k] == byte ? 1 : 0;
        score -= old[next.old - backward + k] == byte ? 1 : 0;
        if (score > best) {
          best = score;
          cut = k + 1;
        }
      }
      forward = from + cut;
      backward = room - forward;
    }
    if (forward > 0) matches.push_back({begin, begin_old, forward});
    begin = next.fresh - backward;
    begin_old = next.old - backward;
  }
  return matches;
}

}  // namespace whittle::bundle
