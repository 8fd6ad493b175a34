// Detectors: source tree → scored evidence and the steps that would build it. Pure functions: no
// network, no process, no write. All of them run; the best score wins.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plan/config.hpp"
#include "plan/detection.hpp"
#include "plan/source_tree.hpp"

namespace whittle::detectors {

// What a detector may look at. `context` is the workspace or repository around the application
// (the nearest ancestor with a workspace file or VCS folder); it is `app` itself when there is none.
struct Surroundings {
  const plan::SourceTree& app;
  const plan::SourceTree& context;
  std::string app_in_context = ".";  // path of the application root inside the context
  const plan::Config& config;
  std::string platform;   // "linux/amd64"
  std::string host = {};  // the platform of the machine that builds; empty: the same
};

struct Detector {
  std::string_view name, language, summary;
  // Files that make it fire, for "looked for:" in the error when nothing fires.
  std::string_view looks_for;
  // The most that it can score: when it fails, nothing that scores less may be built in its place.
  int highest_score;
  std::optional<plan::Detection> (*detect)(const Surroundings&);
};

// The ordered table: adding a language is one file, one row here, one folder in examples/.
std::span<const Detector> all_detectors();

struct DetectorFailure {
  std::string detector;
  int highest_score = 0;
  std::string message;  // as `file:line: cause`
};

// Everything that all detectors said, best score first (ties in table order).
struct Survey {
  std::vector<plan::Detection> candidates;
  std::vector<DetectorFailure> failures;
  std::vector<std::string> unsupported;  // languages that are there and that whittle does not build
  std::string chosen;                    // detector; empty when none or a tie
  std::vector<std::string> warnings;

  Json to_json() const;  // whittle.detect/v1
};

// Runs every detector. Never throws for what is in the tree; a forced detector (`build.detector`) is
// the chosen one if it fired. See `verdict`.
Survey survey(const Surroundings& surroundings);

// The chosen detection, or the Error: nothing_detected (what was looked for, what is there, a language
// that is not supported by name), ambiguous (the two lines of configuration that would settle it),
// detector_failed (one failed that would have outranked whatever fired; or the forced one failed).
const plan::Detection& verdict(const Survey& survey, const Surroundings& surroundings);

// detection + configuration → a complete plan. Throws Error(usage) for configuration that cannot
// apply (unknown target: lists the known ones), Error(ambiguous) when several programs have no default.
// `created` is the image's time in seconds, `labels` come from version control; both from the caller.
struct DecideOptions {
  std::string created;
  std::string created_source;
  std::map<std::string, std::string> labels;
};
plan::BuildPlan decide(const plan::Detection& detection, const Surroundings& surroundings,
                       const DecideOptions& options);

}  // namespace whittle::detectors
