// Any text as a file of credentials: it is understood, or it is an error that does not quote what it could not
// read. No helper is ever started by a name that is a path.
#include "registry/credentials.hpp"

#include <cstdint>
#include <cstdlib>

#include "base/error.hpp"
#include "tests/support/fake_runner.hpp"

using namespace whittle;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const registry::Environment environment{{"DOCKER_AUTH_CONFIG", {reinterpret_cast<const char*>(data), size}}};
  FakeRunner runner([](const Command&) { return FakeRunner::Answer{.out = R"({"Username":"u","Secret":"s"})"}; });
  try {
    registry::find_credentials("registry.example", "team/app", environment, runner, {});
  } catch (const Error& error) {
    if (error.exit() == Exit::bug) std::abort();
  }
  for (const auto& started : runner.commands) {
    if (started.argv.empty() || started.argv[0].find("docker-credential-") == std::string::npos) std::abort();
    if (started.argv[0].find('/') != std::string::npos) std::abort();
  }
  return 0;
}
