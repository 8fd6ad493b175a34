// An image's files, read back through its layers with whiteouts applied; for `inspect`, `check`, `run`.
#pragma once

#include <functional>
#include <map>
#include <stop_token>
#include <string>

#include "base/archive.hpp"
#include "base/event.hpp"
#include "oci/blob_store.hpp"
#include "oci/image.hpp"

namespace whittle::layers {

struct ImageFile {
  ArchiveEntry entry;
  std::size_t layer = 0;  // index of the layer that it comes from
};
// Path → the file that a container would see. Hostile entries (leaving the root) are an Error.
std::map<std::string, ImageFile> list_files(const oci::BlobStore& store, const oci::Image& image);

// Unpacks the image below `target` (an empty folder): regular files, folders and links only, confined, never
// through a link; setuid bits are dropped, owners are kept when `keep_owners`. Devices are left out with a note.
void unpack(const oci::BlobStore& store, const oci::Image& image, const fs::path& target, bool keep_owners,
            EventSink& events, std::stop_token stop);

}  // namespace whittle::layers
