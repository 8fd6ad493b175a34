#include "detectors/autotools_project.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "detectors/installed_data.hpp"
#include "detectors/modules.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

struct Line {
  std::string text;
  int number = 0;  // of its beginning
};

// Without comments, and with continued lines joined.
std::vector<Line> lines_of(std::string_view text) {
  std::vector<Line> lines;
  bool continues = false;
  int number = 0;
  for (const std::string& raw : split_lines(text)) {
    ++number;
    std::string_view line = std::string_view(raw).substr(0, raw.find('#'));
    const bool is_continued = line.ends_with('\\');
    if (is_continued) line.remove_suffix(1);
    if (continues) {
      lines.back().text += cat(" ", line);
    } else {
      lines.push_back({std::string(line), number});
    }
    continues = is_continued;
  }
  return lines;
}

// `AC_INIT([GNU name], …)`, where GNU is no part of what the package is called (Autoconf manual, 4.1); a computed name
// is left to the folder.
void read_name(const plan::SourceTree& tree, AutotoolsProject& project) {
  int number = 0;
  for (const std::string& line : split_lines(tree.read(project.script))) {
    ++number;
    const std::string_view text = trim(line);
    if (!text.starts_with("AC_INIT(")) continue;
    project.name_line = number;
    std::string_view name = text.substr(8);
    name = trim(name.substr(0, name.find_first_of(",)")));
    if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
    if (name.starts_with("GNU ")) name = trim(name.substr(4));
    const bool is_plain = name.find_first_of("[]$`\"'") == std::string_view::npos;
    if (is_plain) project.name = std::string(trim(name));
    return;
  }
}

// `bin_PROGRAMS = a b`, with `+=`; inside `if … endif` they depend on what configure finds.
void read_makefile(const plan::SourceTree& tree, const std::string& file, AutotoolsProject& project) {
  int conditions = 0;
  for (const Line& line : lines_of(tree.read(file))) {
    const std::string_view text = trim(line.text);
    if (text.starts_with("if ")) ++conditions;
    if (text == "endif" || text.starts_with("endif ")) --conditions;
    if (text.starts_with("install-exec-hook:")) project.makes_links = true;
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    std::string_view key = trim(text.substr(0, equals));
    if (key.ends_with('+')) key = trim(key.substr(0, key.size() - 1));
    if (is_data_list_of_automake(key)) project.installs_data = true;
    if (key != "bin_PROGRAMS" && key != "sbin_PROGRAMS") continue;
    for (const std::string& word : split(text.substr(equals + 1), ' ')) {
      const std::string_view name = trim(word);
      if (name.empty()) continue;
      const bool is_certain = conditions == 0 && name.find_first_of("$@/") == std::string_view::npos;
      if (is_certain) {
        project.programs.push_back({.target = std::string(name),
                                    .file_name = std::string(name),
                                    .source = cat(file, ":", line.number),
                                    .folder = folder_of(file),
                                    .is_installed = true});
      } else if (project.unread.empty()) {
        project.unread = cat(file, ":", line.number);
      }
    }
  }
}

}  // namespace

std::optional<AutotoolsProject> read_autotools_project(const plan::SourceTree& tree) {
  AutotoolsProject project;
  project.has_configure = tree.has("configure");
  for (const char* script : {"configure", "configure.in", "configure.ac"}) {
    if (tree.has(script)) project.script = script;
  }
  if (project.script.empty()) return std::nullopt;
  if (project.has_configure) {
    project.is_autoconf = tree.read_prefix("configure", 4096).find("Autoconf") != std::string::npos;
  }
  if (project.script != "configure") {
    read_name(tree, project);
    const std::string script = tree.read(project.script);
    project.libraries = libraries_of_configure(script);
    project.modules = modules_of_configure(script, project.script);
    project.optional = optional_in_configure(script);
  }
  for (const std::string& file : tree.glob("**/Makefile.am")) {
    if (!is_aside(file)) read_makefile(tree, file, project);
  }
  return project;
}

}  // namespace whittle::detectors
