// Fills in what a step says with `${…}` (plan/build_plan.hpp). What it does not know stays as it is: files
// that a step writes may have variables of their own.
#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "builder/toolchain.hpp"
#include "plan/build_plan.hpp"

namespace whittle::builder {

struct Places {
  fs::path work, source, keep;
  fs::path tools;  // holds one folder for each `${cache:NAME}`
  unsigned jobs = 1;
};

// A toolchain with its programs found: `cc` and the like are argument lists ("/usr/bin/zig", "cc").
struct FoundToolchain {
  plan::Toolchain toolchain;
  std::vector<std::string> cc, cxx, ar, ranlib;
  std::vector<ProbedTool> tools;
};

class Placeholders {
 public:
  // Borrows all of them; `toolchain` may be null.
  Placeholders(const Places& places, std::span<const ProbedTool> tools, const FoundToolchain* toolchain)
      : places_(places), tools_(tools), toolchain_(toolchain) {}

  std::string filled(std::string_view text) const;
  // A word that is exactly a list (`${cc}`, `${link_flags}`) becomes several words, or none.
  std::vector<std::string> filled(std::span<const std::string> argv) const;

 private:
  std::optional<std::vector<std::string>> list(std::string_view name) const;
  std::optional<std::string> value(std::string_view name) const;

  const Places& places_;
  std::span<const ProbedTool> tools_;
  const FoundToolchain* toolchain_;
};

// The folders that `${cache:NAME}` in argv, environment and files of `step` stand for.
std::set<fs::path> cache_folders_of(const plan::Step& step, const Places& places);
// Whether the step says `${NAME}` anywhere.
bool mentions(const plan::Step& step, std::string_view name);

}  // namespace whittle::builder
