// Java, Kotlin and whatever else Maven builds: the modules that can be started are built with those that they need.
#include <algorithm>

#include "base/text.hpp"
#include "detectors/java_image.hpp"
#include "detectors/maven_project.hpp"
#include "detectors/places.hpp"
#include "plan/versions.hpp"

namespace whittle::detectors {

namespace {

constexpr int kScore = 100;
constexpr std::string_view kCopyDependencies =
    "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
constexpr std::string_view kLibraries = "target/whittle/lib";

std::optional<plan::Value> highest_version(const std::vector<JavaProgram>& programs) {
  std::optional<plan::Value> highest;
  for (const JavaProgram& program : programs) {
    const auto& version = program.module.java_version;
    if (!version) continue;
    if (!highest || plan::numbers_of(version->value) > plan::numbers_of(highest->value)) highest = version;
  }
  return highest;
}

plan::Step maven_step(const MavenProject& project, const std::vector<JavaProgram>& programs, bool is_offline,
                      const Surroundings& surroundings) {
  plan::Step step;
  step.name = is_offline ? "compile" : "fetch dependencies";
  step.argv = {"mvn", "--batch-mode", "--no-transfer-progress", "-Dstyle.color=never",
               "-Dmaven.repo.local=${cache:maven}"};
  if (is_offline) step.argv.emplace_back("--offline");
  if (project.modules.size() > 1 || project.reactor != surroundings.app_in_context) {
    std::vector<std::string> names;
    for (const JavaProgram& program : programs) names.push_back(cat(":", program.module.name));
    step.argv.insert(step.argv.end(), {"--projects", join(names, ","), "--also-make"});
  }
  step.argv.insert(step.argv.end(), {"-Dmaven.test.skip=true", "-Dproject.build.outputTimestamp=1980-01-01T00:00:02Z",
                                     "-Dmaven.gitcommitid.skip=true", "-DincludeScope=runtime",
                                     "-Dmdep.prependGroupId=true", cat("-DoutputDirectory=", kLibraries)});
  // Without a word the plugin of Maven 3.8 compiles for Java 5, which no JDK here can.
  const bool is_told = std::any_of(programs.begin(), programs.end(),
                                   [](const JavaProgram& program) { return program.module.tells_old_plugins; });
  if (!is_told) {
    const std::optional<plan::Value> version = highest_version(programs);
    const std::string level = version ? version->value : "8";
    step.argv.insert(step.argv.end(), {cat("-Dmaven.compiler.source=", level), cat("-Dmaven.compiler.target=", level)});
  }
  for (const std::string& argument : build_arguments(surroundings.config)) step.argv.push_back(argument);
  step.argv.insert(step.argv.end(), {"clean", "package", std::string(kCopyDependencies)});
  step.env = {{"JAVA_HOME", "${home:javac}"}, {"MAVEN_OPTS", "-Duser.home=${work}/home"}};
  step.folder = joined("src", project.reactor);
  if (!is_offline) {
    step.network = true;
    step.inputs = {"**/pom.xml", "**/.mvn/**"};
  }
  // Modules that use the tests of others need them compiled.
  plan::Fallback with_tests{.name = "tests compiled", .signs = {"test-jar", ":tests:"}, .argv = step.argv};
  std::replace(with_tests.argv.begin(), with_tests.argv.end(), std::string("-Dmaven.test.skip=true"),
               std::string("-DskipTests"));
  step.fallbacks.push_back(std::move(with_tests));
  return step;
}

// Those that the user asked for, by module or main class.
std::vector<JavaProgram> wanted(std::vector<JavaProgram> programs, const Surroundings& surroundings) {
  std::erase_if(programs, [&](JavaProgram& program) {
    if (is_wanted(surroundings.config, program.module.name, from_application(surroundings, program.module.folder))) {
      return false;
    }
    std::erase_if(program.mains, [&](const MainClass& main) {
      return !is_wanted(surroundings.config, main.simple_name(), main.name);
    });
    return program.mains.empty();
  });
  return programs;
}

std::optional<plan::Detection> detect(const Surroundings& surroundings) {
  if (!surroundings.app.has("pom.xml")) return std::nullopt;
  refuse_foreign_java(surroundings);
  const MavenProject project = read_maven_project(surroundings);
  const std::vector<JavaProgram> all = programs_of(project.modules, surroundings);
  const std::vector<JavaProgram> programs = wanted(all, surroundings);

  plan::Detection detection{.detector = "maven", .language = "java", .score = kScore};
  detection.warnings = project.warnings;
  detection.evidence.push_back({"pom.xml", 0, "project file"});
  add_programs(detection, all, project.name, surroundings);
  plan::BuildPlan& plan = detection.plan;
  plan.name = safe_name(project.name);
  plan.values["name"] = {plan.name, "pom.xml"};
  add_java_tools(plan, highest_version(programs), surroundings);
  plan::Tool maven{"mvn", ">=3.6.3", "the options of its steps"};
  add_wrapper(maven, ".mvn/wrapper/maven-wrapper.properties", "apache-maven-", surroundings);
  plan.tools.push_back(std::move(maven));
  plan.steps = {assembler_step(), maven_step(project, programs, false, surroundings),
                maven_step(project, programs, true, surroundings)};
  std::vector<JavaApplication> applications;
  for (const JavaProgram& program : programs) {
    const std::string folder = joined("src", program.module.folder);
    applications.push_back({.name = safe_name(program.module.name),
                            .mains = program.mains,
                            .jar = {},
                            .from = joined(folder, "target"),
                            .classes = {},
                            .libraries = joined(folder, kLibraries)});
  }
  assemble(detection, applications, "src", surroundings.config);
  leave_out_products(plan, project.modules, {"target"});
  return detection;
}

}  // namespace

extern const Detector kMaven;
const Detector kMaven = {"maven", "java", "Java projects built by Maven", "pom.xml", kScore, detect};

}  // namespace whittle::detectors
