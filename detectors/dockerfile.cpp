#include "detectors/dockerfile.hpp"

#include <algorithm>
#include <cctype>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace whittle::detectors {

namespace {

constexpr std::size_t kLargest = 1 << 20;
constexpr std::size_t kMostInstructions = 10'000, kMostStages = 200, kMostCarried = 20'000;
constexpr std::size_t kLongestValue = 32 << 10;

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::toupper(c); });
  return out;
}

bool is_name_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

// `# escape=` counts only above everything else.
char escape_of(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    const std::string_view text = trim(line);
    if (!text.starts_with('#')) break;
    const std::string_view directive = trim(text.substr(1));
    const std::size_t equals = directive.find('=');
    if (equals == std::string_view::npos) break;
    if (lower(trim(directive.substr(0, equals))) != "escape") continue;
    return trim(directive.substr(equals + 1)) == "`" ? '`' : '\\';
  }
  return '\\';
}

// Whether the line goes on below; two escapes in a row are one that does not.
bool is_continued(std::string_view line, char escape) {
  while (!line.empty() && (line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
  return line.ends_with(escape) && !(line.size() > 1 && line[line.size() - 2] == escape);
}

struct HereDocument {
  std::string end;
  bool strips_tabs = false;
};

// The `<<EOF`, `<<-EOF` and `<<"EOF"` of an instruction that may have them.
std::vector<HereDocument> here_documents(const Instruction& instruction) {
  std::vector<HereDocument> found;
  if (instruction.name != "RUN" && instruction.name != "COPY" && instruction.name != "ADD") return found;
  const std::string& text = instruction.text;
  for (std::size_t at = text.find("<<"); at != std::string::npos; at = text.find("<<", at)) {
    const bool is_here_string = at + 2 < text.size() && text[at + 2] == '<';
    at += 2;
    if (is_here_string) {
      at = std::min(text.find_first_not_of('<', at), text.size());
      continue;
    }
    HereDocument document;
    if (at < text.size() && text[at] == '-') {
      document.strips_tabs = true;
      ++at;
    }
    if (at < text.size() && (text[at] == '"' || text[at] == '\'')) ++at;
    while (at < text.size() && is_name_character(text[at])) document.end += text[at++];
    if (!document.end.empty()) found.push_back(std::move(document));
  }
  return found;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : lines_(split_lines(text.substr(0, kLargest))), escape_(escape_of(lines_)) {}

  Dockerfile read() {
    Dockerfile file{.escape = escape_, .instructions = {}};
    while (at_ < lines_.size() && file.instructions.size() < kMostInstructions) {
      const std::string_view line = trim(lines_[at_]);
      if (line.empty() || line.starts_with('#')) {
        ++at_;
      } else {
        file.instructions.push_back(instruction());
      }
    }
    return file;
  }

 private:
  // With the lines that continue it; comments and empty lines between them do not count.
  std::string joined_line() {
    std::string text;
    for (bool goes_on = true; goes_on && at_ < lines_.size(); ++at_) {
      const std::string& line = lines_[at_];
      const std::string_view trimmed = trim(line);
      if (!text.empty() && (trimmed.empty() || trimmed.starts_with('#'))) continue;
      goes_on = is_continued(line, escape_);
      text += goes_on ? std::string_view(line).substr(0, line.rfind(escape_)) : std::string_view(line);
    }
    return text;
  }

  Instruction instruction() {
    Instruction found;
    found.line = static_cast<int>(at_) + 1;
    const std::string all = joined_line();
    std::string_view rest = trim(all);
    const std::size_t end = std::min(rest.find_first_of(" \t"), rest.size());
    found.name = upper(rest.substr(0, end));
    rest = trim(rest.substr(end));
    while (rest.starts_with("--")) {
      const std::size_t flag = std::min(rest.find_first_of(" \t"), rest.size());
      found.flags.emplace_back(rest.substr(0, flag));
      rest = trim(rest.substr(flag));
    }
    found.text = rest;
    for (const HereDocument& document : here_documents(found)) {
      while (at_ < lines_.size()) {
        std::string_view line = lines_[at_++];
        while (document.strips_tabs && line.starts_with('\t')) line.remove_prefix(1);
        if (line == document.end) break;
        found.text += cat("\n", line);
      }
    }
    return found;
  }

  std::vector<std::string> lines_;
  char escape_;
  std::size_t at_ = 0;
};

using Variables = std::map<std::string, std::string>;

// Fills in variables and takes quotes away, as Docker does it with ENV, EXPOSE, USER and the like. Nothing when a
// variable is not known.
class Expansion {
 public:
  Expansion(const Variables& variables, char escape) : variables_(variables), escape_(escape) {}

  std::optional<std::string> of(std::string_view text, int depth = 0) const {
    std::string out;
    char quote = 0;
    for (std::size_t at = 0; at < text.size();) {
      const char c = text[at];
      if (out.size() > kLongestValue) return std::nullopt;
      if (c == escape_ && quote != '\'' && at + 1 < text.size()) {
        out += text[at + 1];
        at += 2;
      } else if ((c == '"' || c == '\'') && (quote == 0 || quote == c)) {
        quote = quote == 0 ? c : '\0';
        ++at;
      } else if (c == '$' && quote != '\'') {
        const std::optional<std::string> value = variable(text, at, depth);
        if (!value) return std::nullopt;
        out += *value;
      } else {
        out += c;
        ++at;
      }
    }
    return out;
  }

 private:
  std::optional<std::string> known(const std::string& name) const {
    const auto found = variables_.find(name);
    return found == variables_.end() ? std::nullopt : std::optional(found->second);
  }

  // At a `$`; moves behind it.
  std::optional<std::string> variable(std::string_view text, std::size_t& at, int depth) const {
    std::size_t end = at + 1;
    if (end < text.size() && text[end] == '{') return braced(text, at, depth);
    while (end < text.size() && is_name_character(text[end])) ++end;
    const std::string name(text.substr(at + 1, end - at - 1));
    at = end;
    return name.empty() ? std::optional<std::string>("$") : known(name);
  }

  // `${name}`, `${name:-word}`, `${name:+word}` and the same without the colon.
  std::optional<std::string> braced(std::string_view text, std::size_t& at, int depth) const {
    std::size_t end = at + 2, open = 1;
    while (end < text.size() && open > 0) {
      open += text[end] == '{' ? 1 : 0;
      open -= text[end] == '}' ? 1 : 0;
      ++end;
    }
    if (open > 0 || depth > 8) return std::nullopt;
    const std::string_view inside = text.substr(at + 2, end - at - 3);
    at = end;
    std::size_t length = 0;
    while (length < inside.size() && is_name_character(inside[length])) ++length;
    const std::string name(inside.substr(0, length));
    std::string_view how = inside.substr(length);
    const std::optional<std::string> value = known(name);
    if (name.empty() || how.empty()) return name.empty() ? std::nullopt : value;
    const bool counts_empty = how.starts_with(':');
    if (counts_empty) how.remove_prefix(1);
    const bool is_set = value && !(counts_empty && value->empty());
    if (how.starts_with('-')) return is_set ? value : of(how.substr(1), depth + 1);
    if (how.starts_with('+')) return is_set ? of(how.substr(1), depth + 1) : std::optional<std::string>("");
    return how.starts_with('?') && is_set ? value : std::nullopt;
  }

  const Variables& variables_;
  char escape_;
};

// Words between blanks, with their quotes.
std::vector<std::string> raw_words(std::string_view text, char escape) {
  std::vector<std::string> words;
  bool in_word = false;
  char quote = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (quote == 0 && std::isspace(static_cast<unsigned char>(c)) != 0) {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    words.back() += c;
    if (c == escape && quote != '\'' && at + 1 < text.size()) {
      words.back() += text[++at];
    } else if ((c == '"' || c == '\'') && (quote == 0 || quote == c)) {
      quote = quote == 0 ? c : '\0';
    }
  }
  return words;
}

class Stages {
 public:
  explicit Stages(char escape) : escape_(escape) {}

  void take(const Instruction& instruction) {
    if (instruction.name == "FROM") return begin(instruction);
    if (stages_.empty()) {
      if (instruction.name == "ARG") declare(instruction, globals_, {});
      return;
    }
    Stage& stage = stages_.back();
    if (carried_ < kMostCarried) {
      stage.instructions.push_back(instruction);
      ++carried_;
    }
    if (instruction.name == "ARG") return declare(instruction, variables_.back(), globals_);
    if (instruction.name == "ENV") return set_variables(instruction, stage);
    if (instruction.name == "EXPOSE") return expose(instruction, stage);
    if (instruction.name == "USER") return set(instruction, stage.user);
    if (instruction.name == "WORKDIR") return enter(instruction, stage);
    if (instruction.name == "STOPSIGNAL") return set(instruction, stage.stop_signal);
    if (instruction.name == "ENTRYPOINT") {
      start(instruction, stage.entrypoint, stage.entrypoint_line, stage);
      // It takes back the command of a stage below, not one of its own.
      if (stage.command_line < stage.line) {
        stage.command.clear();
        stage.command_line = 0;
      }
    }
    if (instruction.name == "CMD") start(instruction, stage.command, stage.command_line, stage);
  }

  std::vector<Stage> take_all() { return std::move(stages_); }

 private:
  std::optional<std::string> filled(std::string_view text) const {
    return Expansion(variables_.back(), escape_).of(text);
  }

  void begin(const Instruction& instruction) {
    const std::vector<std::string> words = raw_words(instruction.text, escape_);
    const std::optional<std::string> base =
        words.empty() ? std::nullopt : Expansion(globals_, escape_).of(words.front());
    Stage stage;
    Variables variables;
    const auto below = std::find_if(stages_.begin(), stages_.end(), [&](const Stage& one) {
      return base && !one.name.empty() && one.name == lower(*base);
    });
    if (below != stages_.end()) {
      carried_ += below->instructions.size();
      if (carried_ < kMostCarried) stage = *below;
      for (const auto& [name, setting] : stage.env) variables[name] = setting.value;
    } else {
      stage.base = base.value_or("");
    }
    stage.line = instruction.line;
    stage.name = words.size() > 2 && upper(words[1]) == "AS" ? lower(words[2]) : "";
    if (stages_.size() >= kMostStages) {
      stages_.erase(stages_.begin());
      variables_.erase(variables_.begin());
    }
    stages_.push_back(std::move(stage));
    variables_.push_back(std::move(variables));
  }

  // A name alone takes the value from above the first stage.
  void declare(const Instruction& instruction, Variables& variables, const Variables& outer) const {
    for (const std::string& word : raw_words(instruction.text, escape_)) {
      const std::size_t equals = word.find('=');
      const std::string name = word.substr(0, equals);
      if (equals != std::string::npos) {
        const std::optional<std::string> value =
            Expansion(variables, escape_).of(std::string_view(word).substr(equals + 1));
        if (value) variables[name] = *value;
      } else if (const auto above = outer.find(name); above != outer.end()) {
        variables[name] = above->second;
      }
    }
  }

  void set_variable(Stage& stage, const std::string& name, std::string_view text, int line) {
    const std::optional<std::string> value = filled(text);
    if (!value) {
      stage.env.erase(name);
      variables_.back().erase(name);
    } else {
      stage.env[name] = {*value, line};
    }
  }

  void set_variables(const Instruction& instruction, Stage& stage) {
    const std::vector<std::string> words = raw_words(instruction.text, escape_);
    if (words.empty()) return;
    if (words.front().find('=') == std::string::npos) {
      const std::string_view rest = trim(std::string_view(instruction.text).substr(words.front().size()));
      set_variable(stage, words.front(), rest, instruction.line);
    } else {
      for (const std::string& word : words) {
        const std::size_t equals = word.find('=');
        if (equals == std::string::npos) continue;
        set_variable(stage, word.substr(0, equals), std::string_view(word).substr(equals + 1), instruction.line);
      }
    }
    // The values of one instruction do not see each other.
    for (const auto& [name, setting] : stage.env) variables_.back()[name] = setting.value;
  }

  void set(const Instruction& instruction, std::optional<Stage::Setting>& setting) const {
    const std::optional<std::string> value = filled(instruction.text);
    setting = value && !value->empty() ? std::optional(Stage::Setting{*value, instruction.line}) : std::nullopt;
  }

  void enter(const Instruction& instruction, Stage& stage) const {
    const std::optional<std::string> value = filled(instruction.text);
    if (!value || value->empty()) return stage.folder.reset();
    if (value->starts_with('/')) {
      stage.folder = {*value, instruction.line};
    } else if (stage.folder) {
      stage.folder = {cat(stage.folder->value, stage.folder->value.ends_with('/') ? "" : "/", *value),
                      instruction.line};
    }
    if (stage.folder && stage.folder->value.size() > kLongestValue) stage.folder.reset();
  }

  void expose(const Instruction& instruction, Stage& stage) const {
    for (const std::string& word : raw_words(instruction.text, escape_)) {
      const std::optional<std::string> port = filled(word);
      if (port && stage.ports.size() < 1000) stage.ports.push_back({*port, instruction.line});
    }
  }

  static void start(const Instruction& instruction, std::vector<std::string>& argv, int& line, Stage& stage) {
    const std::optional<std::vector<std::string>> words = exec_form(instruction.text);
    argv = words.value_or(std::vector<std::string>{});
    line = instruction.line;
    stage.has_shell_form = stage.has_shell_form || !words;
  }

  char escape_;
  std::vector<Stage> stages_;
  std::vector<Variables> variables_;  // of each stage
  Variables globals_;
  std::size_t carried_ = 0;
};

}  // namespace

Dockerfile parse_dockerfile(std::string_view text) {
  return Parser(text).read();
}

std::optional<std::vector<std::string>> exec_form(std::string_view text) {
  if (!trim(text).starts_with('[')) return std::nullopt;
  try {
    return parse_json(trim(text), "Dockerfile").get<std::vector<std::string>>();
  } catch (const Error&) {
    return std::nullopt;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

std::vector<Stage> stages_of(const Dockerfile& file) {
  Stages stages(file.escape);
  for (const Instruction& instruction : file.instructions) stages.take(instruction);
  return stages.take_all();
}

}  // namespace whittle::detectors
