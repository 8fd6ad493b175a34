// The steps and outputs that every Java image has, whatever built its jars (docs/design/java.md).
#pragma once

#include "detectors/java_project.hpp"
#include "plan/detection.hpp"

namespace whittle::detectors {

// One application of the image, and where its build leaves it, below the work folder.
struct JavaApplication {
  std::string name;                // of its jar and process
  std::vector<MainClass> mains;    // a process each when there are several; empty: the jar names it
  std::string jar, from, classes;  // one of them: the jar, a folder that holds it, a folder of classes
  std::string libraries;           // a folder of jars; empty: none
};

// Evidence and applications of a build's programs; the one that is called like the project starts.
void add_programs(plan::Detection& detection, const std::vector<JavaProgram>& programs, std::string_view project,
                  const Surroundings& surroundings);

// The tools that every step of a Java build may use. `version` is what the code is for.
void add_java_tools(plan::BuildPlan& plan, const std::optional<plan::Value>& version, const Surroundings& surroundings,
                    bool is_exact = false);

// The version that a build tool's wrapper names in `file`, of the context, as a pin of `tool`: the wrapper's script
// would fetch it by itself. `archive` is how the name of the tool's archive begins: "gradle-".
void add_wrapper(plan::Tool& tool, const std::string& file, std::string_view archive, const Surroundings& surroundings);

// The step that makes the tool of the last one; it comes first, so that it is made once for all.
plan::Step assembler_step();

// The step that makes application, libraries and runtime out of what the others left; outputs, processes and commands.
// `own` is a tree below the work folder whose jars are the application's own; empty: none.
void assemble(plan::Detection& detection, const std::vector<JavaApplication>& applications, std::string_view own,
              const plan::Config& config);

// Steps read nothing of what earlier builds left in those folders of the modules ("target").
void leave_out_products(plan::BuildPlan& plan, const std::vector<JavaModule>& modules,
                        const std::vector<std::string>& folders);

// Throws for a platform whose runtime no tool here can make.
void refuse_foreign_java(const Surroundings& surroundings);

// The sources of the assembler: path in its package → text.
const std::map<std::string, std::string>& assembler_sources();

}  // namespace whittle::detectors
