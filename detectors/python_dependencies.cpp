#include "detectors/python_dependencies.hpp"

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/text.hpp"
#include "detectors/places.hpp"
#include "detectors/python_lock.hpp"
#include "detectors/requirements_file.hpp"

namespace whittle::detectors {

namespace {

constexpr std::array<std::string_view, 7> kRequirements = {
    "requirements.txt",      "requirements/production.txt",   "requirements/prod.txt",
    "requirements/base.txt", "requirements/requirements.txt", "requirements-prod.txt",
    "requirements.prod.txt"};

// Names that `fastapi[standard]` and the like bring, for manifests without a lock.
void add_implied(const PythonRequirement& requirement, std::set<std::string>& names) {
  const auto has = [&](const char* extra) { return requirement.extras.contains(extra); };
  if (requirement.name == "fastapi" && (has("standard") || has("all"))) names.insert({"uvicorn", "fastapi-cli"});
  if (requirement.name == "connexion" && has("uvicorn")) names.insert("uvicorn");
  if (requirement.name == "litestar" && has("standard")) names.insert("uvicorn");
}

// A lock of the application, or of the workspace that it is a member of.
std::optional<std::string> find_lock(const Surroundings& surroundings, std::string_view name) {
  for (std::string folder = surroundings.app_in_context;; folder = folder_of(folder)) {
    std::string path = joined(folder, name);
    if (surroundings.context.has(path)) return path;
    if (folder == ".") return std::nullopt;
  }
}

std::string relative_to(const std::string& folder, const std::string& path) {
  if (folder == ".") return path;
  return path == folder ? "." : path.starts_with(cat(folder, "/")) ? path.substr(folder.size() + 1) : path;
}

std::optional<PythonLock> read_lock(const Surroundings& surroundings, const PythonManifest& manifest,
                                    std::string& path) {
  for (const char* name : {"uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "Pipfile.lock"}) {
    const std::optional<std::string> found = find_lock(surroundings, name);
    if (!found) continue;
    path = *found;
    const std::string shown = from_application(surroundings, path), kind = name;
    const plan::SourceTree& tree = surroundings.context;
    if (kind == "uv.lock")
      return read_uv_lock(tree, path, shown, relative_to(folder_of(path), surroundings.app_in_context));
    if (kind == "poetry.lock") return read_poetry_lock(tree, path, shown, manifest.dependencies);
    if (kind == "pdm.lock") return read_pdm_lock(tree, path, shown, manifest.dependencies);
    if (kind == "pylock.toml") return read_pylock(tree, path, shown);
    return read_pipfile_lock(tree, path, shown);
  }
  return std::nullopt;
}

// Folders of the tree, seen from the context; the application itself is none of them.
void add_folder(PythonDependencies& dependencies, const Surroundings& surroundings, const std::string& folder,
                const std::string& file) {
  if (folder.starts_with(".."))
    throw failure(file, 0, cat("the package in ", backticked(folder), " is outside the source tree"));
  if (folder == surroundings.app_in_context) return;
  const bool has_source = !surroundings.context.glob(joined(folder, "src/*/__init__.py")).empty();
  const std::string place = has_source ? joined(folder, "src") : folder;
  if (std::find(dependencies.folders.begin(), dependencies.folders.end(), place) == dependencies.folders.end()) {
    dependencies.folders.push_back(place);
  }
}

PythonDependencies locked(const PythonLock& lock, const std::string& path, const Surroundings& surroundings) {
  LockedSelection selection = select_locked(lock, surroundings.platform);
  PythonDependencies dependencies{.requirements = std::move(selection.requirements),
                                  .constraints = {},
                                  .options = {"--require-hashes", "--no-deps", "--ignore-requires-python"},
                                  .folders = {},
                                  .files = {path},
                                  .names = std::move(selection.names),
                                  .is_complete = true,
                                  .source = lock.file,
                                  .warnings = {}};
  for (const std::string& index : lock.indexes)
    dependencies.options.insert(dependencies.options.end(), {"--extra-index-url", index});
  for (const std::string& folder : selection.folders) {
    add_folder(dependencies, surroundings, joined(folder_of(path), folder), lock.file);
  }
  return dependencies;
}

void warn_of_loose(PythonDependencies& dependencies, const std::vector<std::string>& loose, bool has_digests) {
  if (!loose.empty()) {
    const std::size_t shown = std::min<std::size_t>(loose.size(), 3);
    std::string names =
        join(std::vector<std::string>(loose.begin(), loose.begin() + static_cast<std::ptrdiff_t>(shown)), ", ");
    if (loose.size() > shown) names += cat(" and ", loose.size() - shown, " more");
    dependencies.warnings.push_back(
        cat(dependencies.source, " pins no version of ", names,
            ": another day gives another image; `uv lock` writes down which ones are meant"));
  } else if (!has_digests && !dependencies.requirements.empty()) {
    dependencies.warnings.push_back(cat(dependencies.source,
                                        " has no digests, nor what its packages need in turn: `uv lock`, or ",
                                        "`pip-compile --generate-hashes`, writes them down"));
  }
}

PythonDependencies of_requirements(const Surroundings& surroundings, const std::string& path) {
  RequirementsFile file = read_requirements(surroundings.app, path);
  PythonDependencies dependencies;
  dependencies.source = path;
  dependencies.options = std::move(file.options);
  dependencies.constraints = std::move(file.constraints);
  for (const std::string& one : file.files) dependencies.files.push_back(joined(surroundings.app_in_context, one));
  for (const std::string& folder : file.folders) {
    add_folder(dependencies, surroundings, joined(surroundings.app_in_context, folder), path);
  }
  std::vector<std::string> loose;
  bool has_digests = true;
  for (const RequirementLine& line : file.lines) {
    std::string text = text_of(line.requirement);
    for (const std::string& digest : line.digests) text += cat(" --hash=", digest);
    dependencies.requirements.push_back(std::move(text));
    dependencies.names.insert(line.requirement.name);
    add_implied(line.requirement, dependencies.names);
    has_digests = has_digests && !line.digests.empty();
    if (!is_exact(line.requirement) && line.requirement.url.empty()) loose.push_back(line.requirement.name);
  }
  dependencies.is_complete = has_digests;
  warn_of_loose(dependencies, loose, has_digests);
  return dependencies;
}

PythonDependencies of_manifest(const Surroundings& surroundings, const PythonManifest& manifest) {
  PythonDependencies dependencies;
  dependencies.source = manifest.dependencies_file;
  if (manifest.dependencies_file.empty()) return dependencies;
  dependencies.files = {joined(surroundings.app_in_context, manifest.dependencies_file)};
  std::vector<std::string> loose;
  for (const PythonRequirement& one : manifest.dependencies) {
    dependencies.requirements.push_back(text_of(one));
    dependencies.names.insert(one.name);
    add_implied(one, dependencies.names);
    if (!is_exact(one)) loose.push_back(one.name);
  }
  warn_of_loose(dependencies, loose, true);
  return dependencies;
}

}  // namespace

PythonDependencies read_python_dependencies(const Surroundings& surroundings, const PythonManifest& manifest) {
  std::string path;
  if (const std::optional<PythonLock> lock = read_lock(surroundings, manifest, path))
    return locked(*lock, path, surroundings);
  for (const std::string_view name : kRequirements) {
    if (surroundings.app.has(name)) return of_requirements(surroundings, std::string(name));
  }
  return of_manifest(surroundings, manifest);
}

}  // namespace whittle::detectors
