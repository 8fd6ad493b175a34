// Meson: the project is read for its programs, and Meson's own list of targets settles where they lie.
#include <algorithm>

#include "base/text.hpp"
#include "detectors/detector.hpp"
#include "detectors/installed_data.hpp"
#include "detectors/meson_project.hpp"
#include "detectors/modules.hpp"
#include "detectors/places.hpp"
#include "detectors/target_platform.hpp"

namespace whittle::detectors {

namespace {

constexpr int kScore = 70;
constexpr std::string_view kOldest = "0.63";  // that knows --prefer-static

bool speaks(const MesonProject& project, std::string_view language) {
  return std::find(project.languages.begin(), project.languages.end(), language) != project.languages.end();
}

// Compilers are given by the environment, which is the target's once there is a cross file.
std::string cross_file(const TargetPlatform& target) {
  return cat("[host_machine]\nsystem = 'linux'\ncpu_family = '", target.meson_family, "'\ncpu = '", target.processor,
             "'\nendian = 'little'\n");
}

// zig's linker reads no thin archives, and Meson makes them where it can.
constexpr std::string_view kArchiver =
    "#!/bin/sh\nwhat=$(printf %s \"$1\" | tr -d T)\nshift\nexec ${ar} \"$what\" \"$@\"\n";

// zig's linker is LLD, and only Meson 1.6 knows it by its own name.
std::string compiler_that_names_its_linker(std::string_view compiler) {
  return cat("#!/bin/sh\ncase \" $* \" in *\" -Wl,--version \"*) ", compiler,
             " \"$@\" | sed 's/^zig ld/LLD/'; exit ;; esac\nexec ", compiler, " \"$@\"\n");
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
  if (accepts_libraries(surroundings.config)) std::erase(step.argv, "--prefer-static");
  for (const auto& [option, off] : project.dispensable) step.argv.push_back(cat("-D", option, "=", off));
  for (const std::string& argument : build_arguments(surroundings.config)) step.argv.push_back(argument);
  // Flags in the environment reach the languages that the project has, and its own checks.
  step.env = {{"CC", "${cc}"}, {"CFLAGS", "${compile_flags}"}, {"LDFLAGS", "${link_flags}"}};
  if (speaks(project, "cpp")) {
    step.env["CXX"] = "${cxx}";
    step.env["CXXFLAGS"] = "${compile_flags}";
  }
  step.folder = step_folder(surroundings);
  if (is_foreign(surroundings)) {
    step.argv.insert(step.argv.end(), {"--cross-file", "${work}/platform.ini"});
    step.env["AR"] = "${work}/compilers/ar";
    step.env["CC"] = "${work}/compilers/cc";
    step.files = {{"platform.ini", cross_file(target_platform(surroundings.platform))},
                  {"compilers/ar", std::string(kArchiver)},
                  {"compilers/cc", compiler_that_names_its_linker("${cc}")}};
    if (speaks(project, "cpp")) {
      step.env["CXX"] = "${work}/compilers/c++";
      step.files["compilers/c++"] = compiler_that_names_its_linker("${cxx}");
    }
  }
  return step;
}

// `meson install` wants every target to be built and runs the project's scripts. Meson's list has all places; what is
// not there was not built.
constexpr std::string_view kInstall = R"py(import json, os, shutil, sys

build, root = sys.argv[1:]


def copy(source, place):
    if os.path.isdir(source) and not os.path.islink(source):
        os.makedirs(place, exist_ok=True)
        for name in sorted(os.listdir(source)):
            copy(os.path.join(source, name), os.path.join(place, name))
    elif os.path.lexists(source) and not os.path.lexists(place):
        os.makedirs(os.path.dirname(place), exist_ok=True)
        shutil.copy2(source, place, follow_symlinks=False)


with open(os.path.join(build, "meson-info", "intro-installed.json")) as file:
    places = json.load(file)
for source, place in sorted(places.items()):
    if os.path.isabs(source):
        copy(source, root + place)
)py";

void install_data(plan::BuildPlan& plan) {
  add_install_step(plan, plan.steps.back(),
                   {"meson", "runpython", "${work}/install-data.py", "${work}/build", cat("${work}/", kInstallFolder)});
  plan.steps.back().files = {{"install-data.py", std::string(kInstall)}};
}

plan::Step build_step(const Surroundings& surroundings, const std::vector<CProgram>& programs) {
  plan::Step step;
  step.name = programs.size() == 1 ? cat("compile ", programs.front().target) : "compile";
  step.argv = {"meson", "compile", "-C", "${work}/build", "-j", "${jobs}"};
  // A library may have the name of its program.
  for (const CProgram& program : programs) step.argv.push_back(cat(program.target, ":executable"));
  step.folder = step_folder(surroundings);
  step.report = plan::Report::meson_targets;
  step.report_folder = "build";
  return step;
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
  const ProgramChoice choice =
      choose_programs(project.programs, surroundings.config, "Meson", "meson.build", project.unread);

  plan::Detection detection{.detector = "meson", .language = has_cpp ? "cpp" : "c", .score = kScore};
  detection.may_have_other_programs = true;
  plan::BuildPlan& plan = detection.plan;
  detection.evidence.push_back({"meson.build", project.name_line, "Meson project"});
  name_application(plan, project.name, cat("meson.build:", project.name_line), surroundings);
  add_apps(detection, project.programs, choice);

  plan::Tool meson{"meson", cat(">=", kOldest), "it finds static libraries"};
  if (!project.minimum.empty()) {
    meson = {"meson", cat(">=", project.minimum), cat("meson.build:", project.minimum_line)};
    plan.values["meson"] = {project.minimum, meson.source};
  }
  plan.tools = {meson, {"ninja", "", ""}};
  add_toolchains(plan, has_cpp, surroundings);
  prefer_host_for(plan, project.libraries);
  // One program that is not cut into libraries links all that its project asks for.
  const bool is_one = project.programs.size() == 1 && project.unread.empty() && !project.makes_shared_libraries;
  require_modules(plan, project.modules, is_one, surroundings);
  plan.steps = {configure_step(surroundings, project), build_step(surroundings, choice.programs)};
  for (const CProgram& program : choice.programs) add_output(plan, "build/", program);
  if (choice.programs.empty()) add_unread_outputs(detection, "build/", choice.why, "that Meson reports");
  if (project.installs_data) install_data(plan);
  return detection;
}

}  // namespace

extern const Detector kMeson;
const Detector kMeson = {"meson", "c, cpp", "Meson projects", "meson.build", kScore, detect};

}  // namespace whittle::detectors
