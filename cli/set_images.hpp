// The images of a set, brought into the store and measured: what a lock is made of.
#pragma once

#include "cli/session.hpp"
#include "sets/lock.hpp"
#include "sets/set_file.hpp"

namespace whittle::cli {

// Builds or fetches every image of `set` for the platforms of its profiles. `folder` is where its relative paths begin.
// All blobs are in `store` on return. Throws what building and fetching throw, in the context of the image.
sets::Lock lock_images(const sets::ImageSet& set, const fs::path& folder, oci::Layout& store, bool allow_http,
                       Session& session);

// Fetches what of the lock is not in the store any more, from where it was. Throws Error(input_unavailable) for what
// was built here.
void bring_locked_images(const sets::Lock& lock, const oci::Platform& platform, oci::Layout& store, bool allow_http,
                         Session& session);

}  // namespace whittle::cli
