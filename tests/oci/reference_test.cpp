#include "oci/reference.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "oci/platform.hpp"

using namespace whittle;
using namespace whittle::oci;

namespace {

const std::string kDigest = cat("sha256:", std::string(64, 'a'));

std::string reason(std::string_view text) {
  try {
    Reference::parse(text);
  } catch (const Error& error) {
    CHECK(error.exit() == Exit::usage);
    return error.causes().at(0);
  }
  return "none";
}

}  // namespace

TEST_CASE("references fall into host, repository, tag and digest") {
  const Reference full = Reference::parse(cat("registry.example.com:5000/team/app:1.0@", kDigest));
  CHECK(full.host == "registry.example.com:5000");
  CHECK(full.repository == "team/app");
  CHECK(full.tag == "1.0");
  CHECK(full.digest->str() == kDigest);
  CHECK(full.name() == "registry.example.com:5000/team/app");

  CHECK(Reference::parse("localhost/app").host == "localhost");
  CHECK(Reference::parse("localhost:5000/app").host == "localhost:5000");
  CHECK(Reference::parse("[::1]:5000/app:2").host == "[::1]:5000");
  CHECK(Reference::parse("[::1]:5000/app:2").tag == "2");
  CHECK(Reference::parse("team/app").host.empty());
  CHECK(Reference::parse("team/app").repository == "team/app");
  CHECK(Reference::parse("app:5000").tag == "5000");
  CHECK(Reference::parse("app").tag_or_latest() == "latest");
}

TEST_CASE("a reference is written as it was read") {
  for (const std::string& text :
       {std::string("app"), std::string("team/app:1"), cat("app@", kDigest), cat("h.io/a/b/c:T_1.-x@", kDigest),
        std::string("10.0.0.1:80/a__b/c.d/e---f"), std::string("[fe80::1]/x")}) {
    CHECK(Reference::parse(text).str() == text);
  }
}

TEST_CASE("a bad reference names its bad part") {
  CHECK(reason("") == "it names no repository");
  CHECK(reason("Team/app") == "the repository part `Team` has capital letters");
  CHECK(reason("a/../b") ==
        "the repository part `..` may only have letters and digits, with `.`, `_` or `-` between them");
  CHECK(reason("a//b").find("the repository part ``") == 0);
  CHECK(reason("a___b").find("the repository part `a___b`") == 0);
  CHECK(reason("app:") == "the tag `` is not valid");
  CHECK(reason("app:-x") == "the tag `-x` is not valid");
  CHECK(reason(cat("app:", std::string(129, 'x'))).find("the tag `xxx") == 0);
  CHECK(reason("host.example:99999/app") == "the host `host.example:99999` is not valid");
  CHECK(reason("-bad.example/app") == "the host `-bad.example` is not valid");
  CHECK(reason("registry.example.com/") == "it names no repository");
  CHECK(reason("app@sha256:abc").find("the digest `sha256:abc` is not") == 0);
  CHECK(reason(cat("app@sha256:", std::string(64, 'A'))).find("the digest ") == 0);
  CHECK(reason("app@sha256:../../../etc/passwd").find("the digest ") == 0);
  CHECK(reason(cat("h.io/", std::string(255, 'x'))) == "the name is longer than 255 bytes");
  CHECK(reason("a\nb").find("the repository part `a\\nb`") == 0);
}

TEST_CASE("any text becomes a repository name that parses") {
  CHECK(repository_from("My App") == "my-app");
  CHECK(repository_from("edge/Sensor") == "edge/sensor");
  CHECK(repository_from("--x--") == "x");
  CHECK(repository_from("a..b") == "a.b");
  CHECK(repository_from("日本") == "app");
  CHECK(repository_from("") == "app");
  for (const std::string_view text : {"A", "_a_", "a._-b", "x/", "/x", "a\xff z", "ümlaut", "a/./b", "v1.2.3+meta",
                                      "a.0_b/c", "localhost/x", "1.2/3"}) {
    INFO(text);
    CHECK(Reference::parse(repository_from(text)).repository == repository_from(text));
  }
}

TEST_CASE("platforms are read with their usual aliases") {
  const auto normal = [](std::string_view text) { return Platform::parse(text).value().str(); };
  CHECK(normal("linux/amd64") == "linux/amd64");
  CHECK(normal("linux/x86_64") == "linux/amd64");
  CHECK(normal("linux/aarch64") == "linux/arm64");
  CHECK(normal("linux/arm64/v8") == "linux/arm64");
  CHECK(normal("linux/arm") == "linux/arm/v7");
  CHECK(normal("linux/armhf") == "linux/arm/v7");
  CHECK(normal("Linux/ARM/v6") == "linux/arm/v6");
  for (const std::string_view text : {"", "linux", "linux/", "/amd64", "a/b/c/d", "linux/a b", "linux/../x"}) {
    CHECK_FALSE(Platform::parse(text));
  }
  CHECK(Platform::host().os == "linux");
  CHECK(Platform::parse(Platform::host().str()) == Platform::host());
}
