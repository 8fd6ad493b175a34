// The tables of contents of chunked layers say where each chunk lies in the blob, so that one longer chunk changes
// every number after it. With the distances between offsets in their place, two tables differ only where the layers do.
#pragma once

#include <cstdint>
#include <string>

#include "base/stream.hpp"

namespace whittle::bundle {

// Replaces the numbers that follow `"offset":` and `"endOffset":` in a text, each by its difference to the one before
// it (`relative`), or back. Other numbers than canonical ones below 10^18 stay as they are; a text that had a sign
// there may not come back as it was.
class OffsetsFilter : public Sink {
 public:
  enum class To { relative, absolute };
  OffsetsFilter(Sink& out, To direction) : out_(out), direction_(direction) {}  // borrows
  void write(Bytes bytes) override;
  void finish() override;  // not of `out`

 private:
  void end_number();

  Sink& out_;
  const To direction_;
  std::string ready_, number_;
  bool in_number_ = false;
  std::uint64_t last_ = 0;
};

}  // namespace whittle::bundle
