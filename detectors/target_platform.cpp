#include "detectors/target_platform.hpp"

#include <algorithm>
#include <array>

namespace whittle::detectors {

namespace {

constexpr std::array<TargetPlatform, 4> kPlatforms = {
    {{"linux/amd64", "x86_64-linux-musl", "x86_64-linux-gnu", "x86_64", "x86_64", "x86_64-unknown-linux-gnu",
      "x86_64-unknown-linux-musl"},
     {"linux/arm64", "aarch64-linux-musl", "aarch64-linux-gnu", "aarch64", "aarch64", "aarch64-unknown-linux-gnu",
      "aarch64-unknown-linux-musl"},
     {"linux/arm/v7", "arm-linux-musleabihf", "arm-linux-gnueabihf", "armv7l", "arm", "armv7-unknown-linux-gnueabihf",
      "armv7-unknown-linux-musleabihf"},
     {"linux/riscv64", "riscv64-linux-musl", "riscv64-linux-gnu", "riscv64", "riscv64", "riscv64gc-unknown-linux-gnu",
      "riscv64gc-unknown-linux-musl"}}};

}  // namespace

const TargetPlatform& target_platform(std::string_view platform) {
  const auto* found = std::find_if(kPlatforms.begin(), kPlatforms.end(),
                                   [&](const TargetPlatform& one) { return one.platform == platform; });
  return found == kPlatforms.end() ? kPlatforms.front() : *found;
}

bool is_foreign(const Surroundings& surroundings) {
  return !surroundings.host.empty() && surroundings.host != surroundings.platform;
}

}  // namespace whittle::detectors
