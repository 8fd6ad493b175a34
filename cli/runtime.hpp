// Starting an image's process on this host: an OCI runtime (runc, crun, youki), else bubblewrap.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "builder/toolchain.hpp"
#include "cli/session.hpp"
#include "oci/image.hpp"

namespace whittle::cli {

struct RuntimeProcess {
  std::vector<std::string> argv;
  std::vector<std::string> env;  // "NAME=value"
  std::string folder = "/";
  std::uint64_t uid = 0, gid = 0;
  std::uint64_t memory_limit = 0;  // bytes; 0: none
};

// Runs `process` with `root` (an unpacked image) as its root, the network of the host and a read-only
// root file system, on the caller's terminal. Returns its exit status. Throws
// Error(input_unavailable) with the command that installs a runtime when there is none.
int run_process(const fs::path& root, const RuntimeProcess& process, Session& session);

// For `whittle doctor`.
std::vector<builder::ToolReport> survey_runtimes(Session& session);

}  // namespace whittle::cli
