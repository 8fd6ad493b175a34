// A folder of files that the server which whittle brings along serves as they are: docs/design/static-sites.md.
#pragma once

#include <string>

#include "detectors/detector.hpp"

namespace whittle::detectors {

// Makes of the plan's image one that serves `built`, a folder below the work folder that a step makes ("src/dist"):
// its files as data, the server as the process `web`, a port. With `single_page`, pages that are not there are the
// root's: what runs there looks at the address itself.
void serve_static(plan::BuildPlan& plan, const std::string& built, bool single_page);

// The same for a folder of the source tree, relative to the application. What only its authors need is left out.
void serve_static_source(plan::BuildPlan& plan, const Surroundings& surroundings, const std::string& folder,
                         bool single_page);

// As `site.single-page` says, else as it was inferred.
bool wants_single_page(const plan::Config& config, bool inferred);

// Fills in which server that is, when the platform is known. Throws Error(input_unavailable) when whittle was built
// without one for it.
void settle_static_server(plan::BuildPlan& plan);

}  // namespace whittle::detectors
