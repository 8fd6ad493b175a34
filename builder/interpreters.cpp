#include "builder/interpreters.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/probe_cache.hpp"
#include "plan/versions.hpp"

namespace whittle::builder {

namespace {

constexpr int kNewest = 20, kOldest = 8;

std::string variable(const Host& host, const std::string& name) {
  const auto found = host.environment.find(name);
  return found == host.environment.end() ? "" : found->second;
}

void add_program(std::vector<fs::path>& programs, const fs::path& program) {
  if (std::find(programs.begin(), programs.end(), program) == programs.end()) programs.push_back(program);
}

// `VERSION/bin/python3` below the folder of a version manager.
void add_managed(std::vector<fs::path>& programs, const fs::path& folder) {
  std::error_code problem;
  std::vector<fs::path> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, problem)) {
    const fs::path program = entry.path() / "bin" / "python3";
    if (fs::exists(program, problem)) found.push_back(program);
  }
  std::sort(found.rbegin(), found.rend());
  for (const fs::path& program : found) add_program(programs, program);
}

std::vector<fs::path> candidates(const Host& host) {
  std::vector<fs::path> programs;
  const std::vector<std::string> folders = split(variable(host, "PATH"), ':');
  std::vector<std::string> names = {"python3"};
  for (int minor = kNewest; minor >= kOldest; --minor) names.push_back(cat("python3.", minor));
  names.emplace_back("python");
  for (const std::string& name : names) {
    for (const std::string& folder : folders) {
      if (const std::optional<fs::path> found = find_program(name, folder)) add_program(programs, *found);
    }
  }
  const std::string home = variable(host, "HOME"), pyenv = variable(host, "PYENV_ROOT");
  if (!home.empty() || !pyenv.empty())
    add_managed(programs, (pyenv.empty() ? fs::path(home) / ".pyenv" : fs::path(pyenv)) / "versions");
  if (!home.empty()) add_managed(programs, fs::path(home) / ".local/share/uv/python");
  return programs;
}

// pyenv chooses by these, from its own scripts.
std::vector<fs::path> pyenv_files(const fs::path& folder, const Host& host) {
  const std::string pyenv = variable(host, "PYENV_ROOT");
  std::vector<fs::path> files = {(pyenv.empty() ? fs::path(variable(host, "HOME")) / ".pyenv" : fs::path(pyenv)) /
                                 "version"};
  for (fs::path above = folder;; above = above.parent_path()) {
    files.push_back(above / ".python-version");
    if (above == above.parent_path()) return files;
  }
}

bool is_script(const fs::path& program) {
  try {
    FileSource source(program);
    std::array<std::byte, 2> head{};
    return source.read(head) == 2 && head[0] == std::byte{'#'} && head[1] == std::byte{'!'};
  } catch (const Error&) {
    return false;
  }
}

std::optional<ProbedTool> ask(const fs::path& program, const fs::path& folder, const Host& host, ProcessRunner& runner,
                              const std::stop_token& stop) {
  constexpr const char* kQuestion = "import platform, sys; print(platform.python_version()); print(sys.executable)";
  Command command{
      .argv = {program.native(), "-S", "-s", "-c", kQuestion}, .env = {{"LANG", "C.UTF-8"}}, .folder = folder};
  for (const char* name : {"PATH", "HOME", "PYENV_ROOT", "PYENV_VERSION"}) {
    if (host.environment.contains(name)) command.env[name] = host.environment.at(name);
  }
  const CapturedOutput captured = ask_program(runner, command, stop);
  const std::vector<std::string> lines = split_lines(captured.out);
  if (!captured.result.ok() || lines.size() < 2 || plan::numbers_of(lines[0]).empty()) return std::nullopt;
  const fs::path real = lines[1];
  std::error_code problem;
  if (!real.is_absolute() || !fs::exists(real, problem)) return std::nullopt;
  return ProbedTool{.name = "python",
                    .path = real,
                    .version = plan::version_in(lines[0]),
                    .describes = cat("Python ", printable(lines[0])),
                    .digest = digest_of_file(real)};
}

std::optional<ProbedTool> probe(const fs::path& program, const fs::path& folder, const Host& host,
                                ProcessRunner& runner, const std::stop_token& stop) {
  std::string question = cat("whittle.interpreter/1\n", program.native());
  std::vector<fs::path> watched = {program};
  if (is_script(program)) {
    question += cat("\n", folder.native(), "\n", variable(host, "PYENV_VERSION"));
    for (fs::path& file : pyenv_files(folder, host)) watched.push_back(std::move(file));
  }
  const ProbeCache cache(host.cache / "probes");
  if (std::optional<ProbedTool> known = cache.find(question)) {
    if (known->path.empty()) return std::nullopt;
    return known;
  }
  std::optional<ProbedTool> found = ask(program, folder, host, runner, stop);
  if (found) watched.push_back(found->path);
  // One that cannot be started is remembered too: managers of versions have a script for each name.
  cache.remember(question,
                 found.value_or(ProbedTool{.name = "python", .path = {}, .version = {}, .describes = {}, .digest = {}}),
                 watched);
  return found;
}

}  // namespace

std::optional<ProbedTool> probe_interpreter(const plan::Tool& tool, const fs::path& folder, const Host& host,
                                            ProcessRunner& runner, const std::stop_token& stop) {
  std::optional<ProbedTool> best;
  int most = -1;
  for (const fs::path& program : candidates(host)) {
    std::optional<ProbedTool> one = probe(program, folder, host, runner, stop);
    if (!one) continue;
    const bool is_fit = plan::satisfies(one->version, tool.constraint);
    const int points = is_fit ? (plan::satisfies_pin(one->version, tool.pin) ? 2 : 1) : 0;
    if (points > most) best = std::move(one);
    most = std::max(most, points);
    if (most == 2) break;
  }
  return best;
}

}  // namespace whittle::builder
