// How each tool writes its lock file.
#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/toml.hpp"
#include "detectors/places.hpp"
#include "detectors/python_lock.hpp"
#include "plan/public_registries.hpp"

namespace whittle::detectors {

namespace {

constexpr std::uint64_t kLargest = 32 << 20;

TomlDocument toml_of(const plan::SourceTree& tree, const std::string& path, const std::string& shown) {
  return parse_toml(tree.read(path, kLargest), shown, static_cast<int>(Exit::detector_failed));
}

std::vector<Json> list_at(const Json& object, const char* key) {
  if (!object.is_object() || !object.contains(key) || !object[key].is_array()) return {};
  return object[key].get<std::vector<Json>>();
}

bool lists(const Json& object, const char* key, std::string_view wanted) {
  const std::vector<Json> list = list_at(object, key);
  return std::any_of(list.begin(), list.end(), [&](const Json& one) { return one.is_string() && one == wanted; });
}

std::string file_of_url(const std::string& url) {
  return last_part(url.substr(0, url.find_first_of("#?")));
}

// A line of pip is words: nothing of a lock may add one.
void refuse_blanks(const LockedPackage& package, const std::string& shown) {
  const auto is_bad = [](const std::string& text) {
    return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c <= ' ' || c >= 0x7f; });
  };
  bool bad = package.name.empty() || is_bad(package.name) || is_bad(package.version) || is_bad(package.url);
  for (const LockedFile& file : package.files) bad = bad || is_bad(file.digest) || !file.digest.starts_with("sha");
  if (bad) throw failure(shown, package.line, "a package has no name, or a value with characters that it cannot have");
}

void keep(PythonLock& lock, LockedPackage package) {
  refuse_blanks(package, lock.file);
  lock.packages.push_back(std::move(package));
}

void add_index(PythonLock& lock, const std::string& url) {
  if (url.empty() || url.starts_with(plan::kPythonIndex) || url.find_first_of(" \t\n") != std::string::npos) return;
  if (std::find(lock.indexes.begin(), lock.indexes.end(), url) == lock.indexes.end()) lock.indexes.push_back(url);
}

// `[[package]]` of a lock file in TOML.
std::vector<Json> packages_in(const Json& root, const std::string& shown) {
  std::vector<Json> list = list_at(root, "package");
  if (list.empty() && !root.contains("version") && !root.contains("metadata") && !root.contains("lock-version")) {
    throw failure(shown, 1, "this is no lock file: it has neither packages nor a version");
  }
  return list;
}

// ---- uv ----

LockedDependency uv_dependency(const Json& json, std::string for_extra) {
  LockedDependency dependency{.name = python_name(json_text(json, "name")),
                              .version = json_text(json, "version"),
                              .extras = {},
                              .marker = json_text(json, "marker"),
                              .for_extra = std::move(for_extra)};
  for (const Json& extra : list_at(json, "extra")) {
    if (extra.is_string()) dependency.extras.insert(extra.get<std::string>());
  }
  return dependency;
}

void read_uv_source(const Json& json, PythonLock& lock, LockedPackage& package) {
  const Json source = json.value("source", Json::object());
  for (const char* key : {"editable", "virtual", "directory"}) {
    if (source.is_object() && source.contains(key)) package.folder = joined(".", json_text(source, key));
  }
  if (const std::string git = json_text(source, "git"); !git.empty()) package.foreign = cat("git+", git);
  add_index(lock, json_text(source, "registry"));
  const std::string url = json_text(source, "url");
  if (url.ends_with(".whl")) package.url = url;
  if (!url.empty() && package.url.empty()) package.foreign = url;
}

void add_uv_file(const Json& json, LockedPackage& package) {
  const std::string url = json_text(json, "url"), file = json_text(json, "filename");
  const std::string name = !url.empty() ? file_of_url(url) : !file.empty() ? file : json_text(json, "path");
  if (!json_text(json, "hash").empty()) package.files.push_back({last_part(name), json_text(json, "hash")});
}

LockedPackage uv_package(const Json& json, int line, PythonLock& lock) {
  LockedPackage package;
  package.name = python_name(json_text(json, "name"));
  package.version = json_text(json, "version");
  package.line = line;
  std::string marker;
  for (const Json& one : list_at(json, "resolution-markers")) {
    if (one.is_string()) marker += cat(marker.empty() ? "(" : " or (", one.get<std::string>(), ")");
  }
  package.marker = marker;
  read_uv_source(json, lock, package);
  if (json.contains("sdist")) add_uv_file(json["sdist"], package);
  for (const Json& wheel : list_at(json, "wheels")) add_uv_file(wheel, package);
  for (const Json& one : list_at(json, "dependencies")) package.dependencies.push_back(uv_dependency(one, ""));
  const Json optional = json.value("optional-dependencies", Json::object());
  for (const auto& [extra, list] : optional.items()) {
    for (const Json& one : list) package.dependencies.push_back(uv_dependency(one, extra));
  }
  return package;
}

// ---- poetry ----

std::string poetry_marker(const Json& json) {
  if (!json.contains("markers")) return {};
  const Json& markers = json["markers"];
  return markers.is_object() ? json_text(markers, "main") : json_text(json, "markers");
}

void add_poetry_dependency(LockedPackage& package, const std::string& name, const Json& value,
                           const std::map<std::string, std::string>& extras) {
  if (value.is_array()) {
    for (const Json& one : value) add_poetry_dependency(package, name, one, extras);
    return;
  }
  LockedDependency dependency;
  dependency.name = python_name(name);
  dependency.marker = json_text(value, "markers");
  for (const Json& extra : list_at(value, "extras")) {
    if (extra.is_string()) dependency.extras.insert(python_name(extra.get<std::string>()));
  }
  const bool is_optional = value.is_object() && value.contains("optional") && value["optional"] == true;
  if (is_optional) {
    const auto extra = extras.find(dependency.name);
    if (extra == extras.end()) return;
    dependency.for_extra = extra->second;
  }
  // The condition on the extra itself is what `for_extra` says.
  if (const std::size_t at = dependency.marker.find("extra =="); at != std::string::npos) dependency.marker.clear();
  package.dependencies.push_back(std::move(dependency));
}

// `standard = ["httptools (>=0.6)", …]` turned round: which extra brings a dependency.
std::map<std::string, std::string> extras_of(const Json& json) {
  std::map<std::string, std::string> by_dependency;
  const Json extras = json.value("extras", Json::object());
  for (const auto& [extra, list] : extras.items()) {
    for (const Json& one : list) {
      if (one.is_string()) {
        by_dependency.emplace(parse_python_requirement(one.get<std::string>()).name, python_name(extra));
      }
    }
  }
  return by_dependency;
}

void read_poetry_source(const Json& json, PythonLock& lock, LockedPackage& package) {
  const Json source = json.value("source", Json::object());
  const std::string type = json_text(source, "type"), url = json_text(source, "url");
  if (type == "directory") package.folder = joined(".", url);
  if (type == "git") package.foreign = cat("git+", url);
  if (type == "url" || type == "file") {
    if (url.ends_with(".whl") && type == "url") package.url = url;
    if (package.url.empty()) package.foreign = url;
  }
  if (type == "legacy") add_index(lock, url);
}

LockedPackage poetry_package(const Json& json, int line, PythonLock& lock) {
  LockedPackage package;
  package.name = python_name(json_text(json, "name"));
  package.version = json_text(json, "version");
  package.line = line;
  package.marker = poetry_marker(json);
  for (const Json& file : list_at(json, "files"))
    package.files.push_back({json_text(file, "file"), json_text(file, "hash")});
  const std::map<std::string, std::string> extras = extras_of(json);
  const Json dependencies = json.value("dependencies", Json::object());
  for (const auto& [name, value] : dependencies.items()) add_poetry_dependency(package, name, value, extras);
  read_poetry_source(json, lock, package);
  return package;
}

// Poetry 1.0 to 1.2 wrote all files at the end.
void add_old_poetry_files(const Json& root, LockedPackage& package) {
  if (!package.files.empty() || !root.contains("metadata")) return;
  const Json files = root["metadata"].value("files", Json::object());
  for (const auto& [name, list] : files.items()) {
    if (python_name(name) != package.name) continue;
    for (const Json& file : list) package.files.push_back({json_text(file, "file"), json_text(file, "hash")});
  }
}

std::vector<LockedDependency> roots_of(const std::vector<PythonRequirement>& direct) {
  std::vector<LockedDependency> roots;
  for (const PythonRequirement& one : direct) {
    roots.push_back({.name = one.name, .version = {}, .extras = one.extras, .marker = one.marker, .for_extra = {}});
  }
  return roots;
}

// ---- pdm ----

LockedPackage pdm_package(const Json& json, int line) {
  LockedPackage package;
  package.name = python_name(json_text(json, "name"));
  package.version = json_text(json, "version");
  package.line = line;
  package.marker = json_text(json, "marker");
  for (const Json& file : list_at(json, "files")) {
    const std::string url = json_text(file, "url");
    package.files.push_back({url.empty() ? json_text(file, "file") : file_of_url(url), json_text(file, "hash")});
  }
  std::string own;
  for (const Json& extra : list_at(json, "extras")) {
    if (extra.is_string()) own = extra.get<std::string>();
  }
  for (const Json& one : list_at(json, "dependencies")) {
    if (!one.is_string()) continue;
    PythonRequirement requirement = parse_python_requirement(one.get<std::string>());
    package.dependencies.push_back({.name = requirement.name,
                                    .version = {},
                                    .extras = requirement.extras,
                                    .marker = requirement.marker,
                                    .for_extra = requirement.name == package.name ? "" : own});
  }
  if (const std::string git = json_text(json, "git"); !git.empty()) package.foreign = cat("git+", git);
  if (const std::string path = json_text(json, "path"); !path.empty()) package.folder = joined(".", path);
  const std::string url = json_text(json, "url");
  if (url.ends_with(".whl")) package.url = url;
  if (!url.empty() && package.url.empty()) package.foreign = url;
  return package;
}

// pdm writes a package once more for each set of extras.
void merge_extras(PythonLock& lock) {
  std::vector<LockedPackage> merged;
  for (LockedPackage& package : lock.packages) {
    const auto known = std::find_if(merged.begin(), merged.end(), [&](const LockedPackage& one) {
      return one.name == package.name && one.version == package.version;
    });
    if (known == merged.end()) {
      merged.push_back(std::move(package));
      continue;
    }
    if (known->marker != package.marker) {
      known->marker =
          known->marker.empty() || package.marker.empty() ? "" : cat("(", known->marker, ") or (", package.marker, ")");
    }
    if (known->files.empty()) known->files = std::move(package.files);
    for (LockedDependency& one : package.dependencies) known->dependencies.push_back(std::move(one));
  }
  lock.packages = std::move(merged);
}

int line_of_key(const std::string& text, const std::string& key) {
  const std::size_t at = text.find(cat("\"", key, "\":"));
  return at == std::string::npos ? 1 : line_at(text, at);
}

}  // namespace

PythonLock read_uv_lock(const plan::SourceTree& tree, const std::string& path, const std::string& shown,
                        const std::string& member) {
  const TomlDocument document = toml_of(tree, path, shown);
  PythonLock lock{.file = shown, .packages = {}, .roots = {}, .is_followed = true, .indexes = {}, .has_digests = true};
  const std::vector<Json> list = packages_in(document.root, shown);
  const LockedPackage* project = nullptr;
  for (std::size_t i = 0; i < list.size(); ++i) {
    keep(lock, uv_package(list[i], document.line(cat("/package/", i)), lock));
  }
  for (const LockedPackage& package : lock.packages) {
    if (package.folder == member) project = &package;
  }
  if (project == nullptr && !lock.packages.empty()) {
    throw failure(shown, 1,
                  cat("no package of the lock is the project in ", backticked(member), "; `uv lock` sets it right"));
  }
  if (project != nullptr) {
    for (const LockedDependency& one : project->dependencies) {
      if (one.for_extra.empty()) lock.roots.push_back(one);
    }
  }
  return lock;
}

PythonLock read_poetry_lock(const plan::SourceTree& tree, const std::string& path, const std::string& shown,
                            const std::vector<PythonRequirement>& direct) {
  const TomlDocument document = toml_of(tree, path, shown);
  PythonLock lock{.file = shown, .packages = {}, .roots = {}, .is_followed = false, .indexes = {}, .has_digests = true};
  const std::vector<Json> list = packages_in(document.root, shown);
  const bool has_groups = std::any_of(list.begin(), list.end(), [](const Json& one) { return one.contains("groups"); });
  for (std::size_t i = 0; i < list.size(); ++i) {
    const bool is_optional = list[i].contains("optional") && list[i]["optional"] == true;
    if (has_groups && (is_optional || !lists(list[i], "groups", "main"))) continue;
    LockedPackage package = poetry_package(list[i], document.line(cat("/package/", i)), lock);
    add_old_poetry_files(document.root, package);
    keep(lock, std::move(package));
  }
  lock.is_followed = !has_groups;
  lock.roots = roots_of(direct);
  return lock;
}

PythonLock read_pdm_lock(const plan::SourceTree& tree, const std::string& path, const std::string& shown,
                         const std::vector<PythonRequirement>& direct) {
  const TomlDocument document = toml_of(tree, path, shown);
  PythonLock lock{.file = shown, .packages = {}, .roots = {}, .is_followed = false, .indexes = {}, .has_digests = true};
  const std::vector<Json> list = packages_in(document.root, shown);
  const bool has_groups = std::any_of(list.begin(), list.end(), [](const Json& one) { return one.contains("groups"); });
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (has_groups && !lists(list[i], "groups", "default")) continue;
    keep(lock, pdm_package(list[i], document.line(cat("/package/", i))));
  }
  merge_extras(lock);
  lock.is_followed = !has_groups;
  lock.roots = roots_of(direct);
  return lock;
}

PythonLock read_pipfile_lock(const plan::SourceTree& tree, const std::string& path, const std::string& shown) {
  const std::string text = tree.read(path, kLargest);
  const Json root = parse_json(text, shown, static_cast<int>(Exit::detector_failed));
  PythonLock lock{.file = shown, .packages = {}, .roots = {}, .is_followed = false, .indexes = {}, .has_digests = true};
  if (!root.is_object() || !root.contains("_meta"))
    throw failure(shown, 1, "this is no lock file of pipenv: it has no `_meta`");
  for (const Json& source : list_at(root["_meta"], "sources")) add_index(lock, json_text(source, "url"));
  const Json packages = root.value("default", Json::object());
  for (const auto& [name, value] : packages.items()) {
    LockedPackage package;
    package.name = python_name(name);
    package.line = line_of_key(text, name);
    package.version = json_text(value, "version");
    if (package.version.starts_with("==")) package.version.erase(0, 2);
    package.marker = json_text(value, "markers");
    for (const Json& digest : list_at(value, "hashes")) {
      if (digest.is_string()) package.files.push_back({"", digest.get<std::string>()});
    }
    if (const std::string git = json_text(value, "git"); !git.empty()) package.foreign = cat("git+", git);
    for (const char* key : {"path", "file"}) {
      const std::string place = json_text(value, key);
      if (!place.empty() && place.find("://") == std::string::npos) package.folder = joined(".", place);
      if (place.find("://") != std::string::npos) (place.ends_with(".whl") ? package.url : package.foreign) = place;
    }
    keep(lock, std::move(package));
  }
  return lock;
}

PythonLock read_pylock(const plan::SourceTree& tree, const std::string& path, const std::string& shown) {
  const TomlDocument document = toml_of(tree, path, shown);
  PythonLock lock{.file = shown, .packages = {}, .roots = {}, .is_followed = false, .indexes = {}, .has_digests = true};
  if (!document.root.contains("lock-version"))
    throw failure(shown, 1, "this is no lock file: it has no `lock-version`");
  const std::vector<Json> list = list_at(document.root, "packages");
  for (std::size_t i = 0; i < list.size(); ++i) {
    LockedPackage package;
    package.name = python_name(json_text(list[i], "name"));
    package.version = json_text(list[i], "version");
    package.line = document.line(cat("/packages/", i));
    package.marker = json_text(list[i], "marker");
    add_index(lock, json_text(list[i], "index"));
    const auto add_file = [&](const Json& file) {
      const std::string digest = json_text(file.value("hashes", Json::object()), "sha256"),
                        name = json_text(file, "name");
      if (!digest.empty())
        package.files.push_back({name.empty() ? file_of_url(json_text(file, "url")) : name, cat("sha256:", digest)});
    };
    for (const Json& wheel : list_at(list[i], "wheels")) add_file(wheel);
    if (list[i].contains("sdist")) add_file(list[i]["sdist"]);
    if (list[i].contains("vcs"))
      package.foreign = cat(json_text(list[i]["vcs"], "type"), "+", json_text(list[i]["vcs"], "url"));
    if (list[i].contains("directory")) package.folder = joined(".", json_text(list[i]["directory"], "path"));
    if (list[i].contains("archive")) {
      add_file(list[i]["archive"]);
      const std::string url = json_text(list[i]["archive"], "url");
      (url.ends_with(".whl") ? package.url : package.foreign) = url;
    }
    keep(lock, std::move(package));
  }
  return lock;
}

}  // namespace whittle::detectors
