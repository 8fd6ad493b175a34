// The Linux kernel's headers without the host's C library around them: musl has none of its own.
#pragma once

#include <string_view>

#include "base/files.hpp"

namespace whittle::builder {

// Where `${kernel_headers}` points.
fs::path kernel_headers_of(const fs::path& work);
// Fills it with links to the folders that the host has.
void link_kernel_headers(const fs::path& work, std::string_view platform);

}  // namespace whittle::builder
