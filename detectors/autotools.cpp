// Autotools: Makefile.am is read for the programs, and the ELF files that appeared settle where they lie.
#include "base/text.hpp"
#include "detectors/autotools_project.hpp"
#include "detectors/detector.hpp"
#include "detectors/installed_data.hpp"
#include "detectors/modules.hpp"
#include "detectors/places.hpp"
#include "detectors/target_platform.hpp"

namespace whittle::detectors {

namespace {

constexpr int kScore = 60;

plan::Step generate_step(const Surroundings& surroundings) {
  plan::Step step;
  step.name = "generate configure";
  step.argv = {"autoreconf", "--force", "--install"};
  // What only translations and manuals need.
  step.env = {{"AUTOPOINT", "true"}, {"GTKDOCIZE", "true"}};
  step.folder = step_folder(surroundings);
  return step;
}

// When the archives of an optional library are not complete, the program is made without it.
std::vector<plan::Fallback> fallbacks_of_configure(const AutotoolsProject& project) {
  std::vector<plan::Fallback> fallbacks;
  for (const std::string& option : project.optional) {
    const std::string name = option.substr(option.find('-', 2) + 1);
    const std::string stem = name.starts_with("lib") ? name.substr(3) : name;
    plan::Fallback fallback;
    fallback.name = option;
    fallback.arguments = {option};
    fallback.signs = {cat("cannot find -l", stem, "\n"), cat("cannot find -l", stem, ":"), cat("lib", stem, ".a("),
                      // A script that ends with the options that would have helped.
                      cat("  ", option, "\n")};
    fallback.warning = cat("built with ", backticked(option), ": the static libraries of ", backticked(name),
                           " are not complete on this host");
    fallbacks.push_back(std::move(fallback));
  }
  return fallbacks;
}

plan::Step configure_step(const Surroundings& surroundings, const AutotoolsProject& project, bool is_cpp) {
  plan::Step step;
  step.name = "configure";
  step.argv = {"./configure"};
  if (project.is_autoconf) {
    step.argv.insert(step.argv.end(), {"--prefix=/usr", "--disable-shared", "--enable-static", "--disable-nls",
                                       "--disable-dependency-tracking"});
  }
  if (is_foreign(surroundings)) {
    step.argv.push_back(cat("--build=", target_platform(surroundings.host).gnu));
    step.argv.push_back(cat("--host=", target_platform(surroundings.platform).gnu));
    step.env = {{"AR", "${ar}"}, {"RANLIB", "${ranlib}"}, {"STRIP", "true"}};
  }
  for (const std::string& argument : build_arguments(surroundings.config)) step.argv.push_back(argument);
  // libtool drops `-static` from LDFLAGS, never from CC.
  step.env["CC"] = compiler_words("${cc}");
  if (is_cpp) step.env["CXX"] = compiler_words("${cxx}");
  // A clone has the times of its checkout, by which make would run again what the release's author ran.
  if (project.has_configure) {
    for (const char* tool : {"ACLOCAL", "AUTOMAKE", "AUTOCONF", "AUTOHEADER"}) step.env[tool] = "true";
  }
  step.env["MAKEINFO"] = "true";
  step.folder = step_folder(surroundings);
  step.fallbacks = fallbacks_of_configure(project);
  step.fallbacks.push_back(configured_wrapper(is_cpp));
  // A script of the project's own may want a compiler that is one word, and says so in words of its own.
  if (!project.is_autoconf) step.fallbacks.back().signs.clear();
  plan::Fallback common = common_symbols();
  common.env = {{"CC", cat(compiler_words("${cc}"), " ", common.name)}};
  step.fallbacks.push_back(std::move(common));
  return step;
}

plan::Step build_step(const Surroundings& surroundings, bool is_cpp) {
  plan::Step step;
  step.name = "compile";
  // On the command line, since every Makefile sets it.
  step.argv = {"make", "-j${jobs}", "MAKEINFO=true"};
  step.folder = step_folder(surroundings);
  step.report = plan::Report::new_executables;
  step.fallbacks = make_fallbacks();
  step.fallbacks.push_back(compiler_wrapper(is_cpp, {"dynamically linked"}));
  return step;
}

std::optional<plan::Detection> detect(const Surroundings& surroundings) {
  const plan::SourceTree& tree = surroundings.app;
  const std::optional<AutotoolsProject> project = read_autotools_project(tree);
  const std::vector<std::string> sources = project ? c_sources(tree) : std::vector<std::string>{};
  if (sources.empty()) return std::nullopt;
  const bool has_cpp = has_cpp_source(sources);
  // With a list that cannot be read, those that can are not all.
  const bool is_known = project->unread.empty() || surroundings.config.targets;
  const ProgramChoice choice = choose_programs(is_known ? project->programs : std::vector<CProgram>{},
                                               surroundings.config, "configure", "a Makefile.am", project->unread);

  plan::Detection detection{.detector = "autotools", .language = has_cpp ? "cpp" : "c", .score = kScore};
  detection.may_have_other_programs = true;
  plan::BuildPlan& plan = detection.plan;
  detection.evidence.push_back({project->script, project->name_line, "autotools project"});
  detection.evidence.push_back({sources.front(), 0, "C or C++ source"});
  name_application(plan, project->name, cat(project->script, ":", project->name_line), surroundings);
  for (const CProgram& program : project->programs) {
    detection.apps.push_back(
        {program.target, program.folder, choice.programs.size() == 1 || program.target == plan.name});
  }
  if (!project->has_configure) {
    plan.tools = {{"autoreconf", "", ""}, {"automake", "", ""}};
    plan.steps = {generate_step(surroundings)};
  }
  plan.tools.push_back({"make", "", ""});
  add_toolchains(plan, has_cpp, surroundings);
  prefer_host_for(plan, project->libraries);
  require_modules(plan, project->modules, project->programs.size() == 1 && project->unread.empty(), surroundings);
  plan.steps.push_back(configure_step(surroundings, *project, has_cpp));
  plan.steps.push_back(build_step(surroundings, has_cpp));
  for (const CProgram& program : choice.programs) {
    add_output(plan, cat(step_folder(surroundings, program.folder), "/"), program);
  }
  if (choice.programs.empty()) {
    add_unread_outputs(detection, cat(step_folder(surroundings), "/"), choice.why, "that appear");
  }
  if (project->installs_data || project->makes_links) {
    add_install_step(
        plan, plan.steps.back(),
        {"make", project->makes_links ? "install" : "install-data", "DESTDIR=${work}/install", "MAKEINFO=true"});
  }
  return detection;
}

}  // namespace

extern const Detector kAutotools;
const Detector kAutotools = {"autotools",    "c, cpp", "autotools projects, also without a generated configure",
                             "configure.ac", kScore,   detect};

}  // namespace whittle::detectors
