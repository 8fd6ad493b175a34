// CMake: the project is read for its programs, and CMake's File API settles where they lie.
#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "detectors/cmake_project.hpp"
#include "detectors/compilers.hpp"
#include "detectors/detector.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

constexpr int kScore = 80;

// Read by every `project()` call. A static program can only use static libraries; the packages that
// ship with CMake have a switch of their own.
constexpr std::string_view kInclude = R"(set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
set(OPENSSL_USE_STATIC_LIBS ON)
set(Boost_USE_STATIC_LIBS ON)
set(ZLIB_USE_STATIC_LIBS ON)
set(Protobuf_USE_STATIC_LIBS ON)
set(CMAKE_LINK_SEARCH_START_STATIC ON)
set(CMAKE_SKIP_RPATH ON)
)";

std::map<std::string, std::string> definitions_of(const plan::Config& config) {
  std::map<std::string, std::string> definitions;
  for (const std::string& argument : build_arguments(config)) {
    const std::size_t equals = argument.find('=');
    if (!argument.starts_with("-D") || equals == std::string::npos) continue;
    definitions[argument.substr(2, std::min(argument.find(':'), equals) - 2)] = argument.substr(equals + 1);
  }
  return definitions;
}

// Installed programs; without any, all that are no tests.
std::vector<CMakeProgram> product_of(const CMakeProject& project) {
  std::vector<CMakeProgram> installed, others;
  for (const CMakeProgram& program : project.programs) {
    if (program.is_installed) {
      installed.push_back(program);
    } else if (!is_test_name(program.target)) {
      others.push_back(program);
    }
  }
  return installed.empty() ? others : installed;
}

struct Choice {
  std::vector<CMakeProgram> programs;  // empty: whatever CMake reports
  std::string why;                     // nothing is promised
};

Choice choice_of(const CMakeProject& project, const plan::Config& config) {
  Choice choice;
  if (config.targets) {
    for (const std::string& target : config.targets->values) {
      const auto known = std::find_if(
          project.programs.begin(), project.programs.end(),
          [&](const CMakeProgram& program) { return program.target == target || program.file_name == target; });
      choice.programs.push_back(known != project.programs.end()
                                    ? *known
                                    : CMakeProgram{target, target, config.targets->source, ".", true, false});
    }
    return choice;
  }
  choice.programs = product_of(project);
  if (choice.programs.empty()) {
    choice.why = project.unread.empty() ? "no program could be read from CMakeLists.txt"
                                        : cat("the programs of ", project.unread, " cannot be read");
  } else if (std::any_of(choice.programs.begin(), choice.programs.end(),
                         [](const auto& program) { return !program.is_certain; })) {
    choice.why = cat("whether ", backticked(choice.programs.front().target),
                     " is built depends on a condition that only CMake can decide");
    choice.programs.clear();
  }
  return choice;
}

plan::Step configure_step(const Surroundings& surroundings, bool is_cpp) {
  plan::Step step;
  step.name = "configure";
  step.argv = {"cmake",
               "-S",
               source_folder(surroundings),
               "-B",
               "${work}/build",
               "-G",
               "Ninja",
               "-DCMAKE_BUILD_TYPE=Release",
               "-DBUILD_SHARED_LIBS=OFF",
               "-DBUILD_TESTING=OFF",
               "-DCMAKE_C_FLAGS=${compile_flags}",
               "-DCMAKE_CXX_FLAGS=${compile_flags}",
               "-DCMAKE_EXE_LINKER_FLAGS=${link_flags}",
               "-DCMAKE_PROJECT_INCLUDE=${work}/whittle.cmake"};
  for (const std::string& argument : build_arguments(surroundings.config)) step.argv.push_back(argument);
  // In the environment a compiler may be several words. A C project that does not say so enables C++ as
  // well; the C compiler passes CMake's test of it.
  step.env = {{"CC", "${cc}"}, {"CXX", is_cpp ? "${cxx}" : "${cc}"}};
  step.folder = step_folder(surroundings);
  step.files = {{"whittle.cmake", std::string(kInclude)}, {"build/.cmake/api/v1/query/codemodel-v2", ""}};
  return step;
}

plan::Step build_step(const Surroundings& surroundings, const std::vector<CMakeProgram>& programs) {
  plan::Step step;
  step.name = programs.size() == 1 ? cat("compile ", programs.front().file_name) : "compile";
  step.argv = {"cmake", "--build", "${work}/build", "--parallel", "${jobs}"};
  if (!programs.empty()) step.argv.push_back("--target");
  for (const CMakeProgram& program : programs) step.argv.push_back(program.target);
  step.folder = step_folder(surroundings);
  step.report = plan::Report::cmake_file_api;
  step.report_folder = "build";
  return step;
}

bool needs_cpp(const plan::SourceTree& tree, const CMakeProject& project) {
  if (!project.enables_cpp) return false;
  const std::vector<std::string> sources = c_sources(tree);
  return std::any_of(sources.begin(), sources.end(), is_cpp);
}

plan::Output output_of(const std::string& target, const std::string& file_name) {
  plan::Output output;
  output.built = "build/";
  output.installed = cat("/bin/", file_name);
  output.process = file_name;
  output.target = target;
  return output;
}

void name_application(plan::BuildPlan& plan, const CMakeProject& project, const Choice& choice,
                      const Surroundings& surroundings) {
  if (!project.name.empty()) {
    plan.name = safe_name(project.name);
    plan.values["name"] = {plan.name, cat("CMakeLists.txt:", project.name_line)};
  } else if (choice.programs.size() == 1) {
    plan.name = safe_name(choice.programs.front().file_name);
    plan.values["name"] = {plan.name, choice.programs.front().source};
  } else {
    plan.name = safe_name(surroundings.app.name());
    plan.values["name"] = {plan.name, "inferred from the folder"};
  }
}

std::optional<plan::Detection> detect(const Surroundings& surroundings) {
  const plan::SourceTree& tree = surroundings.app;
  if (!tree.has("CMakeLists.txt")) return std::nullopt;
  const CMakeProject project = read_cmake_project(tree, definitions_of(surroundings.config));
  const Choice choice = choice_of(project, surroundings.config);
  const bool has_cpp = needs_cpp(tree, project);

  plan::Detection detection{.detector = "cmake", .language = has_cpp ? "cpp" : "c", .score = kScore};
  detection.may_have_other_programs = true;
  plan::BuildPlan& plan = detection.plan;
  detection.evidence.push_back({"CMakeLists.txt", project.name_line, "CMake project"});
  name_application(plan, project, choice, surroundings);
  for (const CMakeProgram& program : project.programs) {
    const bool is_chosen = std::any_of(choice.programs.begin(), choice.programs.end(),
                                       [&](const CMakeProgram& one) { return one.target == program.target; });
    const bool is_default = is_chosen && (choice.programs.size() == 1 || program.file_name == plan.name);
    detection.apps.push_back({program.file_name, program.folder, is_default});
  }

  plan::Tool cmake{"cmake", "", ""};
  if (!project.minimum.empty()) {
    cmake = {"cmake", cat(">=", project.minimum), cat("CMakeLists.txt:", project.minimum_line)};
    plan.values["cmake"] = {project.minimum, cmake.source};
  }
  plan.tools = {cmake, {"ninja", "", ""}};
  const std::string toolchain = surroundings.config.toolchain ? surroundings.config.toolchain->value : "auto";
  plan.toolchains = toolchains_for(has_cpp ? CLanguage::cpp : CLanguage::c, toolchain, surroundings.platform);
  plan.steps = {configure_step(surroundings, has_cpp), build_step(surroundings, choice.programs)};
  for (const CMakeProgram& program : choice.programs) {
    plan.outputs.push_back(output_of(program.target, safe_name(program.file_name)));
    plan.values[cat("program ", safe_name(program.file_name))] = {program.target, program.source};
  }
  if (choice.programs.empty()) {
    plan::Output output = output_of("*", "");
    output.process.clear();
    plan.outputs.push_back(std::move(output));
    detection.warnings.push_back(cat(choice.why, ": the programs will be those that CMake reports"));
  }
  return detection;
}

}  // namespace

extern const Detector kCMake;
const Detector kCMake = {"cmake", "c, cpp", "CMake projects", "CMakeLists.txt", kScore, detect};

}  // namespace whittle::detectors
