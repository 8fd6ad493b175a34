// Reading archives that somebody else wrote: tar, plain or compressed with gzip or zstd, and zip, through
// libarchive, with limits. Nothing is extracted here; the caller decides what an entry may do.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/stream.hpp"

namespace whittle {

struct ArchiveLimits {
  std::uint64_t entries = 1'000'000;
  std::uint64_t total_bytes = 64ULL << 30;  // of content, after decompression
  std::uint64_t path_bytes = 4096;
  // Decompressed per compressed byte, once past 64 MiB. Zeros do not count: an honest disk image has plenty, and who
  // unpacks it can leave holes.
  std::uint64_t ratio = 2000;
};

struct ArchiveEntry {
  enum class Kind { file, folder, symbolic_link, hard_link, character_device, block_device, fifo, socket };
  std::string path;  // as stored, `./` and trailing `/` removed
  Kind kind = Kind::file;
  std::uint64_t size = 0;
  unsigned mode = 0;
  std::uint64_t uid = 0, gid = 0;
  std::int64_t modified = 0;
  std::string link;
  std::map<std::string, std::string> attributes;

  // The path stays inside the root: relative, no `..`, no NUL.
  bool is_confined() const;
};

// Pulls entries one after another. Throws Error (exit registry_content) naming `what` for broken
// archives and exceeded limits. Content of an entry must be read before the next call, or is skipped.
// A zip archive is read from its beginning, without the directory at its end: modes are not known then.
enum class ArchiveFormat { tar, zip };
class ArchiveReader {
 public:
  ArchiveReader(Source& source, std::string what, const ArchiveLimits& limits = {})
      : ArchiveReader(source, std::move(what), ArchiveFormat::tar, limits) {}
  ArchiveReader(Source& source, std::string what, ArchiveFormat format, const ArchiveLimits& limits = {});
  ~ArchiveReader();
  // False at the end.
  bool next(ArchiveEntry& entry);
  // The content of the present entry.
  Source& content();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Decompresses gzip, zstd or nothing (sniffed) from `source` into `out`, with the ratio and size limits.
void decompress(Source& source, Sink& out, std::string_view what, const ArchiveLimits& limits = {});

// What need not be written to a file that is long enough already.
bool holds_zeros_only(Bytes bytes);

}  // namespace whittle
