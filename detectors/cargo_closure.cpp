#include "detectors/cargo_closure.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/toml.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

// Dependencies on folders that a manifest names, wherever it does: for tests too, since cargo resolves all of them.
// A dependency of the workspace counts for whoever inherits it, by name.
struct Manifest {
  std::set<std::string> folders, inherited;
  std::map<std::string, std::string> offered;  // `[workspace.dependencies]`: name → folder
};

const Json& at(const Json& object, const char* key) {
  static const Json kNothing = Json::object();
  if (!object.is_object()) return kNothing;
  const auto found = object.find(key);
  return found == object.end() || !found->is_object() ? kNothing : *found;
}

std::string path_in(const Json& dependency) {
  if (!dependency.is_object() || !dependency.contains("path") || !dependency["path"].is_string()) return {};
  return dependency["path"].get<std::string>();
}

void take_dependencies(const Json& table, const std::string& folder, Manifest& manifest) {
  for (const char* key : {"dependencies", "build-dependencies", "dev-dependencies"}) {
    for (const auto& [name, dependency] : at(table, key).items()) {
      const std::string path = path_in(dependency);
      if (!path.empty()) manifest.folders.insert(joined(folder, path));
      if (dependency.is_object() && dependency.contains("workspace")) manifest.inherited.insert(name);
    }
  }
}

Manifest read(const Json& root, const std::string& folder) {
  Manifest manifest;
  take_dependencies(root, folder, manifest);
  for (const auto& [name, target] : at(root, "target").items()) take_dependencies(target, folder, manifest);
  for (const auto& [name, dependency] : at(at(root, "workspace"), "dependencies").items()) {
    const std::string path = path_in(dependency);
    if (!path.empty()) manifest.offered[name] = joined(folder, path);
  }
  for (const auto& [source, patches] : at(root, "patch").items()) {
    if (!patches.is_object()) continue;
    for (const auto& [name, dependency] : patches.items()) {
      const std::string path = path_in(dependency);
      if (!path.empty()) manifest.folders.insert(joined(folder, path));
    }
  }
  return manifest;
}

// The folders of `packages` that are used, with everything that these need.
std::set<std::string> used_of(const std::map<std::string, Manifest>& packages, const std::string& workspace,
                              const std::vector<std::string>& folders) {
  std::set<std::string> used;
  std::deque<std::string> waiting(folders.begin(), folders.end());
  const auto root = packages.find(workspace);
  // What the root patches is used by whoever asks for that name.
  if (root != packages.end()) waiting.insert(waiting.end(), root->second.folders.begin(), root->second.folders.end());
  while (!waiting.empty()) {
    const std::string folder = waiting.front();
    waiting.pop_front();
    const auto package = packages.find(folder);
    if (package == packages.end() || !used.insert(folder).second) continue;
    const Manifest& manifest = package->second;
    waiting.insert(waiting.end(), manifest.folders.begin(), manifest.folders.end());
    if (root == packages.end()) continue;
    for (const std::string& name : manifest.inherited) {
      const auto offered = root->second.offered.find(name);
      if (offered != root->second.offered.end()) waiting.push_back(offered->second);
    }
  }
  return used;
}

}  // namespace

std::vector<std::string> cargo_inputs(const plan::SourceTree& context, const std::string& workspace,
                                      const std::vector<std::string>& folders) {
  std::map<std::string, Manifest> packages;
  for (const std::string& path : context.glob("**/Cargo.toml")) {
    const std::string folder = folder_of(path);
    try {
      packages[folder] = read(parse_toml(context.read(path), path).root, folder);
    } catch (const Error&) {
      // Test data; cargo says it when it is more.
    }
  }
  const std::set<std::string> used = used_of(packages, workspace, folders);
  std::vector<std::string> patterns = {"**"};
  // Folders come before what lies in them, and the last pattern that matches decides.
  for (const auto& [folder, manifest] : packages) {
    if (folder == "." || folder == workspace || !is_utf8(folder)) continue;
    if (used.contains(folder)) {
      if (patterns.size() > 1) patterns.push_back(cat(folder, "/**"));
    } else {
      patterns.insert(patterns.end(), {cat("!", folder, "/**"), cat(folder, "/Cargo.toml")});
    }
  }
  const bool takes_back = std::any_of(patterns.begin(), patterns.end(),
                                      [](const std::string& pattern) { return pattern.starts_with('!'); });
  return takes_back ? patterns : std::vector<std::string>{"**"};
}

}  // namespace whittle::detectors
