// `os/architecture[/variant]` as image-spec's image-index.md has it.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace whittle::oci {

struct Platform {
  std::string os = "linux", architecture, variant;

  // "linux/arm/v7"; normalises the usual aliases (x86_64, aarch64, armhf, arm64/v8).
  static std::optional<Platform> parse(std::string_view text);
  static Platform host();
  std::string str() const;
  auto operator<=>(const Platform&) const = default;
};

}  // namespace whittle::oci
