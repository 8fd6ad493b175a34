// Lock files of Node's package managers, as far as it takes to tell that one is whole and speaks of its manifest. What
// is installed is the package manager's own business.
#pragma once

#include <string>

#include "detectors/node_manifest.hpp"

namespace whittle::detectors {

struct LockFacts {
  bool may_have_install_scripts = true;
};

// Throws Error(detector_failed) with file and line for a lock file that is cut off, and for one of npm that does not
// have what `root` wants.
LockFacts check_lock(const plan::SourceTree& tree, const std::string& file, const NodeManifest& root);

}  // namespace whittle::detectors
