// Environment markers (PEP 508, https://packaging.python.org/specifications/dependency-specifiers/): for which
// interpreters a dependency counts. The version of Python is not known when a plan is made, so a condition is the set
// of ranges of versions in which it holds; everything else is known.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace whittle::detectors {

using PythonVersion = std::vector<std::uint64_t>;

// Every version at which a condition may change, sorted; the ranges lie between them. What is told of range i holds for
// all versions from `starts[i]` until the next.
struct PythonRanges {
  std::vector<PythonVersion> starts;
};

// In which ranges something holds: one flag each.
using PythonCondition = std::vector<bool>;

class PythonMarker {
 public:
  // An empty text always holds. Throws Error(detector_failed) for one that is no marker.
  static PythonMarker parse(std::string_view text);

  // Adds the versions at which its answer may change.
  void add_starts(std::set<PythonVersion>& starts) const;
  // `platform` as in a plan; `extras` are those that were asked for. `groups` are pdm's and pylock's dependency groups.
  PythonCondition holds(const PythonRanges& ranges, std::string_view platform,
                        const std::set<std::string>& extras = {}) const;

  struct Node;

 private:
  std::shared_ptr<const Node> root_;
};

// The marker that holds in exactly those ranges; empty for all of them. There must be one that holds.
std::string marker_text(const PythonCondition& condition, const PythonRanges& ranges);

PythonCondition both(const PythonCondition& one, const PythonCondition& other);
bool add_to(PythonCondition& all, const PythonCondition& more);  // whether that made a difference
bool never(const PythonCondition& condition);

}  // namespace whittle::detectors
