// `requirements.txt` and what it includes (https://pip.pypa.io/en/stable/reference/requirements-file-format/).
#pragma once

#include <string>
#include <vector>

#include "detectors/python_requirement.hpp"
#include "plan/source_tree.hpp"

namespace whittle::detectors {

struct RequirementLine {
  PythonRequirement requirement;
  std::vector<std::string> digests;  // "sha256:…"
  std::string place;                 // "requirements/base.txt:3"
};

struct RequirementsFile {
  std::vector<RequirementLine> lines;
  std::vector<std::string> constraints;  // lines of `-c` files
  std::vector<std::string> options;      // `--extra-index-url URL` and the like, for pip
  std::vector<std::string> folders;      // of the tree, from `-e ./lib` and `./lib`
  std::vector<std::string> files;        // that were read, for the step's inputs
};

// Throws Error(detector_failed) with file and line for a line that is none, a file that is not there, files that
// include each other in a circle, and what is no wheel (`git+…`, archives of sources).
RequirementsFile read_requirements(const plan::SourceTree& tree, const std::string& path);

}  // namespace whittle::detectors
