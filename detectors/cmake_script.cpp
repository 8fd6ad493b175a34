#include "detectors/cmake_script.hpp"

#include <algorithm>
#include <cctype>
#include <optional>

#include "base/text.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

bool is_identifier(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

class Lexer {
 public:
  Lexer(std::string_view text, std::string_view file) : text_(text), file_(file) {
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
  }

  std::vector<CMakeCommand> commands() {
    std::vector<CMakeCommand> found;
    for (skip_blank(); at_ < text_.size(); skip_blank()) found.push_back(command());
    return found;
  }

 private:
  CMakeCommand command() {
    CMakeCommand command;
    command.line = line_;
    const std::size_t start = at_;
    while (at_ < text_.size() && is_identifier(text_[at_])) ++at_;
    command.name = lower(text_.substr(start, at_ - start));
    if (command.name.empty())
      throw failure(file_, line_, cat("expected a command, not ", backticked(text_.substr(at_, 1))));
    skip_blank();
    if (at_ >= text_.size() || text_[at_] != '(') {
      throw failure(file_, command.line, cat("expected `(` after ", backticked(command.name)));
    }
    ++at_;
    read_arguments(command);
    return command;
  }

  void read_arguments(CMakeCommand& command) {
    int depth = 1;
    for (;;) {
      skip_blank();
      if (at_ >= text_.size())
        throw failure(file_, command.line, cat(backticked(command.name), " is not closed by `)`"));
      const char c = text_[at_];
      if (c == '(' || c == ')') {
        depth += c == '(' ? 1 : -1;
        ++at_;
        if (depth == 0) return;
        command.arguments.push_back({std::string(1, c)});
      } else if (c == '"') {
        command.arguments.push_back(quoted());
      } else if (std::optional<std::string> content = c == '[' ? bracket() : std::nullopt) {
        command.arguments.push_back({std::move(*content), true, true});
      } else {
        command.arguments.push_back(unquoted());
      }
    }
  }

  // Blanks, line ends and comments.
  void skip_blank() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        ++at_;
        if (at_ < text_.size() && text_[at_] == '[' && bracket()) continue;
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (std::isspace(static_cast<unsigned char>(c)) != 0) {
        line_ += c == '\n' ? 1 : 0;
        ++at_;
      } else {
        return;
      }
    }
  }

  // `[==[ … ]==]`; nothing when this is no bracket.
  std::optional<std::string> bracket() {
    std::size_t end = at_ + 1;
    while (end < text_.size() && text_[end] == '=') ++end;
    if (end >= text_.size() || text_[end] != '[') return std::nullopt;
    const std::string close = cat("]", std::string(end - at_ - 1, '='), "]");
    const std::size_t stop = text_.find(close, end + 1);
    if (stop == std::string_view::npos)
      throw failure(file_, line_, cat("a bracket is not closed by ", backticked(close)));
    std::string content(text_.substr(end + 1, stop - end - 1));
    line_ += static_cast<int>(std::count(content.begin(), content.end(), '\n'));
    at_ = stop + close.size();
    return content;
  }

  CMakeArgument quoted() {
    const int start = line_;
    CMakeArgument argument{.text = {}, .is_literal = false, .is_quoted = true};
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      line_ += text_[at_] == '\n' ? 1 : 0;
      if (text_[at_] == '\\') {
        escape(argument.text);
      } else {
        argument.text += text_[at_];
      }
    }
    if (at_ >= text_.size()) throw failure(file_, start, "a quoted argument does not end");
    ++at_;
    return argument;
  }

  CMakeArgument unquoted() {
    CMakeArgument argument;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (std::isspace(static_cast<unsigned char>(c)) != 0 || c == '(' || c == ')' || c == '#') break;
      if (c == '\\') {
        escape(argument.text);
      } else {
        argument.text += c;
      }
      ++at_;
    }
    return argument;
  }

  // At a backslash; leaves at_ on the last character of the escape.
  void escape(std::string& into) {
    if (at_ + 1 >= text_.size()) return;
    const char c = text_[++at_];
    if (c == '\n') {
      ++line_;
    } else {
      into += c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
    }
  }

  std::string_view text_, file_;
  std::size_t at_ = 0;
  int line_ = 1;
};

}  // namespace

std::vector<CMakeCommand> parse_cmake(std::string_view text, std::string_view file) {
  return Lexer(text, file).commands();
}

}  // namespace whittle::detectors
