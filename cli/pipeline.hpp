// The whole of whittle as a table of contents: open → detect → decide → build → compose → partition →
// assemble → deliver. Each command is a prefix or a suffix of this list.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/session.hpp"
#include "detectors/detector.hpp"
#include "oci/reference.hpp"
#include "plan/build_plan.hpp"
#include "plan/config.hpp"
#include "plan/source_tree.hpp"
#include "registry/image_sink.hpp"

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
  std::string compression, detector, toolchain, link, timeout;
  bool gzip_twin = false;
  bool strict_versions = false;
  bool release = false;  // --release: kReleaseCompression
  bool all = false;      // --all: an image for every program; see programs_of
  std::string program;   // the only one of this image, with --all
  bool probe = false;    // --probe: run the entry point before the image is delivered
  bool push = false, offline = false, allow_http = false;
};

struct PlatformImage {
  std::string platform;
  Digest digest;
  std::uint64_t compressed = 0;
};

struct BuildResult {
  std::string reference;  // NAME@sha256:…
  oci::Descriptor root;
  oci::Reference name;
  bool unchanged = false;        // nothing had to be built
  std::uint64_t compressed = 0;  // of this machine's image, else of the first
  std::vector<PlatformImage> platforms = {};
};

OpenedTree open_tree(const BuildOptions& options, Session& session);
// The tree's plan for every platform, or those in `options.plan_file`: at least one.
std::vector<plan::BuildPlan> make_plans(const OpenedTree& tree, const BuildOptions& options, Session& session);
// What is the same for every platform is said once.
void warn_once(const std::vector<plan::BuildPlan>& plans, EventSink& events);
// The names of the tree's programs, for `--all`. Throws Error(usage) when only the build will tell.
std::vector<std::string> programs_of(const BuildOptions& options, Session& session);
BuildResult build_image(const BuildOptions& options, Session& session);

// Sends an image to any sink, and says what was done.
void deliver_to(registry::ImageSink& sink, const oci::Descriptor& root, const oci::BlobSource& blobs, Session& session);
// Sends the image `root` of `blobs` to `name` in its registry.
void push_image(const oci::Descriptor& root, const oci::BlobSource& blobs, const oci::Reference& name, bool allow_http,
                Session& session);

}  // namespace whittle::cli
