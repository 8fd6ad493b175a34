#include "base/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <thread>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/text.hpp"

namespace whittle {

namespace {

using Clock = std::chrono::steady_clock;

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (const std::string& text : strings) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

struct Pipe {
  FileDescriptor read, write;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw system_error(Exit::bug, "cannot create a pipe");
  return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

class SpawnSettings {
 public:
  SpawnSettings() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
};

int exit_status(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Sends TERM, then KILL, to the group; called again and again by the wait loop.
class Canceller {
 public:
  explicit Canceller(pid_t group) : group_(group) {}
  void step() {
    const Clock::time_point now = Clock::now();
    if (!termination_) {
      termination_ = now;
      ::kill(-group_, SIGTERM);
    } else if (now - *termination_ > std::chrono::seconds(2)) {
      ::kill(-group_, SIGKILL);
    }
  }
  bool started() const { return termination_.has_value(); }

 private:
  pid_t group_;
  std::optional<Clock::time_point> termination_;
};

// Passes on what both pipes give until both are closed.
void drain(const Pipe& out, const Pipe& error, const OutputFunction& output, const std::stop_token& stop,
           Canceller& canceller) {
  std::array<pollfd, 2> polled = {pollfd{out.read.get(), POLLIN, 0}, pollfd{error.read.get(), POLLIN, 0}};
  std::array<char, 64 * 1024> buffer{};
  while (polled[0].fd >= 0 || polled[1].fd >= 0) {
    if (stop.stop_requested()) canceller.step();
    if (::poll(polled.data(), polled.size(), 50) <= 0) continue;
    for (std::size_t i = 0; i < polled.size(); ++i) {
      if (polled[i].fd < 0 || polled[i].revents == 0) continue;
      const ssize_t size = ::read(polled[i].fd, buffer.data(), buffer.size());
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) {
        polled[i].fd = -1;
        continue;
      }
      output(i == 0 ? OutputStream::out : OutputStream::error, {buffer.data(), static_cast<std::size_t>(size)});
    }
  }
}

int wait_for(pid_t child, const std::stop_token& stop, Canceller& canceller, bool interactive) {
  int status = 0;
  for (;;) {
    const bool polling = !interactive;
    const pid_t ended = ::waitpid(child, &status, polling ? WNOHANG : 0);
    if (ended == child) return exit_status(status);
    if (ended < 0 && errno != EINTR) throw system_error(Exit::bug, "cannot wait for a process");
    if (stop.stop_requested() && !interactive) canceller.step();
    if (polling) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace

ProcessResult SystemProcessRunner::run(const Command& command, const OutputFunction& output, std::stop_token stop) {
  std::string program = command.argv.at(0);
  if (program.find('/') == std::string::npos) {
    const auto path = command.env.find("PATH");
    const auto found = find_program(program, path == command.env.end() ? "" : path->second);
    if (!found) throw Error(Exit::input_unavailable, cat("there is no program ", backticked(program), " on the PATH"));
    program = found->native();
  }

  SpawnSettings settings;
  Pipe out, error;
  short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  if (!command.inherit_terminal) {
    out = make_pipe();
    error = make_pipe();
    ::posix_spawn_file_actions_addopen(&settings.actions, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&settings.actions, out.write.get(), 1);
    ::posix_spawn_file_actions_adddup2(&settings.actions, error.write.get(), 2);
    flags |= POSIX_SPAWN_SETPGROUP;
  }
  if (!command.folder.empty()) ::posix_spawn_file_actions_addchdir_np(&settings.actions, command.folder.c_str());
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&settings.attributes, &none);
  ::posix_spawnattr_setsigdefault(&settings.attributes, &all);
  ::posix_spawnattr_setpgroup(&settings.attributes, 0);
  ::posix_spawnattr_setflags(&settings.attributes, flags);

  std::vector<std::string> environment;
  environment.reserve(command.env.size());
  for (const auto& [name, value] : command.env) environment.push_back(cat(name, "=", value));

  pid_t child = 0;
  const int problem = ::posix_spawn(&child, program.c_str(), &settings.actions, &settings.attributes,
                                    pointers(command.argv).data(), pointers(environment).data());
  if (problem != 0) {
    throw system_error(Exit::input_unavailable, cat("cannot start ", backticked(program)), problem);
  }
  out.write.reset();
  error.write.reset();

  Canceller canceller(child);
  ProcessResult result;
  try {
    if (!command.inherit_terminal) drain(out, error, output, stop, canceller);
    result.status = wait_for(child, stop, canceller, command.inherit_terminal);
  } catch (...) {
    ::kill(command.inherit_terminal ? child : -child, SIGKILL);
    while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
    throw;
  }
  // Whatever the program left in its group (a compiler's server, a forgotten child) ends with it.
  if (!command.inherit_terminal) ::kill(-child, SIGKILL);
  result.cancelled = canceller.started();
  return result;
}

CapturedOutput run_captured(ProcessRunner& runner, const Command& command, std::stop_token stop) {
  constexpr std::size_t kLimit = 64 << 20;
  CapturedOutput captured;
  captured.result = runner.run(
      command,
      [&](OutputStream stream, std::string_view text) {
        std::string& kept = stream == OutputStream::out ? captured.out : captured.error;
        kept += text.substr(0, kLimit - std::min(kLimit, kept.size()));
      },
      stop);
  return captured;
}

std::optional<std::filesystem::path> find_program(std::string_view name, std::string_view search_path) {
  for (const std::string& folder : split(search_path, ':')) {
    if (folder.empty() || folder.front() != '/') continue;
    const fs::path candidate = fs::path(folder) / name;
    struct stat status {};
    if (::stat(candidate.c_str(), &status) == 0 && S_ISREG(status.st_mode) && ::access(candidate.c_str(), X_OK) == 0) {
      return candidate;
    }
  }
  return std::nullopt;
}

}  // namespace whittle
