#include "builder/toolchain.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/probe_cache.hpp"
#include "builder/tool_table.hpp"

namespace whittle::builder {

namespace {

std::string variable(const Host& host, const std::string& name) {
  const auto found = host.environment.find(name);
  return found == host.environment.end() ? "" : found->second;
}

std::optional<fs::path> find_tool(const std::string& name, const Host& host) {
  const KnownTool* known = find_known_tool(name);
  for (const std::string& program : split(known == nullptr ? std::string_view(name) : known->programs, ' ')) {
    if (program.starts_with('/')) return fs::exists(program) ? std::optional<fs::path>(program) : std::nullopt;
    if (std::optional<fs::path> found = find_program(program, variable(host, "PATH"))) return found;
  }
  return std::nullopt;
}

// "go1.26.8", "12.2.0", "v3.1": the number at the front of a word; empty without one.
std::string number_of(std::string_view word) {
  for (const std::string_view prefix : {"go", "v"}) {
    if (word.starts_with(prefix)) word.remove_prefix(prefix.size());
  }
  std::string number(word.substr(0, std::min(word.find_first_not_of("0123456789."), word.size())));
  while (number.ends_with('.')) number.pop_back();
  return number.starts_with('.') ? "" : number;
}

// The first version number of a line. What stands in parentheses is the distribution's own numbering.
std::string version_in(std::string_view line) {
  std::string text;
  int depth = 0;
  for (const char c : line) {
    depth += c == '(' ? 1 : 0;
    if (depth == 0) text += c;
    depth -= c == ')' && depth > 0 ? 1 : 0;
  }
  for (const std::string& word : split(text, ' ')) {
    if (std::string number = number_of(word); !number.empty()) return number;
  }
  return {};
}

// What a probe asks; the build's own environment is cleaner still (environment.hpp).
std::map<std::string, std::string> probe_environment(const Host& host) {
  std::map<std::string, std::string> out = {
      {"LANG", "C.UTF-8"}, {"GOTOOLCHAIN", "local"}, {"GOENV", "off"}, {"RUSTUP_AUTO_INSTALL", "0"}};
  for (const char* name : {"PATH", "HOME", "RUSTUP_HOME", "CARGO_HOME", "RUSTUP_TOOLCHAIN"}) {
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
  const CapturedOutput captured = run_captured(runner, command, stop);
  if (captured.result.cancelled) throw Error(Exit::transient, "cancelled").note("nothing was changed");
  const fs::path path(trim(captured.out));
  if (captured.result.ok() && path.is_absolute() && fs::exists(path)) return path;
  Error error(Exit::input_unavailable, cat("rustup has no ", backticked(name), " for this project"));
  error.at(cat("`rustup which ", name, "` in ", backticked(folder.native())));
  const std::string said(trim(captured.error));
  for (const std::string& line : split_lines(said)) error.cause(line);
  throw error.hint("`rustup show` says which toolchain is wanted; `rustup toolchain install NAME` installs it");
}

Digest digest_of_file(const fs::path& path) {
  FileSource source(path);
  HashSink hash;
  copy(source, hash);
  return hash.digest();
}

ProbedTool ask(const std::string& name, const fs::path& program, const fs::path& folder, const Host& host,
               ProcessRunner& runner, const std::stop_token& stop) {
  const KnownTool* known = find_known_tool(name);
  const Command command{.argv = {program.native(), known == nullptr ? "--version" : std::string(known->version)},
                        .env = probe_environment(host),
                        .folder = folder};
  const CapturedOutput captured = run_captured(runner, command, stop);
  if (captured.result.cancelled) throw Error(Exit::transient, "cancelled").note("nothing was changed");
  if (!captured.result.ok()) {
    Error error(Exit::input_unavailable, cat(backticked(name), " does not tell its version"));
    error.at(shell_line(command.argv));
    for (const std::string& line : split_lines(captured.error)) error.detail(printable(line));
    throw error.hint(cat("reinstall it: `", install_command(name), "`"));
  }
  const std::vector<std::string> lines = split_lines(captured.out.empty() ? captured.error : captured.out);
  const std::string first = lines.empty() ? "" : printable(lines.front());
  return {.name = name,
          .path = program,
          .version = version_in(first),
          .describes = first,
          .digest = digest_of_file(program)};
}

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
  return error.hint(cat("install ", tool.name, " ", tool.constraint, " and put it first on the PATH"));
}

std::vector<std::uint64_t> numbers(std::string_view version) {
  std::vector<std::uint64_t> out;
  for (const std::string& part : split(number_of(version), '.')) out.push_back(parse_number(part).value_or(0));
  return out;
}

// Missing parts are zero; with `prefix`, parts that the constraint leaves out do not matter.
int compare(std::string_view version, std::string_view bound, bool prefix) {
  std::vector<std::uint64_t> left = numbers(version), right = numbers(bound);
  const std::size_t size = prefix ? right.size() : std::max(left.size(), right.size());
  left.resize(size);
  right.resize(size);
  return left < right ? -1 : left == right ? 0 : 1;
}

bool satisfies_one(std::string_view version, std::string_view constraint) {
  constraint = trim(constraint);
  if (constraint.empty()) return true;
  const std::size_t digits = std::min(constraint.find_first_not_of("<>=^~ "), constraint.size());
  const std::string_view sign = trim(constraint.substr(0, digits)), bound = constraint.substr(digits);
  if (sign == ">=") return compare(version, bound, false) >= 0;
  if (sign == "<=") return compare(version, bound, true) <= 0;
  if (sign == ">") return compare(version, bound, false) > 0;
  if (sign == "<") return compare(version, bound, false) < 0;
  return compare(version, bound, true) == 0;
}

}  // namespace

std::string install_command(std::string_view tool) {
  const KnownTool* known = find_known_tool(tool);
  return known == nullptr ? "" : std::string(known->install);
}

std::optional<ProbedTool> probe_tool(const std::string& name, const fs::path& folder, const Host& host,
                                     ProcessRunner& runner, std::stop_token stop) {
  const std::optional<fs::path> program = find_tool(name, host);
  if (!program) return std::nullopt;
  const bool is_proxy = (name == "cargo" || name == "rustc") && is_rustup_proxy(*program);
  std::vector<fs::path> watched = {*program};
  std::string question = cat("whittle.probe/1 ", name, "\n", program->native());
  if (is_proxy) {
    question +=
        cat("\n", folder.native(), "\n", variable(host, "RUSTUP_TOOLCHAIN"), "\n", variable(host, "RUSTUP_HOME"));
    for (fs::path& file : rustup_files(folder, host)) watched.push_back(std::move(file));
  }
  const ProbeCache cache(host.cache / "probes");
  if (std::optional<ProbedTool> known = cache.find(question)) return known;
  const fs::path real = is_proxy ? behind_rustup(name, *program, folder, host, runner, stop) : *program;
  if (is_proxy) watched.push_back(real);
  const ProbedTool tool = ask(name, real, folder, host, runner, stop);
  cache.remember(question, tool, watched);
  return tool;
}

std::vector<ProbedTool> probe_tools(std::span<const plan::Tool> tools, const fs::path& folder, const Host& host,
                                    ProcessRunner& runner, std::stop_token stop) {
  std::vector<ProbedTool> out;
  std::vector<plan::Tool> missing;
  for (const plan::Tool& tool : tools) {
    std::optional<ProbedTool> probed = probe_tool(tool.name, folder, host, runner, stop);
    if (!probed) {
      missing.push_back(tool);
      continue;
    }
    if (!satisfies(probed->version, tool.constraint)) throw unsatisfied(tool, *probed);
    out.push_back(std::move(*probed));
  }
  if (!missing.empty()) throw missing_tools(missing);
  return out;
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

bool satisfies(std::string_view version, std::string_view constraint) {
  const std::vector<std::string> parts = split(constraint, ',');
  return std::all_of(parts.begin(), parts.end(), [&](const std::string& part) { return satisfies_one(version, part); });
}

}  // namespace whittle::builder
