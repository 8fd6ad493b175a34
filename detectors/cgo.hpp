// When a Go program is built with a C compiler, and how: docs/design/targets.md.
#pragma once

#include <span>
#include <string>

#include "detectors/detector.hpp"
#include "detectors/go_module.hpp"

namespace whittle::detectors {

struct Cgo {
  enum class Use {
    never,
    // Something imports C, but may have another form without: that is tried first.
    when_needed,
    // Without C it would be built, and then not work.
    always,
  } use = Use::never;
  std::string source;  // what says so: "go.mod:7"
  bool has_cpp = false;
};

// The first of `modules` that compiles without C and only says so when it is run.
const GoLine* module_that_needs_c(std::span<const GoLine> modules);

// Makes `compile`, a step that builds without C, into one that uses it as `cgo` says.
void use_cgo(plan::Step& compile, const Cgo& cgo);
// What a step that only asks Go must know.
void list_with_cgo(plan::Step& list);
void add_cgo_toolchains(plan::BuildPlan& plan, const Cgo& cgo, const Surroundings& surroundings);

}  // namespace whittle::detectors
