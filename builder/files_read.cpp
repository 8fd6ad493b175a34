#include "builder/files_read.hpp"

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "plan/input_patterns.hpp"

namespace whittle::builder {

std::vector<fs::path> read_by_go(std::string_view out) {
  std::vector<fs::path> files;
  std::string object;
  for (const std::string& line : split_lines(out)) {
    object += cat(line, "\n");
    if (line != "}") continue;
    const Json package = parse_json(object, "the output of `go list`", static_cast<int>(Exit::build_failed));
    object.clear();
    if (json_member_or<bool>(package, "Standard", false, "`go list`")) continue;
    const fs::path folder = json_member_or<std::string>(package, "Dir", "", "`go list`");
    for (const char* kind : {"GoFiles", "CFiles", "HFiles", "SFiles", "SysoFiles", "EmbedFiles"}) {
      for (const std::string& name : json_member_or<std::vector<std::string>>(package, kind, {}, "`go list`")) {
        files.push_back(folder / name);
      }
    }
  }
  return files;
}

std::vector<fs::path> read_by_rustc(std::string_view dependency_file) {
  std::vector<fs::path> files;
  for (const std::string& line : split_lines(dependency_file)) {
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    std::string name;
    for (std::size_t i = colon + 2; i <= line.size(); ++i) {
      const bool is_escaped = i + 1 < line.size() && line[i] == '\\' && line[i + 1] == ' ';
      if (i == line.size() || line[i] == ' ') {
        if (!name.empty()) files.emplace_back(std::move(name));
        name.clear();
      } else {
        name += is_escaped ? line[++i] : line[i];
      }
    }
  }
  return files;
}

std::string beyond_inputs(const std::vector<fs::path>& files, const std::vector<fs::path>& roots,
                          const std::vector<std::string>& inputs) {
  for (const fs::path& file : files) {
    const std::string path = file.lexically_normal().native();
    for (const fs::path& root : roots) {
      if (!path.starts_with(cat(root.native(), "/"))) continue;
      const std::string relative = path.substr(root.native().size() + 1);
      if (!plan::is_input(relative, inputs)) return relative;
      break;
    }
  }
  return {};
}

}  // namespace whittle::builder
