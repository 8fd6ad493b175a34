#include "detectors/meson_project.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "base/text.hpp"
#include "detectors/installed_data.hpp"
#include "detectors/meson_script.hpp"
#include "detectors/modules.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

constexpr std::size_t kMostFolders = 2000;

class Reader {
 public:
  explicit Reader(const plan::SourceTree& tree) : tree_(tree) {}

  MesonProject read() {
    read_folder(".", true);
    for (const char* file : {"meson.options", "meson_options.txt"}) {
      if (tree_.has(file)) read_options(file);
    }
    return std::move(project_);
  }

 private:
  void read_folder(const std::string& folder, bool is_certain) {
    const std::string file = joined(folder, "meson.build");
    if (!tree_.has(file) || !visited_.insert(file).second || visited_.size() > kMostFolders) return;
    int conditions = 0;
    const std::string text = tree_.read(file);
    project_.libraries.merge(libraries_of_meson(text));
    for (const MesonStatement& statement : parse_meson(text, file)) {
      if (statement.name == "if" || statement.name == "foreach") ++conditions;
      if (statement.name == "endif" || statement.name == "endforeach") --conditions;
      run(statement, folder, file, is_certain && conditions == 0);
    }
  }

  void run(const MesonStatement& statement, const std::string& folder, const std::string& file, bool is_certain) {
    // What comes after it may not be read by Meson either.
    if (statement.name == "subdir_done") may_have_ended_ = true;
    if (is_certain && !may_have_ended_ && !is_aside(file)) {
      for (plan::Module& module : modules_of_meson(statement, file)) project_.modules.push_back(std::move(module));
    }
    project_.installs_data = project_.installs_data || (!is_aside(file) && meson_installs_data(statement));
    if (statement.is_assignment) {
      const std::optional<std::string> text = text_of_value(statement.arguments.front());
      if (text && is_certain) variables_[statement.name] = *text;
      if (!text || !is_certain) variables_.erase(statement.name);
    } else if (statement.name == "project") {
      read_head(statement, file);
    } else if (statement.name == "add_languages") {
      for (const MesonValue& value : statement.arguments) add_languages(value);
    } else if (statement.name == "subdir" && !statement.arguments.empty()) {
      const std::optional<std::string> below = text_of_value(statement.arguments.front());
      if (below) read_folder(joined(folder, *below), is_certain);
      if (!below) note_unread(file, statement.line);
    } else if (statement.name == "shared_library" || statement.name == "shared_module" || statement.name == "library" ||
               statement.name == "both_libraries") {
      project_.makes_shared_libraries = true;
    } else if (statement.name == "executable") {
      add_program(statement, folder, file, is_certain);
    }
  }

  void read_head(const MesonStatement& statement, const std::string& file) {
    if (file != "meson.build" || statement.arguments.empty()) return;
    project_.name = text_of_value(statement.arguments.front()).value_or("");
    project_.name_line = statement.line;
    for (std::size_t i = 1; i < statement.arguments.size(); ++i) add_languages(statement.arguments[i]);
    const auto version = statement.keywords.find("meson_version");
    if (version == statement.keywords.end()) return;
    const std::string wanted(trim(text_of_value(version->second).value_or("")));
    // `>=0.60.0`; a list of several conditions is Meson's own to judge.
    if (!wanted.starts_with(">=")) return;
    const std::string minimum(trim(std::string_view(wanted).substr(2)));
    if (minimum.empty() || minimum.find_first_not_of("0123456789.") != std::string::npos) return;
    project_.minimum = minimum;
    project_.minimum_line = version->second.front().line;
  }

  void add_languages(const MesonValue& value) {
    for (const MesonToken& token : value) {
      if (token.kind == MesonToken::Kind::text) project_.languages.push_back(lower(token.text));
    }
  }

  void add_program(const MesonStatement& statement, const std::string& folder, const std::string& file,
                   bool is_certain) {
    const std::string place = cat(file, ":", statement.line);
    if (is_aside(place) || is_true(statement, "native")) return;
    const std::optional<std::string> name =
        statement.arguments.empty() ? std::nullopt : text_of_value(statement.arguments.front());
    if (!name || name->empty() || name->find('/') != std::string::npos) return note_unread(file, statement.line);
    const auto known = std::find_if(project_.programs.begin(), project_.programs.end(),
                                    [&](const CProgram& program) { return program.target == *name; });
    // The same program in both branches of a condition.
    if (known != project_.programs.end()) return;
    project_.programs.push_back({.target = *name,
                                 .file_name = *name,
                                 .source = place,
                                 .folder = folder,
                                 .is_certain = is_certain,
                                 .is_installed = is_true(statement, "install")});
  }

  void read_options(const std::string& file) {
    static const std::set<std::string, std::less<>> kDispensable = {
        "tests",      "test",          "build_tests",    "build-tests",    "enable_tests", "enable-tests",
        "unit_tests", "examples",      "build_examples", "build-examples", "example",      "docs",
        "doc",        "documentation", "gtk_doc",        "gtk-doc",        "man",          "manpages",
        "man-pages",  "man_pages",     "benchmarks",     "benchmark"};
    for (const MesonStatement& statement : parse_meson(tree_.read(file), file)) {
      if (statement.name != "option" || statement.arguments.empty()) continue;
      const std::string name = text_of_value(statement.arguments.front()).value_or("");
      const auto type = statement.keywords.find("type");
      if (!kDispensable.contains(name) || type == statement.keywords.end()) continue;
      const std::string kind = text_of_value(type->second).value_or("");
      if (kind == "boolean") project_.dispensable.emplace_back(name, "false");
      if (kind == "feature") project_.dispensable.emplace_back(name, "disabled");
    }
  }

  // A string, or a name that stands for one.
  std::optional<std::string> text_of_value(const MesonValue& value) const {
    if (value.size() == 1 && value[0].kind == MesonToken::Kind::text) return value[0].text;
    if (value.size() == 1) {
      const auto found = variables_.find(value[0].text);
      return found == variables_.end() ? std::nullopt : std::optional(found->second);
    }
    std::string text;
    for (const MesonToken& token : value) text += token.text;
    if (text == "meson.project_name()" && !project_.name.empty()) return project_.name;
    return std::nullopt;
  }

  static bool is_true(const MesonStatement& statement, const std::string& keyword) {
    const auto found = statement.keywords.find(keyword);
    return found != statement.keywords.end() && found->second.size() == 1 && found->second[0].text == "true";
  }

  void note_unread(const std::string& file, int line) {
    if (project_.unread.empty()) project_.unread = cat(file, ":", line);
  }

  const plan::SourceTree& tree_;
  MesonProject project_;
  std::map<std::string, std::string> variables_;
  std::set<std::string> visited_;
  bool may_have_ended_ = false;
};

}  // namespace

MesonProject read_meson_project(const plan::SourceTree& tree) {
  return Reader(tree).read();
}

}  // namespace whittle::detectors
