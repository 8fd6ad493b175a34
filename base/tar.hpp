// A deterministic tar encoder: ustar, PAX records only where ustar cannot hold a value; numeric owners,
// no names, no access or change times, integer modification time. POSIX.1-2017 pax, "ustar Interchange Format".
// It is whittle's own because layer digests must not change with a library's version
// (docs/design/tar.md); reading goes through `archive.hpp`.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/stream.hpp"

namespace whittle {

struct TarHeader {
  enum class Kind { file, folder, symbolic_link, hard_link };
  std::string path;  // relative, `/` between parts, no trailing `/` (added for folders)
  Kind kind = Kind::file;
  std::uint64_t size = 0;  // files only
  unsigned mode = 0644;
  std::uint64_t uid = 0, gid = 0;
  std::int64_t modified = 0;                      // seconds since 1970
  std::string link;                               // target, as it is
  std::map<std::string, std::string> attributes;  // extended attributes → SCHILY.xattr.*
};

// The header bytes of one entry, PAX header included: a multiple of 512.
std::string tar_header(const TarHeader& header);
// How many zero bytes follow a file's content.
std::size_t tar_padding(std::uint64_t size);
inline constexpr std::size_t kTarEnd = 1024;  // two zero blocks

class TarWriter {
 public:
  explicit TarWriter(Sink& out) : out_(out) {}  // borrows
  void add(const TarHeader& header);            // folders and links
  // Writes header, the content of `source` and padding; throws Error when the source gives another
  // number of bytes than `header.size`.
  void add(const TarHeader& header, Source& content);
  void finish();  // end-of-archive blocks

 private:
  Sink& out_;
};

}  // namespace whittle
