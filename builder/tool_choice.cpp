// Which program serves for each tool of a plan: the machine's own, or one that has to be fetched.
#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/fetched_tool.hpp"
#include "builder/interpreters.hpp"
#include "builder/tool_probe.hpp"
#include "plan/versions.hpp"

namespace whittle::builder {

namespace {

std::string wanted(const plan::Tool& tool) {
  std::string text = tool.name;
  if (!tool.constraint.empty()) text += cat(" ", tool.constraint);
  if (!tool.source.empty()) text += cat(" (", tool.source, ")");
  return text;
}

Error missing_tools(const std::vector<plan::Tool>& missing) {
  std::vector<std::string> names;
  for (const plan::Tool& tool : missing) names.push_back(backticked(tool.name));
  Error error(Exit::input_unavailable, cat("the build needs ", join(names, ", "), ", not found on the PATH"));
  for (const plan::Tool& tool : missing) error.detail(cat("wanted: ", wanted(tool)));
  for (const plan::Tool& tool : missing) {
    const std::string command = install_command(tool.name);
    if (!command.empty()) error.hint(cat("install it with `", command, "`"));
  }
  return error;
}

Error unsatisfied(const plan::Tool& tool, const ProbedTool& probed) {
  Error error(Exit::input_unavailable,
              cat(backticked(tool.name), " is ", probed.version, ", and the project wants ", tool.constraint));
  if (!tool.source.empty()) error.at(tool.source);
  error.detail(cat("found: ", printable(probed.path.native()), " (", probed.describes, ")"));
  std::vector<std::string> versions;
  for (const plan::Download& download : tool.downloads) {
    if (std::find(versions.begin(), versions.end(), download.version) == versions.end())
      versions.push_back(download.version);
  }
  if (!versions.empty()) error.detail(cat("could be fetched: ", join(versions, ", ")));
  return error.hint(cat("install ", tool.name, " ", tool.constraint, " and put it first on the PATH"));
}

// A library of the tool for another platform: cargo's standard library.
Error without_library(const plan::Tool& tool, const ProbedTool& probed) {
  const std::string name = fs::path(tool.library).parent_path().filename().native();
  Error error(Exit::input_unavailable, cat(backticked(tool.name), " has no standard library for ", backticked(name)));
  error.at((probed.path.parent_path().parent_path() / tool.library).native());
  error.detail(cat("found: ", printable(probed.path.native()), " (", probed.describes, ")"));
  return error.hint(cat("`rustup target add ", name, "` installs it"));
}

bool has_library(const plan::Tool& tool, const ProbedTool& probed) {
  std::error_code problem;
  const fs::path program = fs::canonical(probed.path, problem);
  return tool.library.empty() || fs::exists(program.parent_path().parent_path() / tool.library, problem);
}

bool is_pinned(const plan::Tool& tool, const ProbedTool& probed) {
  return plan::satisfies_pin(probed.version, tool.pin);
}

// Go fetches other versions of itself since 1.21.
bool can_fetch_others(const std::optional<ProbedTool>& probed) {
  return probed && plan::satisfies(probed->version, ">=1.21");
}

std::optional<ProbedTool> fetched(const plan::Tool& tool, const std::optional<ProbedTool>& probed,
                                  const std::optional<ProbedTool>& npm, const Host& host) {
  const plan::Download* download = fitting_download(tool.downloads, tool.constraint, tool.pin, host);
  const bool is_usable = probed && plan::satisfies(probed->version, tool.constraint);
  if (download == nullptr && !is_usable) download = fitting_download(tool.downloads, tool.constraint, "", host);
  if (download == nullptr) return std::nullopt;
  if (download->by.empty()) return fetched_tool(tool.name, *download, host);
  if (download->by == "npm") {
    if (!npm) return std::nullopt;
    return fetched_tool(tool.name, *download, *npm, host);
  }
  if (can_fetch_others(probed)) return fetched_tool(tool.name, *download, *probed, host);
  const auto archive = std::find_if(tool.downloads.begin(), tool.downloads.end(), [&](const plan::Download& one) {
    return one.by.empty() && one.host == host.platform;
  });
  if (archive == tool.downloads.end()) return std::nullopt;
  return fetched_tool(tool.name, *download, fetched_tool(tool.name, *archive, host), host);
}

// Where a machine has one program of a kind, that is it; of interpreters it has several.
std::optional<ProbedTool> own_tool(const plan::Tool& tool, const fs::path& folder, const Host& host,
                                   ProcessRunner& runner, const std::stop_token& stop) {
  if (tool.name != "python") return probe_fitting(tool, folder, host, runner, stop);
  return probe_interpreter(tool, folder, host, runner, stop);
}

}  // namespace

std::vector<ProbedTool> probe_tools(std::span<const plan::Tool> tools, const fs::path& folder, const Host& host,
                                    ProcessRunner& runner, std::stop_token stop) {
  std::vector<ProbedTool> out;
  std::vector<plan::Tool> missing;
  for (const plan::Tool& tool : tools) {
    std::optional<ProbedTool> probed = own_tool(tool, folder, host, runner, stop);
    const bool is_fit = probed && plan::satisfies(probed->version, tool.constraint);
    if (!is_fit || !is_pinned(tool, *probed)) {
      const bool may_be_of_npm = std::any_of(tool.downloads.begin(), tool.downloads.end(),
                                             [](const plan::Download& one) { return one.by == "npm"; });
      const std::optional<ProbedTool> npm =
          may_be_of_npm ? probe_tool("npm", folder, host, runner, stop) : std::nullopt;
      if (std::optional<ProbedTool> other = fetched(tool, probed, npm, host)) {
        out.push_back(std::move(*other));
        continue;
      }
    }
    if (!probed) {
      missing.push_back(tool);
      continue;
    }
    if (!is_fit) throw unsatisfied(tool, *probed);
    if (!has_library(tool, *probed)) throw without_library(tool, *probed);
    out.push_back(std::move(*probed));
  }
  if (!missing.empty()) throw missing_tools(missing);
  return out;
}

std::vector<std::string> version_warnings(std::span<const plan::Tool> tools, std::span<const ProbedTool> probed) {
  std::vector<std::string> warnings;
  for (std::size_t i = 0; i < std::min(tools.size(), probed.size()); ++i) {
    if (is_pinned(tools[i], probed[i])) continue;
    warnings.push_back(cat(backticked(tools[i].name), " is ", probed[i].version, ", and the project pins ",
                           tools[i].pin, " (", tools[i].pin_source, ")"));
  }
  return warnings;
}

}  // namespace whittle::builder
