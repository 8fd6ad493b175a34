// Where everything lies in the volumes of a bundle (docs/design/gateway.md, "What travels"): computed, by writer and
// reader alike, from the root document and the length of the head.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bundle/root.hpp"

namespace whittle::bundle {

// A piece of a blob: an entry of one volume.
struct Extent {
  std::size_t volume = 0;    // from 0
  std::uint64_t offset = 0;  // of the content in the volume; the header ends there
  std::uint64_t size = 0;
  std::string header;  // the bytes before the content
};

struct Placement {
  std::vector<std::vector<Extent>> blobs;   // as Root::blobs
  std::vector<std::uint64_t> volume_sizes;  // of each volume
};

// `head`: bytes before the first blob in every volume. Throws Error(usage) when a volume is too small to hold the head
// and anything else, or when volumes would be too many.
Placement place(const Root& root, std::uint64_t head);

// "gw.whittle" and two of three → "gw.v2"; of one → as it is.
std::string volume_name(const std::string& name, std::size_t volume, std::size_t of);

}  // namespace whittle::bundle
