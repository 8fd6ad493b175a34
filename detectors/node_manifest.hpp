// `package.json`: https://docs.npmjs.com/cli/configuring-npm/package-json
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "plan/source_tree.hpp"

namespace whittle::detectors {

class NodeManifest {
 public:
  // Nothing when there is none; throws Error(detector_failed) with file and line for one that cannot be read.
  // `shown` is the file as messages name it.
  static std::optional<NodeManifest> read(const plan::SourceTree& tree, std::string_view path, std::string shown);

  // Texts of the first level; empty when absent or of another type.
  std::string text(std::string_view key) const;
  // A text one level down: `engines.node`.
  std::string text(std::string_view key, std::string_view member) const;
  const Json& json() const { return json_; }
  std::map<std::string, std::string> scripts() const { return texts("scripts"); }
  // Name → range.
  std::map<std::string, std::string> dependencies() const { return texts("dependencies"); }
  std::map<std::string, std::string> texts(std::string_view key) const;
  // In production, development or both.
  bool depends_on(std::string_view name) const;
  bool has_production_dependencies() const;
  // The patterns of `workspaces`, in both of their forms; nothing when there is no such member.
  std::optional<std::vector<std::string>> workspaces() const;

  // "package.json:12" of a key, or of a member below it.
  std::string place(std::string_view key, std::string_view member = {}) const;
  int line(std::string_view key, std::string_view member = {}) const;
  const std::string& shown() const { return shown_; }

 private:
  Json json_;
  std::string text_, shown_;
};

}  // namespace whittle::detectors
