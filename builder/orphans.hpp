// What a killed whittle leaves running: compilers that would go on writing into a work folder.
#pragma once

#include "base/event.hpp"
#include "base/files.hpp"

namespace whittle::builder {

// Ends every process of this user that was started with `home` as its HOME, as all build steps of one work
// folder are, and returns when they are gone. The caller holds that folder's lock, so nobody needs them.
void end_orphans(const fs::path& home, EventSink& events);

}  // namespace whittle::builder
