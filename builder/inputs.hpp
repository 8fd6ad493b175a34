// Everything that decides what a build makes, gathered without running it.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "builder/builder.hpp"
#include "builder/placeholders.hpp"
#include "builder/source_files.hpp"

namespace whittle::builder {

struct Inputs {
  fs::path source;  // real path
  std::vector<SourceFile> files;
  std::vector<ProbedTool> tools;
  // In the plan's order; the ones whose programs are missing are told apart.
  std::vector<FoundToolchain> toolchains;
  std::vector<std::string> missing_programs;  // of the others
  std::vector<std::string> warnings;          // of versions that differ from what the project pins
  Digest everything;                          // of all source files that count
  Digest closure;                             // of those that a step reads, as far as the plan tells
  Digest mapped;                              // of files that only the image takes, which steps do not see
  std::vector<Digest> of_steps;               // of the source files that each step declares as inputs
  Sighting sighting;                          // of all of them
  std::int64_t looked_at = 0;                 // when that began, by file_clock()
  Digest tools_identity;                      // of tools, toolchains and, for C and C++, the system's packages

  std::vector<ProbedTool> all_tools() const;  // the toolchains' programs too
};

// For several plans of one tree: it is looked at once.
std::vector<Inputs> gather(std::span<const plan::BuildPlan> plans, const fs::path& source, const Host& host,
                           ProcessRunner& runner, EventSink& events, const std::stop_token& stop);

// Whether no source file was touched since: status calls only. False when that cannot be told.
bool are_untouched(const Inputs& inputs, const plan::BuildPlan& plan, const Host& host);

// What decides the programs, without what only concerns the image: `source` is the closure, or everything for a build
// that has read more.
Digest result_key(const plan::BuildPlan& plan, const Inputs& inputs, const Digest& source);
// One key a step: it, every earlier step, their inputs, the tools and the toolchain.
std::vector<Digest> step_keys(const plan::BuildPlan& plan, const Inputs& inputs, const FoundToolchain* toolchain);

std::string identity_of(const ProbedTool& tool);

}  // namespace whittle::builder
