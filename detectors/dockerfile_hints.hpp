// What the last stage of a Dockerfile says of the image, as configuration below that of whittle.toml, each value with
// its line; and the mistakes in it that whittle's image does not have.
#pragma once

#include "detectors/dockerfile.hpp"
#include "plan/build_plan.hpp"
#include "plan/config.hpp"

namespace whittle::detectors {

struct DockerfileHints {
  plan::Config config;                 // user, ports, variables, stop signal, working folder
  std::vector<std::string> argv;       // how the image starts; empty: not said, or by a shell
  std::vector<std::string> arguments;  // after those, when who starts it gives none
  std::string argv_source;             // "Dockerfile:12"
  std::vector<std::string> copied;     // names that the last stage gives to programs that it builds or copies
  std::vector<std::string> warnings;   // "Dockerfile:7: …"
};

DockerfileHints hints_of_dockerfile(std::string_view text, std::string_view name);

// What goes wrong when Docker builds it.
std::vector<std::string> mistakes_in(const std::vector<Stage>& stages, std::string_view name);

}  // namespace whittle::detectors
