#include "detectors/python_marker.hpp"

#include <algorithm>
#include <cctype>

#include "base/error.hpp"
#include "base/text.hpp"
#include "plan/versions.hpp"

namespace whittle::detectors {

struct PythonMarker::Node {
  enum class Kind { all, any, comparison } kind = Kind::comparison;
  std::vector<std::shared_ptr<const Node>> parts;
  std::string left, operation, right;
  bool left_is_variable = false, right_is_variable = false;
};

namespace {

using Node = PythonMarker::Node;
using NodePointer = std::shared_ptr<const Node>;

constexpr int kDeepest = 32;

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  NodePointer parse() {
    NodePointer node = any(0);
    skip_blanks();
    if (at_ != text_.size()) throw refused();
    return node;
  }

 private:
  NodePointer any(int depth) { return chain(depth, "or", Node::Kind::any); }

  NodePointer chain(int depth, std::string_view word, Node::Kind kind) {
    if (depth > kDeepest) throw refused();
    auto node = std::make_shared<Node>();
    node->kind = kind;
    do {
      node->parts.push_back(kind == Node::Kind::any ? chain(depth, "and", Node::Kind::all) : one(depth));
    } while (takes(word));
    return node->parts.size() == 1 ? node->parts.front() : node;
  }

  NodePointer one(int depth) {
    skip_blanks();
    if (at_ < text_.size() && text_[at_] == '(') {
      ++at_;
      NodePointer node = any(depth + 1);
      skip_blanks();
      if (at_ >= text_.size() || text_[at_] != ')') throw refused();
      ++at_;
      return node;
    }
    auto node = std::make_shared<Node>();
    node->left = value(node->left_is_variable);
    node->operation = operation();
    node->right = value(node->right_is_variable);
    return node;
  }

  std::string value(bool& is_variable) {
    skip_blanks();
    if (at_ < text_.size() && (text_[at_] == '\'' || text_[at_] == '"')) {
      const std::size_t end = text_.find(text_[at_], at_ + 1);
      if (end == std::string_view::npos) throw refused();
      std::string found(text_.substr(at_ + 1, end - at_ - 1));
      at_ = end + 1;
      return found;
    }
    is_variable = true;
    std::string name = word();
    if (name.empty()) throw refused();
    return name;
  }

  std::string operation() {
    skip_blanks();
    for (const std::string_view sign : {"===", "==", "!=", "<=", ">=", "~=", "<", ">"}) {
      if (!text_.substr(at_).starts_with(sign)) continue;
      at_ += sign.size();
      return std::string(sign);
    }
    if (takes("in")) return "in";
    if (takes("not") && takes("in")) return "not in";
    throw refused();
  }

  bool takes(std::string_view wanted) {
    skip_blanks();
    const std::size_t before = at_;
    if (word() == wanted) return true;
    at_ = before;
    return false;
  }

  std::string word() {
    skip_blanks();
    const std::size_t start = at_;
    while (at_ < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '_' || text_[at_] == '.')) {
      ++at_;
    }
    return std::string(text_.substr(start, at_ - start));
  }

  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }

  Error refused() const {
    Error error(Exit::detector_failed, "a marker cannot be read");
    error.cause(cat(backticked(text_), " is no environment marker"));
    return error;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

bool is_version(std::string_view variable) {
  return variable == "python_version" || variable == "python_full_version" || variable == "implementation_version";
}

PythonVersion release(std::string_view text) {
  while (!text.empty() && std::isdigit(static_cast<unsigned char>(text.front())) == 0) text.remove_prefix(1);
  PythonVersion numbers = plan::numbers_of(text);
  numbers.resize(3);
  return numbers;
}

PythonVersion next(PythonVersion version, std::size_t part) {
  ++version[part];
  std::fill(version.begin() + static_cast<std::ptrdiff_t>(part) + 1, version.end(), 0);
  return version;
}

// Versions of a list in one text ("3.8, 3.9"), for `in`.
std::vector<std::string> listed(std::string_view text) {
  std::string plain(text);
  std::replace(plain.begin(), plain.end(), ',', ' ');
  std::vector<std::string> found;
  for (const std::string& one : split(plain, ' ')) {
    if (!one.empty()) found.push_back(one);
  }
  return found;
}

std::size_t length_of(std::string_view text) {
  return plan::numbers_of(text).size();
}

bool same_start(const PythonVersion& version, std::string_view wanted, std::size_t count) {
  const PythonVersion numbers = release(wanted);
  return std::equal(numbers.begin(), numbers.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(count, 3)),
                    version.begin());
}

bool compare_versions(const PythonVersion& version, std::string_view operation, const std::string& wanted) {
  const PythonVersion other = release(wanted);
  if (operation == "<") return version < other;
  if (operation == "<=") return version <= other;
  if (operation == ">") return version > other;
  if (operation == ">=") return version >= other;
  if (operation == "~=") {
    const std::size_t count = length_of(wanted);
    return version >= other && same_start(version, wanted, count > 1 ? count - 1 : count);
  }
  const bool is_open = wanted.ends_with(".*");
  if (operation == "==" || operation == "===")
    return is_open ? same_start(version, wanted, length_of(wanted)) : version == other;
  if (operation == "!=") return is_open ? !same_start(version, wanted, length_of(wanted)) : version != other;
  const std::vector<std::string> list = listed(wanted);
  const bool is_in =
      std::any_of(list.begin(), list.end(), [&](const std::string& one) { return release(one) == version; });
  return operation == "in" ? is_in : !is_in;
}

std::string_view mirrored(std::string_view operation) {
  if (operation == "<") return ">";
  if (operation == "<=") return ">=";
  if (operation == ">") return "<";
  if (operation == ">=") return "<=";
  return operation;
}

// What is known of the machine; PyPy and others are not built.
std::string value_of(std::string_view variable, std::string_view platform) {
  if (variable == "os_name" || variable == "os.name") return "posix";
  if (variable == "sys_platform" || variable == "sys.platform") return "linux";
  if (variable == "platform_system") return "Linux";
  if (variable == "platform_python_implementation" || variable == "python_implementation") return "CPython";
  if (variable == "implementation_name") return "cpython";
  if (variable == "platform_machine" || variable == "platform.machine") {
    if (platform.ends_with("/amd64")) return "x86_64";
    if (platform.ends_with("/arm64")) return "aarch64";
    if (platform.find("/arm/") != std::string_view::npos) return "armv7l";
    return std::string(platform.substr(platform.find('/') + 1));
  }
  return {};
}

bool compare_texts(const std::string& left, std::string_view operation, const std::string& right) {
  if (operation == "==" || operation == "===") return left == right;
  if (operation == "!=") return left != right;
  if (operation == "in") return right.find(left) != std::string::npos;
  if (operation == "not in") return right.find(left) == std::string::npos;
  // platform_release and the like: nobody knows the kernel that the image will run on.
  return operation == ">" || operation == ">=";
}

void collect(const Node& node, std::set<PythonVersion>& starts) {
  for (const NodePointer& part : node.parts) collect(*part, starts);
  if (node.kind != Node::Kind::comparison) return;
  const bool is_left = node.left_is_variable && is_version(node.left);
  const bool is_right = node.right_is_variable && is_version(node.right);
  if (!is_left && !is_right) return;
  const bool is_short = (is_left ? node.left : node.right) == "python_version";
  for (const std::string& text : listed(is_left ? node.right : node.left)) {
    const PythonVersion version = release(text);
    starts.insert(version);
    starts.insert(next(version, is_short || text.ends_with(".*") ? 1 : 2));
    if (node.operation == "~=") starts.insert(next(version, length_of(text) > 2 ? 1 : 0));
  }
}

struct Evaluation {
  const PythonRanges& ranges;
  std::string_view platform;
  const std::set<std::string>& extras;

  PythonCondition of(const Node& node) const {
    PythonCondition result(ranges.starts.size(), node.kind == Node::Kind::all);
    if (node.kind == Node::Kind::comparison) return of_comparison(node);
    for (const NodePointer& part : node.parts) {
      const PythonCondition one = of(*part);
      for (std::size_t i = 0; i < result.size(); ++i) {
        result[i] = node.kind == Node::Kind::all ? result[i] && one[i] : result[i] || one[i];
      }
    }
    return result;
  }

  PythonCondition of_comparison(const Node& node) const {
    const bool is_left = node.left_is_variable;
    const std::string& variable = is_left ? node.left : node.right;
    const std::string& text = is_left ? node.right : node.left;
    if (!is_version(variable)) return PythonCondition(ranges.starts.size(), of_known(node, variable, text, is_left));
    const std::string_view operation = is_left ? std::string_view(node.operation) : mirrored(node.operation);
    PythonCondition result;
    for (PythonVersion version : ranges.starts) {
      if (variable == "python_version") version[2] = 0;
      result.push_back(compare_versions(version, operation, text));
    }
    return result;
  }

  bool of_known(const Node& node, const std::string& variable, const std::string& text, bool is_left) const {
    if (variable == "extra" || variable == "extras" || variable == "dependency_groups") {
      const bool is_asked = extras.contains(lower(text));
      return node.operation == "!=" || node.operation == "not in" ? !is_asked : is_asked;
    }
    const std::string value = value_of(variable, platform);
    return is_left ? compare_texts(value, node.operation, text) : compare_texts(text, node.operation, value);
  }
};

std::string shown(const PythonVersion& version) {
  return cat(version[0], ".", version[1], ".", version[2]);
}

}  // namespace

PythonMarker PythonMarker::parse(std::string_view text) {
  PythonMarker marker;
  if (!trim(text).empty()) marker.root_ = Parser(text).parse();
  return marker;
}

void PythonMarker::add_starts(std::set<PythonVersion>& starts) const {
  if (root_) collect(*root_, starts);
}

PythonCondition PythonMarker::holds(const PythonRanges& ranges, std::string_view platform,
                                    const std::set<std::string>& extras) const {
  if (!root_) return PythonCondition(ranges.starts.size(), true);
  return Evaluation{ranges, platform, extras}.of(*root_);
}

std::string marker_text(const PythonCondition& condition, const PythonRanges& ranges) {
  std::string text;
  for (std::size_t i = 0; i < condition.size(); ++i) {
    if (!condition[i] || (i > 0 && condition[i - 1])) continue;
    std::size_t end = i;
    while (end < condition.size() && condition[end]) ++end;
    if (i == 0 && end == condition.size()) return {};
    std::string range = i == 0 ? "" : cat("python_full_version >= \"", shown(ranges.starts[i]), "\"");
    if (end < condition.size()) {
      range += cat(range.empty() ? "" : " and ", "python_full_version < \"", shown(ranges.starts[end]), "\"");
    }
    text += cat(text.empty() ? "" : " or ", range);
  }
  return text;
}

PythonCondition both(const PythonCondition& one, const PythonCondition& other) {
  PythonCondition result = one;
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = result[i] && other[i];
  return result;
}

bool add_to(PythonCondition& all, const PythonCondition& more) {
  bool is_more = false;
  for (std::size_t i = 0; i < all.size(); ++i) {
    is_more = is_more || (more[i] && !all[i]);
    all[i] = all[i] || more[i];
  }
  return is_more;
}

bool never(const PythonCondition& condition) {
  return std::find(condition.begin(), condition.end(), true) == condition.end();
}

}  // namespace whittle::detectors
