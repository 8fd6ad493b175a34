// The beginning of most commands: a source tree, opened and configured, and the plans that it gives.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/session.hpp"
#include "detectors/detector.hpp"
#include "plan/build_plan.hpp"
#include "plan/config.hpp"
#include "plan/source_tree.hpp"

namespace whittle::cli {

// A source tree with what surrounds it, opened and configured.
struct OpenedTree {
  plan::DiskTree app;
  std::optional<plan::DiskTree> context_tree;  // absent: the application is its own context
  std::string app_in_context = ".";
  plan::Config config;
  std::vector<std::string> platforms;  // at least one

  const plan::DiskTree& context() const { return context_tree ? *context_tree : app; }
  detectors::Surroundings surroundings(const std::string& platform) const;
};

// What `--release` means: the smallest layers, whatever they cost (docs/design/layers.md).
inline constexpr std::string_view kReleaseCompression = "zstd:19";

struct BuildOptions {
  std::string folder = ".";
  std::string tag;                   // -t NAME[:TAG]
  std::vector<std::string> outputs;  // -o KIND:PATH
  std::vector<std::string> targets;
  std::vector<std::string> platforms;  // --platform, empty: this host's
  std::string plan_file;
  std::vector<std::string> secrets;  // --secret id=NAME,…
  std::string compression, detector, toolchain, link, timeout, sandbox;
  bool gzip_twin = false;
  bool strict_versions = false;
  bool release = false;  // --release: kReleaseCompression
  bool all = false;      // --all: an image for every program; see programs_of
  std::string program;   // the only one of this image, with --all
  bool probe = false;    // --probe: run the entry point before the image is delivered
  bool push = false, offline = false, allow_http = false;
};

OpenedTree open_tree(const BuildOptions& options, Session& session);
// The tree's plan for every platform, or those in `options.plan_file`: at least one.
std::vector<plan::BuildPlan> make_plans(const OpenedTree& tree, const BuildOptions& options, Session& session);
// What is the same for every platform is said once.
void warn_once(const std::vector<plan::BuildPlan>& plans, EventSink& events);
// The names of the tree's programs, for `--all`. Throws Error(usage) when only the build will tell.
std::vector<std::string> programs_of(const BuildOptions& options, Session& session);

}  // namespace whittle::cli
