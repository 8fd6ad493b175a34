#include "base/text.hpp"
#include "layers/root_filesystem.hpp"

namespace whittle::layers {

namespace {

std::string_view name_of(Entry::Group group) {
  switch (group) {
    case Entry::Group::base:
      return "base";
    case Entry::Group::runtime:
      return "runtime";
    case Entry::Group::dependency:
      return "dependencies";
    case Entry::Group::asset:
      return "assets";
    case Entry::Group::program:
      return "program";
    case Entry::Group::configuration:
      return "configuration";
  }
  return "base";
}

// A folder that is there only because something lies below it: it goes where that goes.
bool is_implied(const Entry& entry) {
  return std::holds_alternative<Folder>(entry.node) && entry.origin.empty();
}

void add_with_parents(RootFilesystem& slice, const RootFilesystem& root, const std::string& path, const Entry& entry) {
  for (std::size_t slash = path.rfind('/'); slash != std::string::npos; slash = path.rfind('/', slash - 1)) {
    std::string parent = path.substr(0, slash);
    const auto found = root.find(parent);
    if (found == root.end() || !slice.emplace(std::move(parent), found->second).second) break;
  }
  slice.insert_or_assign(path, entry);
}

}  // namespace

std::vector<Slice> partition(const RootFilesystem& root) {
  // Programs get a slice each, and follow one another by path.
  std::map<std::pair<Entry::Group, std::string>, Slice> slices;
  for (const auto& [path, entry] : root) {
    if (is_implied(entry)) continue;
    const bool is_program = entry.group == Entry::Group::program && std::holds_alternative<File>(entry.node);
    Slice& slice = slices[{entry.group, is_program ? path : ""}];
    if (slice.name.empty()) {
      slice.name = name_of(entry.group);
      if (is_program) slice.name += cat(" ", path.substr(path.rfind('/') + 1));
    }
    add_with_parents(slice.entries, root, path, entry);
  }
  std::vector<Slice> ordered;
  for (auto& [key, slice] : slices) ordered.push_back(std::move(slice));
  return ordered;
}

}  // namespace whittle::layers
