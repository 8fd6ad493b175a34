#include "detectors/cargo_manifest.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

const Json* member(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

std::string text_member(const Json& object, const char* key) {
  const Json* found = member(object, key);
  return found != nullptr && found->is_string() ? found->get<std::string>() : std::string();
}

std::vector<std::string> list_member(const Json& object, const char* key) {
  std::vector<std::string> list;
  const Json* found = member(object, key);
  if (found == nullptr || !found->is_array()) return list;
  for (const Json& item : *found) {
    if (item.is_string()) list.push_back(item.get<std::string>());
  }
  return list;
}

std::string place(const CargoManifest& manifest, const std::string& pointer) {
  return cat(manifest.path, ":", manifest.document.line(pointer));
}

bool holds_dependencies(const Json& table) {
  for (const char* key : {"dependencies", "build-dependencies"}) {
    const Json* found = member(table, key);
    if (found != nullptr && found->is_object() && !found->empty()) return true;
  }
  return false;
}

bool has_dependencies(const Json& root) {
  if (holds_dependencies(root)) return true;
  const Json* targets = member(root, "target");
  if (targets == nullptr || !targets->is_object()) return false;
  return std::any_of(targets->begin(), targets->end(), [](const Json& target) { return holds_dependencies(target); });
}

// Everything that is on when these are: features name features.
std::set<std::string> enabled_features(const Json& root, const std::set<std::string>& asked) {
  std::vector<std::string> waiting(asked.begin(), asked.end());
  std::set<std::string> on;
  const Json* table = member(root, "features");
  while (!waiting.empty()) {
    const std::string feature = waiting.back();
    waiting.pop_back();
    if (!on.insert(feature).second || table == nullptr) continue;
    for (const std::string& implied : list_member(*table, feature.c_str())) waiting.push_back(implied);
  }
  return on;
}

bool all_on(const std::vector<std::string>& required, const std::set<std::string>& on) {
  return on.contains("*") ||
         std::all_of(required.begin(), required.end(), [&](const std::string& one) { return on.contains(one); });
}

// Programs that cargo finds without being told: src/main.rs, src/bin/x.rs, src/bin/x/main.rs.
std::vector<CargoProgram> found_programs(const plan::SourceTree& tree, const std::string& folder,
                                         const std::string& package) {
  std::vector<CargoProgram> found;
  const std::string main = joined(folder, "src/main.rs");
  if (tree.has(main)) found.push_back({package, package, main});
  for (const std::string& path : tree.glob(joined(folder, "src/bin/*.rs")))
    found.push_back({stem_of(path), package, path});
  for (const std::string& path : tree.glob(joined(folder, "src/bin/*/main.rs"))) {
    found.push_back({last_part(folder_of(path)), package, path});
  }
  return found;
}

// Written programs replace found ones of the same name or the same file.
void add_written(std::vector<CargoProgram>& programs, const plan::SourceTree& tree, const std::string& folder,
                 const std::string& package, const CargoManifest& manifest, const std::set<std::string>& on) {
  const Json* list = member(manifest.document.root, "bin");
  if (list == nullptr || !list->is_array()) return;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const Json& entry = (*list)[i];
    const std::string pointer = cat("/bin/", i), path = text_member(entry, "path");
    std::string name = text_member(entry, "name");
    if (name.empty()) throw failure(manifest.path, manifest.document.line(pointer), "a `[[bin]]` has no `name`");
    if (!path.empty() && !tree.has(joined(folder, path))) {
      throw failure(manifest.path, manifest.document.line(cat(pointer, "/path")),
                    cat("the source ", backticked(path), " of ", backticked(name), " is not there"));
    }
    const std::string source = joined(folder, path);
    programs.erase(std::remove_if(programs.begin(), programs.end(),
                                  [&](const CargoProgram& program) {
                                    return program.name == name || (!path.empty() && program.source == source);
                                  }),
                   programs.end());
    if (all_on(list_member(entry, "required-features"), on)) {
      programs.push_back({std::move(name), package, place(manifest, cat(pointer, "/name"))});
    }
  }
}

void take_rust_version(CargoPackage& found, const Json& package, const CargoManifest& manifest,
                       const CargoManifest* workspace) {
  const Json* value = member(package, "rust-version");
  if (value == nullptr) return;
  if (value->is_string()) {
    found.rust_version = value->get<std::string>();
    found.rust_version_source = place(manifest, "/package/rust-version");
  } else if (workspace != nullptr) {
    const Json* table = member(workspace->document.root, "workspace");
    const Json* inherited = table == nullptr ? nullptr : member(*table, "package");
    if (inherited == nullptr) return;
    found.rust_version = text_member(*inherited, "rust-version");
    found.rust_version_source = place(*workspace, "/workspace/package/rust-version");
  }
}

}  // namespace

CargoManifest read_manifest(const plan::SourceTree& tree, const std::string& path, const std::string& shown_as) {
  CargoManifest manifest{shown_as, parse_toml(tree.read(path), shown_as, static_cast<int>(Exit::detector_failed))};
  const Json& root = manifest.document.root;
  if (member(root, "package") == nullptr && member(root, "workspace") == nullptr) {
    throw failure(shown_as, 0, "it has neither `[package]` nor `[workspace]`");
  }
  return manifest;
}

std::optional<CargoPackage> package_of(const plan::SourceTree& tree, const std::string& folder,
                                       const CargoManifest& manifest, const CargoManifest* workspace,
                                       const std::set<std::string>& features) {
  const Json& root = manifest.document.root;
  const Json* package = member(root, "package");
  if (package == nullptr) return std::nullopt;
  CargoPackage found;
  found.folder = folder;
  found.name = text_member(*package, "name");
  found.line = manifest.document.line("/package/name");
  if (found.name.empty()) throw failure(manifest.path, manifest.document.line("/package"), "the package has no `name`");
  found.default_run = text_member(*package, "default-run");
  take_rust_version(found, *package, manifest, workspace);
  found.has_dependencies = has_dependencies(root);

  // The first edition did not look for more when programs were written down.
  const Json* automatic = member(*package, "autobins");
  const std::string edition = text_member(*package, "edition");
  const bool is_first_edition = member(*package, "edition") == nullptr || edition == "2015";
  const bool looks = automatic != nullptr && automatic->is_boolean() ? automatic->get<bool>()
                                                                     : !(is_first_edition && root.contains("bin"));
  if (looks) found.programs = found_programs(tree, folder, found.name);
  add_written(found.programs, tree, folder, found.name, manifest, enabled_features(root, features));
  std::sort(found.programs.begin(), found.programs.end(),
            [](const CargoProgram& a, const CargoProgram& b) { return a.name < b.name; });
  return found;
}

std::vector<std::string> members_of(const plan::SourceTree& tree, const CargoManifest& manifest, const char* key) {
  const Json* workspace = member(manifest.document.root, "workspace");
  std::set<std::string> found;
  if (workspace == nullptr) return {};
  const std::vector<std::string> excluded = list_member(*workspace, "exclude");
  for (const std::string& pattern : list_member(*workspace, key)) {
    const std::string manifests = joined(joined(".", pattern), "Cargo.toml");
    if (manifests.starts_with("..")) continue;
    const std::vector<std::string> paths = tree.glob(manifests);
    // A pattern may match nothing, cargo says; a name may not.
    if (paths.empty() && pattern.find_first_of("*?[") == std::string::npos) {
      throw failure(manifest.path, manifest.document.line(cat("/workspace/", key)),
                    cat("there is no package in the workspace member ", backticked(pattern)));
    }
    for (const std::string& path : paths) {
      const std::string folder = folder_of(path);
      const bool is_out = std::any_of(excluded.begin(), excluded.end(),
                                      [&](const std::string& out) { return matches_glob(joined(".", out), folder); });
      if (!is_out) found.insert(folder);
    }
  }
  return {found.begin(), found.end()};
}

}  // namespace whittle::detectors
