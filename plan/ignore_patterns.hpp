// Which files a `.dockerignore` or `image.ignore` leaves out: Docker's rules
// (https://docs.docker.com/build/concepts/context/#dockerignore-files, github.com/moby/patternmatcher).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace whittle::plan {

// `*` and `?` within a path component, `**` for any number of components, `[a-z]` and `[^a-z]`, `\` before a character
// that means itself. A pattern covers the file or folder of that path and everything below it; one that begins with
// `!` takes back what earlier ones cover. The last one that covers a path decides.
class IgnorePatterns {
 public:
  IgnorePatterns() = default;
  explicit IgnorePatterns(std::span<const std::string> patterns);

  // `path` is relative, without `.` and `..`. Time and memory are bounded by the sizes of path and patterns.
  bool matches(std::string_view path) const;
  // Whether something below an ignored folder may be wanted after all.
  bool takes_back() const { return takes_back_; }

 private:
  struct Token {
    enum class Kind { character, any, one, star, folders, rest };
    Kind kind;
    char character = 0;                      // of `character`
    std::vector<std::pair<char, char>> set;  // of `one`: ranges
    bool is_negated = false;
  };
  struct Rule {
    std::vector<Token> tokens;
    bool takes_back = false;
  };
  static std::vector<Token> parse(std::string_view pattern);
  static bool covers(const Rule& rule, std::string_view path);

  std::vector<Rule> rules_;
  bool takes_back_ = false;
};

// The lines of an ignore file as patterns, without comments and blank lines.
std::vector<std::string> parse_ignore_file(std::string_view text);

}  // namespace whittle::plan
