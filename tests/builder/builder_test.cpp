// Order, caching and choice, with a runner that starts nothing.
#include "builder/builder.hpp"

#include <algorithm>
#include <fstream>

#include "builder/secrets.hpp"
#include "plans.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/fake_runner.hpp"

using namespace whittle;
using namespace whittle::builder;
using namespace whittle::builder::test;
using whittle::test::error_of;

namespace {

// A real static program of a few hundred bytes would do; the smallest at hand is compiled once.
const std::string& static_program() {
  static const std::string bytes = [] {
    const TemporaryFolder folder(fs::temp_directory_path());
    write_file(folder.path() / "a.c", "void _start(void) { for (;;); }\n");
    SystemProcessRunner runner;
    const CapturedOutput made =
        run_captured(runner, {.argv = {"gcc", "-static", "-nostdlib", "-o", (folder.path() / "a").native(),
                                       (folder.path() / "a.c").native()},
                              .env = {{"PATH", "/usr/bin:/bin"}},
                              .folder = {}});
    REQUIRE(made.result.ok());
    return read_file(folder.path() / "a");
  }();
  return bytes;
}

// Tools that are files on the PATH, and answers by the first argument.
struct Workshop {
  Machine machine;
  fs::path bin = machine.folder.path() / "bin";
  std::vector<std::string> ran;  // what the steps were told, without probes
  FakeRunner::Answer next = {};
  std::string fails;  // the step that does not succeed
  std::stop_source stop;
  FakeRunner runner{[this](const Command& command) { return answer(command); }};

  Workshop() {
    make_folders(bin);
    for (const char* name : {"tool", "musl-gcc", "gcc"}) write_file(bin / name, name, 0755);
    machine.host.environment["PATH"] = bin.native();
    machine.write("main.c", "int main;");
  }

  FakeRunner::Answer answer(const Command& command) {
    const std::string& what = command.argv.at(1);
    if (what == "--version") return {.out = "tool 1.0\n"};
    const std::string program = fs::path(command.argv[0]).filename().native();
    ran.push_back(program == "tool" ? what : cat(program, " ", what));
    if (what == fails || program == fails) return {.status = 2, .error = "main.c:1: error: no\n"};
    if (what == "compile") make(fs::path(command.env.at("HOME")).parent_path() / "out/app", static_program());
    if (what == "link-dynamically")
      make(fs::path(command.env.at("HOME")).parent_path() / "out/app", read_file("/bin/true"));
    return {};
  }
  static void make(const fs::path& path, std::string_view content) {
    make_folders(path.parent_path());
    write_file(path, content, 0700);
  }

  static plan::Step step(const std::string& what, std::vector<std::string> outputs = {}, bool network = false) {
    return {.name = what,
            .argv = {"${tool:tool}", what},
            .env = {},
            .outputs = std::move(outputs),
            .files = {},
            .network = network};
  }
  static plan::BuildPlan plan(std::vector<plan::Step> steps) {
    plan::BuildPlan plan = plan_of("app", "go");
    plan.tools = {{"tool", "", ""}};
    plan.steps = std::move(steps);
    plan.outputs = {program("out/app", "app")};
    return plan;
  }

  Built build(const plan::BuildPlan& plan, const Options& options = {}) {
    ran.clear();
    return machine.build(plan, options, runner, machine.events, stop.get_token());
  }
  InputKey key(const plan::BuildPlan& plan) {
    return input_key(plan, machine.source, machine.host, runner, machine.events, {});
  }
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("steps run in order, and not again while nothing changes") {
  Workshop shop;
  const plan::BuildPlan plan = shop.plan({shop.step("prepare"), shop.step("compile", {"out/app"})});
  const Built first = shop.build(plan);
  CHECK(shop.ran == Names{"prepare", "compile"});
  REQUIRE(first.artifacts.size() == 1);
  CHECK(read_file(first.artifacts[0].file) == static_program());
  CHECK(first.artifacts[0].digest == digest_of(static_program()));
  CHECK(first.artifacts[0].mode == 0755);
  CHECK(first.artifacts[0].origin == "step compile");
  const Built second = shop.build(plan);
  CHECK(shop.ran.empty());
  CHECK(second.artifacts[0].digest == first.artifacts[0].digest);
  CHECK(second.artifacts[0].file == first.artifacts[0].file);  // once in the cache
}

TEST_CASE("the cache is in use as long as somebody keeps artifacts") {
  Workshop shop;
  {
    const Built built = shop.build(shop.plan({shop.step("compile", {"out/app"})}));
    CHECK_FALSE(remove_leftovers(shop.machine.host, shop.machine.events));
    CHECK(read_file(built.artifacts[0].file) == static_program());
  }
  CHECK(remove_leftovers(shop.machine.host, shop.machine.events));
}

TEST_CASE("what no step needs stays in the cache, and is in the result all the same") {
  Workshop shop;
  plan::BuildPlan plan = shop.plan({shop.step("fetch", {"packages", "facts"}), shop.step("compile", {"out/app"})});
  plan.steps[0].inputs = {"*.txt"};
  plan.steps[1].needs = {"facts"};
  plan::Output packages;
  packages.built = "packages";
  packages.installed = "/packages";
  packages.kind = plan::Output::Kind::dependency;
  plan.outputs.push_back(packages);
  std::vector<std::string> seen;
  const auto build = [&](const Options& options = {}) {
    shop.runner = FakeRunner([&](const Command& command) {
      const fs::path work = fs::path(command.env.at("HOME")).parent_path();
      if (command.argv.at(1) == "fetch") {
        shop.make(work / "packages/deep/a", "aaa");
        shop.make(work / "facts", "f");
      } else if (command.argv.at(1) == "compile") {
        seen.push_back(
            cat(fs::exists(work / "facts") ? "facts" : "", fs::exists(work / "packages") ? " packages" : ""));
      }
      return shop.answer(command);
    });
    return shop.build(plan, options);
  };
  const Built first = build();
  CHECK(shop.ran == Names{"fetch", "compile"});
  shop.machine.write("main.c", "int other;");
  const Built second = build();
  CHECK(shop.ran == Names{"compile"});
  CHECK(seen == Names{"facts packages", "facts"});
  REQUIRE(second.artifacts.size() == 2);
  CHECK(second.artifacts[1].installed == "/packages/deep/a");
  CHECK(read_file(second.artifacts[1].file) == "aaa");
  CHECK(second.artifacts[1].digest == first.artifacts[1].digest);
  // A secret is looked for in everything.
  Secrets secrets;
  secrets.add("token", "a secret that nobody knows");
  Options options;
  options.secrets = &secrets;
  shop.machine.write("main.c", "int third;");
  build(options);
  CHECK(seen.back() == "facts packages");
}

TEST_CASE("a change of source, plan or tool runs what depends on it") {
  Workshop shop;
  plan::BuildPlan plan = shop.plan({shop.step("prepare", {"out/prepared"}), shop.step("compile", {"out/app"})});
  plan.steps[0].inputs = {"*.txt"};
  const auto prepared = [&](const plan::BuildPlan& changed) {
    shop.runner = FakeRunner([&shop](const Command& command) {
      if (command.argv.at(1) == "prepare")
        shop.make(fs::path(command.env.at("HOME")).parent_path() / "out/prepared", "p");
      return shop.answer(command);
    });
    shop.build(changed);
    return shop.ran;
  };
  CHECK(prepared(plan) == Names{"prepare", "compile"});
  shop.machine.write("main.c", "int other;");
  CHECK(prepared(plan) == Names{"compile"});
  shop.machine.write("list.txt", "x");
  CHECK(prepared(plan) == Names{"prepare", "compile"});
  plan.steps[1].env["X"] = "1";
  CHECK(prepared(plan) == Names{"compile"});
  plan.image.labels["a"] = "b";
  plan.layers.level = 19;
  CHECK(prepared(plan).empty());
  plan.image.created = "5";
  CHECK(prepared(plan) == Names{"prepare", "compile"});
  write_file(shop.bin / "tool", "another", 0755);
  CHECK(prepared(plan) == Names{"prepare", "compile"});
}

TEST_CASE("the input key changes with everything that decides the image, and starts no process twice") {
  Workshop shop;
  plan::BuildPlan plan = shop.plan({shop.step("compile", {"out/app"})});
  plan.image.ignore = {"*.md"};
  const Digest key = shop.key(plan).digest;
  const std::size_t started = shop.runner.commands.size();
  shop.machine.write("README.md", "x");
  CHECK(shop.key(plan).digest == key);
  shop.machine.write("data.json", "x");
  CHECK(shop.key(plan).digest != key);
  fs::remove(shop.machine.source / "data.json");
  CHECK(shop.key(plan).digest == key);
  plan.image.labels["a"] = "b";
  CHECK(shop.key(plan).digest != key);
  CHECK(shop.runner.commands.size() == started);
  CHECK(shop.key(plan).tools.at(0).version == "1.0");
}

TEST_CASE("a damaged cache entry is built again") {
  Workshop shop;
  const plan::BuildPlan plan = shop.plan({shop.step("compile", {"out/app"})});
  shop.build(plan);
  const auto damage = [&](const std::function<void(const fs::path&)>& how) {
    for (const char* part : {"steps", "objects"}) {
      for (const auto& entry : fs::recursive_directory_iterator(shop.machine.host.cache / part)) {
        if (entry.is_regular_file() && entry.path().filename() != "lock") how(entry.path());
      }
    }
    return shop.build(plan).artifacts[0].digest == digest_of(static_program()) && shop.ran == Names{"compile"};
  };
  CHECK(damage([](const fs::path& path) { fs::resize_file(path, fs::file_size(path) / 2); }));
  CHECK(damage([](const fs::path& path) { write_file(path, "{}"); }));
  CHECK(damage([](const fs::path& path) {
    if (path.native().find("/objects/") != std::string::npos) fs::remove(path);
  }));
  // One byte, in place.
  CHECK(damage([](const fs::path& path) {
    if (path.native().find("/objects/") == std::string::npos) return;
    std::fstream file(path, std::ios::in | std::ios::out);
    file.seekp(10);
    file.put('x');
  }));
}

TEST_CASE("a failed step ends the build, with its last lines, its log and exit 51") {
  Workshop shop;
  shop.fails = "prepare";
  const Error error = error_of([&] {
    shop.build(shop.plan({shop.step("prepare"), shop.step("compile", {"out/app"})}));
  });
  CHECK(shop.ran == Names{"prepare"});
  CHECK(error.exit() == Exit::build_failed);
  CHECK(error.message() == "build step `prepare` failed with exit status 2");
  CHECK(error.where() == cat((shop.bin / "tool").native(), " prepare   (in `src`)"));
  CHECK(error.details() == Names{"last lines:", "  main.c:1: error: no"});
  REQUIRE(error.hints().size() == 1);
  const std::string log = error.hints()[0].substr(std::string_view("the full log is `").size());
  CHECK(read_file(log.substr(0, log.size() - 1)) ==
        cat("$ ", (shop.bin / "tool").native(), " prepare\nmain.c:1: error: no\n"));
  // What failed is not remembered.
  shop.fails.clear();
  CHECK(shop.build(shop.plan({shop.step("prepare"), shop.step("compile", {"out/app"})})).artifacts.size() == 1);
}

TEST_CASE("a step that does not make what it declares has failed") {
  Workshop shop;
  const Error error = error_of([&] { shop.build(shop.plan({shop.step("prepare", {"out/app"})})); });
  CHECK(error.exit() == Exit::build_failed);
  CHECK(error.message() == "build step `prepare` did not make `out/app`");
}

TEST_CASE("toolchains are tried in order until one gives a static program") {
  Workshop shop;
  plan::BuildPlan plan =
      shop.plan({{.name = "compile", .argv = {"${cc}", "compile"}, .env = {}, .outputs = {"out/app"}, .files = {}}});
  plan.toolchains = {musl(), host_compiler()};
  shop.fails = "musl-gcc";
  CHECK(shop.build(plan).artifacts.size() == 1);
  CHECK(shop.ran == Names{"musl-gcc compile", "gcc compile"});
  const Names notes = shop.machine.notes();
  CHECK(std::count(notes.begin(), notes.end(),
                   "toolchain `musl` does not fit (build step `compile` failed with exit status 2: "
                   "main.c:1: error: no); trying toolchain `host`") == 1);
  // The answer is kept: the first toolchain is not tried again.
  shop.build(plan);
  CHECK(shop.ran.empty());
}

TEST_CASE("the toolchain that worked is tried first when the sources have changed") {
  Workshop shop;
  plan::BuildPlan plan =
      shop.plan({{.name = "compile", .argv = {"${cc}", "compile"}, .env = {}, .outputs = {"out/app"}, .files = {}}});
  plan.toolchains = {musl(), host_compiler()};
  shop.fails = "musl-gcc";
  shop.build(plan);
  shop.machine.write("main.c", "int changed;");
  shop.build(plan);
  CHECK(shop.ran == Names{"gcc compile"});
  // It is a memory of this plan alone: other steps may suit the first again.
  plan.steps[0].env = {{"OTHER", "1"}};
  shop.build(plan);
  CHECK(shop.ran == Names{"musl-gcc compile", "gcc compile"});
  // And it is given up when it does not work any more.
  shop.fails = "gcc";
  shop.machine.write("main.c", "int changed_again;");
  shop.build(plan);
  CHECK(shop.ran == Names{"gcc compile", "musl-gcc compile"});
}

TEST_CASE("a toolchain with signs is tried only when a failure has one of them") {
  Workshop shop;
  plan::BuildPlan plan =
      shop.plan({{.name = "compile", .argv = {"${cc}", "compile"}, .env = {}, .outputs = {"out/app"}, .files = {}}});
  plan.toolchains = {musl(), host_compiler()};
  plan.toolchains[1].signs = {"recompile with -fPIC"};
  shop.fails = "musl-gcc";
  CHECK(error_of([&] { shop.build(plan); }).exit() == Exit::build_failed);
  CHECK(shop.ran == Names{"musl-gcc compile"});
  plan.toolchains[1].signs = {"recompile with -fPIC", "error: no"};
  shop.build(plan);
  CHECK(shop.ran == Names{"musl-gcc compile", "gcc compile"});
}

TEST_CASE("a fallback replaces a step that failed, in a new folder, and its warning stays with the result") {
  Workshop shop;
  plan::BuildPlan plan = shop.plan({shop.step("prepare"), shop.step("bad", {"out/app"})});
  plan::Fallback never, other;
  never.name = "never";
  never.signs = {"another error"};
  never.argv = {"${tool:tool}", "never"};
  other.name = "another way";
  other.signs = {"error: no"};
  other.argv = {"${tool:tool}", "compile"};
  other.warning = "built in another way";
  plan.steps[1].fallbacks = {never, other};
  shop.fails = "bad";
  CHECK(shop.build(plan).warnings == Names{"built in another way"});
  CHECK(shop.ran == Names{"prepare", "bad", "prepare", "compile"});
  CHECK(shop.build(plan).warnings == Names{"built in another way"});
  CHECK(shop.ran.empty());
  shop.machine.write("main.c", "int changed;");
  shop.build(plan);
  CHECK(shop.ran == Names{"prepare", "compile"});
}

TEST_CASE("a program that is not static is made again by a fallback for that") {
  Workshop shop;
  plan::BuildPlan plan = shop.plan({shop.step("link-dynamically", {"out/app"})});
  plan::Fallback wrapper;
  wrapper.name = "compiler wrapper";
  wrapper.signs = {"dynamically linked"};
  wrapper.argv = {"${tool:tool}", "compile"};
  plan.steps[0].fallbacks = {wrapper};
  CHECK(shop.build(plan).artifacts.size() == 1);
  CHECK(shop.ran == Names{"link-dynamically", "compile"});
}

TEST_CASE("when all fallbacks fail the last error is shown, with the earlier ones") {
  Workshop shop;
  plan::BuildPlan plan = shop.plan({shop.step("link-dynamically", {"out/app"})});
  plan::Fallback wrapper;
  wrapper.name = "compiler wrapper";
  wrapper.argv = {"${tool:tool}", "bad"};
  plan.steps[0].fallbacks = {wrapper};
  shop.fails = "bad";
  const Error error = error_of([&] { shop.build(plan); });
  CHECK(error.message() == "build step `link-dynamically` failed with exit status 2");
  REQUIRE(error.notes().size() == 1);
  CHECK(
      error.notes()[0].starts_with("with the usual steps: `out/app` cannot run in a scratch image: it is dynamically "
                                   "linked"));
}

TEST_CASE("a fallback that goes on runs where the failed step has stopped") {
  Workshop shop;
  plan::BuildPlan plan = shop.plan({shop.step("prepare"), shop.step("bad", {"out/app"})});
  plan::Fallback serial;
  serial.name = "one job";
  serial.argv = {"${tool:tool}", "compile"};
  serial.goes_on = true;
  plan.steps[1].fallbacks = {serial};
  shop.fails = "bad";
  shop.build(plan);
  CHECK(shop.ran == Names{"prepare", "bad", "compile"});
}

TEST_CASE("a toolchain is passed over when the host has a library of the project for its own C library") {
  Workshop shop;
  plan::BuildPlan plan =
      shop.plan({{.name = "compile", .argv = {"${cc}", "compile"}, .env = {}, .outputs = {"out/app"}, .files = {}}});
  plan.toolchains = {musl(), host_compiler()};
  plan.toolchains[0].unless_host_has = {"no-such-library", "ZLIB"};
  shop.build(plan);
  CHECK(shop.ran == Names{"gcc compile"});
}

TEST_CASE("a toolchain that is not there is passed over; none at all names the packages") {
  Workshop shop;
  plan::BuildPlan plan =
      shop.plan({{.name = "compile", .argv = {"${cc}", "compile"}, .env = {}, .outputs = {"out/app"}, .files = {}}});
  plan.toolchains = {musl(), host_compiler()};
  fs::remove(shop.bin / "musl-gcc");
  shop.build(plan);
  CHECK(shop.ran == Names{"gcc compile"});
  fs::remove(shop.bin / "gcc");
  const Error error = error_of([&] { shop.build(plan); });
  CHECK(error.exit() == Exit::input_unavailable);
  CHECK(error.message() == "no C compiler was found that could build this");
  CHECK(error.hints() ==
        Names{"install it with `apt-get install musl-tools`", "install it with `apt-get install gcc libc6-dev`"});
}

TEST_CASE("when every toolchain fails, the last one's error is shown and the others are noted") {
  Workshop shop;
  plan::BuildPlan plan = shop.plan(
      {{.name = "compile", .argv = {"${cc}", "link-dynamically"}, .env = {}, .outputs = {"out/app"}, .files = {}}});
  plan.toolchains = {musl(), host_compiler()};
  shop.fails = "musl-gcc";
  const Error error = error_of([&] { shop.build(plan); });
  CHECK(error.exit() == Exit::not_static);
  CHECK(error.message() == "`out/app` cannot run in a scratch image: it is dynamically linked");
  CHECK(error.where() == "made by step `compile`");
  CHECK(error.details() == Names{"needs the interpreter /lib64/ld-linux-x86-64.so.2", "needs libc.so.6"});
  CHECK(error.notes() ==
        Names{"with toolchain `musl`: build step `compile` failed with exit status 2: main.c:1: error: no"});
}

TEST_CASE("offline, every fetching step is listed at once, unless it has been done for the same inputs") {
  Workshop shop;
  plan::BuildPlan plan =
      shop.plan({shop.step("fetch-a", {}, true), shop.step("fetch-b", {}, true), shop.step("compile", {"out/app"})});
  plan.steps[0].env["CACHE"] = "${cache:fetched}";
  plan.steps[0].inputs = plan.steps[1].inputs = {"*.lock"};
  plan.steps[1].env["CACHE"] = "${cache:fetched}";
  const Options offline{.offline = true, .jobs = 0};
  const Error error = error_of([&] { shop.build(plan, offline); });
  CHECK(shop.ran.empty());
  CHECK(error.exit() == Exit::input_unavailable);
  CHECK(error.message() == "2 steps need the network, and `--offline` forbids it");
  CHECK(error.details() == Names{"fetch-a: '${tool:tool}' fetch-a", "fetch-b: '${tool:tool}' fetch-b"});
  shop.build(plan);
  CHECK(shop.ran == Names{"fetch-a", "fetch-b", "compile"});
  CHECK(shop.build(plan, offline).artifacts.size() == 1);
  shop.machine.write("main.c", "int changed;");
  shop.build(plan, offline);
  CHECK(shop.ran == Names{"compile"});
  shop.machine.write("go.lock", "changed");
  CHECK(error_of([&] { shop.build(plan, offline); }).exit() == Exit::input_unavailable);
  // Whoever empties the cache takes the marks with it.
  fs::remove(shop.machine.source / "go.lock");
  shop.machine.write("main.c", "int again;");
  fs::remove_all(shop.machine.host.cache / "tools" / "fetched");
  CHECK(error_of([&] { shop.build(plan, offline); }).exit() == Exit::input_unavailable);
}

TEST_CASE("only fetching steps see the caller's proxies") {
  Workshop shop;
  shop.machine.host.environment["HTTPS_PROXY"] = "http://proxy:3128";
  shop.build(shop.plan({shop.step("fetch", {}, true), shop.step("compile", {"out/app"})}));
  const auto command = [&](const char* what) {
    return *std::find_if(shop.runner.commands.begin(), shop.runner.commands.end(),
                         [&](const Command& one) { return one.argv.at(1) == what; });
  };
  CHECK(command("fetch").env.at("HTTPS_PROXY") == "http://proxy:3128");
  CHECK_FALSE(command("compile").env.contains("HTTPS_PROXY"));
}

TEST_CASE("a cancelled build is transient, keeps nothing half done and goes on afterwards") {
  Workshop shop;
  plan::BuildPlan plan = shop.plan({shop.step("prepare"), shop.step("compile", {"out/app"})});
  shop.runner = FakeRunner([&](const Command& command) {
    if (command.argv.at(1) == "prepare") shop.stop.request_stop();
    return shop.answer(command);
  });
  const Error error = error_of([&] { shop.build(plan); });
  CHECK(error.exit() == Exit::transient);
  CHECK(error.message() == "cancelled during step `prepare`");
  CHECK(error.notes() == Names{"nothing was changed; the same command goes on from what is cached"});
  CHECK(shop.ran == Names{"prepare"});
  CHECK_FALSE(fs::exists(shop.machine.host.cache / "steps"));
  shop.stop = {};
  shop.runner = FakeRunner([&](const Command& command) { return shop.answer(command); });
  CHECK(shop.build(plan).artifacts.size() == 1);
}

TEST_CASE("a plan cannot make the builder run or write outside the work folder") {
  Workshop shop;
  plan::BuildPlan outside = shop.plan({shop.step("compile", {"out/app"})});
  outside.steps[0].folder = "../..";
  CHECK(error_of([&] { shop.build(outside); }).exit() == Exit::usage);
  outside.steps[0].folder = "src";
  outside.steps[0].files = {{"../escaped", "x"}};
  CHECK(error_of([&] { shop.build(outside); }).exit() == Exit::usage);
  outside.steps[0].files = {};
  outside.outputs[0].built = "/bin/true";
  CHECK(error_of([&] { shop.build(outside); }).message() == "`/bin/true` leads out of the work folder");
}

TEST_CASE("data outputs are artifacts too, folders with everything in them") {
  Workshop shop;
  plan::BuildPlan plan = shop.plan({shop.step("compile", {"out/app", "out/assets"})});
  shop.runner = FakeRunner([&](const Command& command) {
    if (command.argv.at(1) == "compile") {
      const fs::path assets = fs::path(command.env.at("HOME")).parent_path() / "out/assets";
      shop.make(assets / "index.html", "<p>");
      shop.make(assets / "css/a.css", "p{}");
    }
    return shop.answer(command);
  });
  plan.outputs.push_back(
      {.built = "out/assets", .installed = "/srv", .kind = plan::Output::Kind::data, .process = {}, .target = {}});
  const Built built = shop.build(plan);
  Names installed;
  for (const plan::Artifact& artifact : built.artifacts) installed.push_back(artifact.installed);
  CHECK(installed == Names{"/bin/app", "/srv/css/a.css", "/srv/index.html"});
  CHECK(built.artifacts[1].kind == plan::Artifact::Kind::asset);
}

TEST_CASE("a runtime and its packages keep their links, but for those that lead out") {
  Workshop shop;
  plan::BuildPlan plan = shop.plan({shop.step("compile", {"out/app", "out/runtime", "out/packages"})});
  shop.runner = FakeRunner([&](const Command& command) {
    if (command.argv.at(1) == "compile") {
      const fs::path out = fs::path(command.env.at("HOME")).parent_path() / "out";
      shop.make(out / "runtime/lib/a.py", "a");
      shop.make(out / "packages/b/index.js", "b");
      fs::create_symlink("../lib/a.py", out / "runtime/lib/again.py");
      fs::create_symlink("b", out / "packages/c");
      fs::create_symlink("../../runtime/lib/a.py", out / "packages/outside");
      fs::create_symlink("/etc/passwd", out / "packages/absolute");
    }
    return shop.answer(command);
  });
  using Kind = plan::Output::Kind;
  for (const auto& [name, kind] : {std::pair("runtime", Kind::runtime), std::pair("packages", Kind::dependency)}) {
    plan::Output output;
    output.built = cat("out/", name);
    output.installed = cat("/opt/", name);
    output.kind = kind;
    plan.outputs.push_back(output);
  }
  const Built built = shop.build(plan);
  std::map<std::string, plan::Artifact> by_path;
  for (const plan::Artifact& artifact : built.artifacts) by_path[artifact.installed] = artifact;
  REQUIRE(by_path.size() == 5);
  CHECK(by_path["/opt/runtime/lib/a.py"].kind == plan::Artifact::Kind::runtime);
  CHECK(by_path["/opt/runtime/lib/again.py"].link == "../lib/a.py");
  CHECK(by_path["/opt/packages/b/index.js"].kind == plan::Artifact::Kind::dependency);
  CHECK(by_path["/opt/packages/c"].link == "b");
  CHECK(
      built.warnings ==
      Names{
          "the link `/opt/packages/absolute` to `/etc/passwd` leads out of `/opt/packages` and is left out",
          "the link `/opt/packages/outside` to `../../runtime/lib/a.py` leads out of `/opt/packages` and is left out"});
}

void link_library(const fs::path& file, const std::string& arguments) {
  fs::create_directories(file.parent_path());
  const std::string command = cat("gcc -shared -nostdlib -o ", file.native(), " -xc /dev/null ", arguments);
  REQUIRE(std::system(command.c_str()) == 0);
}

// An extension module, and beside it the library that it needs.
void make_module(const fs::path& file, const std::string& needed) {
  link_library(file.parent_path() / needed, cat("-Wl,-soname,", needed));
  link_library(file, cat("-Wl,--no-as-needed,-rpath,'$ORIGIN' -L", file.parent_path().native(), " -l:", needed));
}

TEST_CASE("modules that an interpreter loads bring their libraries, and what is not there is named") {
  Workshop shop;
  plan::BuildPlan plan = shop.plan({shop.step("compile", {"out/app", "out/packages"})});
  plan.link = "closure";
  plan::Output packages;
  packages.built = "out/packages";
  packages.installed = "/opt/packages";
  packages.kind = plan::Output::Kind::dependency;
  plan.outputs.push_back(packages);
  bool is_complete = true;
  shop.runner = FakeRunner([&](const Command& command) {
    if (command.argv.at(1) == "compile") {
      const fs::path out = fs::path(command.env.at("HOME")).parent_path() / "out/packages";
      make_module(out / "a/own.so", "libown.so.1");
      link_library(out / "b/system.so", "-Wl,--no-as-needed -l:libz.so.1");
      make_module(out / "c/lost.so", "liblost.so.7");
      if (!is_complete) fs::remove(out / "c/liblost.so.7");
    }
    return shop.answer(command);
  });
  const Built built = shop.build(plan);
  std::map<std::string, plan::Artifact> by_path;
  for (const plan::Artifact& artifact : built.artifacts) by_path[last_part(artifact.installed)] = artifact;
  REQUIRE(by_path.contains("libz.so.1"));
  CHECK(by_path["libz.so.1"].reason == "needed by /opt/packages/b/system.so");
  CHECK(by_path["libz.so.1"].kind == plan::Artifact::Kind::dependency);
  CHECK(by_path["libown.so.1"].installed == "/opt/packages/a/libown.so.1");

  is_complete = false;
  write_file(shop.machine.source / "main.c", "int main(void) { return 1; }");
  const Error error = error_of([&] { shop.build(plan); });
  CHECK(error.exit() == Exit::not_static);
  CHECK(error.details() == Names{"/opt/packages/c/lost.so: liblost.so.7, needed by /opt/packages/c/lost.so"});
}

TEST_CASE("what an earlier build left in the tree is not copied, and not part of the key") {
  Workshop shop;
  plan::BuildPlan plan =
      shop.plan({{.name = "compile", .argv = {"${cc}", "compile"}, .env = {}, .outputs = {"out/app"}, .files = {}}});
  plan.toolchains = {host_compiler()};
  const Digest key = shop.key(plan).digest;
  fs::copy_file("/bin/true", shop.machine.source / "stale");
  write_file(shop.machine.source / "main.o", static_program());
  CHECK(shop.key(plan).digest == key);
  shop.runner = FakeRunner([&](const Command& command) {
    if (command.argv.at(1) == "compile") {
      CHECK_FALSE(fs::exists(command.folder / "stale"));
      CHECK_FALSE(fs::exists(command.folder / "main.o"));
      CHECK(fs::exists(command.folder / "main.c"));
    }
    return shop.answer(command);
  });
  shop.build(plan);
}
