// What a Python project says of itself: pyproject.toml (PEP 621, Poetry), setup.cfg, setup.py, Pipfile.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "detectors/python_requirement.hpp"
#include "plan/build_plan.hpp"
#include "plan/source_tree.hpp"

namespace whittle::detectors {

struct PythonScript {
  std::string name;
  std::string target;  // "package.module:function"
  std::string source;  // "pyproject.toml:12"
};

struct PythonManifest {
  std::string file;     // the one that speaks of the project; empty: none does
  plan::Value name;     // as it is written
  std::string version;  // "0.0.0" when only a build would tell
  std::vector<PythonRequirement> dependencies;
  std::string dependencies_file;  // where they are from
  plan::Value constraint;         // "requires-python", as the project writes it
  plan::Value pin;                // Pipfile's `python_version`
  std::vector<PythonScript> scripts;
  std::string compiled_by;      // what a compiler would be needed for: "maturin (pyproject.toml:3)"; empty: nothing
  bool is_application = false;  // the manifest is of a project, not only of its tools
};

// Throws Error(detector_failed) with file and line.
PythonManifest read_python_manifest(const plan::SourceTree& tree);

// ">=3.9,<4" of ">=3.9, <4, !=3.9.7", "~=3.11", "==3.11.*": as plan::Tool has constraints.
std::string python_constraint(std::string_view specifier);

}  // namespace whittle::detectors
