#include "builder/reports.hpp"

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "builder/source_files.hpp"
#include "proof/elf.hpp"

namespace whittle::builder {

namespace {

constexpr int kBuildFailed = static_cast<int>(Exit::build_failed);

// Relative to the work folder where the path is below it, else as it is.
std::string in_work(const fs::path& path, const fs::path& work) {
  const fs::path normal = path.lexically_normal();
  return path.is_absolute() && is_within(normal, work) ? normal.lexically_relative(work).native() : normal.native();
}

Json read_reply(const fs::path& file) {
  const std::string name = file.filename().native();
  return parse_json(read_file(file), cat("CMake's reply ", backticked(name)), kBuildFailed);
}

// A file name that CMake gives in its reply; its content is not to be trusted more than the project.
Json read_reply(const fs::path& reply, const Json& object) {
  const auto name = json_member<std::string>(object, "jsonFile", "CMake's reply");
  if (name.find('/') != std::string::npos) throw Error(Exit::build_failed, "CMake's reply names a file elsewhere");
  return read_reply(reply / name);
}

// The newest index has the greatest name (cmake-file-api(7)).
fs::path newest_index(const fs::path& reply) {
  std::error_code problem;
  std::string newest;
  for (const fs::directory_entry& entry : fs::directory_iterator(reply, problem)) {
    const std::string name = entry.path().filename().native();
    if (name.starts_with("index-") && name.ends_with(".json")) newest = std::max(newest, name);
  }
  if (!newest.empty()) return reply / newest;
  throw Error(Exit::build_failed, "CMake left no answer about its targets")
      .at(reply.native())
      .hint("CMake 3.14 or newer is needed");
}

std::optional<plan::ReportedProgram> program_of(const Json& target, const std::string& build, const fs::path& work) {
  if (json_member_or<std::string>(target, "type", "", "CMake's reply") != "EXECUTABLE") return std::nullopt;
  const Json artifacts = json_member_or<Json>(target, "artifacts", Json::array(), "CMake's reply");
  if (!artifacts.is_array() || artifacts.empty()) return std::nullopt;
  const auto path = json_member<std::string>(artifacts.front(), "path", "CMake's reply");
  return plan::ReportedProgram{.name = json_member<std::string>(target, "name", "CMake's reply"),
                               .path = in_work(work / build / path, work),
                               .installed = target.contains("install")};
}

// Programs that configuring makes for its own tests.
bool is_by_product(std::string_view path) {
  const std::vector<std::string> parts = split(path, '/');
  static const std::set<std::string, std::less<>> kFolders = {"CMakeFiles", "meson-private", "home", "tmp", ".libs"};
  return std::any_of(parts.begin(), parts.end(), [](const std::string& part) { return kFolders.contains(part); });
}

}  // namespace

std::vector<plan::ReportedProgram> read_go_list(std::string_view out) {
  std::vector<plan::ReportedProgram> programs;
  std::string object;
  for (const std::string& line : split_lines(out)) {
    object += cat(line, "\n");
    if (line != "}") continue;
    const Json package = parse_json(object, "the output of `go list`", kBuildFailed);
    const bool is_asked_for = !json_member_or<bool>(package, "DepOnly", false, "`go list`");
    if (is_asked_for && json_member_or<std::string>(package, "Name", "", "`go list`") == "main") {
      programs.push_back({.name = json_member<std::string>(package, "ImportPath", "`go list`"), .path = {}});
    }
    object.clear();
  }
  return programs;
}

std::vector<plan::ReportedProgram> read_cargo_messages(std::string_view out, const fs::path& work) {
  std::vector<plan::ReportedProgram> programs;
  for (const std::string& line : split_lines(out)) {
    if (!line.starts_with('{')) continue;
    const Json message = parse_json(line, "a message of cargo", kBuildFailed);
    const auto executable = json_member_or<std::string>(message, "executable", "", "a message of cargo");
    if (executable.empty()) continue;
    const Json target = json_member<Json>(message, "target", "a message of cargo");
    const auto kinds = json_member_or<std::vector<std::string>>(target, "kind", {}, "a message of cargo");
    if (std::find(kinds.begin(), kinds.end(), "bin") == kinds.end()) continue;
    programs.push_back({.name = json_member<std::string>(target, "name", "a message of cargo"),
                        .path = in_work(executable, work),
                        .installed = true});
  }
  return programs;
}

std::vector<plan::ReportedProgram> read_cmake_reply(const fs::path& work, const std::string& build) {
  const fs::path reply = work / build / ".cmake/api/v1/reply";
  const Json index = read_reply(newest_index(reply));
  std::vector<plan::ReportedProgram> programs;
  for (const Json& object : json_member<Json>(index, "objects", "CMake's reply")) {
    if (json_member_or<std::string>(object, "kind", "", "CMake's reply") != "codemodel") continue;
    const Json model = read_reply(reply, object);
    const Json configurations = json_member<Json>(model, "configurations", "CMake's reply");
    if (!configurations.is_array() || configurations.empty()) continue;
    for (const Json& target : json_member<Json>(configurations.front(), "targets", "CMake's reply")) {
      if (auto program = program_of(read_reply(reply, target), build, work)) programs.push_back(std::move(*program));
    }
  }
  return programs;
}

std::vector<plan::ReportedProgram> read_meson_targets(const fs::path& work, const std::string& build) {
  constexpr const char* kWhat = "Meson's list of targets";
  const Json targets = parse_json(read_file(work / build / "meson-info/intro-targets.json"), kWhat, kBuildFailed);
  std::vector<plan::ReportedProgram> programs;
  for (const Json& target : targets) {
    if (json_member_or<std::string>(target, "type", "", kWhat) != "executable") continue;
    const auto files = json_member_or<std::vector<std::string>>(target, "filename", {}, kWhat);
    if (files.empty()) continue;
    programs.push_back({.name = json_member<std::string>(target, "name", kWhat),
                        .path = in_work(files.front(), work),
                        .installed = json_member_or<bool>(target, "installed", false, kWhat)});
  }
  return programs;
}

ProgramSnapshot snapshot_of_programs(const fs::path& work) {
  ProgramSnapshot snapshot;
  for (const SourceFile& file : list_everything(work)) {
    if (!S_ISREG(file.status.st_mode) || is_by_product(file.path) || !proof::is_elf(work / file.path)) continue;
    try {
      if (!proof::read_elf(work / file.path).is_executable) continue;
    } catch (const Error&) {
      continue;  // begins like a program and is none: test data
    }
    const struct stat& status = file.status;
    snapshot[file.path] =
        cat(status.st_ino, ":", status.st_size, ":", status.st_mtim.tv_sec, ".", status.st_mtim.tv_nsec);
  }
  return snapshot;
}

std::vector<plan::ReportedProgram> new_programs(const ProgramSnapshot& before, const ProgramSnapshot& after) {
  std::vector<plan::ReportedProgram> programs;
  for (const auto& [path, state] : after) {
    const auto old = before.find(path);
    if (old != before.end() && old->second == state) continue;
    programs.push_back({.name = path.substr(path.rfind('/') + 1), .path = path});
  }
  return programs;
}

}  // namespace whittle::builder
