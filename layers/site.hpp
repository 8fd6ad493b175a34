// What a site's files are sent as in fewer bytes, and what tells one content from another: computed once, here, rather
// than by every device that serves them. docs/design/static-sites.md
#pragma once

#include <string_view>

#include "base/parallel.hpp"
#include "layers/root_filesystem.hpp"

namespace whittle::layers {

// Adds to `root`, for the files below `site` (absolute in the image): `NAME.gz` and `NAME.zst` beside texts, where
// they are worth their place and the project brings none itself, and the digests of all of them
// (plan::kSiteDigests). Forms are kept below `cache` by the content that they are of; the bytes depend on that,
// libzstd's and zlib's versions alone. `cache` must stay until the layers are written.
void complete_site(RootFilesystem& root, std::string_view site, const fs::path& cache, ThreadPool& pool);

}  // namespace whittle::layers
