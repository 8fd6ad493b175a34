// The `tar-diff` format (application/vnd.tar-diff, version 1), which other tools apply too: a tar made of the files of
// an unpacked one. "tardf1\n" and a NUL, then one stream of zstd: operations of a byte, a varint and so many bytes: 0
// data, 1 open the file of that name, 2 copy, 3 add the bytes to those of the file, 4 seek. This is the reader.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/stream.hpp"

namespace whittle::bundle {

inline constexpr std::string_view kTarDiffType = "application/vnd.tar-diff";
inline constexpr std::string_view kTarDiffMagic{"tardf1\n\0", 8};

class OldFile {
 public:
  virtual ~OldFile() = default;
  virtual std::uint64_t size() const = 0;
  // Within the file.
  virtual void read_at(std::uint64_t position, std::span<std::byte> room) const = 0;
};

class OldFiles {
 public:
  virtual ~OldFiles() = default;
  // A regular file by its path, which is relative, without `.`, `..` and empty parts; nothing when there is none.
  virtual std::unique_ptr<OldFile> open(std::string_view path) const = 0;
};

// Writes the tar, at most `limit` bytes. Hostile payloads: names are cleaned, and never looked up but in `files`;
// memory is the window, at most 2^23 bytes, and some buffers. Throws Error(refused). That the result is right is the
// caller's to check by its digest: the format has none.
void apply_tar_diff(Source& payload, const OldFiles& files, Sink& out, std::uint64_t limit);

}  // namespace whittle::bundle
