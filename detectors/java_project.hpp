// What Maven and Gradle projects have in common: modules that make a jar, the version of Java that they want, their
// main classes.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "detectors/detector.hpp"

namespace whittle::detectors {

struct MainClass {
  std::string name;    // "com.example.App"
  std::string source;  // "src/main/java/com/example/App.java:12"

  std::string simple_name() const { return name.substr(name.rfind('.') + 1); }
};

struct JavaModule {
  std::string folder;  // in the context
  std::string name;    // of the artifact or project
  std::string file;    // its build file, as seen from the application
  std::string packaging = "jar";
  int packaging_line = 0;
  // Plugins that say how the module is started, with their lines: "spring-boot-maven-plugin".
  std::map<std::string, int> plugins;
  std::optional<MainClass> main;            // that the build file names
  std::optional<plan::Value> java_version;  // that the code is for
  // Old compiler plugins, which know no `release`, are told too, maybe by a parent that only Maven can find.
  bool tells_old_plugins = false;
};

// "17" of "17", "1.8" → "8", "temurin-21.0.2+13" → "21.0.2"; empty when there is no number in it.
std::string java_version_of(std::string_view text);

// The text without comments and with texts emptied, line ends kept.
std::string without_comments(std::string_view text, bool keeps_texts);

// Classes with a `main` below `folder`, by place. An annotated Spring Boot application is the only one when there is
// one.
std::vector<MainClass> main_classes(const plan::SourceTree& tree, std::string_view folder,
                                    const Surroundings& surroundings);

// Something of a plan that is started by itself: a module, or one of several main classes of one.
struct JavaProgram {
  JavaModule module;
  std::vector<MainClass> mains;  // empty: the jar names it
};

// The modules of which an image is made. Throws Error(detector_failed) when none can be started.
std::vector<JavaProgram> programs_of(std::vector<JavaModule> modules, const Surroundings& surroundings);

}  // namespace whittle::detectors
