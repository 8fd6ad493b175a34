#include "builder/proof_memory.hpp"

#include <doctest/doctest.h>

#include "base/text.hpp"

using namespace whittle;
using namespace whittle::builder;

namespace {

struct Shop {
  TemporaryFolder folder{fs::temp_directory_path()};
  RecordingEvents events;
  StepCache cache{folder.path(), events};
  fs::path library = folder.path() / "libhost.so.1";
  plan::BuildPlan plan;
  std::vector<CachedFile> files;

  Shop() {
    plan.platform = "linux/amd64";
    plan.link = "closure";
    plan::Output output;
    output.built = "packages";
    output.installed = "/packages";
    output.kind = plan::Output::Kind::dependency;
    plan.outputs = {output};
    write_file(library, "x");
    files = {file("packages/a.so", "a", true), file("packages/a.py", "text", false)};
  }
  static CachedFile file(std::string path, std::string_view text, bool is_elf) {
    return {.path = std::move(path), .content = {.digest = digest_of(text), .size = text.size(), .is_elf = is_elf}};
  }
  ProofMemory memory() const { return ProofMemory(plan, files, cache); }
  void remember() const {
    Proofs proofs;
    proofs.needs.certificates = "/packages/a.so: SSL_CERT_FILE";
    proofs.warnings = {"careful"};
    proofs.closure["/lib/libhost.so.1"] = {.file = {library, "/lib/libhost.so.1", "needed by /packages/a.so"},
                                           .is_of_runtime = true};
    memory().remember(proofs);
  }
};

}  // namespace

TEST_CASE("what was proved holds when only files that nobody loads have changed") {
  Shop shop;
  CHECK_FALSE(shop.memory().recall());
  shop.remember();
  shop.files[1].content.digest = digest_of("other text");
  const std::optional<Proofs> recalled = shop.memory().recall();
  REQUIRE(recalled);
  CHECK(recalled->needs.certificates == "/packages/a.so: SSL_CERT_FILE");
  CHECK(recalled->warnings == std::vector<std::string>{"careful"});
  CHECK(recalled->closure.at("/lib/libhost.so.1").file.file == shop.library);
  CHECK(recalled->closure.at("/lib/libhost.so.1").file.why == "needed by /packages/a.so");
  CHECK(recalled->closure.at("/lib/libhost.so.1").is_of_runtime);
}

TEST_CASE("it does not when a library has changed, here or on the host, or lies elsewhere") {
  Shop shop;
  shop.remember();
  SUBCASE("here") {
    shop.files[0].content.digest = digest_of("b");
  }
  SUBCASE("on the host") {
    write_file(shop.library, "y");
  }
  SUBCASE("no more on the host") {
    fs::remove(shop.library);
  }
  SUBCASE("another name") {
    shop.files[0].path = "packages/b.so";
  }
  SUBCASE("another place") {
    shop.plan.outputs[0].installed = "/elsewhere";
  }
  SUBCASE("a link more") {
    shop.files.push_back({.path = "packages/libc.so", .link = "a.so"});
  }
  SUBCASE("static programs are proved each time") {
    shop.plan.link = "static";
  }
  CHECK_FALSE(shop.memory().recall());
}
