// Opens files of one folder and never any other: symbolic links that lead out of it are refused, whoever makes them,
// whenever.
#pragma once

#include "server/descriptor.hpp"

namespace whittle::server {

// Read-only. `path` is relative and ends with a NUL. On failure errno says why: ENOENT, EXDEV (leads out), …
Descriptor open_beneath(const Descriptor& root, const char* path);

// The same by hand, for kernels before 5.6 and sandboxes that know no openat2.
Descriptor open_beneath_by_walking(const Descriptor& root, const char* path);

}  // namespace whittle::server
