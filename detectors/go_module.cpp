#include "detectors/go_module.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/text.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

struct Directive {
  std::string verb;
  std::vector<std::string> words;
  int line = 0;
};

std::vector<std::string> words_of(std::string_view text, std::string_view file, int line) {
  std::vector<std::string> words;
  while (!(text = trim(text)).empty() && !text.starts_with("//")) {
    std::size_t end = 1;
    if (text[0] == '"' || text[0] == '`') {
      end = text.find(text[0], 1);
      if (end == std::string_view::npos) throw failure(file, line, "a quoted text does not end");
      words.emplace_back(text.substr(1, end - 1));
      ++end;
    } else if (text[0] != '(' && text[0] != ')') {
      // A `//` inside a word (a replacement by URL) begins no comment; Go wants a blank before one.
      end = std::min(text.find_first_of(" \t\r()"), text.size());
      words.emplace_back(text.substr(0, end));
    } else {
      words.emplace_back(text.substr(0, 1));
    }
    text.remove_prefix(end);
  }
  return words;
}

// One directive a line, with blocks in brackets unfolded.
std::vector<Directive> directives_of(std::string_view text, std::string_view file) {
  std::vector<Directive> directives;
  std::string block;
  int number = 0, opened = 0;
  for (const std::string& line : split_lines(text)) {
    if (!is_utf8(line)) throw failure(file, number + 1, "it is not UTF-8");
    std::vector<std::string> words = words_of(line, file, ++number);
    if (words.empty()) continue;
    if (!block.empty()) {
      if (words.front() == ")") {
        block.clear();
      } else {
        directives.push_back({block, std::move(words), number});
      }
      continue;
    }
    std::string verb = std::move(words.front());
    words.erase(words.begin());
    if (words.size() == 1 && words.front() == "(") {
      block = std::move(verb);
      opened = number;
    } else {
      if (words.size() >= 2 && words.front() == "(" && words.back() == ")") {
        words = {words.begin() + 1, words.end() - 1};
        if (words.empty()) continue;
      }
      directives.push_back({std::move(verb), std::move(words), number});
    }
  }
  if (!block.empty()) throw failure(file, opened, cat("the block ", backticked(cat(block, " (")), " does not end"));
  return directives;
}

bool is_version(std::string_view text) {
  return !text.empty() && std::isdigit(static_cast<unsigned char>(text.front())) != 0 &&
         text.find_first_not_of("0123456789.rcbeta") == std::string_view::npos;
}

void take_line(GoLine& into, const Directive& directive, std::string_view file) {
  if (!into.value.empty()) throw failure(file, directive.line, cat("a second ", backticked(directive.verb), " line"));
  if (directive.words.size() != 1) {
    throw failure(file, directive.line, cat(backticked(directive.verb), " takes one value"));
  }
  into = {directive.words.front(), directive.line};
}

void take_version(GoLine& into, const Directive& directive, std::string_view file) {
  take_line(into, directive, file);
  if (!is_version(into.value)) {
    throw failure(file, directive.line, cat(backticked(into.value), " is no version of Go"));
  }
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

Error unknown_directive(const Directive& directive, std::string_view file) {
  return failure(file, directive.line, cat("unknown directive ", backticked(directive.verb)));
}

}  // namespace

GoModule parse_go_module(std::string_view text, std::string_view file) {
  GoModule module;
  for (const Directive& directive : directives_of(text, file)) {
    if (directive.verb == "module") {
      take_line(module.path, directive, file);
    } else if (directive.verb == "go") {
      take_version(module.go, directive, file);
    } else if (directive.verb == "toolchain") {
      take_line(module.toolchain, directive, file);
    } else if (directive.verb == "require") {
      if (directive.words.size() != 2) throw failure(file, directive.line, "`require` takes a module and a version");
      module.requirements.push_back({directive.words.front(), directive.line});
    } else if (!is_one_of(directive.verb, {"replace", "exclude", "retract", "godebug", "tool", "ignore"})) {
      throw unknown_directive(directive, file);
    }
  }
  if (module.path.value.empty()) throw failure(file, 0, "it has no `module` line");
  return module;
}

GoWorkspace parse_go_workspace(std::string_view text, std::string_view file) {
  GoWorkspace workspace;
  for (const Directive& directive : directives_of(text, file)) {
    if (directive.verb == "go") {
      take_version(workspace.go, directive, file);
    } else if (directive.verb == "toolchain") {
      take_line(workspace.toolchain, directive, file);
    } else if (directive.verb == "use") {
      if (directive.words.size() != 1) throw failure(file, directive.line, "`use` takes one folder");
      workspace.members.push_back({directive.words.front(), directive.line});
    } else if (!is_one_of(directive.verb, {"replace", "godebug"})) {
      throw unknown_directive(directive, file);
    }
  }
  return workspace;
}

std::string go_program_name(std::string_view import_path) {
  const std::string name = last_part(import_path);
  const std::size_t slash = import_path.rfind('/');
  const bool is_major = name.size() > 1 && name[0] == 'v' && parse_number(name.substr(1)).value_or(0) >= 2;
  return is_major && slash != std::string_view::npos ? last_part(import_path.substr(0, slash)) : name;
}

}  // namespace whittle::detectors
