// What a build made: where builder and layers meet.
#pragma once

#include <cstdint>
#include <string>

#include "base/digest.hpp"
#include "base/files.hpp"

namespace whittle::plan {

struct Artifact {
  fs::path file;          // on disk, never written to, readable until the build's result is let go; empty for a link
  std::string installed;  // absolute path in the image
  unsigned mode = 0755;
  std::string origin;       // what put it there: "step compile whoami", "whittle.toml files", for `whittle why`
  std::string reason = {};  // why it is in the image, where that says more: "needed by /bin/whoami"
  enum class Kind { program, runtime, dependency, asset, configuration } kind = Kind::program;
  std::string link = {};  // target of a symbolic link, relative
  Digest digest;
  std::uint64_t size = 0;
};

// What the programs were seen to need on scratch (proof), by reason: a reason is `file: what was found`.
struct RuntimeNeeds {
  std::string certificates;  // empty: not needed, else the reason
  std::string time_zones;
  std::string name_service;  // reads /etc/passwd, /etc/hosts, nsswitch.conf
};

}  // namespace whittle::plan
