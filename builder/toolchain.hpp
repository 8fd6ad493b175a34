// Finds and probes the tools that a plan names: path, version, digest of the program. Probes are
// remembered in the cache by the program's path, size and times, so that a build with nothing changed
// starts no process.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/event.hpp"
#include "base/files.hpp"
#include "base/process.hpp"
#include "plan/build_plan.hpp"

namespace whittle::builder {

struct ProbedTool {
  std::string name;  // as in the plan
  fs::path path;
  std::string version;    // "1.26.8"
  std::string describes;  // the first line of what it says of itself
  Digest digest;          // of the program; of a fetched tool, of what it was fetched as
  // Of a tool that is fetched when a step needs it: where from, and the tool that fetches it.
  std::shared_ptr<const plan::Download> download = {};
  std::shared_ptr<const ProbedTool> helper = {};
};

// What the caller's environment offers; tests give their own.
struct Host {
  std::map<std::string, std::string> environment;  // PATH and HOME matter here
  fs::path cache;                                  // whittle's cache folder
  std::string platform = "linux/amd64";            // that this machine's programs are for
};

// What the project asks for, compared with what is there.
struct ToolVerdict {
  enum class Kind { fits, not_pinned, is_fetched, does_not_fit, lacks_library, missing } kind = Kind::missing;
  std::optional<ProbedTool> found;  // on this machine
  std::optional<ProbedTool>
      used;  // by a build: what was found, or what will be fetched; nothing where a build is refused

  static std::string_view name_of(Kind kind);  // "fits", "not pinned", "is fetched", …
};
ToolVerdict judge_tool(const plan::Tool& tool, const fs::path& folder, const Host& host, ProcessRunner& runner,
                       std::stop_token stop);

// Probes every tool of the plan. What the machine lacks, or has in another version than the project wants, is one of
// the tool's downloads where there is one that fits; nothing is fetched yet. Otherwise missing tools are an
// Error(input_unavailable) that names the packages to install, and so is a version that does not satisfy the
// constraint, with both versions and the constraint's source.
// `folder` is the application's: rustup's proxies choose by the files there, and stand for the real programs.
std::vector<ProbedTool> probe_tools(std::span<const plan::Tool> tools, const fs::path& folder, const Host& host,
                                    ProcessRunner& runner, std::stop_token stop);

// For each tool that is not of the version that the project pins, both versions. `probed` is what `probe_tools` gave.
std::vector<std::string> version_warnings(std::span<const plan::Tool> tools, std::span<const ProbedTool> probed);

// One program by name; nothing when it is not there.
std::optional<ProbedTool> probe_tool(const std::string& name, const fs::path& folder, const Host& host,
                                     ProcessRunner& runner, std::stop_token stop);

// The command that installs `tool`; empty when whittle does not know it.
std::string install_command(std::string_view tool);

// For `whittle doctor`: every tool that a detector may ask for, found or not.
struct ToolReport {
  std::string name, version, path;  // path empty: missing
  std::string purpose, install;     // what it is for; the command that installs it
};
std::vector<ToolReport> survey_tools(const Host& host, ProcessRunner& runner);

}  // namespace whittle::builder
