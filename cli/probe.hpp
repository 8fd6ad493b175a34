// Runs a program in its own root and nothing else, to see what its file cannot tell: once bare, once with /dev, /proc,
// /tmp and HOME; without a network, as nobody in particular, for a moment each.
#pragma once

#include <string>
#include <vector>

#include "cli/session.hpp"
#include "oci/blob_store.hpp"
#include "oci/image.hpp"
#include "proof/proof.hpp"

namespace whittle::cli {

struct ProbedProcess {
  std::vector<std::string> argv, env;
  std::string folder = "/";
};

// `root` is a folder that may be written to: mount points are made in it. What it says is facts, warnings (it ends
// otherwise without /dev and HOME; it names files that are not there) and reasons (it cannot start, or crashes).
// Throws Error(input_unavailable) without bubblewrap.
std::vector<proof::Finding> probe(const fs::path& root, const ProbedProcess& process, Session& session);

// The same for an image's entry point.
std::vector<proof::Finding> probe_image(const oci::BlobStore& blobs, const oci::Descriptor& image, Session& session);

}  // namespace whittle::cli
