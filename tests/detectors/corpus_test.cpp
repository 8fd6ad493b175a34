// Every case of tests/corpus is detected and planned from a folder on disk, the way the command line does it.
#include <doctest/doctest.h>

#include <set>

#include "base/text.hpp"
#include "detectors/context.hpp"
#include "plan/config_text.hpp"
#include "tests/detectors/support.hpp"
#include "tests/support/corpus.hpp"

using namespace whittle;
using test::CorpusCase;

namespace {

const std::set<std::string> kKeys = {"detector", "language", "name", "programs", "default", "value", "steps", "warns",
                                     "silent",   "start",    "exit", "error",    "says",    "app",   "runs"};

// The tree of a case, opened as a command would open it.
class Opened {
 public:
  Opened(const CorpusCase& one, const fs::path& root) : app_(application(one, root)) {
    config_ = plan::read_config(app_);
    if (const std::optional<fs::path> context = detectors::find_context(app_.root())) {
      context_.emplace(*context);
      app_in_context_ = app_.root().lexically_relative(*context).native();
    }
  }

  detectors::Surroundings surroundings() const {
    return {.app = app_,
            .context = context_ ? *context_ : app_,
            .app_in_context = app_in_context_,
            .config = config_,
            .platform = "linux/amd64"};
  }

 private:
  static fs::path application(const CorpusCase& one, const fs::path& root) {
    make_folders(root);
    one.write_below(root);
    make_folders(root / ".git");
    return root / one.get("app");
  }

  plan::DiskTree app_;
  std::optional<plan::DiskTree> context_;
  std::string app_in_context_ = ".";
  plan::Config config_;
};

std::string words(const std::vector<std::string>& list) {
  return join(list, " ");
}

std::string everything_in(const Error& error) {
  std::string text = cat(error.message(), "\n", error.where(), "\n");
  for (const auto* part : {&error.details(), &error.causes(), &error.hints()}) text += cat(join(*part, "\n"), "\n");
  return text;
}

void check_plan(const CorpusCase& one, const plan::BuildPlan& plan) {
  CHECK_MESSAGE(one.get("exit").empty(), "a plan was made where an error is expected");
  std::vector<std::string> programs, steps;
  for (const plan::Output& output : plan.outputs) {
    if (output.kind == plan::Output::Kind::program) programs.push_back(output.process);
  }
  for (const plan::Step& step : plan.steps) steps.push_back(step.name);
  const auto agrees = [&](const char* key, const std::string& actual) {
    INFO(key);
    if (one.expected.contains(key)) CHECK(actual == one.get(key));
  };
  CHECK(plan.detector == one.get("detector"));
  CHECK(plan.language == one.get("language"));
  CHECK(words(programs) == one.get("programs"));
  agrees("name", plan.name);
  agrees("default", plan.image.default_process);
  agrees("steps", join(steps, ", "));
  agrees("start", shell_line(plan.image.entrypoint));
}

void check_values(const CorpusCase& one, const plan::BuildPlan& plan) {
  const auto [first, last] = one.expected.equal_range("value");
  for (auto expected = first; expected != last; ++expected) {
    const std::string key = expected->second.substr(0, expected->second.find(" = "));
    const auto value = plan.values.find(key);
    const std::string actual =
        value == plan.values.end() ? "absent" : cat(key, " = ", value->second.value, " (", value->second.source, ")");
    CHECK(actual == expected->second);
  }
}

void check_warnings(const CorpusCase& one, const std::vector<std::string>& warnings) {
  const std::string all = join(warnings, "\n");
  const auto [first, last] = one.expected.equal_range("warns");
  for (auto expected = first; expected != last; ++expected) {
    CHECK_MESSAGE(all.find(expected->second) != std::string::npos, "no warning has `", expected->second, "` in:\n",
                  all);
  }
  if (one.expected.contains("silent")) CHECK(all.empty());
}

void check_error(const CorpusCase& one, const Error& error) {
  CHECK(std::to_string(static_cast<int>(error.exit())) == one.get("exit"));
  CHECK(error.message() == one.get("error"));
  const std::string all = everything_in(error);
  const auto [first, last] = one.expected.equal_range("says");
  for (auto expected = first; expected != last; ++expected) {
    CHECK_MESSAGE(all.find(expected->second) != std::string::npos, "`", expected->second, "` is not in:\n", all);
  }
}

// What `whittle init` writes for a tree changes nothing but where its settings come from.
void check_spelled_out(plan::BuildPlan plan, detectors::Surroundings surroundings) {
  const std::string text = plan::config_text(plan);
  INFO(text);
  const plan::Config config = merged(surroundings.config, plan::parse_config(text, "whittle.toml"));
  const detectors::Surroundings spelled_out{.app = surroundings.app,
                                            .context = surroundings.context,
                                            .app_in_context = surroundings.app_in_context,
                                            .config = config,
                                            .platform = surroundings.platform};
  const detectors::Survey survey = detectors::survey(spelled_out);
  plan::BuildPlan again = detectors::decide(detectors::verdict(survey, spelled_out), spelled_out, {});
  for (plan::BuildPlan* one : {&plan, &again}) {
    one->values.clear();
    one->warnings.clear();
  }
  CHECK(again.canonical() == plan.canonical());
}

void check_case(const CorpusCase& one, const fs::path& root) {
  for (const auto& [key, value] : one.expected) CHECK_MESSAGE(kKeys.contains(key), "unknown key ", key);
  try {
    const Opened opened(one, root);
    const detectors::Surroundings surroundings = opened.surroundings();
    const detectors::Survey survey = detectors::survey(surroundings);
    const plan::BuildPlan plan = detectors::decide(detectors::verdict(survey, surroundings), surroundings, {});
    check_plan(one, plan);
    check_values(one, plan);
    check_spelled_out(plan, surroundings);
    std::vector<std::string> warnings = survey.warnings;
    warnings.insert(warnings.end(), plan.warnings.begin(), plan.warnings.end());
    check_warnings(one, warnings);
  } catch (const Error& error) {
    check_error(one, error);
  }
}

}  // namespace

TEST_CASE("every tree of the corpus is seen for what it is") {
  const std::vector<CorpusCase> cases = test::read_corpus(fs::path(WHITTLE_SOURCE_DIR) / "tests/corpus");
  CHECK(cases.size() >= 80);
  const TemporaryFolder folder(fs::temp_directory_path(), "corpus-");
  for (const CorpusCase& one : cases) {
    CAPTURE(one.name);
    check_case(one, folder.path() / one.name);
  }
}
