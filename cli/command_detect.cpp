// whittle detect: what each detector saw, the verdict, and why the others lost.
#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"

namespace whittle::cli {

namespace {

void print_candidate(const plan::Detection& candidate, std::ostream& out) {
  out << "  " << candidate.detector << " (" << candidate.language << "), score " << candidate.score << "\n";
  for (const plan::Evidence& evidence : candidate.evidence) {
    out << "    " << printable(evidence.file);
    if (evidence.line > 0) out << ":" << evidence.line;
    out << "  " << printable(evidence.rule) << "\n";
  }
  for (const plan::App& app : candidate.apps) {
    out << "    program " << printable(app.name) << " in " << printable(app.path)
        << (app.is_default ? " (default)" : "") << "\n";
  }
}

void print_survey(const detectors::Survey& survey, std::ostream& out) {
  out << (survey.chosen.empty() ? "undecided\n" : cat("chosen: ", survey.chosen, "\n"));
  for (const plan::Detection& candidate : survey.candidates) {
    if (candidate.detector == survey.chosen) print_candidate(candidate, out);
  }
  bool is_first = true;
  for (const plan::Detection& candidate : survey.candidates) {
    if (candidate.detector == survey.chosen) continue;
    if (is_first) out << (survey.chosen.empty() ? "candidates:\n" : "also matched, with less evidence:\n");
    is_first = false;
    print_candidate(candidate, out);
  }
  for (const detectors::DetectorFailure& failure : survey.failures) {
    out << "failed: " << failure.detector << ": " << printable(failure.message) << "\n";
  }
  for (const std::string& language : survey.unsupported) out << "not built by whittle: " << language << "\n";
}

}  // namespace

int detect(const DetectOptions& options, Session& session) {
  BuildOptions build;
  build.folder = options.folder;
  const OpenedTree tree = open_tree(build, session);
  const detectors::Survey survey = detectors::survey(tree.surroundings(tree.platforms.front()));
  if (options.json) {
    session.out() << pretty_json(survey.to_json());
  } else if (!survey.candidates.empty() || !survey.failures.empty()) {
    print_survey(survey, session.out());
  }
  for (const std::string& warning : survey.warnings) session.events().warn(warning);
  // What cannot be decided is still shown; the exit code and the hint come from the verdict.
  detectors::verdict(survey, tree.surroundings(tree.platforms.front()));
  return 0;
}

}  // namespace whittle::cli
