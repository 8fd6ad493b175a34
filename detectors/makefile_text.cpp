#include "detectors/makefile_text.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

constexpr int kDeepest = 24;
constexpr std::size_t kLongest = 1 << 18;

// `%` stands for any text, as in `%.c`.
std::string pattern_replaced(std::string_view word, std::string_view from, std::string_view to) {
  const std::size_t percent = from.find('%');
  if (percent == std::string_view::npos) return std::string(word == from ? to : word);
  const std::string_view before = from.substr(0, percent), after = from.substr(percent + 1);
  if (word.size() < before.size() + after.size() || !word.starts_with(before) || !word.ends_with(after)) {
    return std::string(word);
  }
  const std::string_view stem = word.substr(before.size(), word.size() - before.size() - after.size());
  const std::size_t target = to.find('%');
  if (target == std::string_view::npos) return std::string(to);
  return cat(to.substr(0, target), stem, to.substr(target + 1));
}

template <class Change>
std::string each_word(std::string_view text, Change&& change) {
  std::string out;
  for (const std::string& word : blank_separated(text)) out += cat(out.empty() ? "" : " ", change(word));
  return out;
}

// At commas outside of brackets, into at most `most` pieces.
std::vector<std::string> split_arguments(std::string_view text, std::size_t most) {
  std::vector<std::string> pieces(1);
  int depth = 0;
  for (const char c : text) {
    depth += c == '(' || c == '{' ? 1 : c == ')' || c == '}' ? -1 : 0;
    if (c == ',' && depth == 0 && pieces.size() < most) {
      pieces.emplace_back();
    } else {
      pieces.back() += c;
    }
  }
  return pieces;
}

// What builders of Linux images may answer without asking.
std::string shell_answer(std::string_view command) {
  const std::string words = std::string(trim(command));
  if (words.starts_with("uname -s") || words == "uname" || words == "uname 2>/dev/null") return "Linux";
  return std::string(1, kUnknown);
}

}  // namespace

bool is_known(std::string_view text) {
  return text.find(kUnknown) == std::string_view::npos;
}

std::vector<std::string> blank_separated(std::string_view text) {
  std::vector<std::string> words;
  while (!(text = trim(text)).empty()) {
    const std::size_t end = std::min(text.find_first_of(" \t\r\n"), text.size());
    words.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return words;
}

MakeVariables::MakeVariables(const plan::SourceTree& tree, const std::map<std::string, std::string>& definitions)
    : tree_(tree), definitions_(definitions), values_(definitions) {
  values_.try_emplace("CC", "cc");
  values_.try_emplace("CXX", "c++");
  values_.try_emplace("RM", "rm -f");
  values_.try_emplace("MAKE", "make");
  values_.try_emplace("CURDIR", ".");
}

void MakeVariables::assign(const std::string& name, std::string_view operation, std::string value) {
  if (name.empty() || definitions_.contains(name)) return;  // the command line has the last word
  if (operation == "?=" && values_.contains(name)) return;
  if (operation == "!=") value = shell_answer(value);
  if (operation == ":=" || operation == "::=") value = expand(value);
  std::string& place = values_[name];
  if (operation == "+=" && place.size() + value.size() < kLongest) {
    place += cat(place.empty() ? "" : " ", value);
  } else if (operation != "+=") {
    place = std::move(value);
  }
}

std::string MakeVariables::expanded(std::string_view text, int depth) const {
  std::string out;
  for (std::size_t i = 0; i < text.size() && out.size() < kLongest; ++i) {
    if (text[i] != '$' || i + 1 >= text.size()) {
      out += text[i];
      continue;
    }
    const char open = text[++i];
    if (open == '$') {
      out += '$';
    } else if (open == '(' || open == '{') {
      const char close = open == '(' ? ')' : '}';
      int level = 1;
      std::size_t end = i + 1;
      for (; end < text.size() && level > 0; ++end) level += text[end] == open ? 1 : text[end] == close ? -1 : 0;
      if (level > 0) return out + kUnknown;
      out += depth < kDeepest ? reference(text.substr(i + 1, end - i - 2), depth + 1) : std::string(1, kUnknown);
      i = end - 1;
    } else {
      out += cat('$', open);  // an automatic variable: `$@`, `$<`
    }
  }
  return out;
}

std::string MakeVariables::reference(std::string_view inside, int depth) const {
  const std::size_t blank = inside.find_first_of(" \t"), colon = inside.find(':');
  if (blank != std::string_view::npos && blank < inside.find('$')) {
    return function(inside.substr(0, blank), inside.substr(blank + 1), depth);
  }
  if (colon != std::string_view::npos && inside.find('=', colon) != std::string_view::npos) {
    const std::size_t equals = inside.find('=', colon);
    std::string from = expanded(inside.substr(colon + 1, equals - colon - 1), depth);
    std::string to = expanded(inside.substr(equals + 1), depth);
    if (from.find('%') == std::string::npos) {
      from.insert(0, "%");
      to.insert(0, "%");
    }
    return each_word(reference(inside.substr(0, colon), depth),
                     [&](const std::string& word) { return pattern_replaced(word, from, to); });
  }
  const std::string name = expanded(inside, depth);
  const auto value = values_.find(name);
  if (value != values_.end()) return expanded(value->second, depth);
  return name.size() == 1 && std::string_view("@<^?*+|%").find(name[0]) != std::string_view::npos ? cat("$", name) : "";
}

std::string MakeVariables::function(std::string_view name, std::string_view arguments, int depth) const {
  const auto argument = [&, pieces = split_arguments(arguments, 3)](std::size_t index) {
    return index < pieces.size() ? expanded(pieces[index], depth) : std::string();
  };
  const std::string all = expanded(arguments, depth);
  if (name == "wildcard") {
    std::string out;
    for (const std::string& pattern : blank_separated(all)) {
      for (const std::string& path : tree_.glob(joined(".", pattern))) out += cat(out.empty() ? "" : " ", path);
    }
    return out;
  }
  if (name == "patsubst") {
    const std::string from = argument(0), to = argument(1);
    return each_word(argument(2),
                     [&](const std::string& word) { return pattern_replaced(word, trim(from), trim(to)); });
  }
  if (name == "subst") {
    const std::string from = argument(0), to = argument(1);
    std::string text = argument(2), out;
    if (from.empty()) return text + to;
    for (std::size_t at = 0;;) {
      const std::size_t found = text.find(from, at);
      out += text.substr(at, found - at);
      if (found == std::string::npos) return out;
      out += to;
      at = found + from.size();
    }
  }
  const std::string first = argument(0), rest = argument(1);
  if (name == "addprefix") return each_word(rest, [&](const std::string& word) { return cat(trim(first), word); });
  if (name == "addsuffix") return each_word(rest, [&](const std::string& word) { return cat(word, trim(first)); });
  if (name == "notdir") return each_word(all, [](const std::string& word) { return last_part(word); });
  if (name == "dir") return each_word(all, [](const std::string& word) { return cat(folder_of(word), "/"); });
  if (name == "basename") {
    return each_word(all, [](const std::string& word) { return joined(folder_of(word), stem_of(word)); });
  }
  if (name == "strip" || name == "sort" || name == "abspath" || name == "realpath") {
    return each_word(all, [](const std::string& word) { return word; });
  }
  if (name == "firstword") return blank_separated(all).empty() ? "" : blank_separated(all).front();
  if (name == "shell") return shell_answer(all);
  if (name == "info" || name == "warning") return {};
  return std::string(1, kUnknown);
}

}  // namespace whittle::detectors
