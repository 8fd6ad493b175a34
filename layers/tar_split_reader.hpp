// Reads a tar-split beside the tar that it must give: segments byte by byte, files by size and checksum.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/stream.hpp"
#include "layers/crc64.hpp"

namespace whittle::layers {

// Receives the tar. Throws Error for lines that are no tar-split.
class TarSplitReader : public Sink {
 public:
  explicit TarSplitReader(std::string_view lines) : rest_(lines) {}  // borrows

  void write(Bytes bytes) override;
  void finish() override;

  const std::vector<std::string>& names() const { return names_; }  // of the entries, in order
  const std::optional<std::string>& mismatch() const { return mismatch_; }

 private:
  void next();
  void take_segment(Bytes piece);
  void take_content(Bytes piece);
  void fail(std::string how) { mismatch_ = std::move(how); }
  std::string last_name() const;

  std::string_view rest_;
  std::string segment_, checksum_;  // what is due of the present line
  std::uint64_t content_ = 0, position_ = 0;
  Crc64 crc_;
  std::vector<std::string> names_;
  std::optional<std::string> mismatch_;
};

}  // namespace whittle::layers
