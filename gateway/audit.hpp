// What happened on the device, for good: one JSON object a line, each with the SHA-256 of the line before. Whoever
// changes, removes or reorders a line breaks the chain; whoever cuts the end off is found out by a later receipt alone.
#pragma once

#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/json.hpp"

namespace whittle::gateway {

class Audit {
 public:
  explicit Audit(fs::path file) : file_(std::move(file)) {}

  // Adds `facts` with the time and the chain; durable on return. The same facts as in the last line are not added
  // again: that is a step which is done a second time. What a power cut left of a line is dropped.
  void append(Json facts);

  struct State {
    std::uint64_t lines = 0;
    Digest head;          // of the last line
    std::string problem;  // empty: the chain holds; else what breaks it and where
  };
  State verify() const;

 private:
  fs::path file_;
};

}  // namespace whittle::gateway
