#include "detectors/makefile.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "base/text.hpp"
#include "detectors/makefile_text.hpp"
#include "detectors/modules.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

constexpr int kDeepest = 8;  // files that include each other
constexpr int kMostFiles = 200;
constexpr std::size_t kMostRules = 20000;

struct Rule {
  std::vector<std::string> targets, prerequisites;
  std::vector<std::pair<int, std::string>> recipe;  // line, text as written
  std::string place;
  std::string file;
};

struct Line {
  int number;
  std::string text;
  bool is_recipe;
};

std::vector<Line> logical_lines(std::string_view text) {
  std::vector<Line> lines;
  int number = 0;
  bool continues = false;
  for (std::string& physical : split_lines(text)) {
    ++number;
    const bool ends_open = physical.ends_with('\\');
    if (ends_open) physical.pop_back();
    if (continues) {
      lines.back().text += cat(" ", trim(physical));
    } else {
      lines.push_back({number, physical, physical.starts_with('\t')});
    }
    continues = ends_open;
  }
  return lines;
}

std::string_view without_comment(std::string_view text) {
  for (std::size_t hash = text.find('#'); hash != std::string_view::npos; hash = text.find('#', hash + 1)) {
    if (hash == 0 || text[hash - 1] != '\\') return text.substr(0, hash);
  }
  return text;
}

// The first of `:` and the assignment operators outside of `$(…)`.
struct Operator {
  std::size_t at = std::string_view::npos;
  std::string_view text;
};

Operator operator_of(std::string_view line) {
  int depth = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    depth += c == '(' || c == '{' ? 1 : c == ')' || c == '}' ? -1 : 0;
    if (depth != 0) continue;
    for (const std::string_view candidate : {"::=", ":=", "?=", "+=", "!=", "=", "::", ":"}) {
      if (line.substr(i).starts_with(candidate)) return {i, candidate};
    }
  }
  return {};
}

class Reader {
 public:
  Reader(const plan::SourceTree& tree, const std::map<std::string, std::string>& definitions)
      : tree_(tree), variables_(tree, definitions) {}

  void read(const std::string& path, int depth = 0) {
    if (depth > kDeepest || ++files_ > kMostFiles) return;
    bool in_define = false;
    Rule* open = nullptr;
    std::vector<std::optional<bool>> conditions;  // nothing: only make can tell
    const std::string makefile = tree_.read(path);
    libraries_.merge(libraries_of_make(makefile));
    text_ += makefile;
    for (const std::string& line : split_lines(makefile)) {
      for (const std::string_view word : {".include <", ".include \"", ".if ", ".for ", ".ifdef "}) {
        is_for_bsd_ = is_for_bsd_ || line.starts_with(word);
      }
    }
    for (const Line& line : logical_lines(makefile)) {
      const std::string_view text = trim(without_comment(line.text));
      const std::vector<std::string> words = blank_separated(text);
      if (in_define || (!words.empty() && words.front() == "define")) {
        in_define = words.empty() || words.front() != "endef";
        continue;
      }
      if (!words.empty() && follow_condition(words.front(), text, conditions)) continue;
      if (std::any_of(conditions.begin(), conditions.end(), [](const auto& truth) { return truth == false; })) continue;
      if (line.is_recipe && open != nullptr) {
        open->recipe.emplace_back(line.number, std::string(trim(line.text)));
        continue;
      }
      if (text.empty()) continue;
      if (conditions.empty()) note_modules(text, path, line.number);
      if (words.front() == "include" || words.front() == "-include" || words.front() == "sinclude") {
        include(text, path, depth);
        open = nullptr;
        continue;
      }
      open = statement(text, path, line.number);
    }
  }

  const std::vector<Rule>& rules() const { return rules_; }
  const Libraries& libraries() const { return libraries_; }
  // Of variables that something refers to.
  std::vector<plan::Module> modules() const {
    std::vector<plan::Module> modules;
    for (const auto& [variable, module] : modules_) {
      const bool is_used = variable == "LDLIBS" || variable == "LDFLAGS" || variable == "LOADLIBES" ||
                           text_.find(cat("$(", variable, ")")) != std::string::npos ||
                           text_.find(cat("${", variable, "}")) != std::string::npos;
      if (is_used && !says_where_modules_lie_) modules.push_back(module);
    }
    return modules;
  }
  const MakeVariables& variables() const { return variables_; }
  bool is_for_bsd() const { return is_for_bsd_; }

 private:
  // `LIBS = $(shell pkg-config --libs x)`.
  void note_modules(std::string_view text, const std::string& path, int number) {
    if (text.find("PKG_CONFIG_PATH") != std::string_view::npos) says_where_modules_lie_ = true;
    const Operator found = operator_of(text);
    if (found.text.find('=') == std::string_view::npos) return;
    const std::string variable(trim(text.substr(0, found.at)));
    for (plan::Module& module : modules_of_make(text.substr(found.at + found.text.size()), cat(path, ":", number)))
      modules_.emplace_back(variable, std::move(module));
  }

  void include(std::string_view text, const std::string& path, int depth) {
    for (const std::string& file : blank_separated(variables_.expand(text.substr(text.find(' ') + 1)))) {
      const std::string included = joined(folder_of(path), file);
      if (is_known(file) && included != path && tree_.has(included)) read(included, depth + 1);
    }
  }

  bool follow_condition(std::string_view word, std::string_view text, std::vector<std::optional<bool>>& conditions) {
    if (word == "ifeq" || word == "ifneq" || word == "ifdef" || word == "ifndef") {
      conditions.push_back(truth_of(word, trim(text.substr(word.size()))));
    } else if (word.starts_with("ifeq(") || word.starts_with("ifneq(")) {
      const std::size_t length = word.find('(');
      conditions.push_back(truth_of(word.substr(0, length), text.substr(length)));
    } else if (word == "else" && !conditions.empty()) {
      std::optional<bool>& truth = conditions.back();
      const std::string_view rest = trim(text.substr(4));
      if (truth) truth = !*truth;
      if (!rest.empty() && truth != false) {
        const std::size_t length = std::min(rest.find_first_of(" \t("), rest.size());
        truth = truth_of(rest.substr(0, length), trim(rest.substr(length)));
      }
    } else if (word == "endif" && !conditions.empty()) {
      conditions.pop_back();
    } else {
      return false;
    }
    return true;
  }

  std::optional<bool> truth_of(std::string_view word, std::string_view text) const {
    if (word == "ifdef" || word == "ifndef") {
      return variables_.is_set(variables_.expand(text)) == (word == "ifdef");
    }
    std::string left, right;
    if (text.starts_with('(') && text.ends_with(')')) {
      const std::string_view inside = text.substr(1, text.size() - 2);
      int depth = 0;
      std::size_t comma = 0;
      for (; comma < inside.size() && (inside[comma] != ',' || depth > 0); ++comma) {
        depth += inside[comma] == '(' ? 1 : inside[comma] == ')' ? -1 : 0;
      }
      if (comma == inside.size()) return std::nullopt;
      left = variables_.expand(trim(inside.substr(0, comma)));
      right = variables_.expand(trim(inside.substr(comma + 1)));
    } else {
      const std::vector<std::string> words = blank_separated(text);
      if (words.size() != 2) return std::nullopt;
      const auto bare = [](std::string_view quoted) {
        return quoted.size() > 1 ? quoted.substr(1, quoted.size() - 2) : quoted;
      };
      left = variables_.expand(bare(words[0]));
      right = variables_.expand(bare(words[1]));
    }
    if (!is_known(left) || !is_known(right)) return std::nullopt;
    return (trim(left) == trim(right)) == (word == "ifeq");
  }

  Rule* statement(std::string_view text, const std::string& path, int number) {
    for (const std::string_view prefix : {"export ", "override ", "private "}) {
      if (text.starts_with(prefix)) text = trim(text.substr(prefix.size()));
    }
    const Operator found = operator_of(text);
    if (found.text.empty()) return nullptr;
    const std::string_view left = trim(text.substr(0, found.at));
    const std::string_view right = trim(text.substr(found.at + found.text.size()));
    if (found.text.find('=') != std::string_view::npos) {
      variables_.assign(variables_.expand(left), found.text, std::string(right));
      return nullptr;
    }
    if (rules_.size() >= kMostRules) return nullptr;
    return rule(left, right, path, number);
  }

  Rule* rule(std::string_view left, std::string_view right, const std::string& path, int number) {
    Rule rule{.targets = blank_separated(variables_.expand(left)),
              .prerequisites = {},
              .recipe = {},
              .place = cat(path, ":", number),
              .file = path};
    const std::size_t semicolon = right.find(';');
    if (semicolon != std::string_view::npos)
      rule.recipe.emplace_back(number, std::string(trim(right.substr(semicolon + 1))));
    right = right.substr(0, semicolon);
    const Operator second = operator_of(right);
    // `target: NAME = value` sets a variable for that target alone.
    if (second.text.find('=') != std::string_view::npos) return nullptr;
    if (second.text == ":") right = right.substr(second.at + 1);  // a static pattern rule
    for (std::string& word : blank_separated(variables_.expand(right))) {
      if (word != "|") rule.prerequisites.push_back(std::move(word));
    }
    rules_.push_back(std::move(rule));
    return &rules_.back();
  }

  const plan::SourceTree& tree_;
  MakeVariables variables_;
  std::vector<Rule> rules_;
  Libraries libraries_;
  std::vector<std::pair<std::string, plan::Module>> modules_;  // by the variable
  std::string text_;                                           // of all files
  bool says_where_modules_lie_ = false, is_for_bsd_ = false;
  int files_ = 0;
};

bool calls_compiler(std::string_view recipe) {
  for (const char* word : {"$(CC)", "${CC}", "$(CXX)", "${CXX}", "$(LD)", "${LD}", "$(LINK", "$(CCLD)", "$(HOSTCC)",
                           "gcc", "g++", "clang", "cc "}) {
    if (recipe.find(word) != std::string_view::npos) return true;
  }
  return false;
}

bool calls_by_name(std::string_view recipe) {
  while (recipe.starts_with('@') || recipe.starts_with('-') || recipe.starts_with('+')) recipe.remove_prefix(1);
  const std::vector<std::string> words = blank_separated(recipe);
  if (words.empty()) return false;
  constexpr std::array<std::string_view, 6> kNames = {"gcc", "cc", "g++", "c++", "clang", "clang++"};
  return std::find(kNames.begin(), kNames.end(), words.front()) != kNames.end();
}

// What `-o` names in a linking line; nothing for a line that compiles, archives or makes a shared library.
std::optional<std::string> linked_file(const std::string& recipe, const Rule& rule, const MakeVariables& variables) {
  if (!calls_compiler(recipe)) return std::nullopt;
  const std::vector<std::string> words = blank_separated(variables.expand(recipe));
  std::optional<std::string> file;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "-c" || words[i] == "-shared" || words[i] == "-E" || words[i] == "-S" || words[i] == "-r")
      return std::nullopt;
    if (words[i] == "-o" && i + 1 < words.size()) file = words[i + 1];
    if (words[i].starts_with("-o") && words[i].size() > 2) file = words[i].substr(2);
  }
  if (file && (*file == "$@" || *file == "\"$@\"" || *file == "'$@'") && !rule.targets.empty())
    file = rule.targets.front();
  return file;
}

bool is_program_path(std::string_view path) {
  if (path.empty() || !is_known(path) || path.find_first_of("$%*?") != std::string_view::npos || path.starts_with('/'))
    return false;
  constexpr std::array<std::string_view, 16> kOthers = {"o",     "a",   "so", "h",    "c",   "cc",  "cpp", "d",
                                                        "dylib", "dll", "js", "wasm", "gch", "exe", "obj", "lo"};
  return std::find(kOthers.begin(), kOthers.end(), extension_of(path)) == kOthers.end();
}

// `prog: a.o b.o` without a recipe, where make's own rule links: one object bears the program's name.
bool is_linked_by_builtin_rule(const Rule& rule) {
  if (!rule.recipe.empty() || rule.targets.size() != 1) return false;
  return std::any_of(rule.prerequisites.begin(), rule.prerequisites.end(), [&](const std::string& one) {
    return one == cat(rule.targets.front(), ".o") || one == cat(rule.targets.front(), ".c");
  });
}

class Graph {
 public:
  // Borrows the rules.
  Graph(const std::vector<Rule>& rules, const MakeVariables& variables) {
    for (const Rule& rule : rules) {
      for (const std::string& target : rule.targets) by_target_[target].push_back(&rule);
    }
    goal_ = std::string(trim(variables.expand("$(.DEFAULT_GOAL)")));
    for (const Rule& rule : rules) {
      for (const std::string& target : rule.targets) {
        const bool is_special = target.starts_with('.') && target.find('/') == std::string::npos;
        if (goal_.empty() && !is_special && target.find('%') == std::string::npos) goal_ = target;
      }
    }
  }

  std::set<const Rule*> reachable() const {
    std::set<const Rule*> seen;
    std::set<std::string> names = {goal_};
    std::vector<std::string> waiting = {goal_};
    while (!waiting.empty()) {
      const auto found = by_target_.find(waiting.back());
      waiting.pop_back();
      if (found == by_target_.end()) continue;
      for (const Rule* rule : found->second) {
        seen.insert(rule);
        for (const std::string& next : rule->prerequisites) {
          if (names.insert(next).second) waiting.push_back(next);
        }
      }
    }
    return seen;
  }

  bool has_target(const std::string& name) const { return by_target_.contains(name); }
  // In whatever folder.
  bool has_file(std::string_view name) const {
    return std::any_of(by_target_.begin(), by_target_.end(),
                       [&](const auto& one) { return last_part(one.first) == name; });
  }

 private:
  std::map<std::string, std::vector<const Rule*>> by_target_;
  std::string goal_;
};

void add_program(std::vector<MakeProgram>& programs, const std::string& path, const std::string& place,
                 bool is_target) {
  const std::string normal = joined(".", path);
  if (normal.starts_with("..")) return;
  const bool is_there =
      std::any_of(programs.begin(), programs.end(), [&](const MakeProgram& one) { return one.path == normal; });
  if (!is_there) programs.push_back({normal, place, is_target});
}

std::vector<MakeProgram> programs_of(const Rule& rule, const Reader& reader, const Graph& graph) {
  std::vector<MakeProgram> programs;
  for (const auto& [number, recipe] : rule.recipe) {
    const std::optional<std::string> file = linked_file(recipe, rule, reader.variables());
    if (!file) continue;
    if (*file == rule.targets.front()) {
      // One rule may have several targets, each linked by the same recipe.
      for (const std::string& target : rule.targets) {
        if (is_program_path(target)) add_program(programs, target, rule.place, joined(".", target) == target);
      }
    } else if (is_program_path(*file)) {
      add_program(programs, *file, cat(rule.file, ":", number), graph.has_target(*file));
    }
  }
  if (is_linked_by_builtin_rule(rule) && is_program_path(rule.targets.front())) {
    add_program(programs, rule.targets.front(), rule.place, true);
  }
  return programs;
}

constexpr std::string_view kDestination = "/.destination";

struct Installation {
  bool is_confined = true, reaches_destination = false, has_data = false;
};

// One word of an install recipe, expanded. `-m755` and `644` name no place.
void look_at_word(std::string_view word, Installation& found) {
  while (word.starts_with('"') || word.starts_with('\'')) word.remove_prefix(1);
  const std::size_t slash = word.find('/');
  if (word.starts_with(kDestination)) {
    found.reaches_destination = true;
    for (const char* place : {"/share/", "/lib/", "/libexec/", "/etc/"}) {
      found.has_data = found.has_data || cat(word, "/").find(place) != std::string::npos;
    }
  } else if (slash == 0 || (word.starts_with('-') && slash != std::string_view::npos)) {
    found.is_confined = found.is_confined && word.starts_with("/dev/null");
  }
}

// Whether a command of an install recipe does nothing but put files in their places.
bool only_places_files(std::string_view command) {
  while (!command.empty() && std::string_view("@-+([").find(command.front()) != std::string_view::npos) {
    command.remove_prefix(1);
  }
  constexpr std::array<std::string_view, 22> kCommands = {
      "",     "install", "ginstall", "mkdir", "cp",   "ln",   "rm", "chmod", "strip", "gzip", "echo",
      "test", "cd",      "for",      "if",    "then", "else", "fi", "do",    "done",  "true", "install-sh"};
  return std::find(kCommands.begin(), kCommands.end(), last_part(command)) != kCommands.end();
}

void look_at_command(const std::string& text, Installation& found) {
  bool begins = true;
  for (std::string word : blank_separated(text)) {
    const bool ends = word.ends_with(';');
    if (ends) word.pop_back();
    if (begins && !only_places_files(word)) found.is_confined = false;
    if (begins ? word.starts_with(kDestination) : true) look_at_word(word, found);
    found.has_data = found.has_data || last_part(word) == "ln" || word == "@ln";
    begins = ends || word == "&&" || word == "||" || word == ";" || word == "|" || word == "do" || word == "then" ||
             word == "else";
  }
}

// What `install` and the goals of that name below it would do. Whatever cannot be read might write anywhere.
Installation installation_of(const Reader& reader) {
  Installation found;
  for (const Rule& rule : reader.rules()) {
    const bool installs = std::any_of(rule.targets.begin(), rule.targets.end(),
                                      [](const std::string& target) { return target.starts_with("install"); });
    if (!installs) continue;
    for (const auto& [number, recipe] : rule.recipe) {
      const std::string text = reader.variables().expand(recipe);
      if (!is_known(text) || recipe.find("$(MAKE)") != std::string::npos || text.find('`') != std::string::npos) {
        found.is_confined = false;
      }
      look_at_command(text, found);
    }
  }
  return found;
}

}  // namespace

MakeProject read_makefile(const plan::SourceTree& tree, const std::string& path,
                          const std::map<std::string, std::string>& definitions) {
  std::map<std::string, std::string> known = definitions;
  known["DESTDIR"] = kDestination;
  Reader reader(tree, known);
  reader.read(path);
  const Graph graph(reader.rules(), reader.variables());
  const std::set<const Rule*> reachable = graph.reachable();
  MakeProject project;
  std::vector<MakeProgram> unreachable;
  for (const Rule& rule : reader.rules()) {
    for (const MakeProgram& program : programs_of(rule, reader, graph)) {
      add_program(reachable.contains(&rule) ? project.programs : unreachable, program.path, program.source,
                  program.is_target);
    }
    for (const auto& [number, recipe] : rule.recipe) {
      if (calls_by_name(recipe)) project.hard_coded.push_back(cat(rule.file, ":", number));
    }
  }
  if (project.programs.empty()) project.programs = std::move(unreachable);
  const Installation installation = installation_of(reader);
  project.installs_data = installation.is_confined && installation.reaches_destination && installation.has_data;
  const std::string linker = reader.variables().expand("$(LD)");
  if (calls_by_name(linker)) project.linker = blank_separated(linker).front();
  for (const char* compiler : {"$(CC)", "$(CXX)"}) {
    const std::string words = reader.variables().expand(compiler);
    if (calls_by_name(words) && blank_separated(words).size() > 1) project.has_compiler_with_flags = true;
  }
  project.modules = reader.modules();
  project.is_for_bsd = reader.is_for_bsd();
  // bsd.prog.mk, and what is like it, makes the program that `PROG` names.
  const std::string program(trim(reader.variables().expand("$(PROG)")));
  if (project.is_for_bsd && project.programs.empty() && is_program_path(program))
    add_program(project.programs, program, path, true);
  if (path.find('/') != std::string::npos && graph.has_target("generic")) project.generic_goal = "generic";
  for (const std::string& name : reader.libraries()) {
    if (!graph.has_file(cat("lib", name, ".a"))) project.libraries.insert(name);
  }
  return project;
}

}  // namespace whittle::detectors
