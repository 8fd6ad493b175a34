#include "detectors/context.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/toml.hpp"

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

bool has_version_control(const fs::path& folder) {
  constexpr std::array<std::string_view, 4> kFolders = {".git", ".hg", ".svn", ".jj"};
  return std::any_of(kFolders.begin(), kFolders.end(), [&](std::string_view name) {
    std::error_code ignored;
    return fs::exists(folder / name, ignored);
  });
}

}  // namespace

std::optional<fs::path> find_context(const fs::path& app) {
  const bool is_module = has_file(app, "go.mod");
  const bool is_in_module = !is_module && holds_go_file(app);
  const bool is_crate = has_file(app, "Cargo.toml") && !is_cargo_workspace(app);
  if ((!is_module && !is_in_module && !is_crate) || has_file(app, "go.work")) return std::nullopt;
  if (has_version_control(app)) return std::nullopt;
  for (fs::path folder = app.parent_path(); folder != folder.parent_path(); folder = folder.parent_path()) {
    if ((is_module || is_in_module) && has_file(folder, "go.work")) return folder;
    if (is_in_module && has_file(folder, "go.mod")) return folder;
    if (is_crate && is_cargo_workspace(folder)) return folder;
    if (has_version_control(folder)) break;
  }
  return std::nullopt;
}

}  // namespace whittle::detectors
