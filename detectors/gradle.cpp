// Java and Kotlin that Gradle builds.
#include <algorithm>

#include "base/text.hpp"
#include "detectors/gradle_project.hpp"
#include "detectors/java_image.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

constexpr int kScore = 100;
constexpr std::string_view kLibraries = "build/whittle/lib";

// A task for the jars that a program needs beside its own; old and new versions of Gradle understand it.
constexpr std::string_view kScript = R"(allprojects { one ->
  one.tasks.withType(AbstractArchiveTask) {
    preserveFileTimestamps = false
    reproducibleFileOrder = true
  }
  one.afterEvaluate {
    if (one.plugins.hasPlugin('java')) {
      one.tasks.create('whittleLibraries', Copy) {
        from one.configurations.runtimeClasspath
        into new File(one.projectDir, 'build/whittle/lib')
      }
    }
  }
}
)";

std::string task(const GradleProject& project, const JavaProgram& program, std::string_view name) {
  std::string path = program.module.folder == project.top ? "" : program.module.folder;
  if (project.top != "." && path.starts_with(project.top)) path = path.substr(project.top.size() + 1);
  std::replace(path.begin(), path.end(), '/', ':');
  return path.empty() ? cat(":", name) : cat(":", path, ":", name);
}

plan::Step gradle_step(const GradleProject& project, const std::vector<JavaProgram>& programs, bool is_offline,
                       const Surroundings& surroundings) {
  plan::Step step;
  step.name = is_offline ? "compile" : "fetch dependencies";
  step.argv = {"gradle",          "--no-daemon",   "--console=plain",       "--gradle-user-home",
               "${cache:gradle}", "--init-script", "${work}/whittle.gradle"};
  if (is_offline) step.argv.emplace_back("--offline");
  for (const std::string& argument : build_arguments(surroundings.config)) step.argv.push_back(argument);
  for (const JavaProgram& program : programs) {
    for (const char* name : {"clean", "assemble", "whittleLibraries"}) {
      step.argv.push_back(task(project, program, name));
    }
  }
  step.files = {{"whittle.gradle", std::string(kScript)}};
  step.env = {{"JAVA_HOME", "${home:javac}"}};
  step.folder = joined("src", project.top);
  if (!is_offline) {
    step.network = true;
    step.inputs = {"**/*.gradle",   "**/*.gradle.kts", "**/gradle.properties",
                   "**/*.lockfile", "**/gradle/**",    "buildSrc/**"};
  }
  return step;
}

std::vector<JavaProgram> wanted(std::vector<JavaProgram> programs, const Surroundings& surroundings) {
  std::erase_if(programs, [&](const JavaProgram& program) {
    return !is_wanted(surroundings.config, program.module.name, from_application(surroundings, program.module.folder));
  });
  return programs;
}

std::optional<plan::Value> version_of(const std::vector<JavaProgram>& programs) {
  for (const JavaProgram& program : programs) {
    if (program.module.java_version) return program.module.java_version;
  }
  return std::nullopt;
}

std::optional<plan::Detection> detect(const Surroundings& surroundings) {
  if (!has_gradle_build(surroundings.app, ".")) return std::nullopt;
  refuse_foreign_java(surroundings);
  const GradleProject project = read_gradle_project(surroundings);
  const std::vector<JavaProgram> all = programs_of(project.modules, surroundings);
  const std::vector<JavaProgram> programs = wanted(all, surroundings);

  plan::Detection detection{.detector = "gradle", .language = "java", .score = kScore};
  detection.evidence.push_back({project.modules.front().file, 0, "build file"});
  add_programs(detection, all, project.name, surroundings);
  plan::BuildPlan& plan = detection.plan;
  plan.name = safe_name(project.name);
  plan.values["name"] = {plan.name, project.modules.front().file};
  add_java_tools(plan, project.exact_java ? project.exact_java : version_of(programs), surroundings,
                 project.exact_java.has_value());
  plan::Tool gradle{"gradle", "", ""};
  add_wrapper(gradle, joined(project.top, "gradle/wrapper/gradle-wrapper.properties"), "gradle-", surroundings);
  plan.tools.push_back(std::move(gradle));
  plan.steps = {assembler_step(), gradle_step(project, programs, false, surroundings),
                gradle_step(project, programs, true, surroundings)};
  std::vector<JavaApplication> applications;
  for (const JavaProgram& program : programs) {
    const std::string folder = joined("src", program.module.folder);
    const bool is_quarkus = program.module.packaging == "quarkus";
    applications.push_back({.name = safe_name(program.module.name),
                            .mains = program.mains,
                            .jar = {},
                            .from = joined(folder, is_quarkus ? "build" : "build/libs"),
                            .classes = {},
                            .libraries = joined(folder, kLibraries)});
  }
  assemble(detection, applications, "src", surroundings.config);
  leave_out_products(plan, project.modules, {"build", ".gradle"});
  return detection;
}

}  // namespace

extern const Detector kGradle;
const Detector kGradle = {"gradle", "java", "Java projects built by Gradle", "build.gradle", kScore, detect};

}  // namespace whittle::detectors
