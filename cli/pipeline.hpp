// The whole of whittle as a table of contents: open → detect → decide → build → compose → partition →
// assemble → deliver. Each command is a prefix or a suffix of this list.
#pragma once

#include <string>
#include <vector>

#include "cli/opened_tree.hpp"
#include "oci/reference.hpp"

namespace whittle::cli {

struct PlatformImage {
  std::string platform;
  Digest digest;
  std::uint64_t compressed = 0;
  std::string sandbox = {};  // builder::Built::sandbox
};

struct BuildResult {
  std::string reference;  // NAME@sha256:…
  oci::Descriptor root;
  oci::Reference name;
  bool unchanged = false;        // nothing had to be built
  std::uint64_t compressed = 0;  // of this machine's image, else of the first
  std::vector<PlatformImage> platforms = {};
};

BuildResult build_image(const BuildOptions& options, Session& session);

}  // namespace whittle::cli
