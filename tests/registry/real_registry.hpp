// docker-registry (distribution 2.8), a party that nobody here wrote, on a free loopback port.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "base/files.hpp"
#include "base/process.hpp"

namespace whittle::testing {

class RealRegistry {
 public:
  enum class Kind { anonymous, basic, tls };
  static constexpr const char* kUser = "whittle-user";
  static constexpr const char* kPassword = "correct horse/battery:staple";

  explicit RealRegistry(Kind kind = Kind::anonymous);
  ~RealRegistry();
  RealRegistry(const RealRegistry&) = delete;
  RealRegistry& operator=(const RealRegistry&) = delete;

  std::string host() const { return host_; }
  fs::path authorities() const { return folder_.path() / "ca.crt"; }
  // config.json as `docker login` leaves it.
  std::string docker_config() const;
  // How many requests of this method whose path contains `part` it has logged. The log follows the answers a
  // moment later, so this waits until there are `expected` ones, ten seconds at most.
  std::size_t count(std::string_view method, std::string_view part, std::size_t expected);

 private:
  void write_configuration(Kind kind);
  void make_certificate();
  void hear(std::string_view text);
  std::size_t logged(std::string_view method, std::string_view part) const;

  TemporaryFolder folder_;
  SystemProcessRunner runner_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string log_, host_;
  bool ended_ = false;
  std::jthread thread_;
};

// Runs a program that must succeed, and gives its standard output.
std::string run_party(std::vector<std::string> argv, const std::map<std::string, std::string>& environment = {});

}  // namespace whittle::testing
