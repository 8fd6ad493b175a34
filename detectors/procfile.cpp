#include "detectors/procfile.hpp"

#include <algorithm>
#include <cctype>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::detectors {

namespace {

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= 63 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_';
  });
}

Error needs_shell(std::string_view command, std::string_view subject, std::string_view process, std::string_view what,
                  const std::string& place) {
  Error error(Exit::usage, cat(subject, " needs a shell, and the image has none"));
  error.at(place).detail(cat(printable(command), " uses ", backticked(what)));
  error.hint(cat("write it as words in whittle.toml:\n[process.", printable(process),
                 "]\nargv = [\"/bin/PROGRAM\", \"ARGUMENT\"]"));
  return error;
}

}  // namespace

std::vector<std::string> command_words(std::string_view command, std::string_view subject, std::string_view process,
                                       const std::string& place) {
  std::vector<std::string> words;
  bool in_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < command.size(); ++i) {
    const char c = command[i];
    if (quote == 0 && (c == ' ' || c == '\t')) {
      in_word = false;
      continue;
    }
    const bool is_special = quote == '\''  ? false
                            : quote == '"' ? c == '$' || c == '`'
                                           : std::string_view("|&;<>$`(){}*?[]~#").find(c) != std::string_view::npos;
    if (is_special && !(c == '~' && in_word) && !(c == '#' && in_word))
      throw needs_shell(command, subject, process,
                        command.substr(i, i + 1 < command.size() && command[i + 1] == c ? 2 : 1), place);
    if (!in_word) words.emplace_back();
    in_word = true;
    if (c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == '\\' && quote != '\'' && i + 1 < command.size()) {
      words.back() += command[++i];
    } else {
      words.back() += c;
    }
  }
  if (quote != 0) throw Error(Exit::usage, cat("a quote in ", subject, " does not end")).at(place);
  return words;
}

std::vector<ProcfileEntry> parse_procfile(std::string_view text, std::string_view file) {
  std::vector<ProcfileEntry> entries;
  int number = 0;
  for (const std::string& raw : split_lines(text)) {
    const std::string_view line = trim(raw);
    const std::string place = cat(file, ":", ++number);
    if (line.empty() || line.starts_with('#')) continue;
    const std::size_t colon = line.find(':');
    const std::string name(line.substr(0, std::min(colon, line.size())));
    if (colon == std::string_view::npos || !is_name(name)) {
      throw Error(Exit::usage, cat("cannot read ", backticked(file))).at(place).cause("expected `name: command`");
    }
    const std::string_view command = trim(line.substr(colon + 1));
    const std::string subject = cat("the process ", backticked(name));
    ProcfileEntry entry{name, command_words(command, subject, name, place), number};
    // NAME=value before the program sets a variable, which is a shell's work too.
    if (!entry.argv.empty() && entry.argv.front().find('=') != std::string::npos)
      throw needs_shell(command, subject, name, entry.argv.front(), place);
    if (entry.argv.empty())
      throw Error(Exit::usage, cat("the process ", backticked(name), " has no command")).at(place);
    entries.erase(
        std::remove_if(entries.begin(), entries.end(), [&](const ProcfileEntry& one) { return one.name == name; }),
        entries.end());
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace whittle::detectors
