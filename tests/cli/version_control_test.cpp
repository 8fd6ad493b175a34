#include "cli/version_control.hpp"

#include <doctest/doctest.h>

#include "base/process.hpp"

using namespace whittle;

namespace {

// A repository made by git itself.
struct Repository {
  TemporaryFolder folder{"/tmp"};

  void git(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "git");
    SystemProcessRunner runner;
    const CapturedOutput ran = run_captured(runner, {.argv = std::move(arguments),
                                                     .env = {{"PATH", "/usr/bin:/bin"},
                                                             {"HOME", folder.path().native()},
                                                             {"GIT_AUTHOR_NAME", "a"},
                                                             {"GIT_AUTHOR_EMAIL", "a@example.test"},
                                                             {"GIT_COMMITTER_NAME", "a"},
                                                             {"GIT_COMMITTER_EMAIL", "a@example.test"},
                                                             {"GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z"}},
                                                     .folder = folder.path()});
    REQUIRE_MESSAGE(ran.result.ok(), ran.error);
  }
};

}  // namespace

TEST_CASE("a folder outside any repository, and one without a commit, have no commit") {
  const Repository repository;
  CHECK_FALSE(cli::read_commit(repository.folder.path()));
  repository.git({"init", "--quiet"});
  CHECK_FALSE(cli::read_commit(repository.folder.path()));
}

TEST_CASE("a commit gives revision, time, tag, and origin without credentials") {
  const Repository repository;
  repository.git({"init", "--quiet"});
  repository.git({"commit", "--quiet", "--allow-empty", "-m", "first"});
  repository.git({"tag", "v1.2.3"});
  repository.git({"remote", "add", "origin", "https://user:secret@example.test/team/app.git"});
  make_folders(repository.folder.path() / "below");
  const auto commit = cli::read_commit(repository.folder.path() / "below");
  REQUIRE(commit);
  CHECK(commit->committed == 1767323045);
  CHECK(commit->version == "v1.2.3");
  const auto labels = cli::labels_of(*commit);
  CHECK(labels.at("org.opencontainers.image.revision").size() == 40);
  CHECK(labels.at("org.opencontainers.image.source") == "https://example.test/team/app.git");
}

TEST_CASE("an origin that is a path of this machine is no label") {
  const Repository repository;
  repository.git({"init", "--quiet"});
  repository.git({"commit", "--quiet", "--allow-empty", "-m", "first"});
  repository.git({"remote", "add", "origin", "/srv/git/app.git"});
  const auto commit = cli::read_commit(repository.folder.path());
  REQUIRE(commit);
  CHECK(cli::labels_of(*commit).count("org.opencontainers.image.source") == 0);
}
