// Zig: build.zig is read for the programs that it installs, and what appears in the prefix settles them. Without a
// build.zig, the files with a main.
#include <algorithm>

#include "base/text.hpp"
#include "detectors/detector.hpp"
#include "detectors/downloads.hpp"
#include "detectors/places.hpp"
#include "detectors/target_platform.hpp"
#include "detectors/zig_project.hpp"

namespace whittle::detectors {

namespace {

constexpr int kScore = 100;
constexpr int kScoreBesideC = 50;  // build.zig is how some C projects are built too
constexpr int kScoreOfFiles = 20;

plan::Tool zig_tool(const plan::SourceTree& tree, plan::BuildPlan& plan) {
  const ZigVersion version = zig_version(tree);
  plan::Tool tool{"zig", "", ""};
  if (!version.minimum.value.empty()) {
    tool.constraint = cat(">=", version.minimum.value);
    tool.source = version.minimum.source;
    plan.values["zig"] = version.minimum;
  }
  if (!version.pin.value.empty()) {
    tool.pin = version.pin.value;
    tool.pin_source = version.pin.source;
    plan.values.emplace("zig", version.pin);
  }
  for (const std::string& known : known_zig_versions()) {
    for (plan::Download& download : zig_downloads(known)) tool.downloads.push_back(std::move(download));
  }
  return tool;
}

std::map<std::string, std::string> environment() {
  return {{"ZIG_GLOBAL_CACHE_DIR", "${cache:zig}"}, {"ZIG_LOCAL_CACHE_DIR", "${keep}/zig"}};
}

std::vector<std::string> target_options(const Surroundings& surroundings, std::string_view target,
                                        std::string_view cpu) {
  return {cat(target, target_platform(surroundings.platform).zig), cat(cpu, "baseline")};
}

plan::Step fetch_step(const Surroundings& surroundings) {
  plan::Step step;
  step.name = "fetch packages";
  step.argv = {"${tool:zig}", "build", "--fetch"};
  step.env = environment();
  step.folder = step_folder(surroundings);
  step.inputs = {"**/build.zig", "**/build.zig.zon"};
  step.network = true;
  return step;
}

// `--release` reaches projects that leave the mode open, and those that prefer one.
plan::Step build_step(const Surroundings& surroundings, const ZigProject& project) {
  plan::Step step;
  step.name = project.programs.size() == 1 ? cat("compile ", project.programs.front().target) : "compile";
  step.argv = {"${tool:zig}", "build", "--release=safe", "--prefix", "${work}/out", "-j${jobs}"};
  if (project.has_target) {
    for (std::string& option : target_options(surroundings, "-Dtarget=", "-Dcpu="))
      step.argv.push_back(std::move(option));
  }
  for (const std::string& argument : build_arguments(surroundings.config)) step.argv.push_back(argument);
  step.env = environment();
  step.folder = step_folder(surroundings);
  step.report = plan::Report::new_executables;
  return step;
}

std::optional<plan::Detection> detect_project(const Surroundings& surroundings) {
  const plan::SourceTree& tree = surroundings.app;
  const ZigProject project = read_zig_project(tree);
  const bool is_in_zig = tree.glob("**/*.zig").size() > 1;
  if (!is_in_zig && project.programs.empty() && project.unread.empty()) return std::nullopt;
  const ProgramChoice choice = choose_programs(
      project.unread.empty() || surroundings.config.targets ? project.programs : std::vector<CProgram>{},
      surroundings.config, "zig", "build.zig", project.unread);

  plan::Detection detection{.detector = "zig", .language = "zig", .score = is_in_zig ? kScore : kScoreBesideC};
  detection.may_have_other_programs = true;
  detection.evidence.push_back({"build.zig", 1, "Zig project"});
  plan::BuildPlan& plan = detection.plan;
  if (project.name.empty() && choice.programs.size() == 1) {
    name_application(plan, choice.programs.front().file_name, choice.programs.front().source, surroundings);
  } else {
    name_application(plan, project.name, cat("build.zig.zon:", project.name_line), surroundings);
  }
  add_apps(detection, project.programs, choice);
  plan.tools = {zig_tool(tree, plan)};
  if (project.has_dependencies) plan.steps.push_back(fetch_step(surroundings));
  plan.steps.push_back(build_step(surroundings, project));
  for (const CProgram& program : choice.programs) add_output(plan, "out/bin/", program);
  if (choice.programs.empty()) add_unread_outputs(detection, "out/bin/", choice.why, "that zig installs");
  if (!project.has_target) {
    detection.warnings.push_back(
        "build.zig takes no target (`standardTargetOptions`): the program is built for the machine that builds it");
  }
  return detection;
}

struct Main {
  std::string path;
  int line = 0;
};

std::vector<Main> mains_of(const plan::SourceTree& tree) {
  std::vector<Main> mains;
  for (const char* pattern : {"*.zig", "src/*.zig"}) {
    for (const std::string& path : tree.glob(pattern)) {
      const int line = is_utf8(path) ? line_of_zig_main(tree.read(path)) : 0;
      if (line > 0) mains.push_back({path, line});
    }
    if (!mains.empty()) break;
  }
  const auto main =
      std::find_if(mains.begin(), mains.end(), [](const Main& one) { return stem_of(one.path) == "main"; });
  if (main != mains.end()) return {*main};
  return mains;
}

plan::Step compile_step(const Surroundings& surroundings, const std::string& name, const std::string& path) {
  plan::Step step;
  step.name = cat("compile ", name);
  step.argv = {"${tool:zig}", "build-exe", "-OReleaseSafe", "-fstrip", "-fPIE"};
  step.argv.insert(step.argv.end(),
                   {"-target", std::string(target_platform(surroundings.platform).zig), "-mcpu=baseline"});
  for (const std::string& argument : build_arguments(surroundings.config)) step.argv.push_back(argument);
  step.argv.insert(step.argv.end(),
                   {cat("-femit-bin=${work}/out/", name), path.starts_with('-') ? cat("./", path) : path});
  step.env = environment();
  step.folder = step_folder(surroundings);
  step.outputs = {cat("out/", name)};
  return step;
}

std::optional<plan::Detection> detect_files(const Surroundings& surroundings) {
  const std::vector<Main> mains = mains_of(surroundings.app);
  if (mains.empty() || mains.size() > 20) return std::nullopt;
  plan::Detection detection{.detector = "zig", .language = "zig", .score = kScoreOfFiles};
  plan::BuildPlan& plan = detection.plan;
  plan.leaves_source_alone = true;
  plan.tools = {zig_tool(surroundings.app, plan)};
  for (const Main& main : mains) {
    const std::string stem = stem_of(main.path), place = cat(main.path, ":", main.line);
    const CProgram program{.target = {},
                           .file_name = safe_name(stem == "main" ? surroundings.app.name() : stem),
                           .source = place,
                           .folder = folder_of(main.path)};
    detection.evidence.push_back({main.path, main.line, "a Zig file with a main, and no build.zig"});
    detection.apps.push_back({program.file_name, program.folder, mains.size() == 1});
    if (!is_wanted(surroundings.config, program.file_name, main.path)) continue;
    plan.steps.push_back(compile_step(surroundings, program.file_name, main.path));
    add_output(plan, cat("out/", program.file_name), program);
    plan.values[cat("program ", program.file_name)] = {program.file_name, place};
  }
  const bool is_named = mains.size() == 1 && stem_of(mains.front().path) != "main";
  name_application(plan, is_named ? stem_of(mains.front().path) : "", cat(mains.front().path, ":", mains.front().line),
                   surroundings);
  return detection;
}

std::optional<plan::Detection> detect(const Surroundings& surroundings) {
  return surroundings.app.has("build.zig") ? detect_project(surroundings) : detect_files(surroundings);
}

}  // namespace

extern const Detector kZig;
const Detector kZig = {"zig",  "zig", "Zig projects, and Zig files without a build.zig", "build.zig, *.zig",
                       kScore, detect};

}  // namespace whittle::detectors
