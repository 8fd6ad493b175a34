#include "detectors/cmake_project.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.hpp"
#include "detectors/cmake_script.hpp"
#include "detectors/installed_data.hpp"
#include "detectors/modules.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

constexpr int kDeepest = 32;  // nested folders and includes
constexpr std::size_t kMostFiles = 2000;
constexpr std::size_t kMostBytes = 32 << 20;  // of all files
constexpr std::size_t kLongestValue = 1 << 16;

enum class Truth { no, yes, unknown };

Truth opposite(Truth truth) {
  if (truth == Truth::unknown) return truth;
  return truth == Truth::yes ? Truth::no : Truth::yes;
}

// https://cmake.org/cmake/help/latest/command/if.html#constant
std::optional<bool> constant(std::string_view text) {
  const std::string word = lower(text);
  for (const char* yes : {"1", "on", "yes", "true", "y"}) {
    if (word == yes) return true;
  }
  for (const char* no : {"0", "off", "no", "false", "n", "ignore", "notfound", ""}) {
    if (word == no) return false;
  }
  if (word.ends_with("-notfound")) return false;
  return std::nullopt;
}

using Variables = std::map<std::string, std::string>;

class Walker {
 public:
  Walker(const plan::SourceTree& tree, const Variables& definitions) : tree_(tree), definitions_(definitions) {
    for (const char* absent : {"WIN32", "MSVC", "MINGW", "CYGWIN", "APPLE", "ANDROID", "IOS", "EMSCRIPTEN",
                               "BUILD_TESTING", "BUILD_SHARED_LIBS", "CMAKE_CROSSCOMPILING", "MSYS", "HAIKU"}) {
      top_[absent] = "OFF";
    }
    top_["UNIX"] = top_["LINUX"] = "ON";
    top_["CMAKE_SYSTEM_NAME"] = "Linux";
    for (const auto& [name, value] : definitions) top_[name] = value;
  }

  CMakeProject project() {
    walk_folder(".", top_, true);
    std::vector<CProgram> programs;
    for (CProgram& program : project_.programs) {
      program.is_installed = installed_.contains(program.target);
      if (const auto name = output_names_.find(program.target); name != output_names_.end())
        program.file_name = name->second;
      programs.push_back(std::move(program));
    }
    project_.programs = std::move(programs);
    if (says_where_modules_lie_) project_.modules.clear();
    return std::move(project_);
  }

 private:
  struct Block {
    Truth now, taken;  // of this branch; whether any branch so far was taken
  };
  // The body of a function, macro or loop: it is not followed, only searched for programs.
  struct Skipped {
    std::string until, name;  // name: of a function or macro
    bool is_dead = false;
  };

  void skip(const CMakeCommand& command, Skipped& skipped, const std::string& path) {
    if (command.name == skipped.until) {
      skipped = {};
    } else if (command.name == "add_executable" && !skipped.is_dead) {
      if (skipped.name.empty()) {
        note_unread(path, command.line);
      } else {
        makers_.insert(skipped.name);
      }
    }
  }

  void note_unread(const std::string& path, int line) {
    if (project_.unread.empty() && !is_aside(path)) project_.unread = cat(path, ":", line);
  }

  void walk_folder(const std::string& folder, Variables variables, bool is_certain) {
    const std::string path = joined(folder, "CMakeLists.txt");
    if (!tree_.has(path) || !visited_.insert(path).second) return;
    variables["CMAKE_CURRENT_SOURCE_DIR"] = folder;
    if (folder == ".") variables["CMAKE_SOURCE_DIR"] = variables["PROJECT_SOURCE_DIR"] = ".";
    walk_file(path, folder, variables, is_certain);
  }

  void walk_file(const std::string& path, const std::string& folder, Variables& variables, bool is_certain) {
    if (++files_ > kMostFiles || depth_ >= kDeepest || bytes_ > kMostBytes) return;
    ++depth_;
    const std::string text = tree_.read(path);
    bytes_ += text.size();
    project_.libraries.merge(libraries_of_cmake(text));
    project_.installs_data = project_.installs_data || cmake_installs_data(text);
    for (const char* word :
         {"ENV{PKG_CONFIG_", "CMAKE_PREFIX_PATH", "PKG_CONFIG_EXECUTABLE", "FetchContent", "ExternalProject"}) {
      says_where_modules_lie_ = says_where_modules_lie_ || text.find(word) != std::string::npos;
    }
    std::vector<Block> blocks;
    Skipped skipped;
    for (const CMakeCommand& command : parse_cmake(text, path)) {
      if (!skipped.until.empty()) {
        skip(command, skipped, path);
        continue;
      }
      if (follow_condition(command, blocks, variables)) continue;
      const auto is = [&](Truth truth) {
        return std::any_of(blocks.begin(), blocks.end(), [&](const Block& block) { return block.now == truth; });
      };
      if (command.name == "function" || command.name == "macro" || command.name == "foreach" ||
          command.name == "while") {
        const bool is_named = command.name[0] != 'w' && command.name != "foreach" && !command.arguments.empty();
        skipped = {cat("end", command.name), is_named ? lower(command.arguments[0].text) : "", is(Truth::no)};
        continue;
      }
      if (is(Truth::no)) continue;
      if (makers_.contains(command.name)) note_unread(path, command.line);
      if (command.name == "return" && !is(Truth::unknown)) break;
      run(command, path, folder, variables, is_certain && !is(Truth::unknown));
    }
    --depth_;
  }

  bool follow_condition(const CMakeCommand& command, std::vector<Block>& blocks, const Variables& variables) {
    if (command.name == "if") {
      const Truth truth = truth_of(command, variables);
      blocks.push_back({truth, truth});
      return true;
    }
    if (blocks.empty()) return false;
    Block& block = blocks.back();
    if (command.name == "endif") {
      blocks.pop_back();
    } else if (command.name == "else" || command.name == "elseif") {
      const Truth own = command.name == "else" ? Truth::yes : truth_of(command, variables);
      block.now = block.taken == Truth::yes ? Truth::no : own;
      if (block.taken == Truth::unknown && own != Truth::no) block.now = Truth::unknown;
      if (own == Truth::yes || block.taken == Truth::yes) {
        block.taken = block.taken == Truth::unknown ? Truth::unknown : Truth::yes;
      } else if (own == Truth::unknown) {
        block.taken = Truth::unknown;
      }
    } else {
      return false;
    }
    return true;
  }

  // `NAME`, `NOT NAME`, joined by AND or by OR; whatever else is written is CMake's to decide.
  Truth truth_of(const CMakeCommand& command, const Variables& variables) {
    Truth all = Truth::yes, any = Truth::no;
    bool has_and = false, has_or = false, negated = false;
    Truth term = Truth::unknown;
    const auto close = [&] {
      if (term == Truth::no || (term == Truth::unknown && all == Truth::yes)) all = term;
      if (term == Truth::yes || (term == Truth::unknown && any == Truth::no)) any = term;
      term = Truth::unknown;
      negated = false;
    };
    int words = 0;
    for (const CMakeArgument& argument : command.arguments) {
      if (argument.text == "AND" || argument.text == "OR") {
        (argument.text == "AND" ? has_and : has_or) = true;
        close();
        words = 0;
      } else if (argument.text == "NOT") {
        negated = !negated;
      } else if (++words > 1 || argument.text == "(" || argument.text == ")") {
        return Truth::unknown;
      } else {
        term = negated ? opposite(truth_of_word(argument, variables)) : truth_of_word(argument, variables);
      }
    }
    close();
    if (has_and && has_or) return Truth::unknown;
    return has_or ? any : all;
  }

  Truth truth_of_word(const CMakeArgument& argument, const Variables& variables) {
    const std::optional<std::string> text = replaced(argument, variables);
    if (!text) return Truth::unknown;
    if (const std::optional<bool> truth = constant(*text)) return *truth ? Truth::yes : Truth::no;
    const auto variable = variables.find(*text);
    // A variable that this project never sets may still come from CMake or from a package.
    if (variable == variables.end()) return Truth::unknown;
    const std::optional<bool> truth = constant(variable->second);
    return truth && !*truth ? Truth::no : Truth::yes;
  }

  // Nothing when a variable in it is not known.
  std::optional<std::string> replaced(const CMakeArgument& argument, const Variables& variables) const {
    if (argument.is_literal) return argument.text;
    std::string text = argument.text;
    for (int rounds = 0; rounds < 32; ++rounds) {
      const std::size_t start = text.rfind("${");
      if (start == std::string::npos) return text.find("$<") == std::string::npos ? std::optional(text) : std::nullopt;
      const std::size_t end = text.find('}', start);
      if (end == std::string::npos) return std::nullopt;
      const auto value = variables.find(text.substr(start + 2, end - start - 2));
      if (value == variables.end()) return std::nullopt;
      text.replace(start, end - start + 1, value->second);
      if (text.size() > kLongestValue) return std::nullopt;
    }
    return std::nullopt;
  }

  struct Words {
    std::vector<std::string> list;
    bool is_complete = true;
  };

  Words words_of(const CMakeCommand& command, const Variables& variables) const {
    Words words;
    for (const CMakeArgument& argument : command.arguments) {
      const std::optional<std::string> text = replaced(argument, variables);
      if (!text) {
        words.is_complete = false;
        words.list.emplace_back();  // keeps the place
      } else if (argument.is_quoted) {
        words.list.push_back(*text);
      } else {
        for (std::string& piece : split(*text, ';')) {
          if (!piece.empty()) words.list.push_back(std::move(piece));
        }
      }
    }
    return words;
  }

  static bool says(const Words& words, std::string_view word) {
    return std::find(words.list.begin(), words.list.end(), word) != words.list.end();
  }

  void run(const CMakeCommand& command, const std::string& path, const std::string& folder, Variables& variables,
           bool is_certain) {
    const Words words = words_of(command, variables);
    const std::string first = words.list.empty() ? std::string() : words.list.front();
    if (first.empty() && command.name == "add_executable") note_unread(path, command.line);
    if (first.empty()) return;
    if (command.name == "project") {
      run_project(words, path, command.line, folder, variables);
    } else if (command.name == "cmake_minimum_required" && path == "CMakeLists.txt" && words.list.size() > 1) {
      project_.minimum = words.list[1].substr(0, words.list[1].find("..."));
      project_.minimum_line = command.line;
    } else if (command.name == "enable_language") {
      enable(words.list);
    } else if (command.name == "set" || command.name == "option") {
      run_set(command.name == "option", words, variables, is_certain);
    } else if (command.name == "add_executable") {
      run_executable(words, path, command.line, folder, is_certain);
    } else if (command.name == "install" && first == "TARGETS") {
      for (std::size_t i = 1; i < words.list.size() && !is_install_keyword(words.list[i]); ++i)
        installed_.insert(words.list[i]);
    } else if (command.name == "set_target_properties") {
      run_properties(words);
    } else if (command.name == "add_subdirectory") {
      const std::string below = in_tree(folder, first);
      if (says(words, "EXCLUDE_FROM_ALL") || is_aside(below)) return;
      walk_folder(below, variables, is_certain);
    } else if (command.name == "include") {
      const std::string included = in_tree(folder, first);
      if (tree_.has(included)) walk_file(included, folder, variables, is_certain);
    } else if (command.name == "find_package" && says(words, "REQUIRED")) {
      if (is_certain) variables[cat(first, "_FOUND")] = "ON";  // CMake stops without it
    } else if (command.name == "pkg_check_modules" && is_certain && words.is_complete && !is_aside(path)) {
      for (plan::Module& module : modules_of_cmake(words.list, cat(path, ":", command.line)))
        project_.modules.push_back(std::move(module));
    } else if (command.name == "unset") {
      variables.erase(first);
    }
  }

  // CMAKE_CURRENT_SOURCE_DIR is a path of the tree here, so `${CMAKE_CURRENT_SOURCE_DIR}/x` is one too.
  std::string in_tree(const std::string& folder, const std::string& path) const {
    if (path.starts_with("./") || path == "." || tree_.has_folder(path) || tree_.has(path)) {
      const std::string relative = joined(folder, path);
      if (tree_.has_folder(relative) || tree_.has(relative)) return relative;
      return joined(".", path);
    }
    return joined(folder, path);
  }

  void run_project(const Words& words, const std::string& path, int line, const std::string& folder,
                   Variables& variables) {
    const std::string& name = words.list.front();
    variables["PROJECT_NAME"] = name;
    variables["PROJECT_SOURCE_DIR"] = variables[cat(name, "_SOURCE_DIR")] = folder;
    variables.try_emplace("CMAKE_PROJECT_NAME", name);
    if (path == "CMakeLists.txt" && project_.name.empty()) {
      project_.name = name;
      project_.name_line = line;
    }
    constexpr std::array<std::string_view, 3> kValued = {"VERSION", "DESCRIPTION", "HOMEPAGE_URL"};
    std::vector<std::string> languages;
    bool has_keywords = false;
    for (std::size_t i = 1; i < words.list.size(); ++i) {
      const std::string& word = words.list[i];
      if (std::find(kValued.begin(), kValued.end(), word) != kValued.end()) {
        has_keywords = true;
        ++i;
      } else if (word == "LANGUAGES") {
        has_keywords = true;
        languages.assign(words.list.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.list.end());
        break;
      } else if (!has_keywords) {
        languages.push_back(word);
      }
    }
    project_.names_languages = !languages.empty();
    if (languages.empty()) languages = {"C", "CXX"};
    enable(languages);
  }

  void enable(const std::vector<std::string>& languages) {
    for (const std::string& language : languages) {
      project_.enables_c = project_.enables_c || language == "C";
      project_.enables_cpp = project_.enables_cpp || language == "CXX";
    }
  }

  void run_set(bool is_option, const Words& words, Variables& variables, bool is_certain) {
    const std::string& name = words.list.front();
    if (definitions_.contains(name)) return;  // the command line has the last word on cache entries
    std::vector<std::string> values(words.list.begin() + 1, words.list.end());
    bool is_cached = is_option;
    if (is_option) {
      values = {values.size() > 1 ? values.back() : "OFF"};
    } else if (const auto cache = std::find(values.begin(), values.end(), "CACHE"); cache != values.end()) {
      is_cached = true;
      values.erase(cache, values.end());
    }
    if (!values.empty() && values.back() == "PARENT_SCOPE") return;
    if (is_cached && variables.contains(name)) return;
    if (!words.is_complete || !is_certain) {
      variables.erase(name);  // nobody can say what it is now
    } else {
      variables[name] = join(values, ";");
    }
  }

  void run_executable(const Words& words, const std::string& path, int line, const std::string& folder,
                      bool is_certain) {
    if (says(words, "IMPORTED") || says(words, "ALIAS") || says(words, "EXCLUDE_FROM_ALL") || is_aside(path)) return;
    const std::string& target = words.list.front();
    const bool is_known = std::any_of(project_.programs.begin(), project_.programs.end(),
                                      [&](const CProgram& program) { return program.target == target; });
    if (is_known) return;  // two branches of a condition, or a file that is read twice
    project_.programs.push_back({target, target, cat(path, ":", line), folder, is_certain, false});
  }

  void run_properties(const Words& words) {
    const auto properties = std::find(words.list.begin(), words.list.end(), "PROPERTIES");
    for (auto name = properties; name != words.list.end() && std::next(name) != words.list.end(); ++name) {
      if (*name != "OUTPUT_NAME" && *name != "RUNTIME_OUTPUT_NAME") continue;
      for (auto target = words.list.begin(); target != properties; ++target) {
        if (!std::next(name)->empty()) output_names_[*target] = *std::next(name);
      }
    }
  }

  static bool is_install_keyword(std::string_view word) {
    for (const char* keyword : {"RUNTIME", "DESTINATION", "EXPORT", "LIBRARY", "ARCHIVE", "COMPONENT", "PERMISSIONS",
                                "CONFIGURATIONS", "OPTIONAL", "BUNDLE", "PUBLIC_HEADER", "FILE_SET", "INCLUDES"}) {
      if (word == keyword) return true;
    }
    return false;
  }

  const plan::SourceTree& tree_;
  Variables top_;
  const Variables& definitions_;
  CMakeProject project_;
  std::set<std::string> visited_, installed_, makers_;  // makers_: functions that add programs
  std::map<std::string, std::string> output_names_;
  std::size_t files_ = 0, bytes_ = 0;
  int depth_ = 0;
  bool says_where_modules_lie_ = false;
};

}  // namespace

CMakeProject read_cmake_project(const plan::SourceTree& tree, const std::map<std::string, std::string>& definitions) {
  return Walker(tree, definitions).project();
}

}  // namespace whittle::detectors
