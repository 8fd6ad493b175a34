// Reads what build tools say about the programs that they make.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"
#include "plan/build_plan.hpp"

namespace whittle::builder {

// `go list -json`: one object after another. Programs have the import path as name and no path.
std::vector<plan::ReportedProgram> read_go_list(std::string_view out);

// `cargo build --message-format=json…`: one object a line, other lines are passed over.
std::vector<plan::ReportedProgram> read_cargo_messages(std::string_view out, const fs::path& work);

// CMake's File API, codemodel version 2, below `build` (relative to `work`).
std::vector<plan::ReportedProgram> read_cmake_reply(const fs::path& work, const std::string& build);

// Meson's list of targets, which it writes when it configures `build` (relative to `work`).
std::vector<plan::ReportedProgram> read_meson_targets(const fs::path& work, const std::string& build);

// Programs below a folder with what changes when they are made anew.
using ProgramSnapshot = std::map<std::string, std::string>;
ProgramSnapshot snapshot_of_programs(const fs::path& work);
std::vector<plan::ReportedProgram> new_programs(const ProgramSnapshot& before, const ProgramSnapshot& after);

}  // namespace whittle::builder
