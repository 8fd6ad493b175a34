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

std::string_view ToolVerdict::name_of(Kind kind) {
  switch (kind) {
    case Kind::fits:
      return "fits";
    case Kind::not_pinned:
      return "not pinned";
    case Kind::is_fetched:
      return "is fetched";
    case Kind::does_not_fit:
      return "does not fit";
    case Kind::lacks_library:
      return "lacks a library";
    case Kind::missing:
      break;
  }
  return "missing";
}

ToolVerdict judge_tool(const plan::Tool& tool, const fs::path& folder, const Host& host, ProcessRunner& runner,
                       std::stop_token stop) {
  using Kind = ToolVerdict::Kind;
  ToolVerdict verdict;
  verdict.found = own_tool(tool, folder, host, runner, stop);
  const bool is_fit = verdict.found && plan::satisfies(verdict.found->version, tool.constraint);
  const bool is_exact = is_fit && is_pinned(tool, *verdict.found);
  if (!is_exact) {
    const bool may_be_of_npm = std::any_of(tool.downloads.begin(), tool.downloads.end(),
                                           [](const plan::Download& one) { return one.by == "npm"; });
    const std::optional<ProbedTool> npm =
        may_be_of_npm ? probe_tool("npm", folder, host, runner, std::move(stop)) : std::nullopt;
    verdict.used = fetched(tool, verdict.found, npm, host);
  }
  if (verdict.used) {
    verdict.kind = Kind::is_fetched;
  } else if (!verdict.found) {
    verdict.kind = Kind::missing;
  } else if (!is_fit) {
    verdict.kind = Kind::does_not_fit;
  } else if (!has_library(tool, *verdict.found)) {
    verdict.kind = Kind::lacks_library;
  } else {
    verdict.kind = is_exact ? Kind::fits : Kind::not_pinned;
    verdict.used = verdict.found;
  }
  return verdict;
}

std::vector<ProbedTool> probe_tools(std::span<const plan::Tool> tools, const fs::path& folder, const Host& host,
                                    ProcessRunner& runner, std::stop_token stop) {
  using Kind = ToolVerdict::Kind;
  std::vector<ProbedTool> out;
  std::vector<plan::Tool> missing;
  for (const plan::Tool& tool : tools) {
    ToolVerdict verdict = judge_tool(tool, folder, host, runner, stop);
    if (verdict.kind == Kind::does_not_fit) throw unsatisfied(tool, *verdict.found);
    if (verdict.kind == Kind::lacks_library) throw without_library(tool, *verdict.found);
    if (verdict.kind == Kind::missing) missing.push_back(tool);
    if (verdict.used) out.push_back(std::move(*verdict.used));
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
