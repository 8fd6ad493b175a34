#include "registry/challenge.hpp"

#include <cctype>

#include "base/text.hpp"

namespace whittle::registry {

namespace {

constexpr std::size_t kMaximumHeader = 16 * 1024;
constexpr std::size_t kMaximumChallenges = 16;
constexpr std::size_t kMaximumParameters = 32;

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  void skip_space() { skip(" \t"); }
  void skip_separators() { skip(" \t,"); }

  std::string token() {
    std::size_t size = 0;
    while (size < rest_.size() && is_token_character(rest_[size])) ++size;
    return take(size);
  }

  // A token68 is the credentials form without parameters ("Negotiate abc=="); it is only stepped over.
  bool skip_token68() {
    std::size_t size = 0;
    while (size < rest_.size() && rest_[size] != ',' && rest_[size] != ' ' && rest_[size] != '"') ++size;
    const std::string_view word = rest_.substr(0, size);
    const std::size_t equals = word.find('=');
    const bool is_parameter =
        equals != std::string_view::npos && word.find_first_not_of('=', equals) != std::string_view::npos;
    const bool value_follows = equals != std::string_view::npos && size < rest_.size() && rest_[size] == '"';
    if (size == 0 || is_parameter || value_follows) return false;
    const std::string_view after = trim(rest_.substr(size));
    if (!after.empty() && after.front() != ',') return false;
    take(size);
    return true;
  }

  bool accept(char wanted) {
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::optional<std::string> value() {
    if (!accept('"')) {
      std::string plain = token();
      return plain.empty() ? std::nullopt : std::optional(plain);
    }
    std::string text;
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return text;
      if (c == '\\' && !rest_.empty()) {
        text += rest_.front();
        rest_.remove_prefix(1);
      } else {
        text += c;
      }
    }
    return std::nullopt;  // no closing quote
  }

  bool at_end() const { return rest_.empty(); }
  Reader ahead() const { return *this; }

 private:
  static bool is_token_character(char c) {
    constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x80 && (std::isalnum(byte) != 0 || kMarks.find(c) != std::string_view::npos);
  }
  void skip(std::string_view characters) {
    const std::size_t first = rest_.find_first_not_of(characters);
    rest_.remove_prefix(first == std::string_view::npos ? rest_.size() : first);
  }
  std::string take(std::size_t size) {
    std::string text(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return text;
  }

  std::string_view rest_;
};

// `name = value`; the reader stays where it was when something else follows (the next scheme).
std::optional<std::pair<std::string, std::string>> parameter(Reader& reader) {
  Reader ahead = reader.ahead();
  std::string name = lower(ahead.token());
  ahead.skip_space();
  if (name.empty() || !ahead.accept('=')) return std::nullopt;
  ahead.skip_space();
  auto value = ahead.value();
  if (!value) return std::nullopt;
  reader = ahead;
  return std::pair(std::move(name), std::move(*value));
}

}  // namespace

std::string Challenge::parameter(const std::string& name) const {
  const auto found = parameters.find(name);
  return found == parameters.end() ? std::string() : found->second;
}

std::vector<Challenge> parse_challenges(std::string_view header) {
  std::vector<Challenge> challenges;
  Reader reader(header.substr(0, kMaximumHeader));
  while (challenges.size() < kMaximumChallenges) {
    reader.skip_separators();
    Challenge challenge{.scheme = lower(reader.token()), .parameters = {}};
    if (challenge.scheme.empty()) break;
    reader.skip_space();
    if (!reader.skip_token68()) {
      while (const auto next = parameter(reader)) {
        // The first value counts: a repeated name must not override what was checked.
        if (challenge.parameters.size() < kMaximumParameters) challenge.parameters.insert(*next);
        reader.skip_separators();
      }
    }
    challenges.push_back(std::move(challenge));
  }
  return challenges;
}

std::optional<Challenge> answerable(const std::vector<std::string>& headers) {
  for (const std::string& header : headers) {
    for (Challenge& challenge : parse_challenges(header)) {
      if (challenge.scheme == "basic") return std::move(challenge);
      if (challenge.scheme == "bearer" && !challenge.parameter("realm").empty()) return std::move(challenge);
    }
  }
  return std::nullopt;
}

}  // namespace whittle::registry
