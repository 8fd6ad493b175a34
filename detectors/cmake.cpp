// CMake: the project is read for its programs, and CMake's File API settles where they lie.
#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "detectors/cmake_project.hpp"
#include "detectors/detector.hpp"
#include "detectors/installed_data.hpp"
#include "detectors/modules.hpp"
#include "detectors/places.hpp"
#include "detectors/target_platform.hpp"

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
// With its closure a program may use any. Its run path leads to those of the build, without naming this machine's
// folders.
constexpr std::string_view kDynamicInclude = "set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)\n";

std::map<std::string, std::string> definitions_of(const plan::Config& config) {
  std::map<std::string, std::string> definitions;
  for (const std::string& argument : build_arguments(config)) {
    const std::size_t equals = argument.find('=');
    if (!argument.starts_with("-D") || equals == std::string::npos) continue;
    definitions[argument.substr(2, std::min(argument.find(':'), equals) - 2)] = argument.substr(equals + 1);
  }
  return definitions;
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
  if (is_foreign(surroundings)) {
    const std::string processor(target_platform(surroundings.platform).processor);
    // The archiver may be several words, which CMAKE_AR may not.
    step.argv.insert(step.argv.end(), {"-DCMAKE_SYSTEM_NAME=Linux", cat("-DCMAKE_SYSTEM_PROCESSOR=", processor)});
    for (const char* language : {"C", "CXX"}) {
      step.argv.push_back(cat("-DCMAKE_", language, "_ARCHIVE_CREATE=${ar} qc <TARGET> <LINK_FLAGS> <OBJECTS>"));
      step.argv.push_back(cat("-DCMAKE_", language, "_ARCHIVE_APPEND=${ar} q <TARGET> <LINK_FLAGS> <OBJECTS>"));
      step.argv.push_back(cat("-DCMAKE_", language, "_ARCHIVE_FINISH=${ranlib} <TARGET>"));
    }
  }
  for (const std::string& argument : build_arguments(surroundings.config)) step.argv.push_back(argument);
  // In the environment a compiler may be several words. A C project that does not say so enables C++ as
  // well; the C compiler passes CMake's test of it.
  step.env = {{"CC", "${cc}"}, {"CXX", is_cpp ? "${cxx}" : "${cc}"}};
  step.fallbacks = {configured_wrapper(is_cpp), common_symbols()};
  step.fallbacks.back().arguments = {cat("-DCMAKE_C_FLAGS=${compile_flags} ", step.fallbacks.back().name)};
  step.folder = step_folder(surroundings);
  step.files = {{"whittle.cmake", std::string(accepts_libraries(surroundings.config) ? kDynamicInclude : kInclude)},
                {"build/.cmake/api/v1/query/codemodel-v2", ""}};
  return step;
}

plan::Step build_step(const Surroundings& surroundings, const std::vector<CProgram>& programs) {
  plan::Step step;
  step.name = programs.size() == 1 ? cat("compile ", programs.front().file_name) : "compile";
  step.argv = {"cmake", "--build", "${work}/build", "--parallel", "${jobs}"};
  if (!programs.empty()) step.argv.push_back("--target");
  for (const CProgram& program : programs) step.argv.push_back(program.target);
  step.folder = step_folder(surroundings);
  step.report = plan::Report::cmake_file_api;
  step.report_folder = "build";
  return step;
}

// Sources may be above the application's folder, where there may also be others that are not its own.
bool needs_cpp(const Surroundings& surroundings, const CMakeProject& project) {
  if (!project.enables_cpp) return false;
  return has_cpp_source(c_sources(surroundings.app)) ||
         (project.names_languages && has_cpp_source(c_sources(surroundings.context)));
}

void name_after(plan::BuildPlan& plan, const CMakeProject& project, const ProgramChoice& choice,
                const Surroundings& surroundings) {
  const bool is_named = !project.name.empty();
  if (!is_named && choice.programs.size() == 1) {
    return name_application(plan, choice.programs.front().file_name, choice.programs.front().source, surroundings);
  }
  name_application(plan, project.name, cat("CMakeLists.txt:", project.name_line), surroundings);
}

std::optional<plan::Detection> detect(const Surroundings& surroundings) {
  const plan::SourceTree& tree = surroundings.app;
  if (!tree.has("CMakeLists.txt")) return std::nullopt;
  const CMakeProject project = read_cmake_project(tree, definitions_of(surroundings.config));
  const ProgramChoice choice =
      choose_programs(project.programs, surroundings.config, "CMake", "CMakeLists.txt", project.unread);
  const bool has_cpp = needs_cpp(surroundings, project);

  plan::Detection detection{.detector = "cmake", .language = has_cpp ? "cpp" : "c", .score = kScore};
  detection.may_have_other_programs = true;
  plan::BuildPlan& plan = detection.plan;
  detection.evidence.push_back({"CMakeLists.txt", project.name_line, "CMake project"});
  name_after(plan, project, choice, surroundings);
  add_apps(detection, project.programs, choice);

  plan::Tool cmake{"cmake", "", ""};
  if (!project.minimum.empty()) {
    cmake = {"cmake", cat(">=", project.minimum), cat("CMakeLists.txt:", project.minimum_line)};
    plan.values["cmake"] = {project.minimum, cmake.source};
  }
  plan.tools = {cmake, {"ninja", "", ""}};
  add_toolchains(plan, has_cpp, surroundings);
  prefer_host_for(plan, project.libraries);
  require_modules(plan, project.modules, project.programs.size() == 1 && project.unread.empty(), surroundings);
  plan.steps = {configure_step(surroundings, has_cpp), build_step(surroundings, choice.programs)};
  for (const CProgram& program : choice.programs) add_output(plan, "build/", program);
  if (choice.programs.empty()) add_unread_outputs(detection, "build/", choice.why, "that CMake reports");
  if (project.installs_data) add_install_step(plan, plan.steps.back(), {"cmake", "--install", "${work}/build"});
  return detection;
}

}  // namespace

extern const Detector kCMake;
const Detector kCMake = {"cmake", "c, cpp", "CMake projects", "CMakeLists.txt", kScore, detect};

}  // namespace whittle::detectors
