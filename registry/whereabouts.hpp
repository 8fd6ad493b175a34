// What whittle has seen where in one registry, remembered between runs so that fewer questions need be asked: a
// blob that another repository holds is mounted from there, and a manifest that is where it should be is asked for
// by its digest at once. Every line is a guess that the registry's answer may refute (docs/design/registry.md).
//
// One text file a registry, below whittle's cache: `DIGEST PLACE` a line, the newest last, bounded; it may be
// deleted at any time. Thread safe; several processes merge what each of them learnt.
#pragma once

#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/digest.hpp"
#include "base/files.hpp"

namespace whittle::registry {

class Whereabouts {
 public:
  // With an empty `folder` nothing outlives this object. A file that cannot be read counts as empty.
  Whereabouts(const fs::path& folder, std::string_view host);
  ~Whereabouts();  // saves what changed; failing to is harmless

  // A place is a repository (for what it holds) or `REPOSITORY:TAG` (for what the tag means).
  bool has(const Digest& digest, const std::string& place) const;
  // Another repository that holds it: one that was given before if possible, so that few are involved.
  std::optional<std::string> elsewhere(const Digest& digest, const std::string& repository) const;
  void learn(const Digest& digest, const std::string& place);
  void forget(const Digest& digest, const std::string& place);

 private:
  using Line = std::pair<Digest, std::string>;
  struct Text {
    std::list<Line> lines;  // oldest first
    std::map<Digest, std::set<std::string>> places;
  };
  Text read() const;
  void save() const;

  fs::path file_;
  mutable std::mutex mutex_;
  std::map<Digest, std::set<std::string>> places_;
  std::map<Line, bool> changes_;  // true: learnt, false: forgotten
  std::vector<Line> learnt_;      // in order
  mutable std::string favourite_;
};

}  // namespace whittle::registry
