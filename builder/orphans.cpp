#include "builder/orphans.hpp"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::builder {

namespace {

constexpr auto kPatience = std::chrono::seconds(5);

bool has_home(const fs::path& process, const std::string& variable) {
  try {
    // Unreadable for other users' processes, empty for those that have ended.
    const std::optional<std::string> environment = read_file_if_exists(process / "environ");
    if (!environment) return false;
    const std::vector<std::string> variables = split(*environment, '\0');
    return std::find(variables.begin(), variables.end(), variable) != variables.end();
  } catch (const Error&) {
    return false;
  }
}

std::vector<pid_t> processes_with(const std::string& variable) {
  std::vector<pid_t> found;
  std::error_code problem;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc", problem)) {
    const std::optional<std::uint64_t> number = parse_number(entry.path().filename().native());
    if (number && has_home(entry.path(), variable)) found.push_back(static_cast<pid_t>(*number));
  }
  return found;
}

}  // namespace

void end_orphans(const fs::path& home, EventSink& events) {
  const std::string variable = cat("HOME=", home.native());
  const auto start = std::chrono::steady_clock::now();
  for (;;) {
    const std::vector<pid_t> orphans = processes_with(variable);
    if (orphans.empty()) return;
    if (std::chrono::steady_clock::now() - start > kPatience) {
      throw Error(Exit::transient, cat(orphans.size(), " processes of an interrupted build do not end"))
          .at(home.native())
          .hint("end them, then run the same command again");
    }
    events.verbose(cat("ending ", orphans.size(), " processes of an interrupted build"));
    for (const pid_t orphan : orphans) ::kill(orphan, SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace whittle::builder
