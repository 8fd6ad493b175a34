#include "detectors/node_workspace.hpp"

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

constexpr std::size_t kMostMembers = 5000;

std::string without_quotes(std::string_view text) {
  text = trim(text);
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'')) {
    const std::size_t end = text.find(text.front(), 1);
    return std::string(text.substr(1, end == std::string_view::npos ? end : end - 1));
  }
  return std::string(trim(text.substr(0, text.find(" #"))));
}

std::vector<std::string> patterns_of(const plan::SourceTree& context) {
  if (const std::optional<std::string> text = context.read_if_exists("pnpm-workspace.yaml")) {
    return pnpm_workspace_patterns(*text);
  }
  const std::optional<NodeManifest> root = NodeManifest::read(context, "package.json", "package.json");
  return root ? root->workspaces().value_or(std::vector<std::string>{}) : std::vector<std::string>{};
}

}  // namespace

std::vector<std::string> pnpm_workspace_patterns(std::string_view text) {
  std::vector<std::string> patterns;
  bool is_inside = false;
  for (const std::string& line : split_lines(text)) {
    const std::string_view content = trim(line);
    if (content.empty() || content.starts_with('#')) continue;
    if (is_inside && content.starts_with("- ")) {
      patterns.push_back(without_quotes(content.substr(2)));
      continue;
    }
    is_inside = content == "packages:";
    if (!content.starts_with("packages: [")) continue;
    const std::size_t open = content.find('['), close = content.find(']');
    for (const std::string& one :
         split(content.substr(open + 1, close == std::string_view::npos ? close : close - open - 1), ',')) {
      if (std::string pattern = without_quotes(one); !pattern.empty()) patterns.push_back(std::move(pattern));
    }
  }
  return patterns;
}

bool is_member(const std::vector<std::string>& patterns, std::string_view folder) {
  bool is = false;
  for (const std::string& raw : patterns) {
    const bool takes_out = raw.starts_with('!');
    const std::string pattern = joined(".", takes_out ? std::string_view(raw).substr(1) : std::string_view(raw));
    if (matches_glob(pattern, folder)) is = !takes_out;
  }
  return is;
}

std::map<std::string, WorkspaceMember> workspace_members(const plan::SourceTree& context) {
  std::map<std::string, WorkspaceMember> members;
  const std::vector<std::string> patterns = patterns_of(context);
  if (patterns.empty()) return members;
  for (const plan::Node& node : context.nodes()) {
    if (node.kind != plan::NodeKind::file || !node.path.ends_with("/package.json") || members.size() > kMostMembers) {
      continue;
    }
    const std::string folder = folder_of(node.path);
    if (cat("/", folder, "/").find("/node_modules/") != std::string::npos || !is_utf8(folder)) continue;
    if (!is_member(patterns, folder)) continue;
    std::optional<NodeManifest> manifest = NodeManifest::read(context, node.path, node.path);
    const std::string name = manifest->text("name");
    members.emplace(name.empty() ? folder : name, WorkspaceMember{folder, std::move(*manifest)});
  }
  return members;
}

std::vector<std::string> members_needed_by(const NodeManifest& manifest,
                                           const std::map<std::string, WorkspaceMember>& members) {
  std::set<std::string> folders;
  std::vector<const NodeManifest*> waiting = {&manifest};
  while (!waiting.empty()) {
    const NodeManifest& one = *waiting.back();
    waiting.pop_back();
    for (const char* key : {"dependencies", "optionalDependencies", "peerDependencies"}) {
      for (const auto& [name, range] : one.texts(key)) {
        const auto member = members.find(name);
        if (member == members.end() || !folders.insert(member->second.folder).second) continue;
        waiting.push_back(&member->second.manifest);
      }
    }
  }
  return {folders.begin(), folders.end()};
}

}  // namespace whittle::detectors
