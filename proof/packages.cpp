#include "proof/packages.hpp"

#include <set>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::proof {

namespace {

// Lists name files as the package has them: below /lib although that has become a link to /usr/lib.
std::vector<std::string> names_of(const fs::path& file) {
  std::vector<std::string> names = {file.native()};
  if (file.native().starts_with("/usr/")) names.push_back(file.native().substr(4));
  return names;
}

// "libssl3:amd64" of "libssl3:amd64.list", without the architecture.
std::string package_of(const fs::path& list) {
  const std::string stem = list.stem().native();
  return stem.substr(0, stem.find(':'));
}

std::map<std::string, std::string> versions_of(const std::set<std::string>& packages, const fs::path& status) {
  std::map<std::string, std::string> versions;
  const std::optional<std::string> text = read_file_if_exists(status);
  std::string package;
  for (const std::string& line : split_lines(text.value_or(""))) {
    if (line.starts_with("Package: ")) package = line.substr(9);
    if (line.starts_with("Version: ") && packages.contains(package)) versions[package] = line.substr(9);
  }
  return versions;
}

}  // namespace

std::map<std::string, std::string> packages_of(const std::vector<fs::path>& files, const fs::path& database) {
  std::map<std::string, fs::path> wanted;
  for (const fs::path& file : files) {
    for (const std::string& name : names_of(file)) wanted.emplace(name, file);
  }
  std::map<std::string, std::string> owners;
  std::set<std::string> packages;
  std::error_code problem;
  for (const fs::directory_entry& entry : fs::directory_iterator(database / "info", problem)) {
    if (entry.path().extension() != ".list" || wanted.empty()) continue;
    for (const std::string& line : split_lines(read_file_if_exists(entry.path()).value_or(""))) {
      const auto found = wanted.find(line);
      if (found == wanted.end()) continue;
      owners[found->second.native()] = package_of(entry.path());
      packages.insert(package_of(entry.path()));
    }
  }
  const std::map<std::string, std::string> versions = versions_of(packages, database / "status");
  for (auto& [file, package] : owners) {
    if (const auto version = versions.find(package); version != versions.end()) package += cat(" ", version->second);
  }
  return owners;
}

}  // namespace whittle::proof
