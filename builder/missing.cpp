#include "builder/missing.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "builder/debian_packages.hpp"
#include "builder/host_libraries.hpp"

namespace whittle::builder {

namespace {

using Kind = Missing::Kind;

constexpr const char* kClosure =
    "accept a dynamic program with its libraries: `link = \"closure\"` under `[build]` in whittle.toml";

constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kPrograms = {{
    {"yacc", "bison"},
    {"lex", "flex"},
    {"makeinfo", "texinfo"},
    {"msgfmt", "gettext"},
    {"xgettext", "gettext"},
    {"autopoint", "autopoint"},
    {"libtoolize", "libtool"},
    {"aclocal", "automake"},
    {"xxd", "xxd"},
    {"xsltproc", "xsltproc"},
    {"pod2man", "perl"},
    {"glib-compile-resources", "libglib2.0-dev-bin"},
}};

std::string_view between(std::string_view text, std::string_view before, std::string_view after) {
  const std::size_t at = text.find(before);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + before.size());
  const std::size_t end = text.find(after);
  return end == std::string_view::npos ? std::string_view() : text.substr(0, end);
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() < 80 && std::all_of(text.begin(), text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("-_.+/").find(c) < 5;
  });
}

std::optional<Missing> missing_of(Kind kind, std::string_view name, std::string_view needed_by = {}) {
  name = trim(name);
  if (!is_name(name)) return std::nullopt;
  // pkg-config calls the list that it was given so.
  if (needed_by.starts_with("virtual:")) needed_by = {};
  return Missing{kind, std::string(name), std::string(needed_by)};
}

std::string_view first_word(std::string_view text) {
  text = trim(text);
  return text.substr(0, text.find_first_of(" ,:;()\t"));
}

std::optional<Missing> missing_module(std::string_view line) {
  if (const std::string_view name = between(line, "Package '", "', required by '"); !name.empty()) {
    return missing_of(Kind::module, name, between(line, "', required by '", "', not found"));
  }
  if (line.find("was not found in the pkg-config search path") != std::string_view::npos) {
    return missing_of(Kind::module, between(line, "Package ", " was not found"));
  }
  if (const std::string_view name = between(line, "No package '", "' found"); !name.empty()) {
    return missing_of(Kind::module, name);
  }
  const bool is_meson = line.find("ERROR: Dependency ") != std::string_view::npos;
  if (is_meson && line.find("not found") != std::string_view::npos) {
    const std::string_view quoted = between(line, "Dependency \"", "\"");
    return missing_of(Kind::module, quoted.empty() ? between(line, "Dependency '", "'") : quoted);
  }
  if (const std::string_view name = between(line, "package configuration file provided by \"", "\""); !name.empty()) {
    return missing_of(Kind::module, name);
  }
  if (const std::size_t at = line.find("Could NOT find "); at != std::string_view::npos) {
    return missing_of(Kind::module, first_word(line.substr(at + 15)));
  }
  return std::nullopt;
}

std::optional<Missing> missing_program(std::string_view line) {
  if (line.ends_with(": not found") || line.ends_with(": command not found")) {
    line =
        line.substr(0, line.rfind(": ", line.size() - 3) == std::string_view::npos
                           ? line.size()
                           : line.find(line.ends_with(": command not found") ? ": command not found" : ": not found"));
    return missing_of(Kind::program, line.substr(line.rfind(' ') + 1));
  }
  for (const std::string_view start : {"make: ", "make[1]: ", "make[2]: "}) {
    if (!line.starts_with(start) || !line.ends_with(": No such file or directory")) continue;
    return missing_of(Kind::program, first_word(line.substr(start.size())));
  }
  return std::nullopt;
}

std::optional<Missing> known_library_in(std::string_view line) {
  std::string word;
  for (const char c : cat(line, " ")) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.') {
      word += c;
      continue;
    }
    while (word.ends_with('.')) word.pop_back();
    const bool may_be_library = word.size() > 2 && !word.starts_with('-');
    if (may_be_library && !names_of_library(word).empty()) return Missing{Kind::module, word, {}};
    word.clear();
  }
  return std::nullopt;
}

std::optional<Missing> missing_in_line(std::string_view line) {
  if (line.find("fatal error: ") != std::string_view::npos) {
    if (const auto name = between(line, "fatal error: ", ": No such file"); !name.empty()) {
      return missing_of(Kind::header, name);
    }
    if (const auto name = between(line, "fatal error: '", "' file not found"); !name.empty()) {
      return missing_of(Kind::header, name);
    }
  }
  if (const std::size_t at = line.find("cannot find -l"); at != std::string_view::npos) {
    const std::string_view name = first_word(line.substr(at + 14));
    return name.starts_with(':') ? std::nullopt : missing_of(Kind::library, name);
  }
  if (line.find("ERROR: C") != std::string_view::npos && line.find("library '") != std::string_view::npos) {
    return missing_of(Kind::library, between(line, "library '", "' not found"));
  }
  if (auto module = missing_module(line)) return module;
  if (line.find("onfigure: error:") != std::string_view::npos) return known_library_in(line);
  return missing_program(line);
}

}  // namespace

std::optional<Missing> missing_in(std::string_view said) {
  std::optional<Missing> first;
  for (const std::string& line : split_lines(said)) {
    auto missing = missing_in_line(trim(line));
    // What nobody can install says more than what comes before it.
    if (missing && missing->kind == Kind::library && is_only_shared(package_of(*missing))) return missing;
    if (missing && !first) first = std::move(missing);
    if (first && first->kind != Kind::library) return first;
  }
  return first;
}

std::string description_of(const Missing& missing) {
  const std::string by = missing.needed_by.empty() ? "" : cat(" (needed by ", backticked(missing.needed_by), ")");
  switch (missing.kind) {
    case Kind::header:
      return cat("the header ", backticked(missing.name), by);
    case Kind::library:
      return cat("the library ", backticked(missing.name), by);
    case Kind::module:
      return cat("the package ", backticked(missing.name), by);
    case Kind::program:
      break;
  }
  return cat("the program ", backticked(missing.name), by);
}

std::string package_of(const Missing& missing) {
  if (missing.kind == Kind::program) {
    for (const auto& [program, package] : kPrograms) {
      if (program == missing.name) return std::string(package);
    }
    return missing.name.find('/') == std::string::npos ? missing.name : "";
  }
  const std::string small = lower(missing.name);
  const std::string known = missing.kind == Kind::header ? package_of_header(small) : package_of_library(small);
  if (!known.empty()) return known;
  const std::string_view stem = std::string_view(small).substr(0, small.find_first_of("/."));
  // A header without the name of a library is more often the project's own.
  if (missing.kind == Kind::header && !stem.starts_with("lib")) return {};
  return stem.starts_with("lib") ? cat(stem, "-dev") : cat("lib", small, "-dev");
}

std::optional<Remedy> remedy_for(const Missing& missing, std::string_view platform) {
  const std::string package = package_of(missing);
  const Remedy install{"is not installed", cat("install it, on Debian with `apt-get install ", package, "`")};
  if (missing.kind == Kind::header && host_has_header(missing.name, platform)) return std::nullopt;
  if (missing.kind == Kind::library) {
    if (host_archive(missing.name, platform)) return std::nullopt;
    if (is_only_shared(package)) {
      return Remedy{cat("is not to be had: Debian's ", package, " has no static library"), kClosure};
    }
    if (const auto shared = host_shared_library(missing.name, platform)) {
      return Remedy{cat("is here only as a shared library (", backticked(shared->native()), ")"), kClosure};
    }
  }
  if (package.empty()) return std::nullopt;
  return install;
}

}  // namespace whittle::builder
