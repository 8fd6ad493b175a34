#include "builder/view.hpp"

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/environment.hpp"

namespace whittle::builder {

namespace {

// Homes, what programs of one user share, and sockets through which others can be asked to do things.
constexpr std::array<std::string_view, 6> kHidden = {"/dev/shm", "/home", "/root", "/run", "/tmp", "/var/tmp"};
// The system's own programs on NixOS and Guix.
constexpr std::string_view kSystemBelowRun = "/run/current-system";
// What fetching reads of a home beyond what variables name: keys and settings of git's and cargo's.
constexpr std::array<std::string_view, 7> kCredentials = {
    ".ssh", ".git-credentials", ".config/git", ".netrc", ".gitconfig", ".cargo/credentials.toml", ".cargo/credentials"};
constexpr int kMostHops = 8;

std::optional<fs::path> real(const fs::path& path) {
  std::error_code problem;
  fs::path found = fs::canonical(path, problem);
  return problem ? std::nullopt : std::optional(std::move(found));
}

std::string home_of(const Host& host) {
  const auto home = host.environment.find("HOME");
  return home == host.environment.end() ? "" : home->second;
}

// Links on the way to a program lie in folders of their own.
std::vector<fs::path> hops_to(const fs::path& program) {
  std::vector<fs::path> hops;
  std::error_code problem;
  for (fs::path at = program; hops.size() < kMostHops;) {
    hops.push_back(at);
    const fs::path target = fs::read_symlink(at, problem);
    if (problem) break;
    at = (at.parent_path() / target).lexically_normal();
  }
  return hops;
}

// Of a script: "/usr/bin/python3" of "#!/usr/bin/python3 -s".
fs::path interpreter_of(const fs::path& program) {
  try {
    FileSource file(program);
    std::array<std::byte, 256> head{};
    const std::string_view text = text_of(Bytes(head.data(), file.read(head)));
    if (!text.starts_with("#!")) return {};
    const std::string_view line = trim(text.substr(2, text.find('\n') - 2));
    return fs::path(line.substr(0, line.find(' ')));
  } catch (const Error&) {
    return {};
  }
}

// Absolute paths in a word: "-I/opt/x", "/a:/b", "NAME=/c".
std::vector<fs::path> paths_in(std::string_view word) {
  std::vector<fs::path> paths;
  for (std::size_t at = word.find('/'); at != std::string_view::npos; at = word.find('/', at)) {
    const std::size_t end = std::min(word.find_first_of(":;, \"'", at), word.size());
    if (end - at > 1) paths.emplace_back(fs::path(word.substr(at, end - at)).lexically_normal());
    at = end;
  }
  return paths;
}

// Whoever writes `-DSDK=/home/me/sdk` means it; what begins with a dot is settings and keys.
bool is_personal(const fs::path& path) {
  return std::any_of(path.begin(), path.end(), [](const fs::path& part) { return part.native().starts_with('.'); });
}

void show_named_paths(View& view, const Command& command, const fs::path& home) {
  std::vector<std::string> words = command.argv;
  for (const auto& [name, value] : command.env) words.push_back(value);
  for (const std::string& word : words) {
    for (const fs::path& path : paths_in(word)) {
      const bool is_hidden_itself =
          std::find(kHidden.begin(), kHidden.end(), path.native()) != kHidden.end() || path == home;
      if (!is_hidden_itself && !is_personal(path)) view.read(path);
    }
  }
}

// Settings, keys and certificates that fetching may use.
void show_for_fetching(View& view, const Host& host) {
  for (const auto& [name, value] : network_environment(host)) {
    for (const fs::path& path : paths_in(value)) view.read(path);
  }
  const fs::path home = home_of(host);
  for (const std::string_view file : kCredentials) {
    if (!home.empty()) view.read(home / file);
  }
  view.read("/etc/resolv.conf");
}

}  // namespace

View::View(const Host& host) {
  const auto hide = [&](const fs::path& path) {
    std::error_code ignored;
    const std::optional<fs::path> place = real(path);
    if (place && place->has_relative_path() && fs::is_directory(*place, ignored)) places_[*place] = Access::hidden;
  };
  for (const std::string_view path : kHidden) hide(path);
  if (const std::string home = home_of(host); home.starts_with('/')) hide(home);
  read(kSystemBelowRun);
}

Access View::access(const fs::path& path) const {
  for (fs::path at = path;; at = at.parent_path()) {
    const auto found = places_.find(at);
    if (found != places_.end()) return found->second;
    if (at == at.parent_path()) return Access::readable;
  }
}

void View::read(const fs::path& path) {
  const std::optional<fs::path> place = real(path);
  if (place && access(*place) == Access::hidden) places_[*place] = Access::readable;
}

void View::write(const fs::path& path) {
  const std::optional<fs::path> place = real(path);
  if (place) places_[*place] = Access::writable;
}

// A folder above something hidden would show it.
bool View::is_too_much(const fs::path& folder) const {
  if (folder.filename() == ".local" || folder.filename() == ".config") return true;
  return std::any_of(places_.begin(), places_.end(), [&](const auto& place) {
    return place.second == Access::hidden && is_within(place.first, folder);
  });
}

// `bin` is a part of something, a folder with another name is all of it: `~/zig-0.15/zig` has its library beside it.
void View::read_installation(const fs::path& program) {
  const std::optional<fs::path> real_folder = real(program.parent_path());
  if (!real_folder || access(*real_folder) != Access::hidden) return;
  const fs::path& folder = *real_folder;
  const std::string name = folder.filename().native();
  const bool is_part = name == "bin" || name == "sbin" || name == "shims" || name == "libexec";
  const fs::path root = is_part ? folder.parent_path() : folder;
  if (!is_too_much(root)) return read(root);
  if (is_too_much(folder)) return read(program);
  read(folder);
  if (root.filename() == ".local") read(root / "lib");
}

void View::read_program(const fs::path& program) {
  fs::path next = program;
  for (int hop = 0; hop < kMostHops && next.is_absolute(); ++hop) {
    for (const fs::path& one : hops_to(next)) read_installation(one);
    next = interpreter_of(next);
  }
}

std::set<fs::path> all_cache_folders(const plan::Step& step, const Surroundings& around) {
  plan::Step all = step;
  if (around.toolchain != nullptr) {
    const plan::Toolchain& toolchain = around.toolchain->toolchain;
    for (const auto& [name, value] : toolchain.env) all.argv.push_back(value);
    all.argv.insert(all.argv.end(), toolchain.compile_flags.begin(), toolchain.compile_flags.end());
    all.argv.insert(all.argv.end(), toolchain.link_flags.begin(), toolchain.link_flags.end());
  }
  return cache_folders_of(all, around.places);
}

View view_of(const plan::Step& step, const Command& command, const Surroundings& around) {
  View view(around.host);
  view.write(around.places.work);
  view.write(around.places.keep);
  for (const fs::path& folder : all_cache_folders(step, around)) view.write(folder);
  for (const ProbedTool& tool : around.tools) view.read_program(tool.path);
  if (around.toolchain != nullptr) {
    for (const ProbedTool& tool : around.toolchain->tools) view.read_program(tool.path);
  }
  view.read(around.places.source);
  show_named_paths(view, command, home_of(around.host));
  if (step.network) show_for_fetching(view, around.host);
  return view;
}

}  // namespace whittle::builder
