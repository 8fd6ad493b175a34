// What `Cargo.toml` says about programs. https://doc.rust-lang.org/cargo/reference/manifest.html
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/toml.hpp"
#include "plan/source_tree.hpp"

namespace whittle::detectors {

struct CargoProgram {
  std::string name, package;
  std::string source;  // "Cargo.toml:12", "src/main.rs"
};

struct CargoPackage {
  std::string folder, name;
  int line = 0;  // of the name
  std::string default_run;
  std::string rust_version, rust_version_source;
  bool has_dependencies = false;
  std::vector<CargoProgram> programs;
};

struct CargoManifest {
  std::string path;
  TomlDocument document;
};

// Throws Error(detector_failed) with file and line when the text is broken, or is neither package nor workspace.
CargoManifest read_manifest(const plan::SourceTree& tree, const std::string& path, const std::string& shown_as);

// The package of a manifest, if it has one, with the programs that cargo would find. `workspace` is where
// inherited values stand. Programs whose `required-features` are not on are left out.
std::optional<CargoPackage> package_of(const plan::SourceTree& tree, const std::string& folder,
                                       const CargoManifest& manifest, const CargoManifest* workspace,
                                       const std::set<std::string>& features);

// Folders of the members of a workspace, by its globs, without what it excludes. `key` is `members` or
// `default-members`.
std::vector<std::string> members_of(const plan::SourceTree& tree, const CargoManifest& manifest, const char* key);

}  // namespace whittle::detectors
