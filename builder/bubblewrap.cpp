#include "builder/bubblewrap.hpp"

#include <algorithm>

namespace whittle::builder {

// No cgroup namespace: in one of a machine with both versions of cgroups, Java up to 17 asks for its limits and fails
// (JDK-8287107).
Bubblewrap::Bubblewrap(const fs::path& program)
    : words_{program.native(), "--unshare-pid",     "--unshare-ipc",
             "--unshare-uts",  "--die-with-parent", "--new-session"} {}

void Bubblewrap::show(const fs::path& from, const fs::path& at) {
  words_.insert(words_.end(), {"--ro-bind", from.native(), at.native()});
}

void Bubblewrap::lend(const fs::path& from, const fs::path& at) {
  words_.insert(words_.end(), {"--bind", from.native(), at.native()});
}

void Bubblewrap::show_if_there(const fs::path& path) {
  words_.insert(words_.end(), {"--ro-bind-try", path.native(), path.native()});
}

void Bubblewrap::empty(const fs::path& at) {
  words_.insert(words_.end(), {"--tmpfs", at.native()});
}

void Bubblewrap::furnish() {
  words_.insert(words_.end(), {"--dev", "/dev", "--proc", "/proc"});
}

void Bubblewrap::seal(const fs::path& at) {
  words_.insert(words_.end(), {"--remount-ro", at.native()});
}

void Bubblewrap::take_network() {
  words_.emplace_back("--unshare-net");
}

void Bubblewrap::become(std::uint64_t user, std::uint64_t group) {
  words_.insert(words_.end(), {"--unshare-user", "--uid", std::to_string(user), "--gid", std::to_string(group)});
}

void Bubblewrap::map_user() {
  words_.emplace_back("--unshare-user");
}

void Bubblewrap::keep_only_capabilities(std::span<const std::string_view> names) {
  words_.insert(words_.end(), {"--cap-drop", "ALL"});
  for (const std::string_view name : names) words_.insert(words_.end(), {"--cap-add", std::string(name)});
}

void Bubblewrap::name_host(std::string_view name) {
  words_.insert(words_.end(), {"--hostname", std::string(name)});
}

void Bubblewrap::enter(const fs::path& folder) {
  words_.insert(words_.end(), {"--chdir", folder.native()});
}

void Bubblewrap::set_environment(std::span<const std::string> variables) {
  words_.emplace_back("--clearenv");
  for (const std::string& variable : variables) {
    const std::size_t equals = variable.find('=');
    if (equals == std::string::npos) continue;
    words_.insert(words_.end(), {"--setenv", variable.substr(0, equals), variable.substr(equals + 1)});
  }
}

std::vector<std::string> Bubblewrap::running(std::span<const std::string> argv) const {
  std::vector<std::string> words = words_;
  words.emplace_back("--");
  words.insert(words.end(), argv.begin(), argv.end());
  return words;
}

bool is_complaint_of_bubblewrap(std::string_view error) {
  return error.starts_with("bwrap: ") && !error.starts_with("bwrap: execvp");
}

}  // namespace whittle::builder
