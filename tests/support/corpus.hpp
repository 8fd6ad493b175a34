// The cases of tests/corpus: a text file each, with the expectation first and the tree after it
// (tests/corpus/README.md).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"

namespace whittle::test {

struct CorpusCase {
  std::string name;
  std::multimap<std::string, std::string> expected;  // in the order of the keys; one key may stand several times
  std::vector<std::pair<std::string, std::string>> files, links;

  std::string get(const std::string& key) const {
    const auto found = expected.find(key);
    return found == expected.end() ? std::string() : found->second;
  }
  void write_below(const fs::path& root) const;
};

CorpusCase parse_case(std::string name, std::string_view text);
// Every case of the folder, by name.
std::vector<CorpusCase> read_corpus(const fs::path& folder);

}  // namespace whittle::test
