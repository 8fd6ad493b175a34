#include "detectors/zig_project.hpp"

#include <algorithm>
#include <cctype>

#include "base/text.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

// The text with comments and, on demand, without the inside of literals; as long as before, with the same lines.
std::string without_comments(std::string_view text) {
  std::string out(text);
  bool is_quoted = false, is_comment = false;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i] == '\n') is_quoted = is_comment = false;
    if (!is_quoted && text.substr(i, 2) == "//") is_comment = true;
    if (!is_quoted && !is_comment && text.substr(i, 2) == "\\\\") is_comment = true;  // a line of a long literal
    if (is_comment && out[i] != '\n') out[i] = ' ';
    if (is_comment) continue;
    if (is_quoted && out[i] == '\\') {
      ++i;
    } else if (out[i] == '"') {
      is_quoted = !is_quoted;
    }
  }
  return out;
}

bool is_name_part(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

// "exe" of `const exe = b.addExecutable(`; empty when the call is not given a name.
std::string variable_before(std::string_view text, std::size_t call) {
  const std::size_t equals = text.rfind('=', call);
  if (equals == std::string_view::npos ||
      text.substr(equals, call - equals).find_first_of(";{}") != std::string_view::npos) {
    return {};
  }
  std::string_view before = trim(text.substr(0, equals));
  std::size_t start = before.size();
  while (start > 0 && is_name_part(before[start - 1])) --start;
  return std::string(before.substr(start));
}

// What follows `.key =` in the call's argument, as far as it is a plain text.
std::string text_member(std::string_view arguments, std::string_view key) {
  for (std::size_t at = arguments.find(key); at != std::string_view::npos; at = arguments.find(key, at + 1)) {
    std::string_view rest = trim(arguments.substr(at + key.size()));
    if (!rest.starts_with('=')) continue;
    rest = trim(rest.substr(1));
    if (!rest.starts_with('"')) return {};
    const std::size_t end = rest.find('"', 1);
    return end == std::string_view::npos ? "" : std::string(rest.substr(1, end - 1));
  }
  return {};
}

// Up to the parenthesis that closes the one at `open`.
std::string_view arguments_at(std::string_view text, std::size_t open) {
  int depth = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    depth += text[i] == '(' ? 1 : text[i] == ')' ? -1 : 0;
    if (depth == 0) return text.substr(open, i - open);
  }
  return text.substr(open);
}

void read_programs(std::string_view text, ZigProject& project) {
  constexpr std::string_view kCall = "addExecutable(";
  for (std::size_t at = text.find(kCall); at != std::string_view::npos; at = text.find(kCall, at + 1)) {
    const std::string place = cat("build.zig:", line_at(text, at));
    const std::string name = text_member(arguments_at(text, at + kCall.size() - 1), ".name");
    const std::string variable = variable_before(text, at);
    const bool is_installed =
        !variable.empty() && text.find(cat("installArtifact(", variable, ")")) != std::string_view::npos;
    if (name.empty() || !is_utf8(name) || name.find('/') != std::string::npos) {
      if (project.unread.empty()) project.unread = place;
    } else if (is_installed) {
      project.programs.push_back(
          {.target = name, .file_name = name, .source = place, .folder = ".", .is_installed = true});
    }
  }
}

// `.name = .app` since 0.14, `.name = "app"` before.
void read_name(std::string_view text, ZigProject& project) {
  const std::size_t at = text.find(".name");
  if (at == std::string_view::npos) return;
  project.name_line = line_at(text, at);
  project.name = text_member(text, ".name");
  if (!project.name.empty()) return;
  const std::size_t dot = text.find('.', at + 1);
  if (dot == std::string_view::npos || trim(text.substr(at + 5, dot - at - 5)) != "=") return;
  std::size_t end = dot + 1;
  while (end < text.size() && is_name_part(text[end])) ++end;
  project.name = std::string(text.substr(dot + 1, end - dot - 1));
}

std::string numbers_of(std::string_view text) {
  return std::string(text.substr(0, text.find_first_not_of("0123456789.")));
}

}  // namespace

ZigProject read_zig_project(const plan::SourceTree& tree) {
  ZigProject project;
  const std::string text = without_comments(tree.read("build.zig"));
  read_programs(text, project);
  project.has_target = text.find("standardTargetOptions") != std::string::npos;
  if (const std::optional<std::string> manifest = tree.read_if_exists("build.zig.zon")) {
    const std::string zon = without_comments(*manifest);
    read_name(zon, project);
    project.has_dependencies = zon.find(".url") != std::string::npos;
  }
  return project;
}

ZigVersion zig_version(const plan::SourceTree& tree) {
  ZigVersion version;
  for (const char* file : {".zigversion", ".zig-version"}) {
    const std::string found = numbers_of(trim(tree.read_if_exists(file).value_or("")));
    if (version.pin.value.empty() && !found.empty()) version.pin = {found, cat(file, ":1")};
  }
  const std::string zon = without_comments(tree.read_if_exists("build.zig.zon").value_or(""));
  const std::string minimum = numbers_of(text_member(zon, ".minimum_zig_version"));
  if (!minimum.empty()) {
    version.minimum = {minimum, cat("build.zig.zon:", line_at(zon, zon.find(".minimum_zig_version")))};
    // Each second number is a language of its own until 1.0.
    const std::vector<std::string> parts = split(minimum, '.');
    if (version.pin.value.empty() && parts.size() > 1) {
      version.pin = {cat(parts[0], ".", parts[1]), version.minimum.source};
    }
  }
  if (!version.pin.value.empty() || !version.minimum.value.empty()) return version;
  // What main is given since 0.16.
  for (const char* file : {"src/main.zig", "main.zig"}) {
    const std::string code = without_comments(tree.read_if_exists(file).value_or(""));
    const std::size_t at = code.find("std.process.Init");
    if (at != std::string::npos && version.minimum.value.empty()) {
      version.minimum = {"0.16.0", cat(file, ":", line_at(code, at))};
    }
  }
  return version;
}

int line_of_zig_main(std::string_view text) {
  const std::string code = without_comments(text);
  for (std::size_t at = code.find("pub fn main("); at != std::string::npos; at = code.find("pub fn main(", at + 1)) {
    const bool is_outermost = at == 0 || code[at - 1] == '\n';
    if (is_outermost) return line_at(code, at);
  }
  return 0;
}

}  // namespace whittle::detectors
