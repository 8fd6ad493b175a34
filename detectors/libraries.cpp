#include "detectors/libraries.hpp"

#include <algorithm>
#include <functional>

#include "base/text.hpp"

namespace whittle::detectors {

namespace {

// What comes with every C library or compiler.
bool is_everywhere(std::string_view name) {
  static const std::set<std::string_view> kNames = {
      "c",      "m",       "pthread",   "dl",      "rt",      "crypt",        "util",
      "resolv", "nsl",     "socket",    "xnet",    "stdc++",  "gcc",          "gcc_s",
      "atomic", "gomp",    "Threads",   "threads", "intl",    "iconv",        "posix4",
      "w",      "BSD",     "sun",       "nls",     "compat",  "mingw32",      "ws2_32",
      "Git",    "Doxygen", "PkgConfig", "Python",  "Python3", "PythonInterp", "Perl",
      "BISON",  "FLEX",    "Java",      "OpenMP",  "Gettext", "Sphinx",       "CMakePackageConfigHelpers"};
  return kNames.contains(name);
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() < 60 && std::all_of(text.begin(), text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("-_.+").find(c) < 4;
  });
}

void add(Libraries& libraries, std::string_view name) {
  if (is_name(name) && !is_everywhere(name)) libraries.insert(std::string(name));
}

std::vector<std::string> words_of(std::string_view text, std::string_view separators) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    if (separators.find(c) == std::string_view::npos) {
      words.back() += c;
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

// Calls `found` with what stands between the brackets of each `name(…)`, up to the first that closes.
void each_call(std::string_view text, std::string_view name, const std::function<void(std::string_view)>& found) {
  for (std::size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + name.size())) {
    const std::size_t line = text.rfind('\n', at) + 1;
    const std::string_view before = text.substr(line, at - line);
    std::string_view rest = text.substr(at + name.size());
    rest = rest.substr(std::min(rest.find_first_not_of(" \t"), rest.size()));
    const bool is_comment = before.find('#') != std::string_view::npos || before.find("dnl") != std::string_view::npos;
    if (is_comment || !rest.starts_with('(')) continue;
    found(rest.substr(1, rest.find(')') - 1));
  }
}

// The words of a list of modules: not versions and what compares them.
void add_modules(Libraries& libraries, std::string_view text) {
  bool is_version = false;
  for (const std::string& word : words_of(text, " \t\n[]\"'")) {
    const bool compares = word.find_first_of("<>=") != std::string::npos;
    if (!compares && !is_version && word.find_first_of("$@") == std::string::npos) add(libraries, word);
    is_version = compares && word.find_first_of("0123456789") == std::string::npos;
  }
}

std::string piece(std::string_view text, std::size_t number) {
  const std::vector<std::string> pieces = split(text, ',');
  return number < pieces.size() ? pieces[number] : "";
}

}  // namespace

Libraries libraries_of_configure(std::string_view script) {
  Libraries libraries;
  each_call(script, "AC_CHECK_LIB", [&](std::string_view call) { add_modules(libraries, piece(call, 0)); });
  each_call(script, "AC_SEARCH_LIBS", [&](std::string_view call) { add_modules(libraries, piece(call, 1)); });
  each_call(script, "PKG_CHECK_MODULES", [&](std::string_view call) { add_modules(libraries, piece(call, 1)); });
  return libraries;
}

Libraries libraries_of_cmake(std::string_view script) {
  Libraries libraries;
  const auto first = [&](std::string_view call) {
    const std::vector<std::string> words = words_of(call, " \t\n\"");
    if (!words.empty()) add(libraries, words.front());
  };
  each_call(script, "find_package", first);
  each_call(script, "FIND_PACKAGE", first);
  const auto others = [&](std::string_view call) {
    const std::vector<std::string> words = words_of(call, " \t\n\"");
    for (std::size_t i = 1; i < words.size(); ++i) {
      const std::string name = words[i].substr(0, words[i].find_first_of("<>="));
      if (name == "PATHS" || name == "HINTS" || name == "DOC") return;
      // Keywords are in capitals.
      if (name != lower(name) && std::all_of(name.begin(), name.end(), [](char c) { return c < 'a' || c > 'z'; })) {
        continue;
      }
      add(libraries, name);
    }
  };
  each_call(script, "find_library", others);
  each_call(script, "pkg_check_modules", others);
  each_call(script, "pkg_search_module", others);
  return libraries;
}

Libraries libraries_of_meson(std::string_view script) {
  Libraries libraries;
  const auto quoted = [&](std::string_view call) {
    const std::vector<std::string> parts = split(piece(call, 0), '\'');
    if (parts.size() == 3) add(libraries, parts[1]);
  };
  each_call(script, "dependency", quoted);
  each_call(script, "find_library", quoted);
  return libraries;
}

Libraries libraries_of_make(std::string_view text) {
  Libraries libraries;
  for (const std::string& line : split_lines(text)) {
    const std::string_view told = std::string_view(line).substr(0, line.find('#'));
    const std::vector<std::string> words = words_of(told, " \t()`\"'=,");
    bool asks = false;
    for (const std::string& word : words) {
      if (word.starts_with("-l")) add(libraries, std::string_view(word).substr(2));
      if (asks && !word.starts_with('-') && word.find_first_of("$|&;><{}") == std::string::npos) add(libraries, word);
      asks = asks || word == "pkg-config" || word == "$(PKG_CONFIG)" || word == "${PKG_CONFIG}";
    }
  }
  return libraries;
}

std::vector<std::string> optional_in_configure(std::string_view script) {
  std::vector<std::string> options;
  const auto collect = [&](std::string_view macro, std::string_view prefix) {
    each_call(script, macro, [&](std::string_view call) {
      const std::vector<std::string> words = words_of(piece(call, 0), " \t\n[]");
      if (words.size() == 1 && is_name(words.front())) options.push_back(cat(prefix, words.front()));
    });
  };
  collect("AC_ARG_WITH", "--without-");
  collect("AC_ARG_ENABLE", "--disable-");
  return options;
}

void prefer_host_for(plan::BuildPlan& plan, const Libraries& libraries) {
  if (plan.toolchains.size() == 1) return;  // the configuration has chosen it
  for (plan::Toolchain& toolchain : plan.toolchains) {
    const bool has_own_library = toolchain.name == "musl" || toolchain.name == "zig";
    if (has_own_library) toolchain.unless_host_has = {libraries.begin(), libraries.end()};
  }
}

}  // namespace whittle::detectors
