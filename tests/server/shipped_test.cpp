#include "server/shipped.hpp"

#include <doctest/doctest.h>

#include "base/files.hpp"
#include "proof/proof.hpp"

using namespace whittle;

TEST_CASE("every server that is shipped runs on scratch and is small") {
  const std::vector<std::string> platforms = server::shipped_platforms();
  REQUIRE_FALSE(platforms.empty());
  const TemporaryFolder folder(fs::temp_directory_path(), "shipped-");
  for (const std::string& platform : platforms) {
    CAPTURE(platform);
    const server::ShippedServer& server = *server::shipped_server(platform);
    CHECK(server.digest == digest_of(server.program));
    CHECK(server.program.size() < 1'000'000);
    write_file(folder.path() / "server", text_of(server.program));
    const proof::Verdict verdict = proof::check_program(folder.path() / "server", platform, std::nullopt);
    CHECK(verdict.runs_on_scratch);
    CHECK(verdict.wants_certificates.empty());
    CHECK(verdict.wants_name_service.empty());
  }
  CHECK(server::shipped_server("plan9/mips") == nullptr);
}
