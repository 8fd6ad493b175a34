// Small trees as literals, and what the detectors make of them.
#pragma once

#include <map>
#include <string>

#include "detectors/detector.hpp"
#include "tests/support/errors.hpp"

namespace whittle::test {

using Files = std::map<std::string, std::string>;

// A tree with its configuration (`whittle.toml` among the files) and, if wanted, a context around it.
struct Inside {
  std::string folder;
};

class Project {
 public:
  explicit Project(Files files, std::string name = "folder")
      : app_(std::move(files), std::move(name)), config_(plan::read_config(app_)) {}
  // The application is a folder of the files, which are its context.
  Project(const Files& files, const Inside& inside)
      : app_(below(files, inside.folder), "folder"),
        context_(files, "context"),
        inside_(inside.folder),
        config_(plan::read_config(app_)) {}

  detectors::Surroundings surroundings() const {
    return {.app = app_,
            .context = inside_ == "." ? app_ : context_,
            .app_in_context = inside_,
            .config = config_,
            .platform = platform,
            .host = host};
  }
  detectors::Survey survey() const { return detectors::survey(surroundings()); }
  plan::BuildPlan plan() const {
    const detectors::Survey seen = survey();
    return detectors::decide(detectors::verdict(seen, surroundings()), surroundings(), options);
  }
  // The names of the processes, the default one with a star in front.
  std::string processes() const {
    const plan::BuildPlan decided = plan();
    std::string names;
    for (const auto& [name, argv] : decided.image.processes) {
      names += (names.empty() ? "" : " ") + std::string(name == decided.image.default_process ? "*" : "") + name;
    }
    return names;
  }
  Error error() const {
    return error_of([this] { plan(); });
  }

  std::string platform = "linux/amd64", host;
  detectors::DecideOptions options;

 private:
  static Files below(const Files& files, const std::string& folder) {
    Files found;
    for (const auto& [path, text] : files) {
      if (path.starts_with(folder + "/")) found[path.substr(folder.size() + 1)] = text;
    }
    return found;
  }

  plan::MemoryTree app_, context_ = plan::MemoryTree(Files{});
  std::string inside_ = ".";
  plan::Config config_;
};

using Strings = std::vector<std::string>;

// What the plan's programs are called by their build system.
inline Strings targets(const plan::BuildPlan& plan) {
  Strings names;
  for (const plan::Output& output : plan.outputs) names.push_back(output.target);
  return names;
}

}  // namespace whittle::test
