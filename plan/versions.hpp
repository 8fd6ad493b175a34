// Versions of tools: found in what they say of themselves, and compared with what a project asks for.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace whittle::plan {

// 1 22 4 of "go1.22.4-rc1" and "v1.22.4"; empty when it does not begin with a number.
std::vector<std::uint64_t> numbers_of(std::string_view version);

// "1.22.4" of 1 22 4.
std::string version_of(std::span<const std::uint64_t> numbers);

// The version before which `^` and `~` end, as npm and Poetry read them: "2" and "1.3" for "1.2.3". At least one
// number.
std::string caret_end(std::span<const std::uint64_t> numbers);
std::string tilde_end(std::span<const std::uint64_t> numbers);

// The first version number of a line: "1.26.8" in "go version go1.26.8 linux/amd64"; empty without one.
std::string version_in(std::string_view line);

// "1.25.3" against ">=1.25", "<2", "=1.2" (also 1.2.7), "" (any); a comma joins several, `||` separates
// alternatives.
bool satisfies(std::string_view version, std::string_view constraint);

// The same for a pin: "1.2.3" is that version alone, a constraint is itself, "" is any.
bool satisfies_pin(std::string_view version, std::string_view pin);

}  // namespace whittle::plan
