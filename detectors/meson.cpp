// Meson: the project is read for its programs, and Meson's own list of targets settles where they lie.
#include <algorithm>

#include "base/text.hpp"
#include "detectors/compilers.hpp"
#include "detectors/detector.hpp"
#include "detectors/meson_project.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

constexpr int kScore = 70;
constexpr std::string_view kOldest = "0.63";  // that knows --prefer-static

bool speaks(const MesonProject& project, std::string_view language) {
  return std::find(project.languages.begin(), project.languages.end(), language) != project.languages.end();
}

struct Choice {
  std::vector<MesonProgram> programs;  // empty: whatever Meson reports
  std::string why;                     // nothing is promised
};

// Installed programs; without any, all that are no tests.
Choice choice_of(const MesonProject& project, const plan::Config& config) {
  Choice choice;
  if (config.targets) {
    for (const std::string& target : config.targets->values) {
      const auto known = std::find_if(project.programs.begin(), project.programs.end(),
                                      [&](const MesonProgram& program) { return program.name == target; });
      choice.programs.push_back(known != project.programs.end()
                                    ? *known
                                    : MesonProgram{.name = target, .source = config.targets->source, .folder = "."});
    }
    return choice;
  }
  std::vector<MesonProgram> others;
  for (const MesonProgram& program : project.programs) {
    if (program.is_installed) {
      choice.programs.push_back(program);
    } else if (!is_test_name(program.name)) {
      others.push_back(program);
    }
  }
  if (choice.programs.empty()) choice.programs = std::move(others);
  const auto uncertain = std::find_if(choice.programs.begin(), choice.programs.end(),
                                      [](const MesonProgram& program) { return !program.is_certain; });
  if (choice.programs.empty()) {
    choice.why = project.unread.empty() ? "no program could be read from meson.build"
                                        : cat("the programs of ", project.unread, " cannot be read");
  } else if (uncertain != choice.programs.end()) {
    choice.why =
        cat("whether ", backticked(uncertain->name), " is built depends on a condition that only Meson can decide");
    choice.programs.clear();
  }
  return choice;
}

plan::Step configure_step(const Surroundings& surroundings, const MesonProject& project) {
  plan::Step step;
  step.name = "configure";
  // A dependency that would have to be downloaded is an error: sources come from the tree.
  step.argv = {"meson",
               "setup",
               "${work}/build",
               source_folder(surroundings),
               "--buildtype=release",
               "--prefer-static",
               "--wrap-mode=nodownload",
               "-Ddefault_library=static"};
  for (const auto& [option, off] : project.dispensable) step.argv.push_back(cat("-D", option, "=", off));
  for (const std::string& argument : build_arguments(surroundings.config)) step.argv.push_back(argument);
  // Flags in the environment reach the languages that the project has, and its own checks.
  step.env = {{"CC", "${cc}"}, {"CFLAGS", "${compile_flags}"}, {"LDFLAGS", "${link_flags}"}};
  if (speaks(project, "cpp")) {
    step.env["CXX"] = "${cxx}";
    step.env["CXXFLAGS"] = "${compile_flags}";
  }
  step.folder = step_folder(surroundings);
  return step;
}

plan::Step build_step(const Surroundings& surroundings, const std::vector<MesonProgram>& programs) {
  plan::Step step;
  step.name = programs.size() == 1 ? cat("compile ", programs.front().name) : "compile";
  step.argv = {"meson", "compile", "-C", "${work}/build", "-j", "${jobs}"};
  // A library may have the name of its program.
  for (const MesonProgram& program : programs) step.argv.push_back(cat(program.name, ":executable"));
  step.folder = step_folder(surroundings);
  step.report = plan::Report::meson_targets;
  step.report_folder = "build";
  return step;
}

void name_application(plan::BuildPlan& plan, const MesonProject& project, const Surroundings& surroundings) {
  if (!project.name.empty()) {
    plan.name = safe_name(project.name);
    plan.values["name"] = {plan.name, cat("meson.build:", project.name_line)};
  } else {
    plan.name = safe_name(surroundings.app.name());
    plan.values["name"] = {plan.name, "inferred from the folder"};
  }
}

void add_outputs(plan::BuildPlan& plan, const Choice& choice) {
  for (const MesonProgram& program : choice.programs) {
    const std::string name = safe_name(program.name);
    plan::Output output;
    output.built = "build/";
    output.installed = cat("/bin/", name);
    output.process = name;
    output.target = program.name;
    plan.outputs.push_back(std::move(output));
    plan.values[cat("program ", name)] = {program.name, program.source};
  }
  if (!choice.programs.empty()) return;
  plan::Output output;
  output.built = "build/";
  output.installed = "/bin/";
  output.target = "*";
  plan.outputs.push_back(std::move(output));
}

std::optional<plan::Detection> detect(const Surroundings& surroundings) {
  const plan::SourceTree& tree = surroundings.app;
  if (!tree.has("meson.build")) return std::nullopt;
  const MesonProject project = read_meson_project(tree);
  const bool has_cpp = speaks(project, "cpp");
  if (!has_cpp && !speaks(project, "c")) {
    throw failure("meson.build", project.name_line,
                  project.languages.empty()
                      ? "the project names no language; whittle builds Meson projects in C and C++"
                      : cat("whittle builds Meson projects in C and C++, not in ", project.languages.front()));
  }
  const Choice choice = choice_of(project, surroundings.config);

  plan::Detection detection{.detector = "meson", .language = has_cpp ? "cpp" : "c", .score = kScore};
  detection.may_have_other_programs = true;
  plan::BuildPlan& plan = detection.plan;
  detection.evidence.push_back({"meson.build", project.name_line, "Meson project"});
  name_application(plan, project, surroundings);
  for (const MesonProgram& program : project.programs) {
    const bool is_chosen = std::any_of(choice.programs.begin(), choice.programs.end(),
                                       [&](const MesonProgram& one) { return one.name == program.name; });
    const bool is_default = is_chosen && (choice.programs.size() == 1 || program.name == plan.name);
    detection.apps.push_back({program.name, program.folder, is_default});
  }

  plan::Tool meson{"meson", cat(">=", kOldest), "it finds static libraries"};
  if (!project.minimum.empty()) {
    meson = {"meson", cat(">=", project.minimum), cat("meson.build:", project.minimum_line)};
    plan.values["meson"] = {project.minimum, meson.source};
  }
  plan.tools = {meson, {"ninja", "", ""}};
  const std::string toolchain = surroundings.config.toolchain ? surroundings.config.toolchain->value : "auto";
  plan.toolchains = toolchains_for(has_cpp ? CLanguage::cpp : CLanguage::c, toolchain, surroundings.platform);
  plan.steps = {configure_step(surroundings, project), build_step(surroundings, choice.programs)};
  add_outputs(plan, choice);
  if (choice.programs.empty())
    detection.warnings.push_back(cat(choice.why, ": the programs will be those that Meson reports"));
  return detection;
}

}  // namespace

extern const Detector kMeson;
const Detector kMeson = {"meson", "c, cpp", "Meson projects", "meson.build", kScore, detect};

}  // namespace whittle::detectors
