#include "detectors/requirements_file.hpp"

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/text.hpp"
#include "detectors/places.hpp"

namespace whittle::detectors {

namespace {

constexpr std::size_t kMostFiles = 100, kMostLines = 20'000;
constexpr std::array<std::string_view, 7> kIndexOptions = {
    "--index-url", "-i", "--extra-index-url", "--pre", "--prefer-binary", "--trusted-host", "--no-index"};

struct Line {
  std::string text;
  int number = 0;  // where it begins
};

// Lines that end in `\` go on; a comment begins at the line's start or after a blank.
std::vector<Line> lines_of(std::string_view text) {
  std::vector<Line> lines;
  std::string open;
  int number = 0, start = 0;
  for (const std::string& raw : split_lines(text)) {
    ++number;
    if (open.empty()) start = number;
    std::string line = raw;
    std::size_t comment = line.starts_with('#') ? 0 : line.find(" #");
    if (comment == std::string::npos) comment = line.find("\t#");
    if (comment != std::string::npos) line.erase(comment);
    const std::string_view plain = trim(line);
    if (plain.ends_with('\\')) {
      open += cat(plain.substr(0, plain.size() - 1), " ");
      continue;
    }
    open += plain;
    if (!trim(open).empty()) lines.push_back({std::string(trim(open)), start});
    open.clear();
  }
  if (!trim(open).empty()) lines.push_back({std::string(trim(open)), start});
  return lines;
}

// `-r base.txt`, `-rbase.txt`, `--requirement=base.txt`.
std::optional<std::string> value_of_option(std::string_view line, std::string_view brief, std::string_view name) {
  for (const std::string_view option : {name, brief}) {
    if (option.empty() || !line.starts_with(option)) continue;
    std::string_view rest = line.substr(option.size());
    if (option == name && !rest.empty() && rest.front() != ' ' && rest.front() != '=') continue;
    if (rest.starts_with('=')) rest.remove_prefix(1);
    std::string value(trim(rest));
    if (value.size() > 1 && (value.front() == '"' || value.front() == '\'')) value = value.substr(1, value.size() - 2);
    return value;
  }
  return std::nullopt;
}

bool is_local(std::string_view text) {
  return text.starts_with("./") || text.starts_with("../") || text == "." || text.starts_with(".[") ||
         text.starts_with("file:.");
}

class Reader {
 public:
  explicit Reader(const plan::SourceTree& tree) : tree_(tree) {}

  void read(const std::string& path, const std::string& from, bool is_constraint) {
    const auto circle = std::find(open_.begin(), open_.end(), path);
    if (circle != open_.end()) {
      std::vector<std::string> round(circle, open_.end());
      round.push_back(path);
      throw failure(from.substr(0, from.find(':')), line_in(from),
                    cat("these files include each other: ", join(round, " → ")));
    }
    if (std::find(file_.files.begin(), file_.files.end(), path) != file_.files.end()) return;
    const std::optional<std::string> text = tree_.read_if_exists(path);
    if (!text || file_.files.size() > kMostFiles) {
      throw failure(from.substr(0, from.find(':')), line_in(from), cat(backticked(path), " is not in the tree"));
    }
    file_.files.push_back(path);
    open_.push_back(path);
    for (const Line& line : lines_of(*text)) take(line, path, is_constraint);
    open_.pop_back();
  }

  RequirementsFile done() { return std::move(file_); }

 private:
  static int line_in(const std::string& place) {
    const std::size_t colon = place.rfind(':');
    return colon == std::string::npos ? 0 : static_cast<int>(parse_number(place.substr(colon + 1)).value_or(0));
  }

  void take(const Line& line, const std::string& path, bool is_constraint) {
    const std::string place = cat(path, ":", line.number);
    if (file_.lines.size() + file_.constraints.size() > kMostLines)
      throw failure(path, line.number, "there are too many lines");
    if (const auto other = value_of_option(line.text, "-r", "--requirement")) {
      return read(joined(folder_of(path), *other), place, is_constraint);
    }
    if (const auto other = value_of_option(line.text, "-c", "--constraint")) {
      return read(joined(folder_of(path), *other), place, true);
    }
    if (const auto editable = value_of_option(line.text, "-e", "--editable")) return take_source(*editable, path, line);
    if (is_local(line.text)) return take_source(line.text, path, line);
    if (line.text.starts_with('-')) return take_option(line, path);
    take_requirement(line, path, place, is_constraint);
  }

  void take_source(std::string text, const std::string& path, const Line& line) {
    if (text.starts_with("file:")) text.erase(0, 5);
    if (!is_local(text) && !tree_.has_folder(joined(".", text))) throw no_wheel(text, path, line);
    file_.folders.push_back(joined(".", text.substr(0, text.find('['))));
  }

  void take_option(const Line& line, const std::string& path) {
    if (const auto wheels = value_of_option(line.text, "-f", "--find-links")) {
      const bool is_folder = wheels->find("://") == std::string::npos;
      file_.options.insert(file_.options.end(),
                           {"--find-links", is_folder ? cat("${source}/", joined(".", *wheels)) : *wheels});
      return;
    }
    for (const std::string_view option : kIndexOptions) {
      if (!line.text.starts_with(option)) continue;
      const std::optional<std::string> value = value_of_option(line.text, "", option);
      file_.options.emplace_back(option);
      if (value && !value->empty()) file_.options.push_back(*value);
      return;
    }
    const std::string_view option = std::string_view(line.text).substr(0, line.text.find_first_of(" ="));
    for (const std::string_view known : {"--no-binary", "--only-binary", "--require-hashes", "--use-feature"}) {
      if (option == known) return;
    }
    throw failure(path, line.number, cat("pip has no option ", backticked(option), " in a requirements file"));
  }

  static Error no_wheel(std::string_view text, const std::string& path, const Line& line) {
    return failure(path, line.number,
                   cat(backticked(text), " would have to be built, and whittle takes wheels alone; ",
                       "name a release that has one, or put its source into the tree"));
  }

  void take_requirement(const Line& line, const std::string& path, const std::string& place, bool is_constraint) {
    const std::size_t options = line.text.find(" --");
    const std::string text = line.text.substr(0, options);
    if (text.starts_with("git+") || text.find("://") < text.find('@')) {
      if (!text.ends_with(".whl")) throw no_wheel(text, path, line);
    }
    RequirementLine found{.requirement = {}, .digests = {}, .place = place};
    try {
      found.requirement = parse_python_requirement(text);
    } catch (const Error& error) {
      throw failure(path, line.number, error.causes().back());
    }
    const std::string& url = found.requirement.url;
    if (!url.empty() && url.substr(0, url.find('#')).find(".whl") == std::string::npos)
      throw no_wheel(text, path, line);
    for (const std::string& word : split(options == std::string::npos ? "" : line.text.substr(options), ' ')) {
      if (word.starts_with("--hash=")) found.digests.push_back(word.substr(7));
    }
    if (is_constraint) {
      file_.constraints.push_back(text_of(found.requirement));
    } else {
      file_.lines.push_back(std::move(found));
    }
  }

  const plan::SourceTree& tree_;
  RequirementsFile file_;
  std::vector<std::string> open_;
};

}  // namespace

RequirementsFile read_requirements(const plan::SourceTree& tree, const std::string& path) {
  Reader reader(tree);
  reader.read(path, path, false);
  return reader.done();
}

}  // namespace whittle::detectors
