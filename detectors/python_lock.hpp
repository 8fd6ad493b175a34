// Lock files of Python: uv.lock, poetry.lock, pdm.lock, Pipfile.lock, pylock.toml. All carry the digests of their
// files, so what they say is turned into lines for pip, and the tools that wrote them need not be there.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "detectors/python_requirement.hpp"
#include "plan/source_tree.hpp"

namespace whittle::detectors {

struct LockedFile {
  std::string name;    // "flask-3.1.0-py3-none-any.whl"; empty: the lock does not say
  std::string digest;  // "sha256:…"
};

struct LockedDependency {
  std::string name, version;  // version empty: the only one
  std::set<std::string> extras;
  std::string marker;
  std::string for_extra;  // counts when its owner was asked for with that extra
};

struct LockedPackage {
  std::string name, version;
  int line = 0;
  std::string marker;  // of locks that say for each package by itself when it counts
  std::vector<LockedFile> files;
  std::vector<LockedDependency> dependencies;
  std::string url;      // of the one file to take
  std::string folder;   // in the tree, relative to the lock file
  std::string foreign;  // where from, when that is no archive: "git+https://…"
};

struct PythonLock {
  std::string file;  // as the application sees it: "../uv.lock"
  std::vector<LockedPackage> packages;
  // What the application itself needs. Without any, every package counts by its own marker.
  std::vector<LockedDependency> roots;
  bool is_followed = false;          // packages count when `roots` lead to them
  std::vector<std::string> indexes;  // other than PyPI
  bool has_digests = true;
};

// What is to be installed, for one platform.
struct LockedSelection {
  std::vector<std::string> requirements;  // lines of a requirements file, sorted by name
  std::vector<std::string> folders;       // of the tree: members of the workspace, relative to the lock file
  std::set<std::string> names;
};

// `path` is in `tree`, `shown` is how the application sees it; `member` is the application's folder relative to the
// lock's. `direct` are the manifest's own dependencies, for locks that do not list them. Throws Error(detector_failed)
// with file and line.
PythonLock read_uv_lock(const plan::SourceTree& tree, const std::string& path, const std::string& shown,
                        const std::string& member);
PythonLock read_poetry_lock(const plan::SourceTree& tree, const std::string& path, const std::string& shown,
                            const std::vector<PythonRequirement>& direct);
PythonLock read_pdm_lock(const plan::SourceTree& tree, const std::string& path, const std::string& shown,
                         const std::vector<PythonRequirement>& direct);
PythonLock read_pipfile_lock(const plan::SourceTree& tree, const std::string& path, const std::string& shown);
PythonLock read_pylock(const plan::SourceTree& tree, const std::string& path, const std::string& shown);

// Throws Error(detector_failed) for a package that has no wheel for `platform`, or is no archive.
LockedSelection select_locked(const PythonLock& lock, const std::string& platform);

}  // namespace whittle::detectors
