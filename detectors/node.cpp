// Node: packages by the project's own lock file, its build, and of both what runs in production, with an interpreter
// and without the package manager (docs/design/node.md).
#include <algorithm>

#include "base/text.hpp"
#include "detectors/c_project.hpp"
#include "detectors/detector.hpp"
#include "detectors/node_frameworks.hpp"
#include "detectors/node_packages.hpp"
#include "detectors/node_project.hpp"
#include "detectors/node_start.hpp"
#include "detectors/node_steps.hpp"
#include "detectors/node_version.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

constexpr int kScore = 100;
// Go and Rust projects have one for their front end or their formatter.
constexpr int kScoreBesideManifest = 30;

bool is_beside_another_manifest(const plan::SourceTree& tree) {
  for (const char* manifest : {"go.mod", "go.work", "Cargo.toml", "build.zig"}) {
    if (tree.has(manifest)) return true;
  }
  return false;
}

std::optional<plan::Detection> detect(const Surroundings& surroundings) {
  if (!surroundings.app.has("package.json")) return std::nullopt;
  const bool is_beside = is_beside_another_manifest(surroundings.app);
  const bool is_forced = surroundings.config.detector && surroundings.config.detector->value == "node";
  if (is_beside && !is_forced) {
    const std::optional<NodeManifest> manifest = NodeManifest::read(surroundings.app, "package.json", "package.json");
    if (!manifest->scripts().contains("start")) return std::nullopt;
  }
  plan::Detection detection{.detector = "node", .language = "node", .score = is_beside ? kScoreBesideManifest : kScore};
  const NodeProject project = read_node_project(surroundings, detection.warnings);
  detection.evidence.push_back({"package.json", 1, "Node project"});
  if (!project.packages.lock_file.empty()) {
    detection.evidence.push_back({from_application(surroundings, project.packages.lock_file), 0, "lock file"});
  }
  name_application(detection.plan, safe_name(project.name), project.name_source, surroundings);
  plan_node_project(project, surroundings, detection);
  return detection;
}

}  // namespace

extern const Detector kNodeDetector;
const Detector kNodeDetector = {"node", "node", "Node projects", "package.json", kScore, detect};

}  // namespace whittle::detectors
