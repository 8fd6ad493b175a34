// Which modules of pkg-config a C or C++ build cannot do without: those that are asked for unconditionally, in a call
// that ends the build when they are not there. Whatever may be optional, switched off, or brought along is left out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "detectors/detector.hpp"
#include "detectors/meson_script.hpp"

namespace whittle::detectors {

// `PKG_CHECK_MODULES([X], [a >= 1 b])` without an action for when it is not found, outside of conditions and of other
// macros' arguments. `file` is for the source: "configure.ac:12".
std::vector<plan::Module> modules_of_configure(std::string_view script, std::string_view file);
// `dependency('a')` in a statement of Meson, outside of conditions.
std::vector<plan::Module> modules_of_meson(const MesonStatement& statement, std::string_view file);
// The words of `pkg_check_modules(X REQUIRED …)`, with variables replaced.
std::vector<plan::Module> modules_of_cmake(const std::vector<std::string>& words, std::string_view source);
// What `$(shell pkg-config --libs a)` in a line of a Makefile asks for.
std::vector<plan::Module> modules_of_make(std::string_view line, std::string_view source);

// Adds them to the plan, without those that the tree may bring itself (`a.pc.in`, `subprojects/a`), and none where the
// tree or the configuration say where modules lie. `linked`: all that is built links them.
void require_modules(plan::BuildPlan& plan, std::vector<plan::Module> modules, bool linked,
                     const Surroundings& surroundings);

}  // namespace whittle::detectors
