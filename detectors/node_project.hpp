// A project of Node as it is read from its files: what is started, what must be built for that, and out of which
// folders.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "detectors/node_frameworks.hpp"
#include "detectors/node_packages.hpp"
#include "detectors/node_start.hpp"
#include "detectors/node_workspace.hpp"

namespace whittle::detectors {

struct NodeProject {
  std::string name, name_source;
  NodeManifest manifest;  // of the application
  NodeManifest root;      // beside the lock file; the same without a workspace
  plan::Tool node;
  NodePackageManager packages;
  std::map<std::string, plan::Value> values;
  std::vector<std::string> folders;  // of the context: the application's, then those of members that it needs
  std::vector<std::string> members;  // all of the workspace
  bool has_packages = false;         // in production

  std::optional<NodeProduct> product;
  std::optional<NodeCommand> start;
  // Scripts that are run to build it, with the folder of the context that each is for.
  struct Build {
    std::string folder, script;
    std::vector<std::string> argv = {};  // in place of the package manager's: `turbo run build --filter=web`
  };
  std::vector<Build> builds;
  bool needs_development() const { return !builds.empty(); }
};

NodeProject read_node_project(const Surroundings& surroundings, std::vector<std::string>& warnings);

}  // namespace whittle::detectors
