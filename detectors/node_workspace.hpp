// Workspaces of npm, yarn, pnpm and bun: which folders are members, and which of them an application is made of.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "detectors/node_manifest.hpp"

namespace whittle::detectors {

// `packages:` of pnpm-workspace.yaml.
std::vector<std::string> pnpm_workspace_patterns(std::string_view text);
// Patterns as package managers read them: `packages/*`, `!**/test/**`.
bool is_member(const std::vector<std::string>& patterns, std::string_view folder);

struct WorkspaceMember {
  std::string folder;  // in the context
  NodeManifest manifest;
};

// Nothing when the manifest at the root of `context` has no workspaces. By package name.
std::map<std::string, WorkspaceMember> workspace_members(const plan::SourceTree& context);

// The folders of members that `manifest` needs in production, with what those need.
std::vector<std::string> members_needed_by(const NodeManifest& manifest,
                                           const std::map<std::string, WorkspaceMember>& members);

}  // namespace whittle::detectors
