#include "detectors/go_packages.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>

#include "base/error.hpp"
#include "base/text.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

constexpr std::array<std::string_view, 18> kSystems = {
    "aix",   "android", "darwin", "dragonfly", "freebsd", "hurd",    "illumos", "ios",     "js",
    "linux", "nacl",    "netbsd", "openbsd",   "plan9",   "solaris", "wasip1",  "windows", "zos"};
constexpr std::array<std::string_view, 17> kArchitectures = {
    "386",   "amd64",   "arm",   "arm64",   "loong64", "mips",  "mips64",  "mips64le", "mipsle",
    "ppc64", "ppc64le", "riscv", "riscv64", "s390x",   "sparc", "sparc64", "wasm"};

template <class List>
bool holds(const List& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

bool is_word_character(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return std::isalnum(byte) != 0 || c == '_' || c == '.' || byte >= 0x80;
}

bool is_satisfied(std::string_view tag, const GoTarget& target) {
  if (tag == target.os || tag == target.architecture || tag == "gc" || tag == "unix") return true;
  // The release tags go1.1, go1.2, …: whichever Go builds this is newer than what the file asks for.
  if (tag.starts_with("go1.")) return true;
  return target.tags.contains(std::string(tag));
}

// `//go:build` expressions: || && ! ( ) and tags. Broken ones do not exclude a file: Go will say it better.
class Constraint {
 public:
  Constraint(std::string_view text, const GoTarget& target) : text_(text), target_(target) {}
  bool holds() { return alternatives(); }

 private:
  bool alternatives() {
    bool value = conjunction();
    while (take("||")) value = conjunction() || value;
    return value;
  }
  bool conjunction() {
    bool value = term();
    while (take("&&")) value = term() && value;
    return value;
  }
  bool term() {
    bool negated = false;
    while (take("!")) negated = !negated;
    bool value = true;
    if (take("(")) {
      if (++depth_ <= 64) value = alternatives();
      take(")");
    } else {
      std::size_t end = 0;
      while (end < text_.size() && is_word_character(text_[end])) ++end;
      if (end > 0) value = is_satisfied(text_.substr(0, end), target_);
      text_.remove_prefix(end);
    }
    return value != negated;
  }
  bool take(std::string_view token) {
    text_ = trim(text_);
    if (!text_.starts_with(token)) return false;
    text_.remove_prefix(token.size());
    return true;
  }

  std::string_view text_;
  const GoTarget& target_;
  int depth_ = 0;
};

// `// +build a,!b c`: blanks are or, commas are and, several lines are and.
bool old_constraint_holds(std::string_view text, const GoTarget& target) {
  bool any = false;
  for (const std::string& option : split(text, ' ')) {
    if (option.empty()) continue;
    bool all = true;
    for (std::string_view tag : split(option, ',')) {
      const bool negated = tag.starts_with('!');
      if (negated) tag.remove_prefix(1);
      all = all && is_satisfied(tag, target) != negated;
    }
    any = any || all;
  }
  return any;
}

// name_windows.go, name_arm64.go, name_linux_amd64.go: the part after the first `_` counts.
bool name_is_built(std::string_view name, const GoTarget& target) {
  name = name.substr(0, name.rfind('.'));
  const std::vector<std::string> parts = split(name, '_');
  if (parts.size() < 2) return true;
  const std::string& last = parts.back();
  if (holds(kArchitectures, last)) {
    if (last != target.architecture) return false;
    return parts.size() < 3 || !holds(kSystems, parts[parts.size() - 2]) || parts[parts.size() - 2] == target.os;
  }
  return !holds(kSystems, last) || last == target.os;
}

constexpr int kMostSearched = 3000;

GoFile read_head(const plan::SourceTree& tree, const std::string& path, const GoTarget& target) {
  GoFile file;
  for (const std::size_t size : {std::size_t{4096}, std::size_t{256} << 10}) {
    const std::string text = tree.read_prefix(path, size);
    file = read_go_file(last_part(path), text, target);
    if (text.size() < size || (!file.package.empty() && file.package != "main")) break;
  }
  return file;
}

}  // namespace

bool is_below(std::string_view path, std::string_view folder) {
  return folder == "." || (path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/'));
}

bool is_skipped_folder(std::string_view folder) {
  const std::vector<std::string> parts = split(folder, '/');
  return std::any_of(parts.begin(), parts.end(), [](const std::string& part) {
    return part == "testdata" || part == "vendor" || part == "node_modules" || part.starts_with('_') ||
           (part.size() > 1 && part.starts_with('.'));
  });
}

GoFile read_go_file(std::string_view name, std::string_view text, const GoTarget& target) {
  GoFile file;
  file.is_built = name_is_built(name, target);
  bool in_comment = false, has_new_constraint = false, old_holds = true;
  int number = 0;
  for (const std::string& raw : split_lines(text)) {
    std::string_view line = trim(raw);
    if (++number == 1 && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
    while (!line.empty()) {
      if (in_comment || line.starts_with("/*")) {
        const std::size_t end = line.find("*/", in_comment ? 0 : 2);
        in_comment = end == std::string_view::npos;
        line = in_comment ? std::string_view() : trim(line.substr(end + 2));
        continue;
      }
      if (file.package.empty() && line.starts_with("//go:build ")) {
        has_new_constraint = true;
        file.is_built = file.is_built && Constraint(line.substr(11), target).holds();
      } else if (file.package.empty() && line.starts_with("//") && trim(line.substr(2)).starts_with("+build ")) {
        old_holds = old_holds && old_constraint_holds(trim(line.substr(2)).substr(7), target);
      } else if (file.package.empty() && line.starts_with("package ")) {
        const std::string_view rest = trim(line.substr(8));
        std::size_t end = 0;
        while (end < rest.size() && is_word_character(rest[end])) ++end;
        file.package = rest.substr(0, end);
        file.line = number;
      } else if (file.package.empty() && !line.starts_with("//")) {
        return file;  // no Go, or broken: the compiler will say what it expected
      }
      line = {};
    }
  }
  if (!has_new_constraint) file.is_built = file.is_built && old_holds;
  return file;
}

std::vector<GoProgram> go_programs(const plan::SourceTree& tree, std::string_view folder, const GoTarget& target) {
  std::set<std::string> nested;
  for (const plan::Node& node : tree.nodes()) {
    if (node.kind != plan::NodeKind::file || last_part(node.path) != "go.mod") continue;
    const std::string module = folder_of(node.path);
    if (module != folder && is_below(module, folder)) nested.insert(module);
  }
  const auto is_nested = [&](const std::string& path) {
    return std::any_of(nested.begin(), nested.end(), [&](const std::string& module) { return is_below(path, module); });
  };

  std::map<std::string, GoProgram> found;
  std::set<std::string> libraries;
  for (const plan::Node& node : tree.nodes()) {
    const std::string name = last_part(node.path);
    if (node.kind != plan::NodeKind::file || !name.ends_with(".go") || name.ends_with("_test.go")) continue;
    if (name.starts_with('_') || name.starts_with('.')) continue;
    const std::string place = folder_of(node.path);
    const std::string inside = folder == "."             ? place
                               : is_below(place, folder) ? joined(".", place.substr(folder.size()))
                                                         : "";
    if (inside.empty() || is_skipped_folder(inside) || libraries.contains(place) || is_nested(place)) continue;
    const GoFile file = read_head(tree, node.path, target);
    if (!file.is_built || file.package.empty()) continue;
    if (file.package != "main") {
      libraries.insert(place);
      continue;
    }
    GoProgram& program = found[place];
    if (program.file.empty()) program = {place, node.path, file.line};
  }
  std::vector<GoProgram> programs;
  for (auto& [place, program] : found) programs.push_back(std::move(program));
  return programs;
}

std::string go_import_of_c(const plan::SourceTree& tree, std::string_view folder) {
  int files = 0;
  for (const plan::Node& node : tree.nodes()) {
    const bool is_source = node.kind == plan::NodeKind::file && node.path.ends_with(".go") &&
                           !node.path.ends_with("_test.go") && is_below(node.path, folder);
    if (!is_source || is_aside(folder_of(node.path))) continue;
    if (++files > kMostSearched) return {};
    const std::string text = tree.read_prefix(node.path, 8192);
    if (text.find("\"C\"") == std::string::npos) continue;
    int number = 0;
    for (const std::string& line : split_lines(text)) {
      ++number;
      if (trim(line) == "import \"C\"" || trim(line) == "\"C\"") return cat(node.path, ":", number);
    }
  }
  return {};
}

}  // namespace whittle::detectors
