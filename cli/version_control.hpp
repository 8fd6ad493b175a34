// What git knows about a tree, read from the repository itself: no process is started, and nothing that
// the repository's own configuration names is run.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/files.hpp"

namespace whittle::cli {

struct Commit {
  std::string revision;        // of HEAD, hexadecimal
  std::int64_t committed = 0;  // seconds since 1970
  std::string source;          // URL of `origin` without user information; may be empty
  std::string version;         // a tag that points at HEAD; may be empty
};

// The commit of the repository that holds `folder`; nothing outside a repository or before its first commit.
std::optional<Commit> read_commit(const fs::path& folder);

// The commit as `org.opencontainers.image.*` labels (image-spec, annotations.md).
std::map<std::string, std::string> labels_of(const Commit& commit);

}  // namespace whittle::cli
