// Writes `tar-diff` payloads (tar_diff.hpp), for other tools: a stream of zstd says less of a relinked program than
// whittle's own payloads do, and headers and tables of contents are told in full.
#pragma once

#include <stop_token>

#include "bundle/file_pairs.hpp"
#include "bundle/tar_diff.hpp"

namespace whittle::bundle {

// The files that are seen when tars are unpacked one over another as the layers of an image are, whiteouts included.
class UnpackedTars : public OldFiles {
 public:
  // Borrows the tars, the lowest first.
  explicit UnpackedTars(std::span<const Bytes> tars);

  std::unique_ptr<OldFile> open(std::string_view path) const override;
  // Each tar with the files in it that are seen: regular, not empty, below no link.
  std::vector<TarView> views() const;

 private:
  std::vector<Bytes> tars_;
  std::vector<std::vector<TarEntry>> seen_;  // of each tar
};

// Equal input gives equal bytes. Memory as `find_matches`, and 100 MB for compression.
void write_tar_diff(Bytes tar, const UnpackedTars& old, Sink& out, const std::stop_token& stop);

}  // namespace whittle::bundle
