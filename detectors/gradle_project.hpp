// `build.gradle`, `build.gradle.kts` and their settings, as far as they can be read without running them.
#pragma once

#include "detectors/java_project.hpp"

namespace whittle::detectors {

struct GradleProject {
  std::string name;
  std::string top = ".";                  // the folder in the context that holds the settings
  std::vector<JavaModule> modules;        // at and below the application, the root first
  std::optional<plan::Value> exact_java;  // of a toolchain: no other version will do
};

// Throws Error with file and line: a text that does not end, a project that is not there.
GradleProject read_gradle_project(const Surroundings& surroundings);

// The folders that `include` in settings names, relative to them.
std::vector<std::string> gradle_projects_in(std::string_view settings);

bool has_gradle_build(const plan::SourceTree& tree, std::string_view folder);

}  // namespace whittle::detectors
