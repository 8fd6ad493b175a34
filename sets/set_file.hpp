// `imageset.toml`: what a site wants on its devices. Every value that is wrong is named with its line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "oci/platform.hpp"

namespace whittle::sets {

// 0: no limit.
struct Budget {
  std::uint64_t compressed = 0, installed = 0;
};

// The registry that the devices of a site know, if any: where names begin, and how it is kept up to date.
struct RegistrySettings {
  enum class SyncPolicy {
    full,         // everything, once: a new node
    on_demand,    // what is asked for: low bandwidth
    incremental,  // what changed, periodically
  };
  std::string address;     // "harbor.example.org", with port; empty: there is none
  std::string name_space;  // "edge-services"; may be empty
  SyncPolicy sync_policy = SyncPolicy::incremental;
  bool tls_verify = true;
};

// A kind of device.
struct Profile {
  std::string name;
  oci::Platform platform;
  std::vector<std::string> compatible;  // hardware that may apply its bundles; none: any
  std::uint64_t volume_size = 0;        // of bundles; 0: one file
  Budget budget;                        // of all its images, every blob counted once
};

struct SetImage {
  std::string name;
  std::string build;                  // a source tree, relative to the file; or
  std::string from;                   // an image, as every command takes it
  std::string reference;              // what devices call it, with its tag
  bool is_critical = false;           // first in the bundle, first in use
  std::vector<std::string> profiles;  // none: all of them
  Budget budget;
  std::string place;  // "imageset.toml:7"

  bool is_for(const Profile& profile) const;
};

struct ImageSet {
  std::string name;
  std::uint64_t epoch = 0;  // grows with every bundle that devices are to accept
  RegistrySettings registry;
  std::vector<Profile> profiles;  // at least one; of this machine's platform when the file names none
  std::vector<SetImage> images;

  // Throws Error(usage) for an unknown one, with the names that there are; an empty name is the only one.
  const Profile& profile(std::string_view name) const;
};

// `what` names the file in errors. Throws Error(usage).
ImageSet read_set(std::string_view toml, std::string_view what);

}  // namespace whittle::sets
