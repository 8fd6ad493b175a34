#include "base/process.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/text.hpp"

using namespace whittle;

namespace {

using Clock = std::chrono::steady_clock;

Command shell(std::string script) {
  return {.argv = {"/bin/sh", "-c", std::move(script)}, .env = {{"PATH", "/usr/bin:/bin"}}, .folder = {}};
}

// Runs `command` and asks it to stop as soon as it has printed a line.
CapturedOutput cancelled_after_first_line(const Command& command) {
  SystemProcessRunner runner;
  std::stop_source stop;
  CapturedOutput captured;
  captured.result = runner.run(
      command,
      [&](OutputStream, std::string_view text) {
        captured.out += text;
        if (captured.out.find('\n') != std::string::npos) stop.request_stop();
      },
      stop.get_token());
  return captured;
}

// Zombies that nobody reaps are gone too as far as a build is concerned.
bool is_running(pid_t process) {
  const auto status = read_file_if_exists(cat("/proc/", process, "/stat"));
  return status && status->find(") Z ") == std::string::npos;
}

}  // namespace

TEST_CASE("a program gets its arguments, its folder and exactly its environment") {
  SystemProcessRunner runner;
  const TemporaryFolder folder(fs::temp_directory_path());
  const CapturedOutput env =
      run_captured(runner, {.argv = {"/usr/bin/env"}, .env = {{"A", "1"}, {"B", "x=y z"}}, .folder = {}});
  CHECK(env.result.ok());
  CHECK(env.out == "A=1\nB=x=y z\n");
  Command where = shell("pwd -P; echo \"$1|$2\"; cat; echo warned >&2");
  where.argv.insert(where.argv.end(), {"sh", "two words", "*"});
  where.folder = folder.path();
  const CapturedOutput out = run_captured(runner, where);
  CHECK(out.out == cat(fs::canonical(folder.path()).native(), "\ntwo words|*\n"));
  CHECK(out.error == "warned\n");
}

TEST_CASE("an exit status is passed on, and a signal is 128 and its number") {
  SystemProcessRunner runner;
  CHECK(run_captured(runner, shell("exit 7")).result.status == 7);
  CHECK(run_captured(runner, shell("kill -SEGV $$")).result.status == 128 + SIGSEGV);
  CHECK_FALSE(run_captured(runner, shell("exit 7")).result.cancelled);
}

TEST_CASE("megabytes on both streams arrive whole") {
  SystemProcessRunner runner;
  const CapturedOutput captured =
      run_captured(runner, shell("head -c 5000000 /dev/zero & head -c 3000000 /dev/zero >&2; wait"));
  CHECK(captured.out.size() == 5'000'000);
  CHECK(captured.error.size() == 3'000'000);
}

TEST_CASE("a program that closes its output is still waited for") {
  SystemProcessRunner runner;
  CHECK(run_captured(runner, shell("exec >&- 2>&-; sleep 0.2; exit 3")).result.status == 3);
}

TEST_CASE("a child in the background that keeps the pipes open ends with its parent") {
  SystemProcessRunner runner;
  const Clock::time_point start = Clock::now();
  const CapturedOutput captured = run_captured(runner, shell("sleep 100 & echo $!"));
  CHECK(captured.result.ok());
  CHECK(Clock::now() - start < std::chrono::seconds(5));
  CHECK_FALSE(is_running(std::stoi(captured.out)));
}

TEST_CASE("a daemon that left the group and keeps the pipes open is not waited for") {
  SystemProcessRunner runner;
  const Clock::time_point start = Clock::now();
  const CapturedOutput captured = run_captured(runner, shell("setsid sh -c 'echo $$; exec sleep 100' & sleep 0.2"));
  CHECK(captured.result.ok());
  CHECK(Clock::now() - start < std::chrono::seconds(5));
  const pid_t daemon = std::stoi(captured.out);
  ::kill(daemon, SIGKILL);
  ::waitpid(daemon, nullptr, 0);
}

TEST_CASE("cancelling ends a program and its children, also those that ignore SIGTERM") {
  const Clock::time_point start = Clock::now();
  const CapturedOutput polite = cancelled_after_first_line(shell("sleep 100 & echo $!; wait"));
  CHECK(polite.result.cancelled);
  CHECK(polite.result.status == 128 + SIGTERM);
  CHECK_FALSE(is_running(std::stoi(polite.out)));
  CHECK(Clock::now() - start < std::chrono::seconds(2));

  const CapturedOutput deaf =
      cancelled_after_first_line(shell("trap '' TERM; sh -c 'trap \"\" TERM; while :; do sleep 1; done' & echo $!; "
                                       "while :; do sleep 1; done"));
  CHECK(deaf.result.cancelled);
  CHECK(deaf.result.status == 128 + SIGKILL);
  CHECK_FALSE(is_running(std::stoi(deaf.out)));
}

TEST_CASE("cancelling reaches a stopped program, and one that never prints") {
  const CapturedOutput stopped = cancelled_after_first_line(shell("echo $$; kill -STOP $$"));
  CHECK(stopped.result.cancelled);
  CHECK_FALSE(is_running(std::stoi(stopped.out)));
  SystemProcessRunner runner;
  std::stop_source stop;
  stop.request_stop();
  const CapturedOutput silent = run_captured(runner, shell("exec sleep 100"), stop.get_token());
  CHECK(silent.result.cancelled);
  CHECK_FALSE(silent.result.ok());
}

TEST_CASE("an error thrown while output is read leaves nothing running") {
  SystemProcessRunner runner;
  std::string printed;
  CHECK_THROWS_AS(runner.run(shell("sleep 100 & echo $!; wait"),
                             [&](OutputStream, std::string_view text) {
                               printed += text;
                               if (printed.ends_with('\n')) throw Error(Exit::export_failed, "the disk is full");
                             },
                             {}),
                  Error);
  CHECK_FALSE(is_running(std::stoi(printed)));
}

TEST_CASE("no zombie is left behind") {
  SystemProcessRunner runner;
  for (int i = 0; i < 5; ++i) run_captured(runner, shell("true"));
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
  CHECK(errno == ECHILD);
}

TEST_CASE("a program that cannot be started says why") {
  SystemProcessRunner runner;
  const TemporaryFolder folder(fs::temp_directory_path());
  const fs::path plain = folder.path() / "plain.txt";
  write_file(plain, "just text\n");
  const auto failure = [&](const Command& command) {
    try {
      run_captured(runner, command);
    } catch (const Error& error) {
      CHECK(error.exit() == Exit::input_unavailable);
      return cat(error.message(), error.causes().empty() ? "" : ": ", error.causes().empty() ? "" : error.causes()[0]);
    }
    return std::string("started");
  };
  CHECK(failure({.argv = {plain.native()}, .env = {}, .folder = {}}) ==
        cat("cannot start `", plain.native(), "`: permission denied"));
  fs::permissions(plain, fs::perms::owner_all);
  CHECK(failure({.argv = {plain.native()}, .env = {}, .folder = {}}) ==
        cat("cannot start `", plain.native(), "`: exec format error"));
  CHECK(failure({.argv = {"/nowhere/cc"}, .env = {}, .folder = {}}) ==
        "cannot start `/nowhere/cc`: no such file or directory");
  CHECK(failure({.argv = {"cc-of-nobody"}, .env = {{"PATH", "/usr/bin"}}, .folder = {}}) ==
        "there is no program `cc-of-nobody` on the PATH");
  CHECK(failure({.argv = {"/bin/true"}, .env = {}, .folder = folder.path() / "gone"}) ==
        cat("cannot start `/bin/true` in `", (folder.path() / "gone").native(), "`: no such file or directory"));
}

TEST_CASE("programs are looked for in absolute folders only, and must be executable files") {
  const TemporaryFolder folder(fs::temp_directory_path());
  const std::string path = folder.path().native();
  fs::create_directory(folder.path() / "folder");
  write_file(folder.path() / "text", "", 0644);
  write_file(folder.path() / "tool", "#!/bin/sh\n", 0755);
  CHECK(find_program("tool", cat(":relative:/nowhere:", path)) == folder.path() / "tool");
  CHECK_FALSE(find_program("folder", path));
  CHECK_FALSE(find_program("text", path));
  CHECK_FALSE(find_program("tool", "."));
}

namespace {

// So many bytes of one kind; throws after `limit`.
class Pattern : public Source {
 public:
  Pattern(std::uint64_t size, std::uint64_t limit) : left_(size), limit_(limit) {}
  std::size_t read(std::span<std::byte> room) override {
    if (given_ >= limit_) throw Error(Exit::input_unavailable, "the stick was pulled out");
    const std::size_t size = std::min<std::uint64_t>(room.size(), left_);
    std::fill_n(room.begin(), size, std::byte('x'));
    left_ -= size;
    given_ += size;
    return size;
  }

 private:
  std::uint64_t left_, limit_, given_ = 0;
};

}  // namespace

TEST_CASE("a program takes megabytes from a source as it wants them") {
  SystemProcessRunner runner;
  Pattern pattern(5'000'000, 6'000'000);
  Command command = shell("wc -c");
  command.feed = &pattern;
  CHECK(run_captured(runner, command).out == "5000000\n");
}

TEST_CASE("a program that does not want its input ends all the same") {
  SystemProcessRunner runner;
  Pattern pattern(50'000'000, 60'000'000);
  Command command = shell("head -c 10; exit 3");
  command.feed = &pattern;
  const CapturedOutput captured = run_captured(runner, command);
  CHECK(captured.out == "xxxxxxxxxx");
  CHECK(captured.result.status == 3);
}

TEST_CASE("a source that fails ends the program, and its error is what is seen") {
  SystemProcessRunner runner;
  Pattern pattern(50'000'000, 1'000'000);
  Command command = shell("cat >/dev/null; sleep 60");
  command.feed = &pattern;
  CHECK_THROWS_WITH_AS(run_captured(runner, command), "the stick was pulled out", Error);
}
