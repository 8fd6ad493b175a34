// The file server as a program, which whittle carries for the platforms that it could be compiled for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/stream.hpp"

namespace whittle::server {

struct ShippedServer {
  std::string_view platform;  // "linux/amd64"
  Bytes program;              // a static ELF file; lives as long as whittle
  Digest digest;
};

// Nothing when this whittle was built without it.
const ShippedServer* shipped_server(std::string_view platform);
std::vector<std::string> shipped_platforms();

}  // namespace whittle::server
