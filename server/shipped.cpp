#include "server/shipped.hpp"

#include "server/embedded.hpp"

namespace whittle::server {

namespace {

const std::vector<ShippedServer>& all() {
  static const std::vector<ShippedServer> kAll = [] {
    std::vector<ShippedServer> list;
    for (const Embedded& one : embedded_servers()) {
      const Bytes program(one.begin, one.end);
      list.push_back({.platform = one.platform, .program = program, .digest = digest_of(text_of(program))});
    }
    return list;
  }();
  return kAll;
}

}  // namespace

const ShippedServer* shipped_server(std::string_view platform) {
  for (const ShippedServer& one : all()) {
    if (one.platform == platform) return &one;
  }
  return nullptr;
}

std::vector<std::string> shipped_platforms() {
  std::vector<std::string> platforms;
  for (const ShippedServer& one : all()) platforms.emplace_back(one.platform);
  return platforms;
}

}  // namespace whittle::server
