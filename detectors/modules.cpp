#include "detectors/modules.hpp"

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "detectors/makefile_text.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

bool is_module(std::string_view text) {
  return !text.empty() && text.size() < 60 && text.front() != '-' && std::all_of(text.begin(), text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("-_.+").find(c) < 4;
  });
}

bool compares(std::string_view word) {
  return word.find_first_of("<>=") != std::string_view::npos;
}

// "a >= 1 b": names, without versions and what compares them. Nothing when a name is computed.
std::vector<std::string> names_in(std::string_view list) {
  std::vector<std::string> names;
  bool is_version = false;
  for (const std::string& word : blank_separated(list)) {
    const std::string name = word.substr(0, word.find_first_of("<>=!"));
    if (!is_version && !name.empty() && !is_module(name)) return {};
    if (!is_version && !name.empty()) names.push_back(name);
    is_version = compares(word) && word.find_last_of("<>=") == word.size() - 1;
  }
  return names;
}

// The text of a call after its opening bracket, cut at commas outside of brackets.
std::vector<std::string> arguments_of(std::string_view text) {
  std::vector<std::string> arguments(1);
  int depth = 0;
  for (const char c : text) {
    if ((c == ')' && depth == 0)) return arguments;
    depth += c == '(' || c == '[' ? 1 : c == ')' || c == ']' ? -1 : 0;
    if (c == ',' && depth == 0) {
      arguments.emplace_back();
    } else {
      arguments.back() += c;
    }
  }
  return {};
}

std::string unquoted(std::string_view argument) {
  argument = trim(argument);
  while (argument.starts_with('[') && argument.ends_with(']')) argument = trim(argument.substr(1, argument.size() - 2));
  return std::string(argument);
}

std::string_view without_comment(std::string_view line) {
  for (const std::string_view sign : {"dnl ", "#"}) {
    const std::size_t at = line.find(sign);
    const bool begins = at == 0 || (at != std::string_view::npos && (line[at - 1] == ' ' || line[at - 1] == '\t'));
    if (begins) line = line.substr(0, at);
  }
  return line.starts_with("dnl") ? std::string_view() : line;
}

// How deep the shell's blocks are nested, by the words where commands begin.
class ShellBlocks {
 public:
  void follow(std::string_view line) {
    bool begins = true;
    for (std::string word : blank_separated(line)) {
      const bool ends = word.ends_with(';');
      while (word.ends_with(';')) word.pop_back();
      if (begins && (word == "if" || word == "case" || word == "for" || word == "while" || word == "until")) ++depth_;
      if (begins && (word == "fi" || word == "esac" || word == "done")) --depth_;
      begins = ends || word == "then" || word == "else" || word == "do" || word == "&&" || word == "||";
    }
  }
  bool is_outside() const { return depth_ == 0; }

 private:
  int depth_ = 0;
};

bool is_text(const MesonValue& value) {
  return value.size() == 1 && value[0].kind == MesonToken::Kind::text;
}

// What pkg-config alone decides for Meson, and not a search of its own (mesonbuild.com/Dependencies.html).
bool has_search_of_its_own(std::string_view name) {
  static const std::set<std::string_view> kNames = {
      "atomic",    "blocks",   "boost",   "coarray",         "cuda",    "cups",      "curses",
      "dl",        "gl",       "gmock",   "gpgme",           "gtest",   "hdf5",      "iconv",
      "intl",      "jni",      "jdk",     "jsoncpp",         "libwmf",  "llvm",      "mpi",
      "ncurses",   "netcdf",   "objfw",   "openmp",          "openssl", "libcrypto", "libssl",
      "pcap",      "pybind11", "python",  "python3",         "qt4",     "qt5",       "qt6",
      "scalapack", "sdl2",     "shaderc", "threads",         "vulkan",  "wxwidgets", "zlib",
      "libgcrypt", "numpy",    "dub",     "appleframeworks", "diasdk",  "valgrind"};
  return kNames.contains(name);
}

bool may_do_without(const MesonStatement& call) {
  for (const char* keyword : {"fallback", "native", "modules", "disabler", "allow_fallback", "method", "components",
                              "static", "include_type", "language", "main"}) {
    if (call.keywords.contains(keyword)) return true;
  }
  const auto required = call.keywords.find("required");
  return required != call.keywords.end() && !(required->second.size() == 1 && required->second[0].text == "true");
}

// Calls of `dependency` wherever they stand in a value; not the methods of that name.
void calls_in(const MesonValue& value, std::vector<MesonStatement>& calls) {
  for (std::size_t at = 0; at + 1 < value.size(); ++at) {
    const bool is_method = at > 0 && value[at - 1].text == ".";
    if (is_method || value[at].kind != MesonToken::Kind::word || value[at].text != "dependency") continue;
    if (value[at + 1].text != "(") continue;
    MesonStatement call{.name = "dependency", .line = value[at].line, .arguments = {}, .keywords = {}};
    MesonValue argument;
    const auto finish = [&] {
      const bool is_keyword = argument.size() > 2 && argument[1].text == ":";
      if (is_keyword) call.keywords.emplace(argument[0].text, MesonValue(argument.begin() + 2, argument.end()));
      if (!is_keyword && !argument.empty()) call.arguments.push_back(argument);
      argument.clear();
    };
    int depth = 1;
    for (std::size_t i = at + 2; i < value.size() && depth > 0; ++i) {
      const std::string& text = value[i].text;
      const bool is_sign = value[i].kind == MesonToken::Kind::sign;
      if (is_sign) depth += text == "(" || text == "[" ? 1 : text == ")" || text == "]" ? -1 : 0;
      if (is_sign && ((text == "," && depth == 1) || depth == 0)) {
        finish();
      } else {
        argument.push_back(value[i]);
      }
    }
    calls.push_back(std::move(call));
  }
}

bool tells_where_modules_lie(const plan::Config& config) {
  const auto tells = [](std::string_view text) {
    for (const char* word : {"PKG_CONFIG", "pkg_config", "PREFIX_PATH", "_LIBS=", "_LIBRARIES=", "cross-file",
                             "native-file", "-Dcmake_prefix_path", "sysroot", "SYSROOT"}) {
      if (text.find(word) != std::string_view::npos) return true;
    }
    return false;
  };
  for (const std::string& argument : build_arguments(config)) {
    if (tells(argument)) return true;
  }
  return std::any_of(config.build_env.begin(), config.build_env.end(),
                     [&](const auto& one) { return tells(cat(one.first, "=")); });
}

// Text in which the tree names what it brings: wrap files of Meson and the paths of descriptions for pkg-config.
std::string brought_by(const plan::SourceTree& tree) {
  std::string text;
  for (const std::string& file : tree.glob("subprojects/*.wrap")) text += cat(file, "\n", tree.read(file), "\n");
  for (const std::string& file : tree.glob("**/*.pc*")) text += cat(file, "\n");
  return text;
}

}  // namespace

std::vector<plan::Module> modules_of_configure(std::string_view script, std::string_view file) {
  std::vector<plan::Module> modules;
  if (script.find("PKG_CONFIG_PATH=") != std::string_view::npos) return modules;
  const std::vector<std::string> lines = split_lines(script);
  ShellBlocks blocks;
  int brackets = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string_view line = without_comment(lines[i]), told = trim(line);
    const bool is_static = told.starts_with("PKG_CHECK_MODULES_STATIC(");
    if (brackets == 0 && blocks.is_outside() && (is_static || told.starts_with("PKG_CHECK_MODULES("))) {
      std::string text(told.substr(told.find('(') + 1));
      std::vector<std::string> arguments = arguments_of(text);
      for (std::size_t next = i + 1; arguments.empty() && next < lines.size() && next < i + 40; ++next) {
        text += cat("\n", without_comment(lines[next]));
        arguments = arguments_of(text);
      }
      const bool is_required = arguments.size() == 2 || arguments.size() == 3;
      for (const std::string& name : is_required ? names_in(unquoted(arguments[1])) : std::vector<std::string>{}) {
        modules.push_back({.name = name, .source = cat(file, ":", i + 1), .whole_closure = is_static});
      }
    }
    if (brackets == 0) blocks.follow(line);
    for (const char c : line) brackets += c == '[' ? 1 : c == ']' ? -1 : 0;
  }
  return modules;
}

std::vector<plan::Module> modules_of_meson(const MesonStatement& statement, std::string_view file) {
  std::vector<MesonStatement> calls;
  if (statement.name == "dependency" && !statement.is_assignment) calls.push_back(statement);
  // The right side that is a call is a statement of its own.
  const bool is_call = statement.is_assignment && !statement.arguments.empty() &&
                       !statement.arguments.front().empty() && statement.arguments.front().front().text == "dependency";
  if (!is_call && statement.name != "dependency") {
    for (const MesonValue& value : statement.arguments) calls_in(value, calls);
    for (const auto& [keyword, value] : statement.keywords) calls_in(value, calls);
  }
  std::vector<plan::Module> modules;
  for (const MesonStatement& call : calls) {
    if (call.arguments.size() != 1 || !is_text(call.arguments.front()) || may_do_without(call)) continue;
    const std::string& name = call.arguments.front().front().text;
    if (!is_module(name) || has_search_of_its_own(lower(name))) continue;
    modules.push_back({.name = name, .source = cat(file, ":", call.line), .whole_closure = true, .elsewhere = true});
  }
  return modules;
}

std::vector<plan::Module> modules_of_cmake(const std::vector<std::string>& words, std::string_view source) {
  std::vector<plan::Module> modules;
  if (words.size() < 3 || std::find(words.begin(), words.end(), "REQUIRED") == words.end()) return modules;
  static const std::set<std::string_view> kKeywords = {
      "REQUIRED", "QUIET", "NO_CMAKE_PATH", "NO_CMAKE_ENVIRONMENT_PATH", "IMPORTED_TARGET", "GLOBAL"};
  std::string list;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (!kKeywords.contains(words[i])) list += cat(words[i], " ");
  }
  for (const std::string& name : names_in(list)) modules.push_back({.name = name, .source = std::string(source)});
  return modules;
}

std::vector<plan::Module> modules_of_make(std::string_view line, std::string_view source) {
  std::vector<plan::Module> modules;
  for (const std::string_view start : {"$(shell ", "`", "${shell "}) {
    for (std::size_t at = line.find(start); at != std::string_view::npos; at = line.find(start, at + start.size())) {
      const std::string_view rest = line.substr(at + start.size());
      std::string command;
      int depth = 0;
      for (const char c : rest) {
        if (start == "`" ? c == '`' : depth == 0 && (c == ')' || c == '}')) break;
        depth += c == '(' || c == '{' ? 1 : c == ')' || c == '}' ? -1 : 0;
        command += c;
      }
      const std::vector<std::string> words = blank_separated(command);
      const bool asks = words.size() > 2 && (words[0] == "pkg-config" || words[0] == "pkgconf" ||
                                             words[0] == "$(PKG_CONFIG)" || words[0] == "${PKG_CONFIG}");
      // Whoever says what happens without it has an answer of his own.
      if (!asks || command.find_first_of("|&;><") != std::string::npos) continue;
      const auto has = [&](std::string_view option) {
        return std::find(words.begin(), words.end(), option) != words.end();
      };
      if (!has("--libs")) continue;
      for (std::size_t i = 1; i < words.size(); ++i) {
        if (!is_module(words[i])) continue;
        modules.push_back(
            {.name = words[i], .source = std::string(source), .whole_closure = has("--static"), .elsewhere = true});
      }
      if (start == "`") break;
    }
  }
  return modules;
}

void require_modules(plan::BuildPlan& plan, std::vector<plan::Module> modules, bool linked,
                     const Surroundings& surroundings) {
  if (modules.empty() || tells_where_modules_lie(surroundings.config)) return;
  const std::string brought = brought_by(surroundings.app);
  for (plan::Module& module : modules) {
    const auto known = std::find_if(plan.modules.begin(), plan.modules.end(),
                                    [&](const plan::Module& one) { return one.name == module.name; });
    const bool may_be_in_tree =
        brought.find(module.name) != std::string::npos || surroundings.app.has_folder(cat("subprojects/", module.name));
    if (known != plan.modules.end() || may_be_in_tree) continue;
    module.linked = linked;
    plan.modules.push_back(std::move(module));
  }
}

}  // namespace whittle::detectors
