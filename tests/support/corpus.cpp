#include "tests/support/corpus.hpp"

#include <algorithm>
#include <stdexcept>

#include "base/text.hpp"

namespace whittle::test {

namespace {

// "-- PATH --"; empty for any other line.
std::string_view section_of(std::string_view line) {
  if (!line.starts_with("-- ") || !line.ends_with(" --") || line.size() < 7) return {};
  return line.substr(3, line.size() - 6);
}

void begin_section(CorpusCase& one, std::string_view section) {
  const std::size_t arrow = section.find(" -> ");
  if (arrow == std::string_view::npos) {
    one.files.emplace_back(section, "");
  } else {
    one.links.emplace_back(section.substr(0, arrow), section.substr(arrow + 4));
  }
}

void add_expectation(CorpusCase& one, std::string_view line) {
  if (trim(line).empty() || line.starts_with('#')) return;
  const std::size_t colon = line.find(": ");
  if (colon == std::string_view::npos) throw std::runtime_error(cat(one.name, ": not `key: value`: ", line));
  one.expected.emplace(line.substr(0, colon), trim(line.substr(colon + 2)));
}

}  // namespace

void CorpusCase::write_below(const fs::path& root) const {
  for (const auto& [path, text] : files) {
    make_folders((root / path).parent_path());
    write_file(root / path, text);
  }
  for (const auto& [path, target] : links) {
    make_folders((root / path).parent_path());
    fs::create_symlink(target, root / path);
  }
}

CorpusCase parse_case(std::string name, std::string_view text) {
  CorpusCase one{.name = std::move(name), .expected = {}, .files = {}, .links = {}};
  bool in_file = false;
  for (const std::string& line : split_lines(text)) {
    if (const std::string_view section = section_of(line); !section.empty()) {
      begin_section(one, section);
      in_file = true;
    } else if (in_file) {
      if (one.files.empty()) continue;  // a line after a link
      one.files.back().second += line + "\n";
    } else {
      add_expectation(one, line);
    }
  }
  return one;
}

std::vector<CorpusCase> read_corpus(const fs::path& folder) {
  std::vector<CorpusCase> cases;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".txt") continue;
    cases.push_back(parse_case(entry.path().stem().native(), read_file(entry.path())));
  }
  std::sort(cases.begin(), cases.end(), [](const CorpusCase& a, const CorpusCase& b) { return a.name < b.name; });
  return cases;
}

}  // namespace whittle::test
