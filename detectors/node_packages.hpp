// npm, pnpm, yarn and bun: which one a project uses, and how it installs what the lock file says and nothing else.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "detectors/detector.hpp"
#include "detectors/node_manifest.hpp"

namespace whittle::detectors {

struct NodePackageManager {
  enum class Kind { npm, pnpm, yarn, berry, bun };
  Kind kind = Kind::npm;
  std::string lock_file;             // in the context; empty: there is none
  plan::Tool tool;                   // without a name: `program` lies in the project
  std::vector<std::string> program;  // begins every command line
  std::map<std::string, std::string> env;
  bool may_have_install_scripts = true;

  std::string name() const;  // "npm"; "yarn" for both of its generations
  // Fetches everything into the cache of `env`, and runs nothing of it.
  std::vector<std::string> fetch(bool with_development) const;
  std::map<std::string, std::string> fetch_env() const;
  // The same from the cache, with install scripts.
  std::vector<std::string> install(bool with_development) const;
  std::map<std::string, std::string> install_env() const;
  // What a completed fetch leaves in the tree, where install scripts need not run; empty otherwise.
  std::string installed_mark() const;
  // Runs a script of the folder's manifest.
  std::vector<std::string> run(const std::string& script) const;
};

// `root` is the manifest beside the lock file. Throws Error(detector_failed) for a lock file that is incomplete, with
// file and line, and for none where there are dependencies.
NodePackageManager package_manager(const Surroundings& surroundings, const NodeManifest& root, const plan::Tool& node,
                                   plan::BuildPlan& plan, std::vector<std::string>& warnings);

// Files that decide what is installed, as globs over the context.
std::vector<std::string> manifest_globs();

}  // namespace whittle::detectors
