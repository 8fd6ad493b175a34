// What files of other hosts say about a site: which folder is served, and whether it is a single page.
#pragma once

#include <optional>
#include <string>

#include "plan/source_tree.hpp"

namespace whittle::detectors {

struct SiteHint {
  std::string file;
  int line = 0;
  std::string folder;  // relative to the application; empty: the hint does not say
  bool is_single_page = false;
  bool builds = false;  // by a command: what is there is no site yet
  std::string warning;  // something that it asks for and that is not done
};

// Of `Staticfile` (Cloud Foundry, Railpack), `static.json` (Heroku), `firebase.json`, `netlify.toml`; the first that is
// there. Throws Error(detector_failed) with the place for one that cannot be read.
std::optional<SiteHint> read_site_hint(const plan::SourceTree& tree);

// `200.html`, or `_redirects` that send every address to the root's page.
bool has_page_for_all(const plan::SourceTree& tree, const std::string& folder);

}  // namespace whittle::detectors
