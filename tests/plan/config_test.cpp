#include "plan/config.hpp"

#include <doctest/doctest.h>

#include "base/text.hpp"
#include "tests/support/errors.hpp"

using namespace whittle;
using plan::Config;
using plan::parse_config;
using test::error_of;

namespace {

using Files = std::map<std::string, std::string>;

constexpr std::string_view kEverything = R"(name = "edge/sensor"
[build]
detector = "cmake"
targets = ["sensor"]
toolchain = "zig"
link = "static"
args = ["-DWITH_TLS=ON"]
env = { FOO = "1" }
[image]
default = "sensor"
user = "65532:65532"
workdir = "/srv"
env = { TZ = "Asia/Shanghai" }
ports = ["8080/tcp", "53/udp", "9090"]
labels = { "org.example.team" = "edge" }
stop-signal = "SIGTERM"
certificates = "auto"
timezones = ["Asia/Shanghai"]
files = [{ source = "config/", path = "/etc/sensor", mode = "0644" }]
ignore = ["docs/**"]
[layers]
compression = "zstd:3"
form = "auto"
[budget]
compressed = "15MB"
installed = "30MiB"
[process.worker]
argv = ["/bin/sensor", "--worker"]
)";

}  // namespace

TEST_CASE("every key of the documentation is read, with the line that it stands on") {
  const Config config = parse_config(kEverything, "whittle.toml");
  CHECK(config.name->value == "edge/sensor");
  CHECK(config.name->source == "whittle.toml:1");
  CHECK(config.detector->value == "cmake");
  CHECK(config.detector->source == "whittle.toml:3");
  CHECK(config.targets->values == std::vector<std::string>{"sensor"});
  CHECK(config.toolchain->value == "zig");
  CHECK(config.link->value == "static");
  CHECK(config.args->values == std::vector<std::string>{"-DWITH_TLS=ON"});
  CHECK(config.build_env.at("FOO").value == "1");
  CHECK(config.build_env.at("FOO").source == "whittle.toml:8");
  CHECK(config.default_process->value == "sensor");
  CHECK(config.user->value == "65532:65532");
  CHECK(config.workdir->value == "/srv");
  CHECK(config.image_env.at("TZ").value == "Asia/Shanghai");
  CHECK(config.ports->values == std::vector<std::string>{"8080/tcp", "53/udp", "9090/tcp"});
  CHECK(config.labels.at("org.example.team").value == "edge");
  CHECK(config.stop_signal->value == "SIGTERM");
  CHECK(config.certificates->value == "auto");
  CHECK(config.timezones->values == std::vector<std::string>{"Asia/Shanghai"});
  REQUIRE(config.files.size() == 1);
  CHECK(config.files[0].source == "config/");
  CHECK(config.files[0].path == "/etc/sensor");
  CHECK(config.files[0].mode == "0644");
  CHECK(config.ignore->values == std::vector<std::string>{"docs/**"});
  CHECK(config.compression->value == "zstd:3");
  CHECK(config.form->value == "auto");
  CHECK(config.budget_compressed->value == "15000000");
  CHECK(config.budget_installed->value == "31457280");
  CHECK(config.processes.at("worker").values == std::vector<std::string>{"/bin/sensor", "--worker"});
  CHECK(config.processes.at("worker").source == "whittle.toml:28");
  CHECK(parse_config("[image]\ntimezones = \"all\"\n", "w").timezones->values == std::vector<std::string>{"all"});
}

TEST_CASE("no file is no setting") {
  const Config config = plan::read_config(plan::MemoryTree(Files{{"main.c", ""}}));
  CHECK_FALSE(config.name.has_value());
  CHECK(config.files.empty());
  CHECK(plan::read_config(plan::MemoryTree(Files{{"whittle.toml", "name = \"x\"\n"}})).name->value == "x");
}

TEST_CASE("an unknown key names its line and the nearest known key") {
  struct Case {
    const char* text;
    const char* message;
    const char* where;
    const char* hint;
  };
  for (const Case& one : std::vector<Case>{
           {"\nnmae = \"x\"\n", "unknown key `nmae`", "whittle.toml:2", "did you mean `name`?"},
           {"[imgae]\nuser = \"1\"\n", "unknown key `imgae`", "whittle.toml:1", "did you mean `image`?"},
           {"[image]\nuser = \"1\"\nport = [\"80\"]\n", "unknown key `port` in `[image]`", "whittle.toml:3",
            "did you mean `ports`?"},
           {"targets = [\"x\"]\n", "unknown key `targets`", "whittle.toml:1", "`targets` belongs to `[build]`"},
           {"[build]\nports = [\"80\"]\n", "unknown key `ports` in `[build]`", "whittle.toml:2",
            "`ports` belongs to `[image]`"},
           {"[process.web]\nargv = [\"/bin/x\"]\nenviron = 1\n", "unknown key `environ` in `[process.web]`",
            "whittle.toml:3", nullptr},
           {"[image]\nfiles = [{ source = \"a\", path = \"/a\", mod = \"0644\" }]\n",
            "unknown key `mod` in `[image.files]`", "whittle.toml:2", "did you mean `mode`?"},
       }) {
    const Error error = error_of([&] { parse_config(one.text, "whittle.toml"); });
    CHECK(error.message() == one.message);
    CHECK(error.where() == one.where);
    CHECK(error.exit() == Exit::usage);
    if (one.hint != nullptr) CHECK(error.hints() == std::vector<std::string>{one.hint});
  }
}

TEST_CASE("wrong types and impossible values say what the value must be") {
  struct Case {
    const char* text;
    const char* message;
  };
  for (const Case& one : std::vector<Case>{
           {"name = 1\n", "`name` must be a text in quotes"},
           {"name = \"Upper\"\n",
            "`name` must be a repository name in lower case, like `edge/sensor`, without a tag, not `Upper`"},
           {"name = \"a:1\"\n",
            "`name` must be a repository name in lower case, like `edge/sensor`, without a tag, not `a:1`"},
           {"name = \"a//b\"\n",
            "`name` must be a repository name in lower case, like `edge/sensor`, without a tag, not `a//b`"},
           {"build = 1\n", "`build` must be a table: `[build]`"},
           {"[build]\ntargets = \"x\"\n", "`build.targets` must be a list of texts: [\"…\"]"},
           {"[build]\ntargets = [1]\n", "`build.targets` must be a text in quotes"},
           {"[build]\ntoolchain = \"gcc\"\n",
            "`build.toolchain` must be one of `auto`, `zig`, `musl`, `host`, not `gcc`"},
           {"[build]\nlink = \"dynamic\"\n", "`build.link` must be one of `static`, `closure`, not `dynamic`"},
           {"[build]\nenv = { A = 1 }\n", "`build.env.A` must be a text in quotes"},
           {"[build]\nenv = { \"A=B\" = \"1\" }\n", "`build.env.A=B` must be the name of an environment variable"},
           {"[image]\nports = [\"http\"]\n", "`image.ports` must be a port, like `8080/tcp`, not `http`"},
           {"[image]\nports = [\"70000/tcp\"]\n", "`image.ports` must be a port, like `8080/tcp`, not `70000/tcp`"},
           {"[image]\nworkdir = \"srv\"\n", "`image.workdir` must be an absolute path without `..`, not `srv`"},
           {"[image]\nuser = \"a b\"\n", "`image.user` must be `UID` or `UID:GID`, like `65532:65532`, not `a b`"},
           {"[image]\nstop-signal = \"TERM\"\n", "`image.stop-signal` must be a signal, like `SIGTERM`, not `TERM`"},
           {"[image]\ntimezones = [\"../etc\"]\n",
            "`image.timezones` must be `auto`, `all` or a zone, like `Asia/Shanghai`, not `../etc`"},
           {"[image]\nfiles = [{ source = \"../x\", path = \"/x\" }]\n",
            "`image.files.source` must be a path inside the source tree, not `../x`"},
           {"[image]\nfiles = [{ source = \"x\", path = \"/../x\" }]\n",
            "`image.files.path` must be an absolute path without `..`, not `/../x`"},
           {"[image]\nfiles = [{ source = \"x\", path = \"/x\", mode = \"999\" }]\n",
            "`image.files.mode` must be an octal mode, like `0644`, not `999`"},
           {"[image]\nfiles = [{ source = \"x\" }]\n", "`image.files` needs both `source` and `path` in every entry"},
           {"[layers]\ncompression = \"zstd:22\"\n",
            "`layers.compression` must be `zstd:LEVEL` with a level of 1 to 19, not `zstd:22`"},
           {"[layers]\ncompression = \"gzip\"\n",
            "`layers.compression` must be `zstd:LEVEL` with a level of 1 to 19, not `gzip`"},
           {"[budget]\ncompressed = \"a lot\"\n", "`budget.compressed` must be a size, like `15MB`, not `a lot`"},
           {"[process.web]\n", "`process.web` must be a table with `argv`"},
           {"[process.web]\nargv = [\"run.sh\"]\n",
            "`process.web.argv` must start with the absolute path of a program in the image"},
       }) {
    const Error error = error_of([&] { parse_config(one.text, "whittle.toml"); });
    CHECK(error.message() == one.message);
    CHECK(error.exit() == Exit::usage);
    CHECK(error.where().starts_with("whittle.toml:"));
  }
  const Error broken = error_of([] { parse_config("name = \"x\"\n[build\n", "whittle.toml"); });
  CHECK(broken.exit() == Exit::usage);
  CHECK(broken.where().starts_with("whittle.toml:2"));
}

TEST_CASE("the environment says the same with its own names, and is checked the same") {
  const Config config = plan::config_from_environment({{"WHITTLE_NAME", "edge/x"},
                                                       {"WHITTLE_TARGETS", "a, b"},
                                                       {"WHITTLE_ARGS", "-DX=1,2 -DY=2"},
                                                       {"WHITTLE_PORTS", "80"},
                                                       {"WHITTLE_LINK", ""},
                                                       {"WHITTLE_STORE", "/elsewhere"},
                                                       {"PATH", "/bin"}});
  CHECK(config.name->value == "edge/x");
  CHECK(config.name->source == "WHITTLE_NAME");
  CHECK(config.targets->values == std::vector<std::string>{"a", "b"});
  CHECK(config.args->values == std::vector<std::string>{"-DX=1,2", "-DY=2"});
  CHECK(config.ports->values == std::vector<std::string>{"80/tcp"});
  CHECK_FALSE(config.link.has_value());
  const Error error = error_of([] { plan::config_from_environment({{"WHITTLE_TOOLCHAIN", "clang"}}); });
  CHECK(error.message() == "`WHITTLE_TOOLCHAIN` must be one of `auto`, `zig`, `musl`, `host`, not `clang`");
  CHECK(error.where() == "the environment variable WHITTLE_TOOLCHAIN");
}

TEST_CASE("the command line is checked the same") {
  const plan::Setting setting = plan::checked_setting(&plan::Config::compression, "zstd:19", "--compression");
  CHECK(setting.value == "zstd:19");
  CHECK(setting.source == "--compression");
  for (const char* const impossible : {"zstd:0", "zstd:20", "zstd:-1", "gzip:3", "3", "zstd:"}) {
    CHECK(error_of([&] { plan::checked_setting(&plan::Config::compression, impossible, "--compression"); }).message() ==
          cat("`--compression` must be `zstd:LEVEL` with a level of 1 to 19, not `", impossible, "`"));
  }
}

TEST_CASE("what is above wins, and tables are merged entry by entry") {
  const Config below =
      parse_config("name = \"low\"\n[build]\nlink = \"static\"\nenv = { A = \"1\", B = \"1\" }\n", "low");
  const Config above =
      parse_config("name = \"high\"\n[build]\nenv = { B = \"2\" }\n[process.web]\nargv = [\"/bin/x\"]\n", "high");
  const Config both = plan::merged(below, above);
  CHECK(both.name->value == "high");
  CHECK(both.name->source == "high:1");
  CHECK(both.link->source == "low:3");
  CHECK(both.build_env.at("A").value == "1");
  CHECK(both.build_env.at("B").value == "2");
  CHECK(both.processes.contains("web"));
}
