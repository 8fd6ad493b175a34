// The laboratory's registry as a program, for clients that are not whittle; tests/lab/README.md.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <stdexcept>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/text.hpp"
#include "tests/lab/registry.hpp"

using namespace whittle;
using whittle::testing::FakeRegistry;
using whittle::testing::Fault;

namespace {

constexpr const char* kUsage =
    R"(usage: registry [--port N] [--personality NAME] [--fault RULE]… [--auth none|basic|token]
                [--tls FILE] [--delay MILLISECONDS] [--rate REQUESTS] [--no-mounts]

Serves until its standard input ends. The first line of its output is the host and port. --tls writes the
certificate to FILE. Personalities:
)";

struct Arguments {
  FakeRegistry::Options options;
  std::vector<Fault> faults;
  fs::path certificate;
};

FakeRegistry::Auth auth_called(const std::string& name) {
  if (name == "none") return FakeRegistry::Auth::none;
  if (name == "basic") return FakeRegistry::Auth::basic;
  if (name == "token") return FakeRegistry::Auth::token;
  throw std::invalid_argument(cat("--auth is none, basic or token, not ", backticked(name)));
}

std::uint64_t number(const std::string& text) {
  const auto value = parse_number(text);
  if (!value) throw std::invalid_argument(cat(backticked(text), " is not a number"));
  return *value;
}

Fault fault_called(const std::string& rule) {
  const auto fault = Fault::parse(rule);
  if (!fault) throw std::invalid_argument(cat(backticked(rule), " is not a rule; see tests/lab/README.md"));
  return *fault;
}

Arguments parse(const std::vector<std::string>& words) {
  Arguments found;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& name = words[i];
    if (name == "--no-mounts") {
      found.options.mounts = false;
      continue;
    }
    if (i + 1 == words.size()) throw std::invalid_argument(cat(backticked(name), " is unknown, or needs a value"));
    const std::string& value = words[++i];
    if (name == "--port") {
      found.options.port = static_cast<int>(number(value));
    } else if (name == "--personality") {
      found.options.personality = testing::personality(value);
    } else if (name == "--fault") {
      found.faults.push_back(fault_called(value));
    } else if (name == "--auth") {
      found.options.auth = auth_called(value);
    } else if (name == "--delay") {
      found.options.delay = std::chrono::milliseconds(number(value));
    } else if (name == "--rate") {
      found.options.requests_per_second = static_cast<double>(number(value));
    } else if (name == "--tls") {
      found.options.tls = true;
      found.certificate = value;
    } else {
      throw std::invalid_argument(cat(backticked(name), " is unknown"));
    }
  }
  return found;
}

void print_usage() {
  std::cout << kUsage;
  for (const auto& one : testing::personalities()) std::cout << "  " << one.name << ": " << one.what << "\n";
}

}  // namespace

int main(int count, char** values) {
  const std::vector<std::string> words(values + 1, values + count);
  if (!words.empty() && words[0] == "--help") {
    print_usage();
    return 0;
  }
  std::signal(SIGPIPE, SIG_IGN);
  try {
    const Arguments arguments = parse(words);
    FakeRegistry registry(arguments.options);
    for (const Fault& fault : arguments.faults) registry.inject(fault);
    if (!arguments.certificate.empty()) write_file(arguments.certificate, registry.certificate_pem());
    std::cout << registry.host() << std::endl;
    std::cin.ignore(std::numeric_limits<std::streamsize>::max());
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "registry: " << error.what() << "\n";
    return 2;
  }
}
