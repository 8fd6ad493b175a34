// What put each file into the images that were built here: configuration digest → file → origin. It lies in the cache
// and not in the image, whose bytes say nothing about the machine that built it; lost, `whittle why` knows the layer
// alone.
#pragma once

#include <optional>
#include <string>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "layers/root_filesystem.hpp"
#include "plan/build_plan.hpp"

namespace whittle::cli {

struct Origin {
  std::string origin;        // "step compile whoami", "package libssl3 3.0.15", "files, config/"
  std::string reason;        // the evidence, where there is one
  std::string value;         // the plan's value that decided: "certificates = auto (default)"; empty without one
  std::string sandbox = {};  // what the step that made it ran in; empty when no step did, or it is not known
};

class Origins {
 public:
  explicit Origins(fs::path folder) : folder_(std::move(folder)) {}

  // To be called before the root filesystem is cut into slices.
  static std::string record_of(const layers::RootFilesystem& root, const plan::BuildPlan& plan,
                               const std::string& sandbox);
  void remember(const Digest& configuration, const std::string& record) const;
  // `path` without the leading slash. Nothing when the image was not built here.
  std::optional<Origin> find(const Digest& configuration, const std::string& path) const;

 private:
  fs::path folder_;
};

}  // namespace whittle::cli
