#include "detectors/gradle_project.hpp"

#include <algorithm>
#include <array>
#include <regex>

#include "base/text.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

constexpr std::uint64_t kLargest = 1 << 20;
constexpr std::size_t kMostProjects = 1000;
constexpr std::size_t kLongestLine = 2000;
constexpr std::array<std::string_view, 2> kBuildFiles = {"build.gradle", "build.gradle.kts"};
constexpr std::array<std::string_view, 2> kSettings = {"settings.gradle", "settings.gradle.kts"};

constexpr std::array<std::string_view, 7> kStarting = {
    "org.springframework.boot", "application",   "com.github.johnrengelman.shadow", "com.gradleup.shadow", "io.quarkus",
    "io.micronaut.application", "io.ktor.plugin"};

// Line by line, so that a pattern never sees more than one: a long line is nobody's build file.
template <class Function>
void each_line(std::string_view text, Function&& function) {
  int number = 0;
  for (const std::string& line : split_lines(text)) {
    ++number;
    if (line.size() <= kLongestLine) function(line, number);
  }
}

std::optional<std::string> first_of(std::string_view line, const std::regex& pattern) {
  std::match_results<std::string_view::const_iterator> match;
  if (!std::regex_search(line.begin(), line.end(), match, pattern)) return std::nullopt;
  return match[1].str();
}

std::string file_in(const plan::SourceTree& tree, std::string_view folder, std::span<const std::string_view> names) {
  for (const std::string_view name : names) {
    if (tree.has(joined(folder, name))) return joined(folder, name);
  }
  return {};
}

void refuse_unbalanced(std::string_view code, const std::string& shown) {
  std::vector<int> open;
  int line = 1;
  for (const char c : code) {
    if (c == '\n') ++line;
    if (c == '{') open.push_back(line);
    if (c != '}') continue;
    if (open.empty()) throw failure(shown, line, "there is a `}` without its `{`");
    open.pop_back();
  }
  if (!open.empty()) throw failure(shown, open.back(), "the `{` is not closed");
}

void read_plugins(const std::string& line, int number, JavaModule& module) {
  static const std::regex kPlugin(
      R"((?:^|[^\w.])(?:id|apply\s+plugin:|alias)[\s(]*['"]([\w.-]+)['"](?!.*apply\s+false))");
  static const std::regex kBare(R"(^\s*(application|war|`application`|`war`)\s*$)");
  const std::optional<std::string> named = first_of(line, kPlugin);
  std::string plugin = named ? *named : first_of(line, kBare).value_or("");
  std::erase(plugin, '`');
  if (plugin == "war") {
    module.packaging = "war";
    module.packaging_line = number;
  }
  if (std::find(kStarting.begin(), kStarting.end(), plugin) != kStarting.end()) module.plugins.emplace(plugin, number);
  if (plugin == "io.quarkus") module.packaging = "quarkus";
}

struct Versions {
  std::optional<plan::Value> compiled, toolchain;
};

void read_line(const std::string& line, const std::string& place, JavaModule& module, Versions& versions) {
  static const std::regex kMain(R"((?:mainClass|mainClassName)\s*(?:=|\.set\s*\()\s*['"]([\w.$]+)['"])");
  static const std::regex kManifest(R"(['"]Main-Class['"]\s*(?::|to|,)\s*['"]([\w.$]+)['"])");
  static const std::regex kToolchain(R"((?:JavaLanguageVersion\.of|jvmToolchain)\s*\(\s*['"]?(\d+))");
  static const std::regex kLevel(
      R"((?:sourceCompatibility|targetCompatibility|options\.release|jvmTarget)[\s.=(set]*(?:JavaVersion\.VERSION_|JvmTarget\.JVM_)?['"]?(\d[\d._]*))");
  for (const std::regex* pattern : {&kMain, &kManifest}) {
    if (const auto main = first_of(line, *pattern); main && !module.main) module.main = MainClass{*main, place};
  }
  if (const auto version = first_of(line, kToolchain); version && !versions.toolchain) {
    versions.toolchain = plan::Value{*version, place};
  }
  if (auto version = first_of(line, kLevel); version && !versions.compiled) {
    std::replace(version->begin(), version->end(), '_', '.');
    versions.compiled = plan::Value{java_version_of(*version), place};
  }
}

class Reader {
 public:
  explicit Reader(const Surroundings& surroundings) : surroundings_(surroundings) {}

  GradleProject read() {
    const std::string app = surroundings_.app_in_context;
    project_.top = top_of(app);
    const std::string settings = file_in(tree(), project_.top, kSettings);
    read_settings(settings);
    std::vector<std::string> folders = {app};
    for (const std::string& below :
         settings.empty() ? std::vector<std::string>{} : gradle_projects_in(text_of(settings))) {
      const std::string folder = joined(project_.top, below);
      const bool is_below = app == "." || folder.starts_with(cat(app, "/"));
      if (is_below && std::find(folders.begin(), folders.end(), folder) == folders.end()) folders.push_back(folder);
      if (!tree().has_folder(folder)) throw missing(settings, below);
    }
    if (folders.size() > kMostProjects) throw failure(settings, 0, "there are more than 1000 projects");
    for (const std::string& folder : folders) project_.modules.push_back(module_in(folder));
    return std::move(project_);
  }

 private:
  const plan::SourceTree& tree() const { return surroundings_.context; }
  std::string shown(const std::string& path) const { return from_application(surroundings_, path); }
  std::string text_of(const std::string& path) const { return without_comments(tree().read(path, kLargest), true); }

  std::string top_of(const std::string& app) const {
    for (std::string folder = app;; folder = folder_of(folder)) {
      if (!file_in(tree(), folder, kSettings).empty()) return folder;
      if (folder == ".") return app;
    }
  }

  Error missing(const std::string& settings, const std::string& below) const {
    int line = 0;
    each_line(text_of(settings), [&](const std::string& text, int number) {
      if (line == 0 && text.find(last_part(below)) != std::string::npos) line = number;
    });
    return failure(shown(settings), line, cat("the project `", printable(below), "` is not there"));
  }

  void read_settings(const std::string& settings) {
    static const std::regex kName(R"(rootProject\.name\s*=\s*['"]([^'"]+)['"])");
    if (!settings.empty() && project_.top == surroundings_.app_in_context) {
      each_line(text_of(settings), [&](const std::string& line, int) {
        if (const auto name = first_of(line, kName); name && project_.name.empty()) project_.name = *name;
      });
    }
    if (project_.name.empty()) {
      project_.name = surroundings_.app_in_context == "." ? tree().name() : last_part(surroundings_.app_in_context);
    }
  }

  JavaModule module_in(const std::string& folder) {
    JavaModule module;
    module.folder = folder;
    module.name = folder == surroundings_.app_in_context ? project_.name : last_part(folder);
    const std::string file = file_in(tree(), folder, kBuildFiles);
    module.file = shown(file.empty() ? file_in(tree(), project_.top, kSettings) : file);
    if (file.empty()) return module;
    refuse_unbalanced(without_comments(tree().read(file, kLargest), false), module.file);
    Versions versions;
    each_line(text_of(file), [&](const std::string& line, int number) {
      read_plugins(line, number, module);
      read_line(line, cat(module.file, ":", number), module, versions);
    });
    module.java_version = versions.toolchain ? versions.toolchain : versions.compiled;
    if (versions.toolchain && !project_.exact_java) project_.exact_java = versions.toolchain;
    return module;
  }

  const Surroundings& surroundings_;
  GradleProject project_;
};

}  // namespace

bool has_gradle_build(const plan::SourceTree& tree, std::string_view folder) {
  return !file_in(tree, folder, kBuildFiles).empty() || !file_in(tree, folder, kSettings).empty();
}

std::vector<std::string> gradle_projects_in(std::string_view settings) {
  static const std::regex kInclude(R"((?:^|[\s;{])include[\s(])");
  static const std::regex kPath(R"(['"]:?([\w.:/-]+)['"])");
  std::vector<std::string> folders;
  bool goes_on = false;
  each_line(settings, [&](const std::string& line, int) {
    std::match_results<std::string::const_iterator> match;
    const bool begins = std::regex_search(line, match, kInclude);
    if (!begins && !goes_on) return;
    const std::string rest = begins ? match.suffix().str() : line;
    for (std::sregex_iterator one(rest.begin(), rest.end(), kPath), end; one != end; ++one) {
      std::string path = (*one)[1].str();
      std::replace(path.begin(), path.end(), ':', '/');
      folders.push_back(std::move(path));
    }
    const std::string_view last = trim(line);
    goes_on = last.ends_with(',') || (last.ends_with('(') && begins);
  });
  return folders;
}

GradleProject read_gradle_project(const Surroundings& surroundings) {
  return Reader(surroundings).read();
}

}  // namespace whittle::detectors
