// What the modules of pkg-config that a plan cannot do without lack on this machine, asked before anything is compiled.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/process.hpp"
#include "builder/toolchain.hpp"

namespace whittle::builder {

struct Lack {
  std::string chain;     // who needs what, from the build file: "meson.build:4 → foo → bar → libz.a"
  std::string library;   // "z"; empty: a module is not there
  std::string module;    // the last one in the chain
  std::string state;     // "is not installed"
  std::string hint;      // what to do; empty: unknown
  bool is_fatal = true;  // the build cannot succeed; otherwise it may, and the chain explains a failure
};

// Asks pkg-config for what each module links, statically unless the plan ships libraries, and looks for each archive
// where `compilers` look (programs that take `-print-file-name`). Nothing where pkg-config is not here: what a build
// does then is its own business. Modules for another platform are those of the machine's own pkg-config, whose
// libraries must be there for that platform.
std::vector<Lack> lacks_of_modules(const plan::BuildPlan& plan, const std::vector<fs::path>& compilers,
                                   const Host& host, ProcessRunner& runner, const std::stop_token& stop);

// Error(input_unavailable) for the fatal ones: all of them with their chains.
Error refusal_of(const std::vector<Lack>& lacks, const plan::BuildPlan& plan);

// Adds the chains of those that `error`'s text or `said` speak of.
void explain(Error& error, std::string_view said, const std::vector<Lack>& lacks);

}  // namespace whittle::builder
