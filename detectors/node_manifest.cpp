#include "detectors/node_manifest.hpp"

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::detectors {

namespace {

constexpr std::array<std::string_view, 4> kDependencies = {"dependencies", "devDependencies", "optionalDependencies",
                                                           "peerDependencies"};

// Where a key begins; npos when it is not there. Values that look like keys are rare enough in manifests.
std::size_t key_in(std::string_view text, std::string_view key, std::size_t from) {
  const std::string quoted = Json(key).dump();
  for (std::size_t at = text.find(quoted, from); at != std::string_view::npos; at = text.find(quoted, at + 1)) {
    const std::size_t next = text.find_first_not_of(" \t\r\n", at + quoted.size());
    if (next != std::string_view::npos && text[next] == ':') return at;
  }
  return std::string_view::npos;
}

}  // namespace

std::optional<NodeManifest> NodeManifest::read(const plan::SourceTree& tree, std::string_view path, std::string shown) {
  std::optional<std::string> text = tree.read_if_exists(path);
  if (!text) return std::nullopt;
  if (text->starts_with("\xef\xbb\xbf")) text->erase(0, 3);
  NodeManifest manifest;
  manifest.json_ = parse_json(*text, shown, static_cast<int>(Exit::detector_failed));
  if (!manifest.json_.is_object()) {
    throw Error(Exit::detector_failed, cat("cannot read ", backticked(shown))).at(cat(shown, ":1")).cause("no object");
  }
  manifest.text_ = std::move(*text);
  manifest.shown_ = std::move(shown);
  return manifest;
}

std::string NodeManifest::text(std::string_view key) const {
  return json_text(json_, key);
}

std::string NodeManifest::text(std::string_view key, std::string_view member) const {
  const auto found = json_.find(key);
  return found == json_.end() ? "" : json_text(*found, member);
}

std::map<std::string, std::string> NodeManifest::texts(std::string_view key) const {
  std::map<std::string, std::string> out;
  const auto found = json_.find(key);
  if (found == json_.end() || !found->is_object()) return out;
  for (const auto& [name, value] : found->items()) {
    if (value.is_string()) out[name] = value.get<std::string>();
  }
  return out;
}

bool NodeManifest::depends_on(std::string_view name) const {
  return std::any_of(kDependencies.begin(), kDependencies.end(), [&](std::string_view key) {
    const auto found = json_.find(key);
    return found != json_.end() && found->is_object() && found->contains(name);
  });
}

bool NodeManifest::has_production_dependencies() const {
  return !texts("dependencies").empty() || !texts("optionalDependencies").empty();
}

std::optional<std::vector<std::string>> NodeManifest::workspaces() const {
  auto found = json_.find("workspaces");
  if (found == json_.end()) return std::nullopt;
  const Json* list = &*found;
  if (list->is_object() && list->contains("packages")) list = &(*list)["packages"];
  std::vector<std::string> patterns;
  if (!list->is_array()) return patterns;
  for (const Json& pattern : *list) {
    if (pattern.is_string()) patterns.push_back(pattern.get<std::string>());
  }
  return patterns;
}

int NodeManifest::line(std::string_view key, std::string_view member) const {
  std::size_t at = key_in(text_, key, 0);
  if (at == std::string::npos) return 1;
  if (!member.empty()) {
    const std::size_t below = key_in(text_, member, at + key.size());
    if (below != std::string::npos) at = below;
  }
  return line_at(text_, at);
}

std::string NodeManifest::place(std::string_view key, std::string_view member) const {
  return cat(shown_, ":", line(key, member));
}

}  // namespace whittle::detectors
