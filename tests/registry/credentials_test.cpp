#include "registry/credentials.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "tests/registry/test_images.hpp"

using namespace whittle;
using namespace whittle::registry;
using whittle::testing::Scratch;

namespace {

struct Home {
  Scratch scratch;
  Environment environment{{"HOME", scratch.path().native()}, {"PATH", scratch.path().native()}};
  SystemProcessRunner processes;

  void write(const std::string& path, std::string_view text) {
    make_folders((scratch / path).parent_path());
    write_file(scratch / path, text);
  }
  // A credential helper that is a real program.
  void helper(const std::string& name, std::string_view body) {
    const fs::path file = scratch / cat("docker-credential-", name);
    write_file(file, cat("#!/bin/sh\n", body, "\n"), 0755);
  }
  std::optional<Credentials> find(std::string_view host, std::string_view repository = "team/app") {
    return find_credentials(host, repository, environment, processes, {});
  }
  std::string refusal(std::string_view host) {
    try {
      find(host);
    } catch (const Error& error) {
      CHECK(error.exit() == Exit::usage);
      std::string text = error.message();
      for (const std::string& cause : error.causes()) text += cat("\n", cause);
      return text;
    }
    return "no error";
  }
};

// base64 of "ci-bot:s3cret" and of "user:pass:word"
constexpr const char* kAuth = "Y2ktYm90OnMzY3JldA==";
constexpr const char* kColons = "dXNlcjpwYXNzOndvcmQ";

std::string auths(std::string_view host, std::string_view auth = kAuth) {
  return cat(R"({"auths":{")", host, R"(":{"auth":")", auth, R"("}}})");
}

}  // namespace

TEST_CASE("without any file there are no credentials") {
  Home home;
  CHECK_FALSE(home.find("registry.example"));
  home.write(".docker/config.json", "");
  CHECK_FALSE(home.find("registry.example"));
}

TEST_CASE("Docker's file gives user and password, and names itself") {
  Home home;
  home.write(".docker/config.json", auths("registry.example:5000"));
  const auto found = home.find("registry.example:5000");
  REQUIRE(found);
  CHECK(found->user == "ci-bot");
  CHECK(found->password == "s3cret");
  CHECK(found->source == "`~/.docker/config.json`");
  CHECK_FALSE(home.find("registry.example"));
  CHECK_FALSE(home.find("other.example"));
}

TEST_CASE("a password may hold colons, and its base64 may lack padding") {
  Home home;
  home.write(".docker/config.json", auths("r.example", kColons));
  CHECK(home.find("r.example")->password == "pass:word");
}

TEST_CASE("the explicit places come before the home folder, and podman's after it") {
  Home home;
  home.write("run/containers/auth.json", auths("r.example", "cnVuOng="));
  home.environment["XDG_RUNTIME_DIR"] = (home.scratch / "run").native();
  CHECK(home.find("r.example")->user == "run");
  home.write(".docker/config.json", auths("r.example", "aG9tZTp4"));
  CHECK(home.find("r.example")->user == "home");
  home.write("auth.json", auths("r.example", "ZmlsZTp4"));
  home.environment["REGISTRY_AUTH_FILE"] = (home.scratch / "auth.json").native();
  CHECK(home.find("r.example")->user == "file");
  home.write("docker/config.json", auths("r.example", "ZG9ja2VyOng="));
  home.environment["DOCKER_CONFIG"] = (home.scratch / "docker").native();
  CHECK(home.find("r.example")->user == "docker");
  home.environment["DOCKER_AUTH_CONFIG"] = auths("r.example", "aW5saW5lOng=");
  CHECK(home.find("r.example")->user == "inline");
}

TEST_CASE("a file that knows another registry is passed over") {
  Home home;
  home.write("docker/config.json", auths("other.example"));
  home.environment["DOCKER_CONFIG"] = (home.scratch / "docker").native();
  home.write("run/containers/auth.json", auths("r.example", "cnVuOng="));
  home.environment["XDG_RUNTIME_DIR"] = (home.scratch / "run").native();
  CHECK(home.find("r.example")->user == "run");
}

TEST_CASE("Docker Hub's credentials are found under the key that docker login writes") {
  Home home;
  home.write(".docker/config.json", auths("https://index.docker.io/v1/"));
  CHECK(home.find("docker.io")->user == "ci-bot");
  CHECK(home.find("index.docker.io")->user == "ci-bot");
}

TEST_CASE("the entry for the repository beats the entry for the host") {
  Home home;
  home.write(
      ".docker/config.json",
      R"({"auths":{"r.example":{"auth":"aG9zdDp4"},"r.example/team":{"auth":"dGVhbTp4"},"r.example/te":{"auth":"dGU6eA=="}}})");
  CHECK(home.find("r.example", "team/app")->user == "team");
  CHECK(home.find("r.example", "other")->user == "host");
}

TEST_CASE("an identity token is kept apart from a password") {
  Home home;
  home.write(".docker/config.json", R"({"auths":{"r.example":{"auth":"OjA=","identitytoken":"abc"}}})");
  CHECK(home.find("r.example")->identity_token == "abc");
}

TEST_CASE("a malformed file is an error that names it") {
  Home home;
  const auto says = [&](std::string_view text) {
    home.write(".docker/config.json", text);
    return home.refusal("r.example");
  };
  CHECK(says("{\"auths\": ").starts_with("cannot read the credentials in `~/.docker/config.json`\n"));
  CHECK(says("[]") == "cannot read the credentials in `~/.docker/config.json`\nthe document must be an object");
  CHECK(says(R"({"auths":[]})") == "cannot read the credentials in `~/.docker/config.json`\n`auths` must be an object");
  CHECK(
      says(R"({"auths":{"r.example":{"auth":"%%%"}}})") ==
      "cannot read the credentials in `~/.docker/config.json`\n`auth` of `r.example` is not base64 of `user:password`");
  CHECK(says(R"({"auths":{"r.example":{"auth":7}}})") ==
        "cannot read the credentials in `~/.docker/config.json`\n`auth` must be a string");
}

TEST_CASE("a helper is asked for the host on its standard input") {
  Home home;
  home.helper(
      "vault",
      R"(read -r server <&0 2>/dev/null || server=$server; echo "{\"ServerURL\":\"$server\",\"Username\":\"$1-$server\",\"Secret\":\"s\"}")");
  home.write(".docker/config.json",
             R"({"credHelpers":{"r.example":"vault"},"auths":{"r.example":{"auth":"aG9zdDp4"}}})");
  const auto found = home.find("r.example");
  REQUIRE(found);
  CHECK(found->user == "get-r.example");
  CHECK(found->password == "s");
  CHECK(found->source == "`docker-credential-vault`");
  CHECK_FALSE(home.find("other.example"));
}

TEST_CASE("a store that does not know the registry leaves the entry in the file") {
  Home home;
  home.helper("store", "echo 'credentials not found in native keychain'; exit 1");
  home.write(".docker/config.json", R"({"credsStore":"store","auths":{"r.example":{"auth":"aG9zdDp4"}}})");
  CHECK(home.find("r.example")->user == "host");
  CHECK_FALSE(home.find("other.example"));
}

TEST_CASE("an empty helper means the file and not the store") {
  Home home;
  home.write(".docker/config.json",
             R"({"credsStore":"missing","credHelpers":{"r.example":""},"auths":{"r.example":{"auth":"aG9zdDp4"}}})");
  CHECK(home.find("r.example")->user == "host");
}

TEST_CASE("a store's token user means an identity token") {
  Home home;
  home.helper("store", R"(echo '{"Username":"<token>","Secret":"identity"}')");
  home.write(".docker/config.json", R"({"credsStore":"store"})");
  CHECK(home.find("r.example")->identity_token == "identity");
  CHECK(home.find("r.example")->user.empty());
}

TEST_CASE("a helper that fails is an error without what it printed as an answer") {
  Home home;
  home.write(".docker/config.json", R"({"credsStore":"store"})");
  CHECK(home.refusal("r.example").find("docker-credential-store") != std::string::npos);
  home.helper("store", "echo 'the vault is locked' >&2; exit 3");
  CHECK(home.refusal("r.example") == "the credential helper `docker-credential-store` failed\nthe vault is locked");
  home.helper("store", "echo topsecret");
  CHECK(home.refusal("r.example") == "the credential helper `docker-credential-store` failed\nits answer is not JSON");
  home.write(".docker/config.json", R"({"credsStore":"../../bin/sh"})");
  CHECK(home.refusal("r.example").find("its name is not a program's") != std::string::npos);
}
