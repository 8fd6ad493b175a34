#include "oci/platform.hpp"

#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/text.hpp"

namespace whittle::oci {

namespace {

struct Alias {
  std::string_view architecture, variant;
  std::string_view means, means_variant;
};

// What uname, Debian and older tools say, and variants that say nothing. As containerd's platforms package.
constexpr std::array<Alias, 12> kAliases = {{{"x86_64", "", "amd64", ""},
                                             {"x86-64", "", "amd64", ""},
                                             {"amd64", "v1", "amd64", ""},
                                             {"aarch64", "", "arm64", ""},
                                             {"aarch64", "v8", "arm64", ""},
                                             {"arm64", "v8", "arm64", ""},
                                             {"armhf", "", "arm", "v7"},
                                             {"armv7l", "", "arm", "v7"},
                                             {"armel", "", "arm", "v6"},
                                             {"armv6l", "", "arm", "v6"},
                                             {"arm", "", "arm", "v7"},
                                             {"i686", "", "386", ""}}};

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text.front() != '.' && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
  });
}

}  // namespace

std::optional<Platform> Platform::parse(std::string_view text) {
  const std::vector<std::string> parts = split(lower(text), '/');
  if (parts.size() < 2 || parts.size() > 3 || !std::all_of(parts.begin(), parts.end(), is_word)) return std::nullopt;
  Platform platform{.os = parts[0], .architecture = parts[1], .variant = parts.size() == 3 ? parts[2] : ""};
  for (const Alias& alias : kAliases) {
    if (platform.architecture != alias.architecture || platform.variant != alias.variant) continue;
    platform.architecture = alias.means;
    platform.variant = alias.means_variant;
    break;
  }
  return platform;
}

Platform Platform::host() {
  struct utsname name {};
  ::uname(&name);
  return parse(cat("linux/", std::string_view(name.machine)))
      .value_or(Platform{.architecture = "amd64", .variant = {}});
}

std::string Platform::str() const {
  return variant.empty() ? cat(os, "/", architecture) : cat(os, "/", architecture, "/", variant);
}

}  // namespace whittle::oci
