// Java without a build system: a jar that is built already, or sources that `javac` alone can compile.
#include <algorithm>

#include "base/text.hpp"
#include "detectors/java_image.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

constexpr int kSourcesScore = 20, kJarScore = 10;
constexpr std::size_t kMostSources = 2000;  // that fit into a command line

std::vector<std::string> java_sources(const plan::SourceTree& tree) {
  std::vector<std::string> found;
  for (const plan::Node& node : tree.nodes()) {
    if (node.kind != plan::NodeKind::file || !node.path.ends_with(".java") || is_aside(node.path)) continue;
    if (!is_utf8(node.path)) throw failure(node.path, 0, "its name is not UTF-8, so that no plan can name it");
    if (last_part(node.path) != "module-info.java") found.push_back(node.path);
  }
  return found;
}

std::vector<std::string> jars_at_root(const plan::SourceTree& tree) {
  std::vector<std::string> found;
  for (const plan::Node& node : tree.nodes()) {
    const bool is_jar = node.kind == plan::NodeKind::file && node.path.ends_with(".jar");
    if (!is_jar || node.path.find('/') != std::string::npos || !is_utf8(node.path)) continue;
    if (node.path.ends_with("-sources.jar") || node.path.ends_with("-javadoc.jar")) continue;
    if (tree.read_prefix(node.path, 4) == std::string_view("PK\x03\x04", 4)) found.push_back(node.path);
  }
  return found;
}

// Whose tree holds it is built otherwise.
bool has_other_manifest(const plan::SourceTree& tree) {
  constexpr std::string_view kManifests[] = {"pom.xml",   "build.gradle", "build.gradle.kts", "settings.gradle",
                                             "build.xml", "build.sbt",    "build.mill",       "settings.gradle.kts",
                                             "BUILD",     "MODULE.bazel", "WORKSPACE",        "project.clj"};
  return std::any_of(std::begin(kManifests), std::end(kManifests),
                     [&](std::string_view manifest) { return tree.has(manifest); });
}

// Where files lie that are read at run time, as the conventions have it.
std::string resource_folder(const plan::SourceTree& tree) {
  for (const char* folder : {"src/main/resources", "resources", "src"}) {
    if (tree.has_folder(folder)) return folder;
  }
  return {};
}

std::string library_folder(const plan::SourceTree& tree) {
  for (const char* folder : {"lib", "libs"}) {
    if (!tree.glob(cat(folder, "/*.jar")).empty()) return folder;
  }
  return {};
}

plan::Step compile_step(const Surroundings& surroundings, const std::vector<std::string>& sources,
                        const std::string& libraries) {
  plan::Step step;
  step.name = "compile";
  step.argv = {"${tool:javac}", "-encoding", "UTF-8", "-g", "-parameters", "-d", "${work}/classes"};
  if (!libraries.empty()) step.argv.insert(step.argv.end(), {"-cp", cat(libraries, "/*")});
  for (const std::string& argument : build_arguments(surroundings.config)) step.argv.push_back(argument);
  step.argv.insert(step.argv.end(), sources.begin(), sources.end());
  step.folder = step_folder(surroundings);
  step.outputs = {"classes"};
  return step;
}

plan::Detection from_sources(const Surroundings& surroundings, const std::vector<std::string>& sources) {
  plan::Detection detection{.detector = "java", .language = "java", .score = kSourcesScore};
  if (sources.size() > kMostSources)
    throw failure(sources.front(), 0, "there are more sources than one javac can be given");
  std::vector<MainClass> mains;
  for (MainClass& main : main_classes(surroundings.app, ".", surroundings)) {
    if (!is_aside(main.source)) mains.push_back(std::move(main));
  }
  if (mains.empty()) throw failure(sources.front(), 0, "no class has a `main`: it is a library");
  detection.evidence.push_back(
      {mains.front().source.substr(0, mains.front().source.rfind(':')), 0, "a class with `main`"});
  std::erase_if(mains,
                [&](const MainClass& main) { return !is_wanted(surroundings.config, main.simple_name(), main.name); });
  const std::string simple = mains.empty() ? "app" : mains.front().simple_name();
  const std::string name = mains.size() == 1 ? safe_name(lower(simple)) : safe_name(surroundings.app.name());
  detection.plan.name = name;
  for (const MainClass& main : mains) {
    detection.apps.push_back({mains.size() == 1 ? name : main.simple_name(), ".", mains.size() == 1});
  }
  const std::string libraries = library_folder(surroundings.app);
  add_java_tools(detection.plan, std::nullopt, surroundings);
  detection.plan.leaves_source_alone = true;
  detection.plan.steps = {assembler_step(), compile_step(surroundings, sources, libraries)};
  const std::string resources = resource_folder(surroundings.app);
  assemble(detection,
           {{.name = name,
             .mains = mains,
             .jar = {},
             .from = {},
             .classes = resources.empty() ? "classes" : cat("classes:", step_folder(surroundings, resources)),
             .libraries = libraries.empty() ? "" : step_folder(surroundings, libraries)}},
           "", surroundings.config);
  return detection;
}

plan::Detection from_jar(const Surroundings& surroundings, const std::string& jar) {
  plan::Detection detection{.detector = "java", .language = "java", .score = kJarScore};
  detection.evidence.push_back({jar, 0, "the only jar"});
  const std::string name = safe_name(stem_of(jar));
  detection.plan.name = name;
  detection.apps.push_back({name, ".", true});
  add_java_tools(detection.plan, std::nullopt, surroundings);
  detection.plan.leaves_source_alone = true;
  detection.plan.steps = {assembler_step()};
  assemble(
      detection,
      {{.name = name, .mains = {}, .jar = step_folder(surroundings, jar), .from = {}, .classes = {}, .libraries = {}}},
      "", surroundings.config);
  return detection;
}

std::optional<plan::Detection> detect(const Surroundings& surroundings) {
  if (has_other_manifest(surroundings.app)) return std::nullopt;
  const std::vector<std::string> sources = java_sources(surroundings.app);
  const std::vector<std::string> jars = jars_at_root(surroundings.app);
  if (sources.empty() && jars.size() != 1) return std::nullopt;
  refuse_foreign_java(surroundings);
  return sources.empty() ? from_jar(surroundings, jars.front()) : from_sources(surroundings, sources);
}

}  // namespace

extern const Detector kJava;
const Detector kJava = {"java",        "java", "Java without a build system, and jars", "*.java, one jar",
                        kSourcesScore, detect};

}  // namespace whittle::detectors
