// What a step sees and may do, asked of bubblewrap itself.
#include "builder/sandbox.hpp"

#include <unistd.h>

#include "base/text.hpp"
#include "builder/trespass.hpp"
#include "plans.hpp"
#include "tests/support/errors.hpp"

using namespace whittle;
using namespace whittle::builder;
using namespace whittle::builder::test;
using whittle::test::error_of;

namespace {

// A home with a cache in it, as people have, and a step in it that runs a shell.
struct House {
  TemporaryFolder folder{fs::temp_directory_path(), "whittle-sandbox-"};
  fs::path home = folder.path() / "home";
  Host host{.environment = {{"PATH", caller_variable("PATH")}, {"HOME", home.native()}}, .cache = home / "cache"};
  Places places{.work = host.cache / "work/x",
                .source = home / "tree",
                .keep = host.cache / "keep/x",
                .tools = host.cache / "tools"};
  SystemProcessRunner runner;
  RecordingEvents events;
  std::vector<ProbedTool> tools;
  plan::Step step{.name = "compile", .argv = {}, .env = {}, .outputs = {}, .files = {}};

  House() {
    for (const fs::path& path : {places.work / "home", places.source, places.keep, places.tools / "go-mod"})
      make_folders(path);
    write_file(home / ".netrc", "machine example");
    write_file(home / "notes", "mine");
    write_file(places.source / "main.c", "int main;");
  }

  Command command(const std::string& script) {
    return {.argv = {"sh", "-c", script}, .env = {{"PATH", "/usr/bin:/bin"}}, .folder = places.work};
  }
  CapturedOutput run(const std::string& script) {
    Sandbox sandbox("required", host, runner, events);
    REQUIRE(sandbox.is_in_force({}));
    // What the script names is seen, too: that has a test of its own.
    const View view = view_of(step, command("true"), {host, places, tools, nullptr});
    return run_captured(runner, sandbox.around(command(script), view, step.network));
  }
  std::string said(const std::string& script) {
    const CapturedOutput output = run(script);
    return std::string(trim(output.out + output.error));
  }
};

}  // namespace

TEST_CASE("a step may write to its own folders and to no others") {
  House house;
  house.step.argv = {"${cache:go-mod}"};
  CHECK(house.said(cat("echo made > ", house.places.work.native(), "/a && echo made > ", house.places.keep.native(),
                       "/b && echo made > ", house.places.tools.native(), "/go-mod/c && echo all")) == "all");
  CHECK(read_file(house.places.work / "a") == "made\n");
  CHECK(read_file(house.places.keep / "b") == "made\n");
  CHECK(read_file(house.places.tools / "go-mod/c") == "made\n");
  for (const fs::path& path : {house.places.source / "x", fs::path("/usr/x"), fs::path("/etc/x")}) {
    const CapturedOutput output = house.run(cat("echo no > ", path.native()));
    CHECK(output.result.status == 2);
    CHECK(output.error.find("Read-only file system") != std::string::npos);
    CHECK_FALSE(fs::exists(path));
  }
}

TEST_CASE("a step reads the source where it is, and nothing else of the home") {
  House house;
  CHECK(house.said(cat("cat ", house.places.source.native(), "/main.c")) == "int main;");
  CHECK(house.said(cat("ls -A ", house.home.native())) == "cache\ntree");
  CHECK(house.said(cat("ls -A ", house.host.cache.native())) == "keep\nwork");
  CHECK(house.said("ls -A /run /var/tmp") == "/run:\n\n/var/tmp:");
  CHECK(house.said(cat("echo gone > ", house.home.native(), "/notes; cat /tmp/*/home/notes; echo ok")) == "gone\nok");
  CHECK(read_file(house.home / "notes") == "mine");
}

TEST_CASE("a step has the network when it says so, and then the credentials for it") {
  House house;
  const std::string interfaces = "ls /sys/class/net >/dev/null; grep -c : /proc/net/dev";
  CHECK(house.said(interfaces) == "1");  // loopback
  house.step.network = true;
  CHECK(house.said("readlink /proc/self/ns/net") == fs::read_symlink("/proc/self/ns/net").native());
  CHECK(house.said(cat("cat ", house.home.native(), "/.netrc")) == "machine example");
  house.step.network = false;
  CHECK(house.run(cat("cat ", house.home.native(), "/.netrc")).result.status == 1);
}

TEST_CASE("nothing that a step starts outlives it, and it sees no other process") {
  House house;
  CHECK(house.said("ls -d /proc/[0-9]* | wc -l") < "9");
  house.said("setsid sh -c 'sleep 600 & echo $! ; wait' >/dev/null 2>&1 & sleep 0.1; echo on");
  CHECK(house.said("kill -0 -1 2>&1; echo $$") != "");
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc")) {
    const auto line = read_file_if_exists(entry.path() / "cmdline");
    if (line) CHECK(line->find(house.folder.path().native()) == std::string::npos);
  }
}

TEST_CASE("a root in the sandbox may install files and not change the machine") {
  if (::geteuid() != 0) return;
  House house;
  CHECK(house.said("touch a && chown 1:1 a && chmod 04755 a && stat -c %u:%a a") == "1:4755");
  CHECK(house.run("mount -o remount,rw /").result.status != 0);
  CHECK(house.run("mknod b b 8 0").result.status != 0);
  for (const char* file : {"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sysrq-trigger",
                           "/sys/kernel/uevent_helper", "/sys/fs/cgroup"}) {
    CAPTURE(file);
    CHECK(house.run(cat("test -w ", file)).result.status == 1);
  }
}

TEST_CASE("a tool in the home is seen with what is installed beside it and with its interpreter") {
  House house;
  const fs::path zig = house.home / "zig-0.15/zig", script = house.home / "sdk/bin/tool",
                 python = house.home / "python/bin/python";
  for (const fs::path& program : {zig, script, python}) make_folders(program.parent_path());
  write_file(zig, "zig", 0755);
  write_file(script, cat("#!", python.native(), " -s\n"), 0755);
  write_file(python, "python", 0755);
  write_file(house.home / "sdk/data", "data");
  make_folders(house.home / "bin");
  fs::create_symlink(script, house.home / "bin/tool");
  house.tools = {{.name = "zig", .path = zig, .version = {}, .describes = {}, .digest = {}},
                 {.name = "tool", .path = house.home / "bin/tool", .version = {}, .describes = {}, .digest = {}}};
  CHECK(house.said(cat("ls ", house.home.native())) == "bin\ncache\npython\nsdk\ntree\nzig-0.15");
  CHECK(house.said(cat("cat ", house.home.native(), "/sdk/data")) == "data");
}

TEST_CASE("a path that a command names is seen; what begins with a dot is not") {
  House house;
  make_folders(house.home / "sdk");
  write_file(house.home / ".token", "secret");
  const Command command = house.command(cat("-DSDK=", house.home.native(), "/sdk -I", house.home.native(), "/.token"));
  const View view = view_of(house.step, command, {house.host, house.places, {}, nullptr});
  const fs::path home = fs::canonical(house.home);
  CHECK(view.access(home / "sdk/include") == Access::readable);
  CHECK(view.access(home / ".token") == Access::hidden);
  CHECK(view.access(home) == Access::hidden);
  CHECK(view.access("/usr/bin") == Access::readable);
  CHECK(view.access(fs::canonical(house.places.work) / "a/b") == Access::writable);
}

TEST_CASE("without bubblewrap there is one warning, or an error when a sandbox is required") {
  House house;
  house.host.environment["PATH"] = "/nowhere";
  Sandbox automatic("auto", house.host, house.runner, house.events);
  CHECK_FALSE(automatic.is_in_force({}));
  CHECK_FALSE(automatic.is_in_force({}));
  REQUIRE(house.events.events().size() == 1);
  CHECK(std::get<Note>(house.events.events()[0]).text ==
        "steps run without a sandbox: bubblewrap is not on this machine; install it with `apt-get install bubblewrap`, "
        "or accept it with `--sandbox=off`");
  Sandbox required("required", house.host, house.runner, house.events);
  const Error error = error_of([&] { required.is_in_force({}); });
  CHECK(error.exit() == Exit::input_unavailable);
  CHECK(error.message() == "steps must run in a sandbox, and this machine has none");
  CHECK(error.causes() == std::vector<std::string>{"bubblewrap is not on this machine"});
  Sandbox off("off", house.host, house.runner, house.events);
  CHECK_FALSE(off.is_in_force({}));
  CHECK(house.events.events().size() == 1);
}

TEST_CASE("that bubblewrap works is found out once, and that it does not, every time") {
  House house;
  Sandbox first("auto", house.host, house.runner, house.events);
  CHECK(first.is_in_force({}));
  CHECK(std::distance(fs::directory_iterator(house.host.cache / "probes"), fs::directory_iterator()) == 1);
  const fs::path bin = house.folder.path() / "bin";
  make_folders(bin);
  write_file(bin / "bwrap", "#!/bin/sh\necho 'bwrap: no namespaces for you' >&2\nexit 1\n", 0755);
  house.host.environment["PATH"] = bin.native();
  Sandbox second("required", house.host, house.runner, house.events);
  for (int i = 0; i < 2; ++i) {
    CHECK(error_of([&] { second.is_in_force({}); }).causes() ==
          std::vector<std::string>{"bwrap: no namespaces for you"});
  }
}

TEST_CASE("what a step said tells what its sandbox kept from it") {
  House house;
  const View view(house.host);
  const auto found = [&](std::string_view said) { return trespass_in(said, view, false); };
  for (const char* said : {"curl: (6) Could not resolve host: example.com\n",
                           "go: dial tcp: lookup proxy.example.org: connect: network is unreachable\n",
                           "npm ERR! getaddrinfo EAI_AGAIN registry.example.org\n",
                           "java.net.UnknownHostException: repository.example.org\n"}) {
    REQUIRE(found(said));
    CHECK(found(said)->kind == Trespass::Kind::network);
    CHECK_FALSE(trespass_in(said, view, true));
  }
  const auto write = found("install: cannot create '/usr/local/bin/x': Read-only file system\n");
  REQUIRE(write);
  CHECK(description_of(*write) == "wanted to write `/usr/local/bin/x`, which it may not");
  const std::string notes = (fs::canonical(house.home) / "notes").native();
  const auto read = found(cat("error: failed to read `", notes, "`: No such file or directory\n"));
  REQUIRE(read);
  CHECK(description_of(*read) ==
        cat("wanted to read `", notes, "`, which is neither in the source tree nor of a tool"));
  CHECK_FALSE(found("main.c:1:10: fatal error: /usr/include/nothing.h: No such file or directory\n"));
  CHECK_FALSE(found("make: *** [Makefile:2: all] Error 1\n"));
}
