// A read-only view of a source tree. Every path is relative to the root, uses `/`, and stays inside:
// symbolic links that lead out are listed but neither read nor followed. Files named by an ignore
// file stay visible here; they are left out of the image and of the cache key elsewhere.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"

namespace whittle::plan {

enum class NodeKind { file, folder, link, other };

struct Node {
  std::string path;  // bytes as the file system has them: may be no UTF-8
  NodeKind kind = NodeKind::file;
};

class SourceTree {
 public:
  virtual ~SourceTree() = default;
  // Everything below the root, sorted by path bytes, without `.git`, `.hg`, `.svn` and `.whittle`.
  virtual const std::vector<Node>& nodes() const = 0;
  // The text of a regular file (or of a link that stays inside); throws Error when there is none,
  // when it leaves the tree, or when it is larger than `limit`.
  virtual std::string read(std::string_view path, std::uint64_t limit = 8 << 20) const = 0;
  // The first `count` bytes of a regular file, for magic numbers.
  virtual std::string read_prefix(std::string_view path, std::size_t count) const = 0;
  // A regular file with its owner's executable bit. Asks the file system.
  virtual bool is_executable(std::string_view path) const = 0;
  // The last component of the root's real path: what an application without another name is called.
  virtual std::string name() const = 0;

  bool has(std::string_view path) const;  // a file, or a link to one inside
  bool has_folder(std::string_view path) const;
  std::optional<std::string> read_if_exists(std::string_view path) const;
  std::vector<std::string> glob(std::string_view pattern) const;  // files only
  const Node* find(std::string_view path) const;
};

// Lists the folder at once; throws Error(usage) when it is missing, unreadable or no folder.
// More than a million nodes is an error.
class DiskTree : public SourceTree {
 public:
  explicit DiskTree(const fs::path& root);
  const std::vector<Node>& nodes() const override { return nodes_; }
  std::string read(std::string_view path, std::uint64_t limit) const override;
  std::string read_prefix(std::string_view path, std::size_t count) const override;
  bool is_executable(std::string_view path) const override;
  std::string name() const override { return name_; }
  const fs::path& root() const { return root_; }  // absolute and real

 private:
  fs::path root_;
  std::string name_;
  std::vector<Node> nodes_;
};

// For tests: path → content.
class MemoryTree : public SourceTree {
 public:
  explicit MemoryTree(std::map<std::string, std::string> files, std::string name = "app");
  const std::vector<Node>& nodes() const override { return nodes_; }
  std::string read(std::string_view path, std::uint64_t limit) const override;
  std::string read_prefix(std::string_view path, std::size_t count) const override;
  bool is_executable(std::string_view) const override { return false; }
  std::string name() const override { return name_; }

 private:
  std::map<std::string, std::string> files_;
  std::string name_;
  std::vector<Node> nodes_;
};

}  // namespace whittle::plan
