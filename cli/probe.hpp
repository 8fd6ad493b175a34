// Runs a program in its own root and nothing else, to see what its file cannot tell: once bare, once with /dev, /proc,
// /tmp and HOME; without a network, as nobody in particular, for a moment each.
#pragma once

#include <string>
#include <vector>

#include "cli/session.hpp"
#include "oci/blob_store.hpp"
#include "oci/image.hpp"
#include "plan/build_plan.hpp"
#include "proof/proof.hpp"

namespace whittle::cli {

struct ProbedProcess {
  std::vector<std::string> argv, env;
  std::string folder = "/";
  std::vector<std::string> own = {};  // folders of its user, absolute: it may write to them, and to nothing else
};

struct Probed {
  std::vector<proof::Finding> findings;
  std::string said;                    // by the program, with everything that a runtime gives
  bool runs = false;                   // it ends with status 0, or still runs
  std::vector<plan::Supply> supplies;  // what it asks for and whittle has (cli/supplies.hpp)
  bool wants_home = false;             // it runs with a HOME that it may write to, and not with `/`
};

// `root` is a folder that may be written to: mount points are made in it. What it says is facts, warnings (it ends
// otherwise without /dev and HOME; it names files that are not there) and reasons (it cannot start, or crashes).
// Throws Error(input_unavailable) without bubblewrap.
Probed probe(const fs::path& root, const ProbedProcess& process, Session& session);

// The same for an image's entry point.
Probed probe_image(const oci::BlobStore& blobs, const oci::Descriptor& image, Session& session);

}  // namespace whittle::cli
