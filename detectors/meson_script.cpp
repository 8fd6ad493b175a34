#include "detectors/meson_script.hpp"

#include <array>
#include <cctype>

#include "base/text.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

using Kind = MesonToken::Kind;

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

class Lexer {
 public:
  Lexer(std::string_view text, std::string_view file) : text_(text), file_(file) {}

  std::vector<MesonToken> tokens() {
    while (at_ < text_.size()) next();
    if (!open_.empty()) throw failure(file_, open_.back(), "a bracket is not closed");
    add(Kind::line_end, "");
    return std::move(tokens_);
  }

 private:
  void next() {
    const char c = text_[at_];
    if (c == '\n') {
      if (open_.empty()) add(Kind::line_end, "");
      ++line_;
      ++at_;
    } else if (c == '#') {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else if (c == '\\' || std::isspace(static_cast<unsigned char>(c)) != 0) {
      ++at_;
    } else if (text_.substr(at_, 3) == "'''") {
      long_text();
    } else if (c == '\'') {
      short_text();
    } else if (is_word(c)) {
      word();
    } else {
      sign(c);
    }
  }

  void long_text() {
    const std::size_t end = text_.find("'''", at_ + 3);
    if (end == std::string_view::npos) throw failure(file_, line_, "a string is not closed");
    const std::string_view inside = text_.substr(at_ + 3, end - at_ - 3);
    add(Kind::text, std::string(inside));
    for (const char c : inside) line_ += c == '\n' ? 1 : 0;
    at_ = end + 3;
  }

  void short_text() {
    std::string inside;
    for (++at_; at_ < text_.size() && text_[at_] != '\'' && text_[at_] != '\n'; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      inside += text_[at_];
    }
    if (at_ >= text_.size() || text_[at_] != '\'') throw failure(file_, line_, "a string is not closed");
    ++at_;
    add(Kind::text, std::move(inside));
  }

  void word() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    // f'…' is computed, so that it stays a word with a sign and is no plain text.
    add(Kind::word, std::string(text_.substr(begin, at_ - begin)));
  }

  void sign(char c) {
    if (c == '(' || c == '[' || c == '{') open_.push_back(line_);
    if ((c == ')' || c == ']' || c == '}') && !open_.empty()) open_.pop_back();
    const bool is_double = at_ + 1 < text_.size() && text_[at_ + 1] == '=' && (c == '=' || c == '!' || c == '+');
    add(Kind::sign, std::string(text_.substr(at_, is_double ? 2 : 1)));
    at_ += is_double ? 2 : 1;
  }

  void add(Kind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }

  std::string_view text_, file_;
  std::size_t at_ = 0;
  int line_ = 1;
  std::vector<int> open_;  // lines of the brackets that are open
  std::vector<MesonToken> tokens_;
};

bool is_sign(const MesonToken& token, std::string_view sign) {
  return token.kind == Kind::sign && token.text == sign;
}

int depth_change(const MesonToken& token) {
  if (token.kind != Kind::sign) return 0;
  if (token.text == "(" || token.text == "[" || token.text == "{") return 1;
  return token.text == ")" || token.text == "]" || token.text == "}" ? -1 : 0;
}

class Parser {
 public:
  explicit Parser(std::vector<MesonToken> tokens) : tokens_(std::move(tokens)) {}

  std::vector<MesonStatement> statements() {
    while (at_ < tokens_.size()) statement();
    return std::move(statements_);
  }

 private:
  void statement() {
    const std::size_t begin = at_;
    while (tokens_[at_].kind != Kind::line_end) ++at_;
    const std::size_t end = at_++;
    if (begin == end || tokens_[begin].kind != Kind::word) return;
    if (is_block(tokens_[begin].text)) {
      add(tokens_[begin]);
    } else if (begin + 1 < end && is_sign(tokens_[begin + 1], "(")) {
      call(begin, end);
    } else if (begin + 2 < end && is_sign(tokens_[begin + 1], "=")) {
      add(tokens_[begin]).is_assignment = true;
      statements_.back().arguments.emplace_back(tokens_.begin() + static_cast<std::ptrdiff_t>(begin + 2),
                                                tokens_.begin() + static_cast<std::ptrdiff_t>(end));
      const bool is_call = tokens_[begin + 2].kind == Kind::word && begin + 3 < end && is_sign(tokens_[begin + 3], "(");
      if (is_call) call(begin + 2, end);
    }
  }

  static bool is_block(std::string_view word) {
    static constexpr std::array kWords = {"if", "elif", "else", "endif", "foreach", "endforeach"};
    for (const std::string_view known : kWords) {
      if (word == known) return true;
    }
    return false;
  }

  void call(std::size_t begin, std::size_t end) {
    MesonStatement& statement = add(tokens_[begin]);
    MesonValue value;
    int depth = 1;
    for (std::size_t at = begin + 2; at < end && depth > 0; ++at) {
      depth += depth_change(tokens_[at]);
      if (depth == 0 || (depth == 1 && is_sign(tokens_[at], ","))) {
        add_argument(statement, std::move(value));
        value.clear();
      } else {
        value.push_back(tokens_[at]);
      }
    }
  }

  static void add_argument(MesonStatement& statement, MesonValue value) {
    if (value.empty()) return;
    const bool is_keyword = value.size() > 2 && value[0].kind == Kind::word && is_sign(value[1], ":");
    if (is_keyword) {
      statement.keywords.emplace(value[0].text, MesonValue(value.begin() + 2, value.end()));
    } else {
      statement.arguments.push_back(std::move(value));
    }
  }

  MesonStatement& add(const MesonToken& first) {
    statements_.push_back({.name = first.text, .line = first.line, .arguments = {}, .keywords = {}});
    return statements_.back();
  }

  std::vector<MesonToken> tokens_;
  std::size_t at_ = 0;
  std::vector<MesonStatement> statements_;
};

}  // namespace

std::vector<MesonToken> tokenize_meson(std::string_view text, std::string_view file) {
  return Lexer(text, file).tokens();
}

std::vector<MesonStatement> parse_meson(std::string_view text, std::string_view file) {
  return Parser(tokenize_meson(text, file)).statements();
}

}  // namespace whittle::detectors
