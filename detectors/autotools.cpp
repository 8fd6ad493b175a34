// Autotools: Makefile.am is read for the programs, and the ELF files that appeared settle where they lie.
#include <algorithm>

#include "base/text.hpp"
#include "detectors/autotools_project.hpp"
#include "detectors/compilers.hpp"
#include "detectors/detector.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

constexpr int kScore = 60;

// All flags are words of the compiler: libtool drops `-static` from LDFLAGS, never from CC.
std::string compiler_words(std::string_view compiler) {
  return cat(compiler, " -O2 ${compile_flags} ${link_flags}");
}

plan::Step generate_step(const Surroundings& surroundings) {
  plan::Step step;
  step.name = "generate configure";
  step.argv = {"autoreconf", "--force", "--install"};
  // What only translations and manuals need.
  step.env = {{"AUTOPOINT", "true"}, {"GTKDOCIZE", "true"}};
  step.folder = step_folder(surroundings);
  return step;
}

plan::Step configure_step(const Surroundings& surroundings, const AutotoolsProject& project, bool is_cpp) {
  plan::Step step;
  step.name = "configure";
  step.argv = {"./configure"};
  if (project.is_autoconf) {
    step.argv.insert(step.argv.end(), {"--prefix=/usr", "--disable-shared", "--enable-static", "--disable-nls",
                                       "--disable-dependency-tracking"});
  }
  for (const std::string& argument : build_arguments(surroundings.config)) step.argv.push_back(argument);
  step.env = {{"CC", compiler_words("${cc}")}};
  if (is_cpp) step.env["CXX"] = compiler_words("${cxx}");
  // A clone has the times of its checkout, by which make would run again what the release's author ran.
  if (project.has_configure) {
    for (const char* tool : {"ACLOCAL", "AUTOMAKE", "AUTOCONF", "AUTOHEADER"}) step.env[tool] = "true";
  }
  step.env["MAKEINFO"] = "true";
  step.folder = step_folder(surroundings);
  return step;
}

plan::Step build_step(const Surroundings& surroundings) {
  plan::Step step;
  step.name = "compile";
  // On the command line, since every Makefile sets it.
  step.argv = {"make", "-j${jobs}", "MAKEINFO=true"};
  step.folder = step_folder(surroundings);
  step.report = plan::Report::new_executables;
  return step;
}

std::vector<AutotoolsProgram> chosen_of(const AutotoolsProject& project, const plan::Config& config) {
  if (!config.targets) return project.unread.empty() ? project.programs : std::vector<AutotoolsProgram>{};
  std::vector<AutotoolsProgram> chosen;
  for (const std::string& target : config.targets->values) {
    const auto known = std::find_if(project.programs.begin(), project.programs.end(),
                                    [&](const AutotoolsProgram& program) { return program.name == target; });
    chosen.push_back(known != project.programs.end() ? *known : AutotoolsProgram{target, config.targets->source, "."});
  }
  return chosen;
}

void add_outputs(plan::Detection& detection, const AutotoolsProject& project,
                 const std::vector<AutotoolsProgram>& chosen, const Surroundings& surroundings) {
  plan::BuildPlan& plan = detection.plan;
  for (const AutotoolsProgram& program : chosen) {
    const std::string name = safe_name(program.name);
    plan::Output output;
    output.built = cat(step_folder(surroundings, program.folder), "/");
    output.installed = cat("/bin/", name);
    output.process = name;
    output.target = program.name;
    plan.outputs.push_back(std::move(output));
    plan.values[cat("program ", name)] = {program.name, program.source};
  }
  if (!chosen.empty()) return;
  plan::Output output;
  output.built = cat(step_folder(surroundings), "/");
  output.installed = "/bin/";
  output.target = "*";
  plan.outputs.push_back(std::move(output));
  detection.warnings.push_back(cat(project.unread.empty() ? "no program could be read from a Makefile.am"
                                                          : cat("the programs of ", project.unread, " cannot be read"),
                                   ": the programs will be those that appear"));
}

std::optional<plan::Detection> detect(const Surroundings& surroundings) {
  const plan::SourceTree& tree = surroundings.app;
  const std::optional<AutotoolsProject> project = read_autotools_project(tree);
  const std::vector<std::string> sources = project ? c_sources(tree) : std::vector<std::string>{};
  if (sources.empty()) return std::nullopt;
  const bool has_cpp = std::any_of(sources.begin(), sources.end(), is_cpp);
  const std::vector<AutotoolsProgram> chosen = chosen_of(*project, surroundings.config);

  plan::Detection detection{.detector = "autotools", .language = has_cpp ? "cpp" : "c", .score = kScore};
  detection.may_have_other_programs = true;
  plan::BuildPlan& plan = detection.plan;
  detection.evidence.push_back({project->script, project->name_line, "autotools project"});
  detection.evidence.push_back({sources.front(), 0, "C or C++ source"});
  plan.name = safe_name(project->name.empty() ? surroundings.app.name() : project->name);
  plan.values["name"] = {
      plan.name, project->name.empty() ? "inferred from the folder" : cat(project->script, ":", project->name_line)};
  for (const AutotoolsProgram& program : project->programs) {
    detection.apps.push_back({program.name, program.folder, chosen.size() == 1 || program.name == plan.name});
  }
  if (!project->has_configure) {
    plan.tools = {{"autoreconf", "", ""}, {"automake", "", ""}};
    plan.steps = {generate_step(surroundings)};
  }
  plan.tools.push_back({"make", "", ""});
  const std::string toolchain = surroundings.config.toolchain ? surroundings.config.toolchain->value : "auto";
  plan.toolchains = toolchains_for(has_cpp ? CLanguage::cpp : CLanguage::c, toolchain, surroundings.platform);
  plan.steps.push_back(configure_step(surroundings, *project, has_cpp));
  plan.steps.push_back(build_step(surroundings));
  add_outputs(detection, *project, chosen, surroundings);
  return detection;
}

}  // namespace

extern const Detector kAutotools;
const Detector kAutotools = {"autotools",    "c, cpp", "autotools projects, also without a generated configure",
                             "configure.ac", kScore,   detect};

}  // namespace whittle::detectors
