#include <algorithm>
#include <array>
#include <map>

#include "base/error.hpp"
#include "base/text.hpp"
#include "detectors/detector.hpp"
#include "detectors/places.hpp"
#include "detectors/unsupported.hpp"

namespace whittle::detectors {

extern const Detector kGo, kRust, kCMake, kMeson, kAutotools, kMake, kSingleFile, kPrebuilt, kStatic, kZig,
    kNodeDetector, kPython, kMaven, kGradle, kJava;

namespace {

constexpr std::size_t kMostShown = 8;

std::string configured(const Surroundings& surroundings) {
  return surroundings.config.detector ? surroundings.config.detector->value : std::string();
}

// `file:line: cause`, the way compilers write it.
std::string one_line(const Error& error) {
  const std::string why = error.causes().empty() ? error.message() : error.causes().back();
  return error.where().empty() ? why : cat(error.where(), ": ", why);
}

void run(const Detector& detector, const Surroundings& surroundings, Survey& survey) {
  try {
    if (std::optional<plan::Detection> found = detector.detect(surroundings)) {
      survey.candidates.push_back(std::move(*found));
    }
  } catch (const Error& error) {
    survey.failures.push_back({std::string(detector.name), detector.highest_score, one_line(error)});
  }
}

const plan::Detection* candidate(const Survey& survey, std::string_view name) {
  for (const plan::Detection& detection : survey.candidates) {
    if (detection.detector == name) return &detection;
  }
  return nullptr;
}

// A failed detector that would have outranked everything that fired.
const DetectorFailure* decisive_failure(const Survey& survey) {
  const int best = survey.candidates.empty() ? 0 : survey.candidates.front().score;
  for (const DetectorFailure& failure : survey.failures) {
    if (failure.highest_score > best) return &failure;
  }
  return nullptr;
}

void choose(Survey& survey, const Surroundings& surroundings) {
  const std::string forced = configured(surroundings);
  if (!forced.empty()) {
    if (candidate(survey, forced) != nullptr) survey.chosen = forced;
    return;
  }
  if (survey.candidates.empty() || decisive_failure(survey) != nullptr) return;
  const plan::Detection& best = survey.candidates.front();
  const bool is_tie = survey.candidates.size() > 1 && survey.candidates[1].score == best.score;
  if (!is_tie) survey.chosen = best.detector;
}

void explain_losers(Survey& survey) {
  const plan::Detection* chosen = candidate(survey, survey.chosen);
  if (chosen == nullptr) return;
  for (const plan::Detection& other : survey.candidates) {
    // A score far below is the rule, not news: single files lie in every C project.
    if (&other == chosen || other.score < 40) continue;
    survey.warnings.push_back(cat(backticked(other.evidence.front().file), " was passed over: ", other.detector,
                                  " scores ", other.score, ", ", chosen->detector, " ", chosen->score));
  }
  for (const DetectorFailure& failure : survey.failures) {
    survey.warnings.push_back(cat(failure.detector, " was passed over: ", failure.message));
  }
}

Error failed(const DetectorFailure& failure) {
  Error error(Exit::detector_failed, cat("the ", failure.detector, " detector cannot read this tree"));
  const std::size_t blank = failure.message.find(": ");
  if (blank != std::string::npos) {
    error.at(failure.message.substr(0, blank)).cause(failure.message.substr(blank + 2));
  } else {
    error.cause(failure.message);
  }
  return error;
}

std::string what_is_there(const plan::SourceTree& tree) {
  std::vector<std::string> shown;
  std::size_t others = 0;
  for (const plan::Node& node : tree.nodes()) {
    if (node.path.find('/') != std::string::npos) continue;
    if (shown.size() < kMostShown) {
      shown.push_back(printable(node.path) + (node.kind == plan::NodeKind::folder ? "/" : ""));
    } else {
      ++others;
    }
  }
  if (shown.empty()) return "nothing: the folder is empty";
  return others == 0 ? join(shown, ", ") : cat(join(shown, ", "), " and ", others, " more");
}

// The nearest manifests further down, one a folder; the application root is the argument, so they are only pointed at.
std::vector<std::string> manifests_below(const plan::SourceTree& tree) {
  constexpr std::array<std::string_view, 12> kManifests = {
      "go.work",        "go.mod",      "Cargo.toml",   "pom.xml",  "build.gradle",   "build.gradle.kts",
      "CMakeLists.txt", "meson.build", "configure.ac", "Makefile", "pyproject.toml", "requirements.txt"};
  constexpr std::size_t kMost = 3;
  std::map<std::size_t, std::map<std::string, std::string>> by_depth;  // → folder → manifest
  for (const plan::Node& node : tree.nodes()) {
    if (node.kind != plan::NodeKind::file || is_aside(node.path)) continue;
    if (std::find(kManifests.begin(), kManifests.end(), last_part(node.path)) == kManifests.end()) continue;
    const auto depth = static_cast<std::size_t>(std::count(node.path.begin(), node.path.end(), '/'));
    if (depth > 0) by_depth[depth].emplace(folder_of(node.path), node.path);
  }
  std::vector<std::string> nearest;
  if (by_depth.empty()) return nearest;
  for (const auto& [folder, manifest] : by_depth.begin()->second) {
    if (nearest.size() < kMost) nearest.push_back(manifest);
  }
  return nearest;
}

Error nothing_detected(const Survey& survey, const Surroundings& surroundings) {
  std::string looked_for;
  for (const Detector& detector : all_detectors())
    looked_for += cat(looked_for.empty() ? "" : ", ", detector.looks_for);
  Error error(Exit::nothing_detected, cat("no detector recognises ", backticked(surroundings.app.name())));
  error.detail(cat("looked for: ", looked_for));
  error.detail(cat("found: ", what_is_there(surroundings.app)));
  if (!survey.unsupported.empty()) {
    error.detail(cat("this tree is in a language that whittle does not build: ", join(survey.unsupported, ", ")));
  }
  const std::vector<std::string> below = manifests_below(surroundings.app);
  for (const std::string& manifest : below) {
    const std::string folder = folder_of(manifest);
    error.hint(cat("there is a ", last_part(manifest), " in ", backticked(folder), ": `whittle build ",
                   printable(shell_words(std::vector{folder})), "`"));
  }
  if (below.empty() && survey.unsupported.empty()) {
    error.hint("give the folder that holds the manifest: `whittle build DIR`");
  }
  return error;
}

Error ambiguous(const Survey& survey) {
  const plan::Detection &first = survey.candidates[0], &second = survey.candidates[1];
  Error error(Exit::ambiguous, cat("both ", first.detector, " and ", second.detector, " could build this tree"));
  for (const plan::Detection& detection : survey.candidates) {
    if (detection.score != first.score) break;
    const plan::Evidence& evidence = detection.evidence.front();
    error.detail(cat(detection.detector, ": ", printable(evidence.file),
                     evidence.line > 0 ? cat(":", evidence.line) : "", " (", evidence.rule, ", score ", detection.score,
                     ")"));
  }
  error.hint(cat("say which one in whittle.toml:\n[build]\ndetector = \"", first.detector, "\""));
  return error;
}

Error forced_missing(const std::string& forced, const Surroundings& surroundings) {
  const std::string& source = surroundings.config.detector->source;
  std::vector<std::string> names;
  for (const Detector& detector : all_detectors()) names.emplace_back(detector.name);
  for (const Detector& detector : all_detectors()) {
    if (detector.name != forced) continue;
    Error error(Exit::nothing_detected, cat("the ", forced, " detector finds nothing here"));
    error.at(source).detail(cat("looked for: ", detector.looks_for));
    return error;
  }
  Error error(Exit::usage, cat("there is no detector ", backticked(forced)));
  error.at(source).detail(cat("known detectors: ", join(names, ", ")));
  if (const std::optional<std::string> meant = nearest(forced, names))
    error.hint(cat("did you mean ", backticked(*meant), "?"));
  return error;
}

}  // namespace

std::span<const Detector> all_detectors() {
  static const std::array<Detector, 15> kAll = {kGo,    kRust,       kZig,   kNodeDetector, kPython,
                                                kMaven, kGradle,     kCMake, kMeson,        kAutotools,
                                                kMake,  kSingleFile, kJava,  kStatic,       kPrebuilt};
  return kAll;
}

Survey survey(const Surroundings& surroundings) {
  Survey survey;
  for (const Detector& detector : all_detectors()) run(detector, surroundings, survey);
  std::stable_sort(survey.candidates.begin(), survey.candidates.end(),
                   [](const plan::Detection& a, const plan::Detection& b) { return a.score > b.score; });
  survey.unsupported = languages_by_manifest(surroundings.app);
  if (survey.unsupported.empty() && survey.candidates.empty() && survey.failures.empty()) {
    survey.unsupported = languages_by_source(surroundings.app);
  }
  choose(survey, surroundings);
  explain_losers(survey);
  return survey;
}

const plan::Detection& verdict(const Survey& survey, const Surroundings& surroundings) {
  const std::string forced = configured(surroundings);
  if (!forced.empty()) {
    for (const DetectorFailure& failure : survey.failures) {
      if (failure.detector == forced) throw failed(failure);
    }
    if (survey.chosen != forced) throw forced_missing(forced, surroundings);
  } else if (const DetectorFailure* failure = decisive_failure(survey)) {
    throw failed(*failure);
  } else if (survey.candidates.empty()) {
    throw nothing_detected(survey, surroundings);
  } else if (survey.chosen.empty()) {
    throw ambiguous(survey);
  }
  return *candidate(survey, survey.chosen);
}

Json Survey::to_json() const {
  Json list = Json::array();
  for (const plan::Detection& detection : candidates) {
    Json evidence = Json::array(), apps = Json::array();
    for (const plan::Evidence& one : detection.evidence) {
      evidence.push_back({{"file", one.file}, {"line", one.line}, {"rule", one.rule}});
    }
    for (const plan::App& app : detection.apps) {
      apps.push_back({{"name", app.name}, {"path", app.path}, {"default", app.is_default}});
    }
    list.push_back({{"detector", detection.detector},
                    {"language", detection.language},
                    {"score", detection.score},
                    {"evidence", evidence},
                    {"apps", apps},
                    {"warnings", detection.warnings}});
  }
  Json failed_detectors = Json::array();
  for (const DetectorFailure& failure : failures) {
    failed_detectors.push_back({{"detector", failure.detector}, {"message", failure.message}});
  }
  return {{"schema", "whittle.detect/v1"},
          {"root", "."},
          {"chosen", chosen},
          {"candidates", list},
          {"failures", failed_detectors},
          {"unsupported", unsupported},
          {"warnings", warnings}};
}

}  // namespace whittle::detectors
