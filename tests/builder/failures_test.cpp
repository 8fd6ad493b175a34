// Bad input and bad luck, with real compilers and processes.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "builder/work_folder.hpp"
#include "plans.hpp"
#include "tests/support/errors.hpp"

using namespace whittle;
using namespace whittle::builder;
using namespace whittle::builder::test;
using whittle::test::error_of;

namespace {

using Names = std::vector<std::string>;

plan::BuildPlan sleeping_plan() {
  plan::BuildPlan plan = c_plan();
  plan.toolchains = {host_compiler()};
  plan.steps.insert(
      plan.steps.begin(),
      {.name = "wait", .argv = {"/bin/sh", "-c", "sleep 600 & echo $!; wait"}, .env = {}, .outputs = {}, .files = {}});
  return plan;
}

bool is_running(pid_t process) {
  const auto status = read_file_if_exists(cat("/proc/", process, "/stat"));
  return status && status->find(") Z ") == std::string::npos;
}

}  // namespace

TEST_CASE("a missing header is exit 51 with the compiler's words and the log") {
  Machine machine;
  machine.write("hello.c", "#include <nowhere/to_be_found.h>\nint main(void) { return 0; }\n");
  const Error error = error_of([&] { machine.build(c_plan()); });
  CHECK(error.exit() == Exit::build_failed);
  CHECK(error.message() == "build step `compile hello` failed with exit status 1");
  CHECK(error.details().at(0) == "last lines:");
  CHECK(error.details().at(1) == "  hello.c:1:10: fatal error: nowhere/to_be_found.h: No such file or directory");
  const fs::path log =
      machine.host.cache / "logs" / identifier_of(fs::canonical(machine.source)) / "1-compile-hello-host.log";
  CHECK(error.hints() == Names{cat("the full log is `", log.native(), "`")});
  CHECK(read_file(log).find("compilation terminated.") != std::string::npos);
  CHECK(error.notes() == Names{"with toolchain `musl`: build step `compile hello` failed with exit status 1: "
                               "hello.c:1:10: fatal error: nowhere/to_be_found.h: No such file or directory"});
}

TEST_CASE("a dynamic program is exit 55 with every reason and remedy") {
  Machine machine;
  machine.write("hello.c",
                "#include <math.h>\n#include <zlib.h>\nint main(int c, char** v) { return (int)sin(c) + "
                "(int)zlibVersion()[0] + !v; }\n");
  plan::BuildPlan plan = c_plan();
  plan.toolchains = {host_compiler()};
  plan.toolchains[0].link_flags = {"-Wl,--no-as-needed", "-lz", "-lm"};
  const Error error = error_of([&] { machine.build(plan); });
  CHECK(error.exit() == Exit::not_static);
  CHECK(error.message() == "`out-hello` cannot run in a scratch image: it is dynamically linked");
  CHECK(error.where() == "made by step `compile hello`");
  CHECK(error.details() == Names{"needs the interpreter /lib64/ld-linux-x86-64.so.2", "needs libz.so.1",
                                 "needs libm.so.6", "needs libc.so.6"});
  CHECK(error.hints() == Names{"link the program with `-static-pie`, or with `-static`",
                               "install the static archive `libz.a` and link with it",
                               "or ship its loader and libraries with it: `link = \"closure\"` under `[build]` in "
                               "whittle.toml"});
}

TEST_CASE("make does not take a program of an earlier build in the tree for up to date") {
  Machine machine;
  write_make(machine);
  const CapturedOutput made = run_captured(
      machine.runner, {.argv = {"/usr/bin/make"}, .env = {{"PATH", "/usr/bin:/bin"}}, .folder = machine.source});
  REQUIRE(made.result.ok());
  CHECK(machine.build(make_plan()).artifacts.size() == 1);
}

TEST_CASE("cancelling leaves no process and no work folder") {
  Machine machine;
  write_c(machine);
  std::stop_source stop;
  // Asks to stop once the step has told its child's number.
  struct StopOnOutput : EventSink {
    std::stop_source& stop;
    pid_t child = 0;
    explicit StopOnOutput(std::stop_source& source) : stop(source) {}
    void emit(const Event& event) noexcept override {
      if (const StepOutput* output = std::get_if<StepOutput>(&event)) {
        child = std::atoi(output->line.c_str());
        stop.request_stop();
      }
    }
  } events(stop);
  const Error error = error_of([&] { machine.build(sleeping_plan(), {}, machine.runner, events, stop.get_token()); });
  CHECK(error.exit() == Exit::transient);
  CHECK(error.message() == "cancelled during step `wait`");
  REQUIRE(events.child > 0);
  CHECK_FALSE(is_running(events.child));
  CHECK_FALSE(fs::exists(machine.host.cache / "work" / identifier_of(fs::canonical(machine.source))));
  CHECK(machine.build(c_plan()).artifacts.size() == 1);
}

TEST_CASE("a build that was killed leaves nothing that the next one would stumble over") {
  Machine machine;
  write_c(machine);
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    struct Tell : EventSink {
      int pipe;
      explicit Tell(int end) : pipe(end) {}
      void emit(const Event& event) noexcept override {
        if (const StepOutput* output = std::get_if<StepOutput>(&event)) {
          const std::string line = output->line + "\n";
          if (::write(pipe, line.data(), line.size()) < 0) ::_exit(1);
        }
      }
    } events(ends[1]);
    try {
      machine.build(sleeping_plan(), {}, machine.runner, events, {});
    } catch (...) {
    }
    ::_exit(0);
  }
  ::close(ends[1]);
  std::array<char, 32> line{};
  REQUIRE(::read(ends[0], line.data(), line.size()) > 0);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  const fs::path work = machine.host.cache / "work" / identifier_of(fs::canonical(machine.source));
  CHECK(fs::exists(work));
  const Built built = machine.build(c_plan());
  CHECK(built.artifacts.size() == 1);
  CHECK_FALSE(fs::exists(work));
  ::kill(std::atoi(line.data()), SIGKILL);  // the orphan that nobody could end
  ::close(ends[0]);
}

TEST_CASE("two builds of one tree at once take turns, and the second finds everything done") {
  Machine machine;
  write_c(machine);
  plan::BuildPlan plan = c_plan();
  const fs::path count = machine.folder.path() / "count";
  plan.steps.insert(plan.steps.begin(), {.name = "count",
                                         .argv = {"/bin/sh", "-c", cat("echo run >> ", count.native())},
                                         .env = {},
                                         .outputs = {},
                                         .files = {}});
  std::vector<Built> results(2);
  {
    std::jthread first([&] { results[0] = machine.build(plan); });
    std::jthread second([&] { results[1] = machine.build(plan); });
  }
  CHECK(read_file(count) == "run\n");
  CHECK(results[0].artifacts.at(0).digest == results[1].artifacts.at(0).digest);
}
