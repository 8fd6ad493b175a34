#include "builder/secrets.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "base/text.hpp"
#include "plans.hpp"
#include "tests/support/errors.hpp"

using namespace whittle;
using namespace whittle::builder;
using namespace whittle::builder::test;
using whittle::test::error_of;

namespace {

struct Case {
  TemporaryFolder folder{fs::temp_directory_path()};
  Host host{.environment = {{"XDG_RUNTIME_DIR", (folder.path() / "run").native()}}, .cache = folder.path()};
  plan::Step step{.name = "fetch",
                  .argv = {"true"},
                  .env = {},
                  .outputs = {},
                  .files = {},
                  .secrets = {{"npm", "TOKEN", "TOKEN_FILE", "conf/.npmrc"}}};
  Command command{.argv = {"true"}, .env = {{"HOME", (folder.path() / "work/home").native()}}, .folder = {}};
  Secrets secrets;

  Case() {
    make_folders(folder.path() / "run");
    make_folders(folder.path() / "work/home");
    secrets.add("npm", "hunter2-hunter2\n");
  }
};

}  // namespace

TEST_CASE("a step has its secret in a variable, in a file in memory and in its home, and nothing is left") {
  Case one;
  const fs::path in_home = one.folder.path() / "work/home/conf/.npmrc";
  fs::path folder;
  {
    const HandedSecrets handed(one.step, one.secrets, one.host, "svc-1", one.command);
    folder = handed.folder();
    CHECK(folder.parent_path() == one.folder.path() / "run");
    CHECK(one.command.env.at("TOKEN") == "hunter2-hunter2");
    CHECK(read_file(one.command.env.at("TOKEN_FILE")) == "hunter2-hunter2\n");
    CHECK(read_file(in_home) == "hunter2-hunter2\n");
    struct stat status {};
    REQUIRE(::stat(folder.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777U) == 0700U);
  }
  CHECK_FALSE(fs::exists(folder));
  CHECK_FALSE(fs::exists(fs::symlink_status(in_home)));
}

TEST_CASE("what a killed build has left of secrets is removed by the next one") {
  Case one;
  const fs::path left = one.folder.path() / "run" / cat("whittle-", ::geteuid(), "-svc-1");
  make_folders(left);
  write_file(left / "npm", "old");
  write_file(left / "other", "old");
  const HandedSecrets handed(one.step, one.secrets, one.host, "svc-1", one.command);
  CHECK(handed.folder() == left);
  CHECK_FALSE(fs::exists(left / "other"));
}

TEST_CASE("a step without secrets has no folder for them") {
  Case one;
  one.step.secrets.clear();
  CHECK(HandedSecrets(one.step, one.secrets, one.host, "svc-1", one.command).folder().empty());
  CHECK(fs::is_empty(one.folder.path() / "run"));
}

TEST_CASE("a secret that a step needs and nobody gives is named with the remedy") {
  plan::BuildPlan plan;
  plan.steps = {Case().step};
  plan.values["secret npm"] = {"fetch", "whittle.toml:2"};
  const Error error = error_of([&] { refuse_missing_secrets({&plan, 1}, Secrets()); });
  CHECK(error.exit() == Exit::usage);
  CHECK(error.message() == "step `fetch` needs the secret `npm`, which is not given");
  CHECK(error.where() == "whittle.toml:2");
  CHECK(error.hints() ==
        std::vector<std::string>{"give it with `--secret id=npm,src=FILE` or `--secret id=npm,env=VARIABLE`"});
  Secrets more;
  more.add("npm", "x");
  more.add("pip", "x");
  refuse_missing_secrets({&plan, 1}, more);
  CHECK(unused_secrets({&plan, 1}, more) == std::vector<std::string>{"pip"});
}

TEST_CASE("what holds a secret is refused, wherever in a large file it stands") {
  Case one;
  const fs::path made = one.folder.path() / "made";
  make_folders(made / "below");
  write_file(made / "below/a", std::string(256 * 1024 - 7, 'x'));
  CHECK_FALSE(one.secrets.found_in(made));
  write_file(made / "below/b", std::string(256 * 1024 - 7, 'x') + "hunter2-hunter2" + std::string(9, 'y'));
  CHECK(one.secrets.found_in(made) == "npm");
  const Error error = error_of([&] { refuse_secret_in(made, "out/app", "fetch", one.secrets); });
  CHECK(error.exit() == Exit::budget_exceeded);
  CHECK(error.message() == "`out/app` holds the secret `npm`");
  CHECK(error.where() == "what step `fetch` has made");
}
