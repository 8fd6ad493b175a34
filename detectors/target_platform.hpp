// What the tools of C, C++, Rust and Zig call a platform.
#pragma once

#include <string>
#include <string_view>

#include "detectors/detector.hpp"

namespace whittle::detectors {

struct TargetPlatform {
  std::string_view platform;      // "linux/arm/v7"
  std::string_view zig;           // "arm-linux-musleabihf"
  std::string_view gnu;           // "arm-linux-gnueabihf"
  std::string_view processor;     // as uname and CMake say: "armv7l"
  std::string_view meson_family;  // "arm"
  std::string_view rust;          // "armv7-unknown-linux-gnueabihf"
  std::string_view rust_musl;     // the same with musl, which needs no compiler of C to link
};

// x86-64's for a platform that is not known.
const TargetPlatform& target_platform(std::string_view platform);

// Built for another machine than the one that builds: what is made cannot be started here.
bool is_foreign(const Surroundings& surroundings);

}  // namespace whittle::detectors
