#include "detectors/java_image.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "detectors/outputs.hpp"
#include "detectors/places.hpp"
#include "detectors/target_platform.hpp"
#include "detectors/version_files.hpp"
#include "plan/versions.hpp"

namespace whittle::detectors {

namespace {

constexpr std::string_view kJava = "/usr/lib/java/bin/java";
constexpr std::string_view kLeast = "11";  // has jlink, and starts what is compiled for it

std::string folder_with(std::string_view folder) {
  return cat("/app", folder.empty() ? "" : "/", folder);
}

std::string process_name(const MainClass& main) {
  return safe_name(main.simple_name());
}

void add_processes(plan::Detection& detection, const JavaApplication& application) {
  plan::BuildPlan& plan = detection.plan;
  const std::string jar = folder_with(cat(application.name, ".jar"));
  if (application.mains.size() < 2) {
    plan.image.processes[application.name] = {std::string(kJava), "-jar", jar};
    if (!application.mains.empty()) {
      plan.values[cat("main class of ", application.name)] = {application.mains[0].name, application.mains[0].source};
    }
    return;
  }
  for (const MainClass& main : application.mains) {
    plan.image.processes[process_name(main)] = {std::string(kJava), "-cp", jar, main.name};
    plan.values[cat("main class of ", process_name(main))] = {main.name, main.source};
  }
}

}  // namespace

void add_java_tools(plan::BuildPlan& plan, const std::optional<plan::Value>& version, const Surroundings& surroundings,
                    bool is_exact) {
  plan::Tool tool{"javac", cat(">=", kLeast), "jlink"};
  if (version) {
    plan.values["java"] = *version;
    if (is_exact) {
      tool.constraint = cat("=", version->value);
      tool.source = version->source;
    } else if (plan::satisfies(version->value, tool.constraint)) {
      tool.constraint = cat(">=", version->value);
      tool.source = version->source;
    }
  }
  std::vector<std::string> ignored;
  for (const VersionPin& pin : version_pins(surroundings.app, ignored)) {
    if (pin.tool != "javac") continue;
    tool.pin = pin.version.value;
    tool.pin_source = pin.version.source;
    if (!version) plan.values["java"] = pin.version;
    break;
  }
  plan.tools.push_back(std::move(tool));
  plan.tools.push_back({"strip", "", ""});
}

void add_wrapper(plan::Tool& tool, const std::string& file, std::string_view archive,
                 const Surroundings& surroundings) {
  int line = 0;
  for (const std::string& text : split_lines(surroundings.context.read_if_exists(file).value_or(""))) {
    ++line;
    const std::size_t name = text.find(archive);
    if (!text.starts_with("distributionUrl") || name == std::string::npos) continue;
    tool.pin = java_version_of(text.substr(name + archive.size()));
    tool.pin_source = cat(from_application(surroundings, file), ":", line);
  }
}

void add_programs(plan::Detection& detection, const std::vector<JavaProgram>& programs, std::string_view project,
                  const Surroundings& surroundings) {
  for (const JavaProgram& program : programs) {
    for (const auto& [plugin, line] : program.module.plugins) {
      detection.evidence.push_back({program.module.file, line, cat("plugin ", plugin)});
    }
    const bool has_several = program.mains.size() > 1;
    detection.apps.push_back({safe_name(program.module.name), from_application(surroundings, program.module.folder),
                              (programs.size() == 1 && !has_several) || program.module.name == project});
    if (!has_several) continue;
    for (const MainClass& main : program.mains) detection.apps.push_back({main.simple_name(), main.name, false});
  }
}

plan::Step assembler_step() {
  plan::Step step;
  step.name = "prepare";
  step.argv = {"${tool:javac}", "-proc:none", "-d", "assembler/classes"};
  step.folder = ".";
  step.inputs = {};
  for (const auto& [path, text] : assembler_sources()) {
    const std::string file = cat("assembler/", path);
    step.files[file] = text;
    step.argv.push_back(file);
  }
  step.outputs = {"assembler/classes"};
  return step;
}

void assemble(plan::Detection& detection, const std::vector<JavaApplication>& applications, std::string_view own,
              const plan::Config& config) {
  plan::BuildPlan& plan = detection.plan;
  plan::Step step;
  step.name = "assemble";
  step.argv = {"${home:javac}/bin/java", "-XX:+UseSerialGC",   "-cp",
               "assembler/classes",      "whittle.Assemble",   "out=image",
               "keep=${cache:java}",     "strip=${tool:strip}"};
  if (!own.empty()) step.argv.push_back(cat("own=", own));
  if (config.java_modules) {
    step.argv.push_back(cat("modules=", join(config.java_modules->values, ",")));
    plan.values["java-modules"] = {join(config.java_modules->values, " "), config.java_modules->source};
  }
  for (const JavaApplication& application : applications) {
    step.argv.push_back(cat("name=", application.name));
    const auto add = [&](const char* key, const std::string& value) {
      if (!value.empty()) step.argv.push_back(cat(key, "=", value));
    };
    add("jar", application.jar);
    add("from", application.from);
    add("classes", application.classes);
    add("libs", application.libraries);
    add("main", application.mains.empty() ? "" : application.mains.front().name);
    add_processes(detection, application);
  }
  step.folder = ".";
  step.outputs = {"image/app", "image/lib", "image/runtime"};
  plan.steps.push_back(std::move(step));
  plan.link = "closure";
  add_output(plan, "image/app", "/app", plan::Output::Kind::data);
  add_output(plan, "image/lib", "/app/lib", plan::Output::Kind::dependency);
  add_output(plan, "image/runtime", "/usr/lib/java", plan::Output::Kind::runtime);
  detection.commands["java"] = {std::string(kJava)};
}

void leave_out_products(plan::BuildPlan& plan, const std::vector<JavaModule>& modules,
                        const std::vector<std::string>& folders) {
  std::vector<std::string> patterns = {"**"};
  for (const JavaModule& module : modules) {
    for (const std::string& folder : folders) patterns.push_back(cat("!", joined(module.folder, folder), "/**"));
  }
  for (plan::Step& step : plan.steps) {
    if (step.inputs == std::vector<std::string>{"**"}) step.inputs = patterns;
  }
}

void refuse_foreign_java(const Surroundings& surroundings) {
  if (!is_foreign(surroundings)) return;
  throw failure("", 0,
                cat("a Java runtime for ", surroundings.platform, " needs the JDK of that platform; build it there"));
}

}  // namespace whittle::detectors
