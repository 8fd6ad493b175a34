// `pom.xml` with its modules and those parents that lie in the tree. What only a repository knows is left to Maven.
#pragma once

#include "detectors/java_project.hpp"

namespace whittle::detectors {

struct MavenProject {
  std::string name;                 // of the root's artifact
  std::string reactor = ".";        // the folder in the context where Maven is started
  std::vector<JavaModule> modules;  // below the application, the root first
  std::vector<std::string> warnings;
};

// Throws Error with file and line: what is no XML, a module that is not there, modules in a circle.
MavenProject read_maven_project(const Surroundings& surroundings);

// The folders that the `<modules>` of a pom.xml name, relative to it; for the context's sake nothing is thrown.
std::vector<std::string> maven_modules_in(std::string_view text);

}  // namespace whittle::detectors
