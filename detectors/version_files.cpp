#include "detectors/version_files.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/toml.hpp"
#include "detectors/java_project.hpp"
#include "plan/versions.hpp"

namespace whittle::detectors {

namespace {

struct Language {
  std::string_view tool, shown;
  std::string_view files;    // that hold nothing but a version, separated by blanks
  std::string_view aliases;  // in files that name several tools
};

constexpr std::array<Language, 8> kLanguages = {{{"go", "Go", ".go-version", "go golang"},
                                                 {"cargo", "Rust", ".rust-version rust-version.txt", "rust"},
                                                 {"javac", "Java", ".java-version", "java"},
                                                 {"zig", "Zig", ".zigversion .zig-version", "zig"},
                                                 {"cmake", "CMake", "", "cmake"},
                                                 {"meson", "Meson", "", "meson"},
                                                 {"node", "Node", ".node-version .nvmrc", "node nodejs"},
                                                 {"python", "Python", ".python-version", "python"}}};

using Numbers = std::vector<std::uint64_t>;

// A shorter version stands for all that begin with it: 1.22 is not lower than 1.22.3.
std::strong_ordering compared(const Numbers& one, const Numbers& other) {
  const std::size_t count = std::min(one.size(), other.size());
  for (std::size_t i = 0; i < count; ++i) {
    if (const auto order = one[i] <=> other[i]; order != 0) return order;
  }
  return std::strong_ordering::equal;
}

const Language* named(std::string_view alias) {
  for (const Language& language : kLanguages) {
    const std::vector<std::string> aliases = split(language.aliases, ' ');
    if (std::find(aliases.begin(), aliases.end(), alias) != aliases.end()) return &language;
  }
  return nullptr;
}

class Pins {
 public:
  explicit Pins(const plan::SourceTree& tree) : tree_(tree) {}

  void read_single_files() {
    for (const Language& language : kLanguages) {
      for (const std::string& file : split(language.files, ' ')) {
        const std::optional<std::string> text = file.empty() ? std::nullopt : tree_.read_if_exists(file);
        if (text) add(language, trim(text->substr(0, text->find('\n'))), cat(file, ":1"));
      }
    }
  }

  // `golang 1.22.4 # why`, one tool a line.
  void read_tool_versions() {
    const std::optional<std::string> text = tree_.read_if_exists(".tool-versions");
    int line = 0;
    for (const std::string& raw : split_lines(text.value_or(""))) {
      ++line;
      const std::string_view content = trim(std::string_view(raw).substr(0, raw.find('#')));
      const std::size_t blank = content.find_first_of(" \t");
      const Language* language = named(content.substr(0, blank));
      if (language == nullptr || blank == std::string_view::npos) continue;
      const std::string_view versions = trim(content.substr(blank));
      add(*language, versions.substr(0, versions.find_first_of(" \t")), cat(".tool-versions:", line));
    }
  }

  // `[tools]` of mise: a version, or a list of them whose first one counts.
  void read_mise(const char* file, std::vector<std::string>& warnings) {
    const std::optional<std::string> text = tree_.read_if_exists(file);
    if (!text) return;
    try {
      const TomlDocument document = parse_toml(*text, file);
      const Json tools = document.root.value("tools", Json::object());
      if (!tools.is_object()) return;
      for (const auto& [name, value] : tools.items()) {
        const Language* language = named(name);
        const Json& first = value.is_array() && !value.empty() ? value[0] : value;
        if (language == nullptr || !first.is_string()) continue;
        add(*language, first.get<std::string>(), cat(file, ":", document.line(cat("/tools/", name))));
      }
    } catch (const Error& error) {
      warnings.push_back(cat(backticked(error.where().empty() ? file : error.where()),
                             " is not read: ", error.causes().empty() ? error.message() : error.causes().back()));
    }
  }

  // `java=21.0.2-tem`, one tool a line: of SDKMAN, and with `java.runtime.version` of Heroku.
  void read_properties(const char* file, std::string_view key) {
    const std::optional<std::string> text = tree_.read_if_exists(file);
    int line = 0;
    for (const std::string& raw : split_lines(text.value_or(""))) {
      ++line;
      const std::size_t equals = raw.find('=');
      if (equals == std::string::npos || trim(std::string_view(raw).substr(0, equals)) != key) continue;
      add(*named("java"), trim(std::string_view(raw).substr(equals + 1)), cat(file, ":", line));
    }
  }

  std::vector<VersionPin> take() { return std::move(pins_); }

 private:
  void add(const Language& language, std::string_view version, std::string source) {
    const std::string number = language.tool == "javac" ? java_version_of(version) : std::string(version);
    if (plan::numbers_of(number).empty() || version.size() > 40) return;
    pins_.push_back({std::string(language.tool), {number, std::move(source)}});
  }

  const plan::SourceTree& tree_;
  std::vector<VersionPin> pins_;
};

std::string_view shown(std::string_view tool) {
  const auto* const found = std::find_if(kLanguages.begin(), kLanguages.end(),
                                         [&](const Language& language) { return language.tool == tool; });
  return found == kLanguages.end() ? tool : found->shown;
}

std::string says(const VersionPin& pin) {
  return cat(pin.version.source, " says ", shown(pin.tool), " ", printable(pin.version.value));
}

}  // namespace

std::vector<VersionPin> version_pins(const plan::SourceTree& tree, std::vector<std::string>& warnings) {
  Pins pins(tree);
  pins.read_single_files();
  pins.read_tool_versions();
  pins.read_properties(".sdkmanrc", "java");
  pins.read_properties("system.properties", "java.runtime.version");
  for (const char* file : {"mise.toml", ".mise.toml"}) pins.read_mise(file, warnings);
  return pins.take();
}

std::vector<std::string> version_contradictions(const plan::SourceTree& tree, const plan::BuildPlan& plan) {
  std::vector<std::string> warnings;
  std::vector<VersionPin> pins = version_pins(tree, warnings);
  if (const auto pinned = plan.values.find("rust toolchain");
      pinned != plan.values.end() && !plan::numbers_of(pinned->second.value).empty()) {
    pins.insert(pins.begin(), {"cargo", pinned->second});
  }
  std::map<std::string, const VersionPin*> first;
  for (const VersionPin& pin : pins) {
    const auto tool =
        std::find_if(plan.tools.begin(), plan.tools.end(), [&](const plan::Tool& one) { return one.name == pin.tool; });
    if (tool == plan.tools.end()) continue;
    const Numbers wanted = plan::numbers_of(pin.version.value);
    const bool has_minimum = tool->constraint.starts_with(">=");
    if (has_minimum && compared(wanted, plan::numbers_of(tool->constraint.substr(2))) < 0) {
      warnings.push_back(
          cat(says(pin), ", and ", tool->source, " wants at least ", tool->constraint.substr(2), ": the latter holds"));
      continue;
    }
    const auto [other, is_first] = first.emplace(pin.tool, &pin);
    if (!is_first && compared(wanted, plan::numbers_of(other->second->version.value)) != 0) {
      warnings.push_back(cat(says(*other->second), ", and ", says(pin)));
    }
  }
  return warnings;
}

}  // namespace whittle::detectors
