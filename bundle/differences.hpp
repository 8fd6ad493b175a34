// The control numbers of a delta and the differences between bytes that are almost equal, as one stream of
// arithmetically coded bits. A difference is predicted from the differences before it and from the *old* bytes around
// it, which both sides have: when a program is linked again, what changes are displacements, and one is likely to
// change as others did that led to the same place.
//
// Decoding is integer arithmetic alone, so that every machine gives the same bytes; 4.3 MB, about 10 million bytes a
// second.
// Decoders of hostile streams give numbers and bytes of no meaning, and never fail: what they make must have a limit
// and be checked by the caller.
#pragma once

#include <cstdint>
#include <memory>

#include "base/stream.hpp"

namespace whittle::bundle {

// Numbers of one kind resemble each other.
enum class DeltaNumber { seek, copy, add, insert };
inline constexpr std::size_t kDeltaNumbers = 4;

// The old bytes of a run are given with so many before the first and after the last one.
inline constexpr std::size_t kOldBefore = 3, kOldAfter = 3;

class DifferenceEncoder {
 public:
  explicit DifferenceEncoder(Sink& out);  // borrows
  ~DifferenceEncoder();

  void number(DeltaNumber kind, std::uint64_t value);
  // `fresh` as it differs from the old bytes at `position` of whatever they are taken from; `old` is longer by
  // kOldBefore + kOldAfter. How a run is cut into calls does not matter.
  void differences(Bytes old, std::uint64_t position, Bytes fresh);
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Takes the same calls in the same order.
class DifferenceDecoder {
 public:
  explicit DifferenceDecoder(Source& in);  // borrows; zeros follow its end
  ~DifferenceDecoder();

  std::uint64_t number(DeltaNumber kind);
  void differences(Bytes old, std::uint64_t position, std::span<std::byte> fresh);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace whittle::bundle
