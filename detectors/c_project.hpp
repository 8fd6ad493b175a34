// What the detectors of C and C++ build systems have in common: which of a project's programs are built, and what the
// plan says of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "detectors/compilers.hpp"
#include "detectors/detector.hpp"

namespace whittle::detectors {

struct CProgram {
  std::string target;     // as the build system calls it
  std::string file_name;  // of what it builds
  std::string source;     // "src/CMakeLists.txt:12"
  std::string folder;
  bool is_certain = true;  // not inside a condition that only the build system can decide
  bool is_installed = false;
};

struct ProgramChoice {
  std::vector<CProgram> programs;  // empty: whatever the build system reports
  std::string why;                 // nothing is promised
};

// Those that `build.targets` names, also such as were not read; else the installed ones; without any, all that are no
// tests. None, with the reason, when there are none or one is not certain. `tool` and `file` are for the reason:
// "CMake", "CMakeLists.txt"; `unread` is a place that makes programs which could not be read.
ProgramChoice choose_programs(const std::vector<CProgram>& known, const plan::Config& config, std::string_view tool,
                              std::string_view file, const std::string& unread);

// All that were read, as what could be built.
void add_apps(plan::Detection& detection, const std::vector<CProgram>& known, const ProgramChoice& choice);

// The project's own name with its place; after the folder when it is empty.
void name_application(plan::BuildPlan& plan, const std::string& name, const std::string& place,
                      const Surroundings& surroundings);

// A program that the step's report settles: it lies somewhere below `built`, which ends in `/`.
void add_output(plan::BuildPlan& plan, const std::string& built, const CProgram& program);
// Whatever turns up below `built`, with a warning that says why and which those will be: "that CMake reports".
void add_unread_outputs(plan::Detection& detection, const std::string& built, std::string_view why,
                        std::string_view which);

bool has_cpp_source(const std::vector<std::string>& sources);
void add_toolchains(plan::BuildPlan& plan, bool is_cpp, const Surroundings& surroundings);

// A step of which the compilers' usual names lead to the toolchain with its flags: for build systems that call them by
// name, or whose variables do not reach every command.
plan::Fallback compiler_wrapper(bool is_cpp, std::vector<std::string> signs);
// The same for a step that decides which compiler later ones call, when a link lacks what its archives need.
plan::Fallback configured_wrapper(bool is_cpp);
// The sign of C that wants `-fcommon`, and its name, which is the flag; how a compiler gets it is the build system's.
plan::Fallback common_symbols();
// What a step that runs make can fall back to: one job, and all that can be made when documentation cannot.
std::vector<plan::Fallback> make_fallbacks();

// A compiler with all its flags as words, for build systems whose flag variables cannot be trusted.
std::string compiler_words(std::string_view compiler);

}  // namespace whittle::detectors
