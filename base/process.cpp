#include "base/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <exception>
#include <optional>
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

// Orphans of a program become our children, so that the end of each can be waited for.
void become_subreaper() {
  [[maybe_unused]] static const int done = ::prctl(PR_SET_CHILD_SUBREAPER, 1);
}

// The process group of one started program. The leader is reaped last: while it is a zombie, its
// process id, and with it the group's, cannot be given to somebody else, so signals hit nobody but us.
class Group {
 public:
  explicit Group(pid_t leader) : leader_(leader) {}
  ~Group() {
    if (!reaped_) end();
  }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  bool leader_has_ended() const {
    siginfo_t info{};
    while (::waitid(P_PID, static_cast<id_t>(leader_), &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
      if (errno != EINTR) throw system_error(Exit::bug, "cannot wait for a process");
    }
    return info.si_pid == leader_;
  }

  void signal(int number) const { ::kill(-leader_, number); }

  // TERM at the first call, KILL two seconds later; called again and again by the wait loops.
  void cancel() {
    const Clock::time_point now = Clock::now();
    if (!cancelled_) {
      cancelled_ = true;
      terminated_ = now;
      signal(SIGTERM);
    } else if (now - terminated_ > std::chrono::seconds(2)) {
      signal(SIGKILL);
    }
  }
  bool was_cancelled() const { return cancelled_; }

  // Kills what is left and reaps all of it, orphans too (see become_subreaper); returns the leader's status.
  int end() {
    signal(SIGKILL);
    int leader_status = 0;
    for (;;) {
      int status = 0;
      const pid_t ended = ::waitpid(-leader_, &status, 0);
      if (ended == leader_) leader_status = status;
      if (ended < 0 && errno != EINTR) break;
    }
    reaped_ = true;
    return exit_status(leader_status);
  }

  static void pause() { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }

 private:
  pid_t leader_;
  bool reaped_ = false, cancelled_ = false;
  Clock::time_point terminated_{};
};

// The reading ends of a program's two pipes.
class Outputs {
 public:
  Outputs(const Pipe& out, const Pipe& error, const OutputFunction& output)
      : polled_{pollfd{out.read.get(), POLLIN, 0}, pollfd{error.read.get(), POLLIN, 0}}, output_(output) {}

  bool open() const { return polled_[0].fd >= 0 || polled_[1].fd >= 0; }

  // Passes on what there is, waiting at most `patience` for it. False when nothing came.
  bool read(std::chrono::milliseconds patience) {
    if (::poll(polled_.data(), polled_.size(), static_cast<int>(patience.count())) <= 0) return false;
    for (std::size_t i = 0; i < polled_.size(); ++i) {
      if (polled_[i].fd < 0 || polled_[i].revents == 0) continue;
      const ssize_t size = ::read(polled_[i].fd, buffer_.data(), buffer_.size());
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) {
        polled_[i].fd = -1;
        continue;
      }
      output_(i == 0 ? OutputStream::out : OutputStream::error, {buffer_.data(), static_cast<std::size_t>(size)});
    }
    return true;
  }

 private:
  std::array<pollfd, 2> polled_;
  const OutputFunction& output_;
  std::array<char, 64 * 1024> buffer_{};
};

// Gives a program its standard input as it takes it. A socket rather than a pipe: writing to one that nobody reads any
// more is an error and no signal.
class Feeder {
 public:
  explicit Feeder(Source& source) : source_(source) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      throw system_error(Exit::bug, "cannot create a pair of sockets");
    }
    ours_ = FileDescriptor(ends[0]);
    theirs_ = FileDescriptor(ends[1]);
  }

  int their_end() const { return theirs_.get(); }
  // Once the program has its end.
  void start() {
    theirs_.reset();
    thread_ = std::jthread([this] { feed(); });
  }
  bool has_failed() const { return failed_; }
  // Once the program and all that it started are gone.
  void finish() {
    if (thread_.joinable()) thread_.join();
    if (error_) std::rethrow_exception(error_);
  }

 private:
  void feed() noexcept {
    try {
      std::array<std::byte, 128 * 1024> room{};
      while (const std::size_t size = source_.read(room)) {
        if (!send(std::span(room).first(size))) break;
      }
    } catch (...) {
      error_ = std::current_exception();
      failed_ = true;
    }
    ours_.reset();
  }
  bool send(Bytes bytes) {
    while (!bytes.empty()) {
      const ssize_t size = ::send(ours_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return false;  // it does not want more
      bytes = bytes.subspan(static_cast<std::size_t>(size));
    }
    return true;
  }

  Source& source_;
  FileDescriptor ours_, theirs_;
  std::atomic<bool> failed_ = false;
  std::exception_ptr error_;
  std::jthread thread_;
};

// Passes output on until the leader is gone. A child in the background may hold the pipes for ever, so
// the group is killed then, and what still is in the pipes is read for a moment at most: a process that
// left the group (a daemon) may hold them too.
void follow(Group& group, Outputs& outputs, const Feeder* feeder, const std::stop_token& stop) {
  while (!group.leader_has_ended()) {
    if (stop.stop_requested() || (feeder != nullptr && feeder->has_failed())) group.cancel();
    if (outputs.open()) {
      outputs.read(std::chrono::milliseconds(20));
    } else {
      Group::pause();
    }
  }
  group.signal(SIGKILL);
  const Clock::time_point limit = Clock::now() + std::chrono::seconds(1);
  while (outputs.open() && Clock::now() < limit) {
    if (!outputs.read(std::chrono::milliseconds(100))) break;
  }
}

// The program has the terminal and stays in the caller's group: the terminal's own signals reach it.
// A request to stop is passed on once, and the program decides how it ends.
ProcessResult wait_for_interactive(pid_t child, const std::stop_token& stop) {
  ProcessResult result;
  const std::stop_callback tell(stop, [child] { ::kill(child, SIGTERM); });
  int status = 0;
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  result.cancelled = stop.stop_requested();
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  result.status = exit_status(status);
  return result;
}

std::string located_program(const Command& command) {
  const std::string& program = command.argv.at(0);
  if (program.find('/') != std::string::npos) return program;
  const auto path = command.env.find("PATH");
  const auto found = find_program(program, path == command.env.end() ? "" : path->second);
  if (!found) throw Error(Exit::input_unavailable, cat("there is no program ", backticked(program), " on the PATH"));
  return found->native();
}

// A file in memory rather than a pipe: it holds everything at once, so nobody has to feed it, and a program
// that does not read it does no harm.
FileDescriptor input_file(const std::string& text) {
  if (text.empty()) return {};
  FileDescriptor file(::memfd_create("input", MFD_CLOEXEC));
  for (std::size_t done = 0; file && done < text.size();) {
    const ssize_t size = ::write(file.get(), text.data() + done, text.size() - done);
    if (size < 0 && errno != EINTR) throw system_error(Exit::bug, "cannot keep the input of a program");
    if (size > 0) done += static_cast<std::size_t>(size);
  }
  if (!file || ::lseek(file.get(), 0, SEEK_SET) != 0)
    throw system_error(Exit::bug, "cannot keep the input of a program");
  return file;
}

// With pipes (not on a terminal) the program leads a group of its own.
pid_t spawn(const std::string& program, const Command& command, const Pipe* out, const Pipe* error,
            const Feeder* feeder = nullptr) {
  SpawnSettings settings;
  const FileDescriptor input = input_file(command.input);
  short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  if (out != nullptr) {
    if (feeder != nullptr) {
      ::posix_spawn_file_actions_adddup2(&settings.actions, feeder->their_end(), 0);
    } else if (input) {
      ::posix_spawn_file_actions_adddup2(&settings.actions, input.get(), 0);
    } else {
      ::posix_spawn_file_actions_addopen(&settings.actions, 0, "/dev/null", O_RDONLY, 0);
    }
    ::posix_spawn_file_actions_adddup2(&settings.actions, out->write.get(), 1);
    ::posix_spawn_file_actions_adddup2(&settings.actions, error->write.get(), 2);
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
  if (problem == 0) return child;
  // The number alone does not say whether it was the program or the folder.
  std::error_code ignored;
  if (!command.folder.empty() && !fs::is_directory(command.folder, ignored)) {
    throw system_error(Exit::input_unavailable,
                       cat("cannot start ", backticked(program), " in ", backticked(command.folder.native())), problem);
  }
  throw system_error(Exit::input_unavailable, cat("cannot start ", backticked(program)), problem);
}

}  // namespace

ProcessResult SystemProcessRunner::run(const Command& command, const OutputFunction& output, std::stop_token stop) {
  const std::string program = located_program(command);
  if (command.inherit_terminal) return wait_for_interactive(spawn(program, command, nullptr, nullptr), stop);

  become_subreaper();
  Pipe out = make_pipe(), error = make_pipe();
  std::optional<Feeder> feeder;
  if (command.feed != nullptr) feeder.emplace(*command.feed);
  Group group(spawn(program, command, &out, &error, feeder ? &*feeder : nullptr));
  if (feeder) feeder->start();
  out.write.reset();
  error.write.reset();
  Outputs outputs(out, error, output);
  follow(group, outputs, feeder ? &*feeder : nullptr, stop);
  ProcessResult result;
  result.status = group.end();
  result.cancelled = group.was_cancelled();
  if (feeder) feeder->finish();
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

CapturedOutput ask_program(ProcessRunner& runner, const Command& command, std::stop_token stop) {
  CapturedOutput captured = run_captured(runner, command, std::move(stop));
  if (captured.result.cancelled) throw Error(Exit::transient, "cancelled").note("nothing was changed");
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
