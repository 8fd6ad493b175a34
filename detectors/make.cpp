// Make: the Makefile is read for its programs, and the ELF files that appeared settle where they lie.
#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "detectors/c_project.hpp"
#include "detectors/detector.hpp"
#include "detectors/installed_data.hpp"
#include "detectors/makefile.hpp"
#include "detectors/modules.hpp"
#include "detectors/places.hpp"
#include "detectors/target_platform.hpp"

namespace whittle::detectors {

namespace {

constexpr int kScore = 40;

constexpr std::array<std::string_view, 3> kFoundByMake = {"GNUmakefile", "makefile", "Makefile"};
// Of programs for many systems; make is run at the root.
constexpr std::array<std::string_view, 6> kOfSystem = {"linux/Makefile", "unix/Makefile",  "Makefile.linux",
                                                       "Makefile.unix",  "makefile.linux", "makefile.unix"};

std::optional<std::string> makefile_of(const plan::SourceTree& tree) {
  for (const std::string_view name : kFoundByMake) {
    if (tree.has(name)) return std::string(name);
  }
  for (const std::string_view name : kOfSystem) {
    if (tree.has(name)) return std::string(name);
  }
  return std::nullopt;
}

bool is_found_by_make(std::string_view makefile) {
  return std::find(kFoundByMake.begin(), kFoundByMake.end(), makefile) != kFoundByMake.end();
}

// Beside the manifest of another language a Makefile is a task runner, whatever C there may be.
bool is_task_runner(const plan::SourceTree& tree) {
  for (const char* manifest :
       {"package.json", "pyproject.toml", "setup.py", "pom.xml", "build.gradle", "build.gradle.kts", "Gemfile",
        "composer.json", "mix.exs", "build.zig", "Package.swift", "pubspec.yaml"}) {
    if (tree.has(manifest)) return true;
  }
  return false;
}

std::map<std::string, std::string> definitions_of(const plan::Config& config) {
  std::map<std::string, std::string> definitions;
  for (const std::string& argument : build_arguments(config)) {
    const std::size_t equals = argument.find('=');
    if (!argument.starts_with('-') && equals != std::string::npos)
      definitions[argument.substr(0, equals)] = argument.substr(equals + 1);
  }
  return definitions;
}

std::vector<MakeProgram> chosen_of(const MakeProject& project, const plan::Config& config) {
  std::vector<MakeProgram> chosen;
  if (config.targets) {
    for (const std::string& target : config.targets->values) {
      const auto known = std::find_if(
          project.programs.begin(), project.programs.end(),
          [&](const MakeProgram& program) { return program.path == target || last_part(program.path) == target; });
      chosen.push_back(known != project.programs.end() ? *known : MakeProgram{target, config.targets->source, true});
    }
    return chosen;
  }
  for (const MakeProgram& program : project.programs) {
    if (!is_test_name(last_part(program.path)) && !is_aside(program.path)) chosen.push_back(program);
  }
  return chosen;
}

std::vector<std::string> goals_of(const std::vector<MakeProgram>& programs) {
  std::vector<std::string> goals;
  for (const MakeProgram& program : programs) {
    if (!program.is_target) return {};
    goals.push_back(program.path);
  }
  return goals;
}

// All flags are words of CC and CXX. Given as CFLAGS and LDFLAGS on the command line they would replace the
// Makefile's own `-I` and `-L`; in the environment a Makefile that sets these variables would not see them.
std::vector<std::string> compilers_of(const MakeProject& project, bool is_cpp) {
  std::vector<std::string> words = {cat("CC=", compiler_words("${cc}"))};
  if (is_cpp) words.push_back(cat("CXX=", compiler_words("${cxx}")));
  if (project.linker.empty()) return words;
  words.push_back(cat("LD=", compiler_words(project.linker.ends_with("++") && is_cpp ? "${cxx}" : "${cc}")));
  return words;
}

std::vector<std::string> make_command(const MakeProject& project, const std::string& makefile) {
  std::vector<std::string> argv = {project.is_for_bsd ? "bmake" : "make"};
  if (!is_found_by_make(makefile)) argv.insert(argv.end(), {"-f", makefile});
  return argv;
}

plan::Step compile_step(const Surroundings& surroundings, const MakeProject& project, const std::string& makefile,
                        const std::vector<MakeProgram>& programs, bool is_cpp) {
  plan::Step step;
  step.name = programs.size() == 1 ? cat("compile ", last_part(programs.front().path)) : "compile";
  // A goal that finds out about the system comes before its programs.
  const std::vector<std::string> goals =
      project.generic_goal.empty() ? goals_of(programs) : std::vector<std::string>{project.generic_goal};
  const auto command = [&](const std::vector<std::string>& compilers, const std::vector<std::string>& wanted) {
    std::vector<std::string> argv = make_command(project, makefile);
    argv.insert(argv.begin() + 1, "-j${jobs}");
    if (is_foreign(surroundings)) argv.insert(argv.end(), {"AR=${ar}", "RANLIB=${ranlib}", "STRIP=true"});
    for (const auto& words : {compilers, build_arguments(surroundings.config), wanted}) {
      argv.insert(argv.end(), words.begin(), words.end());
    }
    return argv;
  };
  step.env = {{"MAKEINFO", "true"}};
  step.folder = step_folder(surroundings);
  step.report = plan::Report::new_executables;
  step.fallbacks = make_fallbacks();

  plan::Fallback wrapper = compiler_wrapper(
      is_cpp, {"dynamically linked", "did not make the program", "undefined reference", "cannot find"});
  std::vector<std::string> compilers = compilers_of(project, is_cpp);
  if (project.calls_by_name()) {
    compilers.clear();
    step.env.insert(wrapper.env.begin(), wrapper.env.end());
    step.files = wrapper.files;
  } else {
    wrapper.argv = command({}, goals);
    step.fallbacks.push_back(std::move(wrapper));
  }
  step.argv = command(compilers, goals);
  if (!compilers.empty()) {
    plan::Fallback common = common_symbols();
    std::vector<std::string> words = compilers;
    words.front() += cat(" ", common.name);
    common.argv = command(words, goals);
    step.fallbacks.push_back(std::move(common));
  }
  if (!goals.empty()) {
    plan::Fallback all;
    all.name = "the default goal";
    all.signs = {"undeclared",   "No rule to make target",  "did not make the program", "implicit declaration",
                 "can't create", "cannot open output file", "Directory nonexistent"};
    all.argv = command(compilers, {});
    step.fallbacks.push_back(std::move(all));
  }
  return step;
}

std::optional<plan::Detection> detect(const Surroundings& surroundings) {
  const plan::SourceTree& tree = surroundings.app;
  const std::optional<std::string> makefile = makefile_of(tree);
  const std::vector<std::string> sources = makefile ? c_sources(tree) : std::vector<std::string>{};
  if (sources.empty() || is_task_runner(tree)) return std::nullopt;
  const bool has_cpp = has_cpp_source(sources);
  const MakeProject project = read_makefile(tree, *makefile, definitions_of(surroundings.config));
  const std::vector<MakeProgram> chosen = chosen_of(project, surroundings.config);

  plan::Detection detection{.detector = "make", .language = has_cpp ? "cpp" : "c", .score = kScore};
  detection.may_have_other_programs = true;
  plan::BuildPlan& plan = detection.plan;
  detection.evidence.push_back({*makefile, 0, "Makefile"});
  detection.evidence.push_back({sources.front(), 0, "C or C++ source"});
  const bool is_alone = chosen.size() == 1;
  plan.name = safe_name(is_alone ? last_part(chosen.front().path) : surroundings.app.name());
  plan.values["name"] = {plan.name, is_alone ? chosen.front().source : "inferred from the folder"};
  plan.tools = {{project.is_for_bsd ? "bmake" : "make", "", ""}};
  add_toolchains(plan, has_cpp, surroundings);
  prefer_host_for(plan, project.libraries);
  if (project.programs.size() == 1) require_modules(plan, project.modules, true, surroundings);
  plan.steps = {compile_step(surroundings, project, *makefile, chosen, has_cpp)};
  for (const MakeProgram& program : project.programs) {
    const std::string name = safe_name(last_part(program.path));
    detection.apps.push_back({name, folder_of(program.path), is_alone || name == plan.name});
  }
  for (const MakeProgram& program : chosen) {
    const std::string name = last_part(program.path);
    add_output(plan, cat(step_folder(surroundings, folder_of(program.path)), "/"),
               {.target = name, .file_name = name, .source = program.source, .folder = folder_of(program.path)});
    plan.values[cat("program ", safe_name(name))] = {program.path, program.source};
  }
  if (chosen.empty()) {
    add_unread_outputs(detection, cat(step_folder(surroundings), "/"), cat("no program could be read from ", *makefile),
                       "that appear");
  }
  if (project.installs_data) {
    std::vector<std::string> argv = make_command(project, *makefile);
    argv.insert(argv.end(), {"install", "DESTDIR=${work}/install"});
    if (!project.calls_by_name()) {
      for (std::string& word : compilers_of(project, has_cpp)) argv.push_back(std::move(word));
    }
    for (const std::string& argument : build_arguments(surroundings.config)) argv.push_back(argument);
    add_install_step(plan, plan.steps.back(), std::move(argv));
  }
  return detection;
}

}  // namespace

extern const Detector kMake;
const Detector kMake = {"make", "c, cpp", "Makefiles with C or C++", "Makefile", kScore, detect};

}  // namespace whittle::detectors
