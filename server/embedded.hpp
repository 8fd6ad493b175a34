// What the build has put into this program: cmake/ShippedServer.cmake.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace whittle::server {

struct Embedded {
  std::string_view platform;
  const std::byte* begin;
  const std::byte* end;
};

std::span<const Embedded> embedded_servers();

}  // namespace whittle::server
