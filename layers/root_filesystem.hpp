// The root filesystem of an image: path → entry, modes and owners normalised, no conflicting path.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/digest.hpp"
#include "base/event.hpp"
#include "base/files.hpp"
#include "plan/artifact.hpp"
#include "plan/build_plan.hpp"

namespace whittle::layers {

struct Folder {};
struct Link {
  std::string target;
};
// What stat said of a file on disk: tells that it changed, and stands for its digest where computing one
// would mean to read it twice.
struct FileStamp {
  std::uint64_t device = 0, inode = 0;
  std::int64_t modified = 0, changed = 0;  // nanoseconds since 1970
  bool operator==(const FileStamp&) const = default;
};
// Content comes from a file on disk, or is `text` when `content` is empty.
struct File {
  std::string content = {};  // its path: no symbolic link, and no fs::path, which takes 600 bytes more
  std::string text = {};
  std::uint64_t size = 0;
  std::optional<Digest> digest = {};  // not computed for files of a mapped folder; the layer writer reads them once
  FileStamp stamp = {};               // of `content`
};

struct Entry {
  std::variant<Folder, Link, File> node;
  unsigned mode = 0755;
  std::uint64_t uid = 0, gid = 0;
  // Stable first: layers follow this order. `data` is what partition() makes of some assets.
  enum class Group { base, runtime, dependency, data, asset, derived, program, configuration } group = Group::base;
  std::string origin;  // what put it there, for `whittle why`
  std::string reason;  // evidence, for base facts
};

// Keys are relative paths without a leading or trailing `/`, sorted bytewise; parents are present.
using RootFilesystem = std::map<std::string, Entry>;

// Where the host's base facts come from; tests give their own.
struct BaseFacts {
  fs::path certificates = "/etc/ssl/certs/ca-certificates.crt";
  fs::path time_zones = "/usr/share/zoneinfo";
  fs::path services = "/etc/services", protocols = "/etc/protocols";
  std::vector<fs::path> terminals = {"/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo"};

  // Whether the host has what the supply is made of.
  bool has(const plan::Supply& supply) const;
};

// Programs, files and base facts: passwd and group (root, nonroot and the numeric user of the plan) and `/tmp`
// always, CA roots and zoneinfo on evidence, and the plan's supplies (docs/design/layers.md). What the project brings
// itself under the path of a base fact takes its place. Throws Error(usage) for two origins of one path (names both), a
// file where a folder is needed, or a path that leaves the root.
RootFilesystem compose(const plan::BuildPlan& plan, std::span<const plan::Artifact> artifacts,
                       const plan::RuntimeNeeds& needs, const fs::path& source, const BaseFacts& facts,
                       EventSink& events);

// The content of all files, in bytes; equal files count as often as they are there.
std::uint64_t content_size(const RootFilesystem& root);

// One slice a layer, in layer order. Every entry is in exactly one slice, except that parent folders are
// repeated where an entry below them needs them; merging the slices gives the root filesystem again.
// base facts → runtime → dependencies → data (models, and assets that are large and no code) → assets → their other
// forms → one per program → configuration; empty slices are left out. A group with more content than one slice should
// hold has several, of kSliceMinimum to three times as much.
inline constexpr std::uint64_t kSliceMinimum = 16 << 20;
struct Slice {
  std::string name;  // "base", "program whoami", "assets from PATH", for history and annotations
  RootFilesystem entries;
};
std::vector<Slice> partition(RootFilesystem root);

}  // namespace whittle::layers
