// How a Python application is started.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "detectors/python_manifest.hpp"
#include "detectors/python_source.hpp"
#include "plan/detection.hpp"

namespace whittle::detectors {

// Where things lie in every image of Python.
inline constexpr std::string_view kPythonProgram = "/usr/bin/python3";
inline constexpr std::string_view kPythonPackages = "/usr/lib/python3/site-packages";
inline constexpr std::string_view kPythonProject = "/usr/lib/python3/application";
inline constexpr std::string_view kPythonApplication = "/app";

struct PythonStart {
  std::map<std::string, std::vector<std::string>> processes;
  std::vector<plan::App> apps;
  std::map<std::string, plan::Value> values;
  std::vector<plan::Evidence> evidence;
  std::vector<std::string> ports, warnings;
  std::set<std::string> modules;  // that the command lines name
  std::set<std::string> scripts;  // of packages, that must be there
};

struct PythonProject {
  const plan::SourceTree& tree;
  const PythonManifest& manifest;
  const std::vector<PythonFile>& files;
  std::set<std::string> packages;  // names of all dependencies
  bool is_complete = false;        // a lock names them all, not only the direct ones
  bool is_told = false;            // Procfile or configuration say how to start
};

// Throws Error(detector_failed) when nothing can be started, or a server is missing.
PythonStart find_python_start(const PythonProject& project);

// Words that begin a command line, and what they stand for in the image.
std::map<std::string, std::vector<std::string>> python_commands(const PythonProject& project);

}  // namespace whittle::detectors
