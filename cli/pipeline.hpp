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
  std::string platform;

  const plan::DiskTree& context() const { return context_tree ? *context_tree : app; }
  detectors::Surroundings surroundings() const;
};

// What `--release` means: the smallest layers, whatever they cost (docs/design/layers.md).
inline constexpr std::string_view kReleaseCompression = "zstd:19";

struct BuildOptions {
  std::string folder = ".";
  std::string tag;                   // -t NAME[:TAG]
  std::vector<std::string> outputs;  // -o KIND:PATH
  std::vector<std::string> targets;
  std::string platform;  // --platform, empty: this host's
  std::string plan_file;
  std::string compression, detector, toolchain, link;
  bool gzip_twin = false;
  bool release = false;  // --release: kReleaseCompression
  bool push = false, offline = false, allow_http = false;
};

struct BuildResult {
  std::string reference;  // NAME@sha256:…
  oci::Descriptor root;
  oci::Reference name;
  bool unchanged = false;  // nothing had to be built
  std::uint64_t compressed = 0;
};

OpenedTree open_tree(const BuildOptions& options, Session& session);
// The plan of the tree, or the one in `options.plan_file`.
plan::BuildPlan make_plan(const OpenedTree& tree, const BuildOptions& options, Session& session);
BuildResult build_image(const BuildOptions& options, Session& session);

// Sends an image to any sink, and says what was done.
void deliver_to(registry::ImageSink& sink, const oci::Descriptor& root, const oci::BlobSource& blobs, Session& session);
// Sends the image `root` of `blobs` to `name` in its registry.
void push_image(const oci::Descriptor& root, const oci::BlobSource& blobs, const oci::Reference& name, bool allow_http,
                Session& session);

}  // namespace whittle::cli
