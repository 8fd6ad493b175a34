// Where the entries of a tar lie. For finding out which files of two tars belong together: what cannot be read as tar
// is left out, never an error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/stream.hpp"

namespace whittle::bundle {

struct TarEntry {
  std::string name;  // relative, without `.` and `..`; empty for the root
  std::string link;  // of hard links, as `name`; of symbolic ones as it is
  char type = '0';   // as in the header: '0' file, '1' hard link, '2' symbolic link, '5' folder …
  bool is_sparse = false;
  std::uint64_t begin = 0;  // of its headers
  std::uint64_t content = 0, size = 0;
  std::uint64_t end = 0;  // after the padding

  bool is_file() const { return type == '0' && !is_sparse; }
};

// In their order, without gaps from the beginning on; extended headers (PAX and GNU) belong to the entry after them.
std::vector<TarEntry> tar_entries(Bytes tar);

}  // namespace whittle::bundle
