// C and C++ toolchains with their flags, as data. Why these flags: docs/design/targets.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "detectors/detector.hpp"
#include "plan/build_plan.hpp"

namespace whittle::detectors {

enum class CLanguage { c, cpp };

// The toolchains to try, in order: all that can build the language, or only the `choice` (auto, zig,
// musl, host). Empty when the choice cannot build it.
std::vector<plan::Toolchain> toolchains_for(CLanguage language, std::string_view choice,
                                            const Surroundings& surroundings);

// For Go, whose linker lays out the program and calls the compiler for the rest: a static program at a fixed address.
std::vector<plan::Toolchain> for_cgo(std::vector<plan::Toolchain> toolchains);

// For programs that bring their own `_start`: no start files, nothing that needs a C library to be there.
std::vector<plan::Toolchain> freestanding(std::vector<plan::Toolchain> toolchains);

}  // namespace whittle::detectors
