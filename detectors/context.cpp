#include "detectors/context.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/toml.hpp"
#include "detectors/gradle_project.hpp"
#include "detectors/maven_project.hpp"
#include "detectors/node_manifest.hpp"
#include "detectors/node_workspace.hpp"

namespace whittle::detectors {

namespace {

bool has_file(const fs::path& folder, std::string_view name) {
  std::error_code ignored;
  return fs::is_regular_file(folder / name, ignored);
}

bool holds_go_file(const fs::path& folder) {
  std::error_code problem;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, problem)) {
    if (entry.path().extension() == ".go") return true;
  }
  return false;
}

bool is_cargo_workspace(const fs::path& folder) {
  try {
    const std::optional<std::string> text = read_file_if_exists(folder / "Cargo.toml", 1 << 20);
    return text && parse_toml(*text, "Cargo.toml").root.contains("workspace");
  } catch (const Error&) {
    return false;  // unreadable or broken: whoever builds that workspace is told, not this application
  }
}

// A folder above whose workspace `app` is a member of.
bool is_node_workspace(const fs::path& folder, const fs::path& app) {
  try {
    std::vector<std::string> patterns;
    if (const std::optional<std::string> text = read_file_if_exists(folder / "pnpm-workspace.yaml", 1 << 20)) {
      patterns = pnpm_workspace_patterns(*text);
    } else if (const std::optional<std::string> manifest = read_file_if_exists(folder / "package.json", 1 << 20)) {
      const plan::MemoryTree tree({{"package.json", *manifest}}, "workspace");
      patterns = NodeManifest::read(tree, "package.json", "package.json")->workspaces().value_or(patterns);
    }
    return is_member(patterns, app.lexically_relative(folder).native());
  } catch (const Error&) {
    return false;
  }
}

bool has_version_control(const fs::path& folder) {
  constexpr std::array<std::string_view, 4> kFolders = {".git", ".hg", ".svn", ".jj"};
  return std::any_of(kFolders.begin(), kFolders.end(), [&](std::string_view name) {
    std::error_code ignored;
    return fs::exists(folder / name, ignored);
  });
}

bool is_maven_module(const fs::path& folder, const fs::path& top) {
  try {
    const std::optional<std::string> text = read_file_if_exists(top / "pom.xml", 4 << 20);
    if (!text) return false;
    for (const std::string& module : maven_modules_in(*text)) {
      if ((top / module).lexically_normal() == folder) return true;
    }
  } catch (const Error&) {
  }
  return false;
}

bool is_gradle_project(const fs::path& folder, const fs::path& top) {
  for (const char* name : {"settings.gradle", "settings.gradle.kts"}) {
    try {
      const std::optional<std::string> text = read_file_if_exists(top / name, 1 << 20);
      for (const std::string& project : gradle_projects_in(without_comments(text.value_or(""), true))) {
        if ((top / project).lexically_normal() == folder) return true;
      }
    } catch (const Error&) {
    }
  }
  return false;
}

// The uppermost folder whose modules lead to this one.
std::optional<fs::path> java_context(const fs::path& app) {
  fs::path outermost = app;
  if (has_version_control(app)) return std::nullopt;
  for (fs::path folder = app.parent_path(); folder != folder.parent_path(); folder = folder.parent_path()) {
    if (is_maven_module(outermost, folder) || is_gradle_project(app, folder)) outermost = folder;
    if (has_version_control(folder)) break;
  }
  return outermost == app ? std::nullopt : std::optional(outermost);
}

// `build/cmake/CMakeLists.txt` of a project whose sources are above it: a path in it begins with, or has, `..`.
bool has_sources_above(const fs::path& app) {
  try {
    const std::optional<std::string> text = read_file_if_exists(app / "CMakeLists.txt", 1 << 20);
    if (!text) return false;
    for (const std::string& whole : split_lines(*text)) {
      const std::string_view line = std::string_view(whole).substr(0, whole.find('#'));
      for (std::size_t at = line.find(".."); at != std::string_view::npos; at = line.find("..", at + 2)) {
        const char before = at == 0 ? ' ' : line[at - 1], after = at + 2 < line.size() ? line[at + 2] : ' ';
        constexpr std::string_view kBefore = " \t(\"/", kAfter = " \t)\"/";
        if (kBefore.find(before) != std::string_view::npos && kAfter.find(after) != std::string_view::npos) return true;
      }
    }
  } catch (const Error&) {
  }
  return false;
}

std::optional<fs::path> cmake_context(const fs::path& app) {
  if (has_version_control(app) || !has_sources_above(app)) return std::nullopt;
  for (fs::path folder = app.parent_path(); folder != folder.parent_path(); folder = folder.parent_path()) {
    if (has_version_control(folder)) return folder;
  }
  return std::nullopt;
}

}  // namespace

std::optional<fs::path> find_context(const fs::path& app) {
  const bool is_java = has_file(app, "pom.xml") || has_file(app, "build.gradle") || has_file(app, "build.gradle.kts");
  if (is_java && !has_file(app, "go.mod") && !has_file(app, "Cargo.toml")) return java_context(app);
  const bool is_module = has_file(app, "go.mod");
  const bool is_in_module = !is_module && holds_go_file(app);
  const bool is_crate = has_file(app, "Cargo.toml") && !is_cargo_workspace(app);
  const bool is_package = has_file(app, "package.json");
  const bool is_member = has_file(app, "pyproject.toml") && !has_file(app, "uv.lock");
  const bool is_of_something = is_module || is_in_module || is_crate || is_package || is_member;
  if (!is_of_something && has_file(app, "CMakeLists.txt")) return cmake_context(app);
  if (!is_of_something || has_file(app, "go.work")) return std::nullopt;
  if (has_version_control(app)) return std::nullopt;
  for (fs::path folder = app.parent_path(); folder != folder.parent_path(); folder = folder.parent_path()) {
    if ((is_module || is_in_module) && has_file(folder, "go.work")) return folder;
    if (is_in_module && has_file(folder, "go.mod")) return folder;
    if (is_crate && is_cargo_workspace(folder)) return folder;
    if (is_package && is_node_workspace(folder, app)) return folder;
    if (is_member && has_file(folder, "uv.lock")) return folder;
    if (has_version_control(folder)) break;
  }
  return std::nullopt;
}

}  // namespace whittle::detectors
