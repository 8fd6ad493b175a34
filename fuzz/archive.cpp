// Any bytes as an archive: every path that is called confined is, and no more comes out than was promised.
#include "base/archive.hpp"

#include <cstdint>
#include <cstdlib>

#include "base/error.hpp"

using namespace whittle;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const ArchiveLimits limits{.entries = 1000, .total_bytes = 16 << 20, .path_bytes = 4096, .ratio = 1000};
  try {
    StringSource source(bytes);
    ArchiveReader reader(source, "the archive", limits);
    for (ArchiveEntry entry; reader.next(entry);) {
      if (entry.is_confined() && (entry.path.front() == '/' || entry.path.starts_with("../"))) std::abort();
      std::uint64_t total = 0;
      std::byte buffer[4096];
      while (const std::size_t got = reader.content().read(buffer)) total += got;
      if (total != entry.size) std::abort();
    }
  } catch (const Error&) {
  }
  try {
    StringSource source(bytes);
    StringSink out;
    decompress(source, out, "the blob", limits);
  } catch (const Error&) {
  }
  return 0;
}
