// Which of this machine's packages a file is from, by dpkg's own lists; nothing is run.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/files.hpp"

namespace whittle::proof {

// Path → "libssl3 3.0.15-1", for those that a package owns. Empty where there is no dpkg.
std::map<std::string, std::string> packages_of(const std::vector<fs::path>& files,
                                               const fs::path& database = "/var/lib/dpkg");

}  // namespace whittle::proof
