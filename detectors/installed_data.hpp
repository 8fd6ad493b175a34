// Whether a build system installs more than programs, and the step and outputs that take what a program names of it
// (docs/design/targets.md).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "detectors/meson_script.hpp"
#include "plan/build_plan.hpp"

namespace whittle::detectors {

// A list like `pkgdata_DATA`, of what a program may read when it runs.
bool is_data_list_of_automake(std::string_view key);
// `install(FILES … DESTINATION share/x)`, `install(DIRECTORY …)`.
bool cmake_installs_data(std::string_view script);
// `install_data(…)`, `install_subdir(…)`, `configure_file(…, install: true)`.
bool meson_installs_data(const MesonStatement& statement);

// Where a plan installs to; the value of DESTDIR.
inline constexpr std::string_view kInstallFolder = "install";

// Runs after everything else and may fail.
void add_install_step(plan::BuildPlan& plan, plan::Step step, std::vector<std::string> argv);

}  // namespace whittle::detectors
