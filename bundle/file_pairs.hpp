// Which old file a new one is most likely made of.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/stream.hpp"
#include "bundle/tar_entries.hpp"

namespace whittle::bundle {

// A tar and what is in it; both borrowed.
struct TarView {
  Bytes bytes;
  std::span<const TarEntry> entries;
};

struct Pair {
  std::size_t tar = 0, entry = 0;
  bool is_equal = false;  // in content
};

// For each entry of `fresh` the entry of the old tars, the last of which counts most, that it is taken from: one with
// the same path and content; else the same content; else the same path; else a name that differs in numbers, or another
// large file of the same kind. Entries that are not files go by their path alone, and as equal.
std::vector<std::optional<Pair>> pair_files(std::span<const TarView> old, const TarView& fresh);

// "lib/libc-2.36.so" → "libc-#.so".
std::string name_stem(std::string_view path);

}  // namespace whittle::bundle
