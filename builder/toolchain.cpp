#include "builder/toolchain.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/probe_cache.hpp"
#include "builder/tool_probe.hpp"
#include "builder/tool_table.hpp"
#include "plan/versions.hpp"

namespace whittle::builder {

namespace {

std::string variable(const Host& host, const std::string& name) {
  const auto found = host.environment.find(name);
  return found == host.environment.end() ? "" : found->second;
}

// Its links stand for whichever version a project names, and fetch it when they are asked.
bool is_corepack(const fs::path& program) {
  std::error_code problem;
  const fs::path real = fs::canonical(program, problem);
  return !problem && real.native().find("/corepack/") != std::string::npos;
}

std::optional<fs::path> find_on_path(const std::string& name, const KnownTool* known, const Host& host) {
  for (const std::string& program : split(known == nullptr ? std::string_view(name) : known->programs, ' ')) {
    if (program.starts_with('/')) return fs::exists(program) ? std::optional<fs::path>(program) : std::nullopt;
    const std::optional<fs::path> found = find_program(program, variable(host, "PATH"));
    if (found && !is_corepack(*found)) return found;
  }
  return std::nullopt;
}

// The ones that come into question, in the order of preference. Of a tool whose versions have folders of their own, the
// real programs, since its other parts lie beside them.
std::vector<fs::path> candidates_for(const std::string& name, const Host& host) {
  const KnownTool* known = find_known_tool(name);
  const std::optional<fs::path> on_path = find_on_path(name, known, host);
  std::vector<fs::path> found;
  if (known == nullptr || known->versions.empty()) return on_path ? std::vector{*on_path} : found;
  const auto add = [&](const fs::path& program) {
    std::error_code problem;
    const fs::path real = fs::canonical(program, problem);
    if (!problem && std::find(found.begin(), found.end(), real) == found.end()) found.push_back(real);
  };
  if (const std::string home = variable(host, std::string(known->home)); !home.empty())
    add(fs::path(home) / "bin" / name);
  if (on_path) add(*on_path);
  std::vector<fs::path> others;
  std::error_code problem;
  for (const fs::directory_entry& entry : fs::directory_iterator(fs::path(known->versions), problem)) {
    others.push_back(entry.path() / "bin" / name);
  }
  std::sort(others.begin(), others.end());
  for (const fs::path& other : others) add(other);
  return found;
}

Digest digest_of_tool(const fs::path& program, const KnownTool* known) {
  if (known == nullptr || known->identity.empty()) return digest_of_file(program);
  const fs::path file = program.parent_path().parent_path() / known->identity;
  return digest_of(cat(digest_of_file(program).str(), "\n", read_file_if_exists(file, 1 << 20).value_or("")));
}

// What a probe asks; the build's own environment is cleaner still (environment.hpp).
std::map<std::string, std::string> probe_environment(const Host& host) {
  std::map<std::string, std::string> out = {
      {"LANG", "C.UTF-8"}, {"GOTOOLCHAIN", "local"}, {"GOENV", "off"}, {"RUSTUP_AUTO_INSTALL", "0"}};
  for (const char* name : {"PATH", "HOME", "JAVA_HOME", "RUSTUP_HOME", "CARGO_HOME", "RUSTUP_TOOLCHAIN"}) {
    if (host.environment.contains(name)) out[name] = host.environment.at(name);
  }
  return out;
}

// rustup installs `cargo` and `rustc` as links to itself, symbolic or hard.
bool is_rustup_proxy(const fs::path& program) {
  std::error_code problem;
  const fs::path real = fs::canonical(program, problem);
  if (problem) return false;
  return real.filename() == "rustup" ||
         (fs::equivalent(program, program.parent_path() / "rustup", problem) && !problem);
}

// What rustup goes by when it chooses a toolchain.
std::vector<fs::path> rustup_files(const fs::path& folder, const Host& host) {
  const std::string home = variable(host, "RUSTUP_HOME");
  std::vector<fs::path> files = {(home.empty() ? fs::path(variable(host, "HOME")) / ".rustup" : fs::path(home)) /
                                 "settings.toml"};
  for (fs::path above = folder;; above = above.parent_path()) {
    files.push_back(above / "rust-toolchain");
    files.push_back(above / "rust-toolchain.toml");
    if (above == above.parent_path()) return files;
  }
}

fs::path behind_rustup(const std::string& name, const fs::path& proxy, const fs::path& folder, const Host& host,
                       ProcessRunner& runner, const std::stop_token& stop) {
  const Command command{.argv = {(proxy.parent_path() / "rustup").native(), "which", name},
                        .env = probe_environment(host),
                        .folder = folder};
  const CapturedOutput captured = ask_program(runner, command, stop);
  const fs::path path(trim(captured.out));
  if (captured.result.ok() && path.is_absolute() && fs::exists(path)) return path;
  Error error(Exit::input_unavailable, cat("rustup has no ", backticked(name), " for this project"));
  error.at(cat("`rustup which ", name, "` in ", backticked(folder.native())));
  const std::string said(trim(captured.error));
  for (const std::string& line : split_lines(said)) error.cause(line);
  throw error.hint("`rustup show` says which toolchain is wanted; `rustup toolchain install NAME` installs it");
}

// The line with the tool's name and a version, where others come before it (Gradle's); otherwise the first.
std::string telling_line(std::string_view name, std::string_view said) {
  const std::vector<std::string> lines = split_lines(said);
  for (const std::string& line : lines) {
    if (lower(line).find(name) != std::string::npos && !plan::version_in(line).empty()) return line;
  }
  return lines.empty() ? "" : lines.front();
}

ProbedTool ask(const std::string& name, const fs::path& program, const fs::path& folder, const Host& host,
               ProcessRunner& runner, const std::stop_token& stop) {
  const KnownTool* known = find_known_tool(name);
  // pnpm and yarn would become the version that the project names; what counts is which one is here. bmake would read
  // the project's Makefile.
  const bool looks_around = name == "pnpm" || name == "yarn" || name == "bmake";
  const Command command{.argv = {program.native(), known == nullptr ? "--version" : std::string(known->version)},
                        .env = probe_environment(host),
                        .folder = looks_around ? fs::path("/") : folder};
  const CapturedOutput captured = ask_program(runner, command, stop);
  if (!captured.result.ok()) {
    Error error(Exit::input_unavailable, cat(backticked(name), " does not tell its version"));
    error.at(shell_line(command.argv));
    for (const std::string& line : split_lines(captured.error)) error.detail(printable(line));
    throw error.hint(cat("reinstall it: `", install_command(name), "`"));
  }
  const std::string first = printable(telling_line(name, captured.out.empty() ? captured.error : captured.out));
  return {.name = name,
          .path = program,
          .version = plan::version_in(first),
          .describes = first,
          .digest = digest_of_tool(program, known)};
}

ProbedTool probe_program(const std::string& name, const fs::path& program, const fs::path& folder, const Host& host,
                         ProcessRunner& runner, const std::stop_token& stop) {
  const bool is_proxy = (name == "cargo" || name == "rustc") && is_rustup_proxy(program);
  std::vector<fs::path> watched = {program};
  std::string question = cat("whittle.probe/1 ", name, "\n", program.native());
  if (is_proxy) {
    question +=
        cat("\n", folder.native(), "\n", variable(host, "RUSTUP_TOOLCHAIN"), "\n", variable(host, "RUSTUP_HOME"));
    for (fs::path& file : rustup_files(folder, host)) watched.push_back(std::move(file));
  }
  const ProbeCache cache(host.cache / "probes");
  if (std::optional<ProbedTool> known = cache.find(question)) return *known;
  const fs::path real = is_proxy ? behind_rustup(name, program, folder, host, runner, stop) : program;
  if (is_proxy) watched.push_back(real);
  const ProbedTool tool = ask(name, real, folder, host, runner, stop);
  cache.remember(question, tool, watched);
  return tool;
}

}  // namespace

std::string install_command(std::string_view tool) {
  const KnownTool* known = find_known_tool(tool);
  return known == nullptr ? "" : std::string(known->install);
}

std::optional<ProbedTool> probe_tool(const std::string& name, const fs::path& folder, const Host& host,
                                     ProcessRunner& runner, std::stop_token stop) {
  return probe_fitting({.name = name, .constraint = {}, .source = {}}, folder, host, runner, std::move(stop));
}

std::optional<ProbedTool> probe_fitting(const plan::Tool& tool, const fs::path& folder, const Host& host,
                                        ProcessRunner& runner, std::stop_token stop) {
  std::optional<ProbedTool> first, fitting;
  for (const fs::path& program : candidates_for(tool.name, host)) {
    ProbedTool probed = probe_program(tool.name, program, folder, host, runner, stop);
    const bool fits = plan::satisfies(probed.version, tool.constraint);
    if (fits && plan::satisfies_pin(probed.version, tool.pin)) return probed;
    if (!first) first = probed;
    if (fits && !fitting) fitting = std::move(probed);
  }
  return fitting ? fitting : first;
}

std::vector<ToolReport> survey_tools(const Host& host, ProcessRunner& runner) {
  std::vector<ToolReport> out;
  for (const KnownTool& known : known_tools()) {
    ToolReport report{.name = std::string(known.name),
                      .version = {},
                      .path = {},
                      .purpose = std::string(known.purpose),
                      .install = std::string(known.install)};
    try {
      if (const auto tool = probe_tool(report.name, fs::temp_directory_path(), host, runner, {})) {
        report.version = tool->version;
        report.path = tool->path.native();
      }
    } catch (const Error& error) {
      report.purpose += cat(" (", error.message(), ")");
    }
    out.push_back(std::move(report));
  }
  return out;
}

}  // namespace whittle::builder
