// What a Python application needs of others, as lines for pip, from the best file that says so.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "detectors/detector.hpp"
#include "detectors/python_manifest.hpp"

namespace whittle::detectors {

struct PythonDependencies {
  std::vector<std::string> requirements;  // lines; none: nothing is needed
  std::vector<std::string> constraints;
  std::vector<std::string> options;  // for pip
  std::vector<std::string> folders;  // of the context: packages of the same tree
  std::vector<std::string> files;    // of the context: what decides all this
  std::set<std::string> names;
  bool is_complete = false;  // a lock names everything
  std::string source;        // "uv.lock", as the application sees it
  std::vector<std::string> warnings;
};

// Lock files come before requirements.txt, and that before the manifest.
PythonDependencies read_python_dependencies(const Surroundings& surroundings, const PythonManifest& manifest);

}  // namespace whittle::detectors
