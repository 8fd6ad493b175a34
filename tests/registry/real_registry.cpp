#include "tests/registry/real_registry.hpp"

#include <doctest/doctest.h>

#include "base/json.hpp"
#include "base/text.hpp"

namespace whittle::testing {

namespace {

const std::map<std::string, std::string> kEnvironment = {
    {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, {"HOME", "/nonexistent"}};

}  // namespace

std::string run_party(std::vector<std::string> argv, const std::map<std::string, std::string>& environment) {
  SystemProcessRunner runner;
  std::map<std::string, std::string> variables = kEnvironment;
  for (const auto& [name, value] : environment) variables[name] = value;
  const Command command{
      .argv = std::move(argv), .env = variables, .folder = {}, .inherit_terminal = false, .input = {}};
  const CapturedOutput output = run_captured(runner, command);
  INFO(shell_line(command.argv), "\n", output.error);
  REQUIRE(output.result.ok());
  return output.out;
}

RealRegistry::RealRegistry(Kind kind) : folder_(fs::temp_directory_path(), "whittle-real-registry-") {
  write_configuration(kind);
  thread_ = std::jthread([this](const std::stop_token& stop) {
    const Command command{.argv = {"docker-registry", "serve", (folder_.path() / "config.yml").native()},
                          .env = kEnvironment,
                          .folder = {},
                          .inherit_terminal = false,
                          .input = {}};
    try {
      runner_.run(
          command, [this](OutputStream, std::string_view text) { hear(text); }, stop);
    } catch (const std::exception& error) {
      hear(error.what());
    }
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  });
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return ended_ || !host_.empty(); });
  INFO(log_);
  REQUIRE_FALSE(ended_);
}

RealRegistry::~RealRegistry() = default;

// It logs `listening on 127.0.0.1:PORT` when it does.
void RealRegistry::hear(std::string_view text) {
  const std::lock_guard lock(mutex_);
  log_ += text;
  changed_.notify_all();
  constexpr std::string_view kMark = "listening on ";
  const std::size_t at = log_.find(kMark);
  if (!host_.empty() || at == std::string::npos) return;
  const std::size_t end = log_.find_first_not_of("0123456789.:", at + kMark.size());
  if (end == std::string::npos) return;
  host_ = log_.substr(at + kMark.size(), end - at - kMark.size());
  changed_.notify_all();
}

void RealRegistry::write_configuration(Kind kind) {
  const std::string folder = folder_.path().native();
  Json configuration = {{"version", "0.1"},
                        {"log", {{"level", "info"}, {"formatter", "text"}}},
                        {"storage", {{"filesystem", {{"rootdirectory", folder + "/data"}}}}},
                        {"http", {{"addr", "127.0.0.1:0"}, {"secret", "whittle-tests"}}}};
  if (kind == Kind::basic) {
    write_file(folder_.path() / "htpasswd", run_party({"htpasswd", "-Bbn", kUser, kPassword}));
    configuration["auth"] = {{"htpasswd", {{"realm", "real, with a comma"}, {"path", folder + "/htpasswd"}}}};
  }
  if (kind == Kind::tls) {
    make_certificate();
    configuration["http"]["tls"] = {{"certificate", folder + "/server.crt"}, {"key", folder + "/server.key"}};
  }
  write_file(folder_.path() / "config.yml", configuration.dump());  // JSON is YAML
}

void RealRegistry::make_certificate() {
  const std::string folder = folder_.path().native();
  write_file(folder_.path() / "names", "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  run_party({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
             "/CN=whittle test authority", "-keyout", folder + "/ca.key", "-out", folder + "/ca.crt"});
  run_party({"openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout",
             folder + "/server.key", "-out", folder + "/server.csr"});
  run_party({"openssl", "x509", "-req", "-in", folder + "/server.csr", "-CA", folder + "/ca.crt", "-CAkey",
             folder + "/ca.key", "-CAcreateserial", "-days", "2", "-extfile", folder + "/names", "-out",
             folder + "/server.crt"});
}

std::string RealRegistry::docker_config() const {
  // base64 of kUser:kPassword
  return canonical_json(
      Json{{"auths", {{host_, {{"auth", "d2hpdHRsZS11c2VyOmNvcnJlY3QgaG9yc2UvYmF0dGVyeTpzdGFwbGU="}}}}}});
}

std::size_t RealRegistry::count(std::string_view method, std::string_view part, std::size_t expected) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::seconds(10), [&] { return logged(method, part) >= expected; });
  return logged(method, part);
}

std::size_t RealRegistry::logged(std::string_view method, std::string_view part) const {
  std::size_t found = 0;
  for (const std::string& line : split_lines(log_)) {
    const std::size_t at = line.find(cat("\"", method, " /v2/"));
    if (at != std::string::npos && line.find(part, at) < line.find(" HTTP/", at)) ++found;
  }
  return found;
}

}  // namespace whittle::testing
