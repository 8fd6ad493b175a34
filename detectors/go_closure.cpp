#include "detectors/go_closure.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "detectors/go_module.hpp"
#include "detectors/go_packages.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

constexpr std::size_t kMostFiles = 4000;
constexpr std::size_t kHead = 4096, kLongHead = 64 << 10;
const std::vector<std::string> kEverything = {"**"};

// The text up to the first declaration: comments and the package clause gone, imports left.
class Head {
 public:
  explicit Head(std::string_view text) : text_(text) {}

  std::vector<std::string> imports() {
    std::vector<std::string> paths;
    if (word() != "package") return paths;
    word();
    while (word_is("import")) {
      if (!take("(")) {
        import(paths);
        continue;
      }
      while (!take(")")) {
        if (!import(paths)) return paths;
      }
    }
    is_whole_ = !rest().empty();
    return paths;
  }
  // Whether something follows the imports.
  bool is_whole() const { return is_whole_; }

 private:
  // `name "path"`, where the name may be a dot, or missing.
  bool import(std::vector<std::string>& paths) {
    std::string_view text = rest();
    if (!text.empty() && text.front() != '"' && text.front() != '`') {
      if (text.front() == '.') {
        text_.remove_prefix(1);
      } else if (word().empty()) {
        return false;
      }
      text = rest();
    }
    if (text.empty() || (text.front() != '"' && text.front() != '`')) return false;
    const std::size_t end = text.find(text.front(), 1);
    if (end == std::string_view::npos) return false;
    paths.emplace_back(text.substr(1, end - 1));
    text_ = text.substr(end + 1);
    return true;
  }

  // What comes next, past blanks, semicolons and comments.
  std::string_view rest() {
    for (;;) {
      const std::size_t begin = text_.find_first_not_of(" \t\r\n;");
      text_ = begin == std::string_view::npos ? std::string_view() : text_.substr(begin);
      const bool is_line = text_.starts_with("//");
      if (!is_line && !text_.starts_with("/*")) return text_;
      const std::size_t end = is_line ? text_.find('\n') : text_.find("*/", 2);
      text_ = end == std::string_view::npos ? std::string_view() : text_.substr(end + (is_line ? 1 : 2));
    }
  }

  std::string_view word() {
    const std::string_view text = rest();
    std::size_t end = 0;
    const auto is_part = [](char c) {
      const auto byte = static_cast<unsigned char>(c);
      return std::isalnum(byte) != 0 || c == '_' || byte >= 0x80;
    };
    while (end < text.size() && is_part(text[end])) ++end;
    text_ = text.substr(end);
    return text.substr(0, end);
  }

  bool word_is(std::string_view wanted) {
    const std::string_view before = rest();
    if (word() == wanted) return true;
    text_ = before;
    return false;
  }

  bool take(std::string_view token) {
    if (!rest().starts_with(token)) return false;
    text_.remove_prefix(token.size());
    return true;
  }

  std::string_view text_;
  bool is_whole_ = false;
};

class Closure {
 public:
  explicit Closure(const plan::SourceTree& tree) : tree_(tree) {
    for (const plan::Node& node : tree.nodes()) {
      if (node.kind != plan::NodeKind::file) continue;
      const std::string name = last_part(node.path);
      if (name == "go.mod" || name == "go.work") read_module(node.path);
      if (!name.ends_with(".go") || name.ends_with("_test.go")) continue;
      const std::string folder = folder_of(node.path);
      if (!is_skipped_folder(folder)) packages_[folder].push_back(node.path);
    }
  }

  std::vector<std::string> inputs(const std::vector<std::string>& programs) {
    for (const std::string& folder : programs) visit(folder);
    while (!waiting_.empty()) {
      const std::string folder = waiting_.front();
      waiting_.pop_front();
      for (const std::string& file : packages_[folder]) {
        if (++files_ > kMostFiles) return kEverything;
        for (const std::string& path : imports_of(file)) visit_import(path);
      }
    }
    return patterns();
  }

 private:
  // A module's own path, and the paths that are replaced by folders of the tree.
  void read_module(const std::string& path) {
    const std::string folder = folder_of(path);
    for (const std::string& raw : split_lines(tree_.read(path))) {
      std::string_view line = trim(raw);
      if (line.starts_with("module ")) modules_.emplace(unquoted(line.substr(7)), folder);
      const std::size_t arrow = line.find("=>");
      if (arrow == std::string_view::npos) continue;
      if (line.starts_with("replace ")) line.remove_prefix(8);
      const std::string_view target = trim(std::string_view(raw).substr(raw.find("=>") + 2));
      if (!target.starts_with("./") && !target.starts_with("../")) continue;
      modules_.emplace(unquoted(line.substr(0, line.find(' '))), joined(folder, unquoted(target)));
    }
  }

  static std::string unquoted(std::string_view text) {
    text = trim(text.substr(0, text.find("//")));
    if (text.size() > 1 && (text.front() == '"' || text.front() == '`')) text = text.substr(1, text.size() - 2);
    return std::string(text);
  }

  std::vector<std::string> imports_of(const std::string& file) const {
    std::vector<std::string> paths;
    for (const std::size_t size : {kHead, kLongHead}) {
      const std::string text = tree_.read_prefix(file, size);
      Head head(text);
      paths = head.imports();
      if (head.is_whole() || text.size() < size) break;
    }
    return paths;
  }

  // Every module that could be meant: one too many costs a build, one too few would be wrong.
  void visit_import(const std::string& path) {
    for (const auto& [module, folder] : modules_) {
      if (path != module && !path.starts_with(cat(module, "/"))) continue;
      visit(joined(folder, path.substr(module.size())));
    }
  }

  void visit(const std::string& folder) {
    if (packages_.contains(folder) && used_.insert(folder).second) waiting_.push_back(folder);
  }

  std::vector<std::string> patterns() const {
    std::vector<std::string> patterns = kEverything;
    std::string whole;  // the last folder of which nothing is used
    for (const auto& [folder, files] : packages_) {
      if (used_.contains(folder) || !is_utf8(folder) || (!whole.empty() && is_below(folder, whole))) continue;
      const bool has_used =
          std::any_of(used_.begin(), used_.end(),
                      [&, place = std::string_view(folder)](const std::string& used) { return is_below(used, place); });
      if (!has_used) whole = folder;
      const std::string place = folder == "." ? "" : cat(folder, "/");
      patterns.push_back(cat("!", place, has_used ? "*.go" : "**/*.go"));
    }
    if (patterns.size() > 1) patterns.push_back("!**/*_test.go");
    return patterns;
  }

  const plan::SourceTree& tree_;
  std::multimap<std::string, std::string> modules_;           // module path → folder
  std::map<std::string, std::vector<std::string>> packages_;  // folder → files
  std::set<std::string> used_;
  std::deque<std::string> waiting_;
  std::size_t files_ = 0;
};

}  // namespace

std::vector<std::string> go_imports(std::string_view text) {
  return Head(text).imports();
}

std::vector<std::string> go_inputs(const plan::SourceTree& context, const std::vector<std::string>& folders) {
  return Closure(context).inputs(folders);
}

}  // namespace whittle::detectors
