#include "plan/ignore_patterns.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace whittle::plan {

namespace {

constexpr std::string_view kMark = "\xEF\xBB\xBF";  // of UTF-8, at the beginning of a file

// Without `.`, empty parts and final slashes; `..` takes the part before it away. "" for what names nothing.
std::string cleaned(std::string_view pattern) {
  std::vector<std::string> parts;
  for (std::string& part : split(pattern, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(std::move(part));
    } else if (!parts.empty()) {
      parts.pop_back();
    }
  }
  return join(parts, "/");
}

}  // namespace

IgnorePatterns::IgnorePatterns(std::span<const std::string> patterns) {
  for (const std::string& text : patterns) {
    std::string_view pattern = trim(text);
    const bool takes_back = pattern.starts_with('!');
    if (takes_back) pattern = trim(pattern.substr(1));
    const std::string clean = cleaned(pattern);
    if (clean.empty()) continue;
    rules_.push_back({.tokens = parse(clean), .takes_back = takes_back});
    takes_back_ = takes_back_ || takes_back;
  }
}

// A set that is not closed is an ordinary `[`.
std::vector<IgnorePatterns::Token> IgnorePatterns::parse(std::string_view pattern) {
  std::vector<Token> tokens;
  const auto add = [&](Token::Kind kind, char character = 0) { tokens.push_back({kind, character, {}, false}); };
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (pattern.substr(i, 2) == "**") {
      ++i;
      if (pattern.substr(i + 1, 1) == "/") ++i;
      add(i + 1 == pattern.size() ? Token::Kind::rest : Token::Kind::folders);
    } else if (c == '*') {
      add(Token::Kind::star);
    } else if (c == '?') {
      add(Token::Kind::any);
    } else if (c == '\\' && i + 1 < pattern.size()) {
      add(Token::Kind::character, pattern[++i]);
    } else if (const std::size_t end = pattern.find(']', i + 2); c == '[' && end != std::string_view::npos) {
      Token set{Token::Kind::one, 0, {}, pattern[i + 1] == '^'};
      for (std::size_t at = i + (set.is_negated ? 2 : 1); at < end; ++at) {
        const bool is_range = at + 2 < end && pattern[at + 1] == '-';
        set.set.emplace_back(pattern[at], pattern[is_range ? at + 2 : at]);
        if (is_range) at += 2;
      }
      tokens.push_back(std::move(set));
      i = end;
    } else {
      add(Token::Kind::character, c);
    }
  }
  return tokens;
}

// All places in the path that a beginning of the pattern can reach, one token after the other. Where the whole pattern
// reaches the end of the path or of a folder on the way to it, it covers the path.
bool IgnorePatterns::covers(const Rule& rule, std::string_view path) {
  std::vector<bool> reached(path.size() + 1), next(path.size() + 1);
  reached[0] = true;
  for (const Token& token : rule.tokens) {
    std::fill(next.begin(), next.end(), false);
    bool is_open = false;  // a star, or folders, may end here
    for (std::size_t i = 0; i <= path.size(); ++i) {
      const bool has_more = i < path.size();
      const char c = has_more ? path[i] : '\0';
      switch (token.kind) {
        case Token::Kind::character:
          if (reached[i] && has_more && c == token.character) next[i + 1] = true;
          break;
        case Token::Kind::any:
          if (reached[i] && has_more && c != '/') next[i + 1] = true;
          break;
        case Token::Kind::one: {
          const bool is_in = std::any_of(token.set.begin(), token.set.end(),
                                         [&](const auto& range) { return range.first <= c && c <= range.second; });
          if (reached[i] && has_more && is_in != token.is_negated) next[i + 1] = true;
          break;
        }
        case Token::Kind::star:
          is_open = is_open || reached[i];
          if (is_open) next[i] = true;
          if (c == '/') is_open = false;
          break;
        case Token::Kind::folders:
          if (reached[i] || (is_open && i > 0 && path[i - 1] == '/')) next[i] = true;
          is_open = is_open || reached[i];
          break;
        case Token::Kind::rest:
          is_open = is_open || reached[i];
          if (is_open) next[i] = true;
          break;
      }
    }
    reached.swap(next);
    if (std::find(reached.begin(), reached.end(), true) == reached.end()) return false;
  }
  for (std::size_t i = 1; i <= path.size(); ++i) {
    if (reached[i] && (i == path.size() || path[i] == '/')) return true;
  }
  return false;
}

bool IgnorePatterns::matches(std::string_view path) const {
  bool is_ignored = false;
  for (const Rule& rule : rules_) {
    if (rule.takes_back == is_ignored && covers(rule, path)) is_ignored = !rule.takes_back;
  }
  return is_ignored;
}

std::vector<std::string> parse_ignore_file(std::string_view text) {
  if (text.starts_with(kMark)) text.remove_prefix(kMark.size());
  std::vector<std::string> patterns;
  for (const std::string& line : split_lines(text)) {
    if (line.starts_with('#')) continue;
    const std::string_view pattern = trim(line);
    if (!pattern.empty()) patterns.emplace_back(pattern);
  }
  return patterns;
}

}  // namespace whittle::plan
