#include "builder/modules.hpp"

#include "tests/builder/plans.hpp"

using namespace whittle;
using namespace whittle::builder;
using Strings = std::vector<std::string>;

namespace {

// The machine's own pkg-config, which finds descriptions in a folder of the test.
class WithModules : public ProcessRunner {
 public:
  explicit WithModules(fs::path folder) : folder_(std::move(folder)) {}
  ProcessResult run(const Command& command, const OutputFunction& output, std::stop_token stop) override {
    Command other = command;
    other.env["PKG_CONFIG_PATH"] = folder_.native();
    if (command.argv.front().ends_with("pkg-config")) ++questions;
    return system_.run(other, output, std::move(stop));
  }
  int questions = 0;

 private:
  fs::path folder_;
  SystemProcessRunner system_;
};

struct Modules {
  test::Machine machine;
  fs::path folder = machine.folder.path() / "modules";
  WithModules runner{folder};
  plan::BuildPlan plan = test::plan_of("tool", "c");

  Modules() { make_folders(folder); }

  void describe(const std::string& name, const std::string& more) const {
    write_file(folder / (name + ".pc"), cat("Name: ", name, "\nDescription: x\nVersion: 1\n", more));
  }
  void add_archive(const std::string& name) const { write_file(folder / cat("lib", name, ".a"), "!<arch>\n"); }

  // "CHAIN: STATE", and "(perhaps)" when the build may succeed in spite of it.
  Strings lacks() {
    Strings list;
    for (const Lack& lack : lacks_of_modules(plan, {"/usr/bin/gcc"}, machine.host, runner, {})) {
      list.push_back(cat(lack.chain, ": ", lack.state, lack.is_fatal ? "" : " (perhaps)"));
    }
    return list;
  }
};

plan::Module module(const std::string& name) {
  return {.name = name, .source = "meson.build:2", .linked = true, .whole_closure = true, .elsewhere = true};
}

}  // namespace

TEST_CASE("modules with all their archives cost one question") {
  Modules modules;
  modules.describe("frob", cat("Requires.private: knob\nLibs: -L", modules.folder.native(), " -lfrob -lm\n"));
  modules.describe("knob", cat("Libs: -L", modules.folder.native(), " -lknob -lpthread -lgcc\n"));
  modules.add_archive("frob");
  modules.add_archive("knob");
  modules.plan.modules = {module("frob"), module("knob")};
  CHECK(modules.lacks().empty());
  CHECK(modules.runner.questions == 1);
}

TEST_CASE("a missing archive is named with the chain of modules that needs it") {
  Modules modules;
  modules.describe("frob", "Requires: cog\nRequires.private: knob >= 1\nLibs: -lc\n");
  modules.describe("cog", "Libs: -lm\n");
  modules.describe("knob", "Libs: -lknobless -lm\n");
  modules.plan.modules = {module("frob")};
  CHECK(modules.lacks() == Strings{"meson.build:2 → frob → knob → libknobless.a: is not installed"});
}

TEST_CASE("what the link asks for by itself is missed whoever asks, the rest only by who asks for the whole closure") {
  Modules modules;
  modules.describe("frob", "Libs: -lfrobless\nLibs.private: -lknobless\n");
  plan::Module asked = module("frob");
  asked.whole_closure = false;
  modules.plan.modules = {asked};
  CHECK(modules.lacks() == Strings{"meson.build:2 → frob → libfrobless.a: is not installed",
                                   "meson.build:2 → frob → libknobless.a: is not installed (perhaps)"});
  asked.linked = false;
  modules.plan.modules = {asked};
  CHECK(modules.lacks().empty());
}

TEST_CASE("a module that is not there, and one that another needs") {
  Modules modules;
  modules.describe("frob", "Requires: knob-of-nobody\nLibs: -lc\n");
  modules.plan.modules = {module("nobodys-module"), module("frob")};
  CHECK(modules.lacks() == Strings{"meson.build:2 → nobodys-module: is not installed",
                                   "meson.build:2 → frob → knob-of-nobody: is not installed"});
}

TEST_CASE("a library that is there under another name may be found in another way") {
  Modules modules;
  plan::Module z = module("z");  // the module is called zlib
  modules.plan.modules = {z};
  CHECK(modules.lacks() == Strings{"meson.build:2 → z: is not installed (perhaps)"});
  z.elsewhere = false;
  modules.plan.modules = {z};
  CHECK(modules.lacks() == Strings{"meson.build:2 → z: is not installed"});
}

TEST_CASE("a plan that ships its libraries takes shared ones") {
  Modules modules;
  modules.describe("frob", cat("Libs: -L", modules.folder.native(), " -lfrob\nLibs.private: -lknobless\n"));
  write_file(modules.folder / "libfrob.so", "");
  modules.plan.modules = {module("frob")};
  CHECK(modules.lacks().size() == 2);
  modules.plan.link = "closure";
  CHECK(modules.lacks().empty());
}

TEST_CASE("a build for another machine wants archives for that machine") {
  Modules modules;
  modules.describe("frob", "Libs: -L/usr/lib/x86_64-linux-gnu -lfrob -lc\n");
  modules.plan.modules = {module("frob")};
  modules.plan.platform = "linux/riscv64";
  const std::vector<Lack> lacks =
      lacks_of_modules(modules.plan, {}, modules.machine.host, modules.runner, std::stop_token());
  REQUIRE(!lacks.empty());
  CHECK(lacks.front().hint == "install it, on Debian with `apt-get install libfrob-dev:riscv64`");
}

TEST_CASE("modules that need each other, and steps that say where modules lie, do no harm") {
  Modules modules;
  modules.describe("frob", "Requires: knob\nLibs: -lfrobless\n");
  modules.describe("knob", "Requires: frob\nLibs: -lfrobless\n");
  modules.plan.modules = {module("frob")};
  CHECK(modules.lacks() == Strings{"meson.build:2 → frob → knob → libfrobless.a: is not installed"});
  modules.plan.steps = {
      {.name = "configure", .argv = {"x"}, .env = {{"PKG_CONFIG_PATH", "/opt"}}, .outputs = {}, .files = {}}};
  CHECK(modules.lacks().empty());
}

TEST_CASE("nothing is compiled when a library cannot be linked, and the error has chain and package") {
  Modules modules;
  modules.machine.write("hello.c", "int main(void) { return 0; }\n");
  modules.plan = test::c_plan();
  modules.plan.modules = {module("nobodys-module")};
  try {
    modules.machine.build(modules.plan, {}, modules.runner, modules.machine.events, {});
    FAIL("it was built");
  } catch (const Error& error) {
    CHECK(error.exit() == Exit::input_unavailable);
    CHECK(error.message() == "`hello` needs the package `nobodys-module` of pkg-config, which is not installed");
    CHECK(error.details() == Strings{"meson.build:2 → nobodys-module"});
    CHECK(error.hints() == Strings{"install it, on Debian with `apt-get install libnobodys-module-dev`"});
    CHECK(error.notes() == Strings{"nothing was compiled"});
  }
}

TEST_CASE("what a build may lack for nothing stops no build") {
  Modules modules;
  modules.machine.write("hello.c", "int main(void) { return 0; }\n");
  modules.describe("frob", "Libs: -lc\nLibs.private: -lknobless\n");
  modules.plan = test::c_plan();
  plan::Module frob = module("frob");
  frob.whole_closure = false;
  modules.plan.modules = {frob};
  CHECK(modules.machine.build(modules.plan, {}, modules.runner, modules.machine.events, {}).artifacts.size() == 1);
  CHECK(join(modules.machine.notes(), "\n").find("libknobless.a is not installed") != std::string::npos);
}

TEST_CASE("a link that failed is explained by what was not there before") {
  const std::vector<Lack> lacks = {{.chain = "configure.ac:3 → frob → libknob.a",
                                    .library = "knob",
                                    .module = "frob",
                                    .state = "is not installed",
                                    .hint = "install it",
                                    .is_fatal = false}};
  Error error(Exit::build_failed, "no");
  explain(error, "main.c:3: syntax error", lacks);
  CHECK(error.details().empty());
  explain(error, "undefined reference to `knob_turn'", lacks);
  CHECK(error.details() == Strings{"configure.ac:3 → frob → libknob.a: is not installed"});
  CHECK(error.hints() == Strings{"install it"});
}
