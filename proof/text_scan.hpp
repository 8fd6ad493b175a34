// Finds texts in the part of a program that is mapped when it runs, in one pass.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "base/files.hpp"
#include "proof/elf.hpp"

namespace whittle::proof {

// A pattern as it was met: `run` is the printable text around it, cut at 256 bytes on either side.
struct TextMatch {
  std::size_t pattern = 0;  // index
  std::string_view run;
  bool is_whole = false;  // the run is the pattern, with a zero byte on both sides
  bool ends_at_zero = false;
};

// Calls `met` for each occurrence, in file order. Patterns have at least two bytes.
void scan_texts(const fs::path& file, std::span<const ElfFile::Range> ranges,
                std::span<const std::string_view> patterns, const std::function<void(const TextMatch&)>& met);

}  // namespace whittle::proof
