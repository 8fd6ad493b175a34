// What a device is, and the folder that holds everything it knows (docs/design/gateway.md, "On the device").
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "bundle/trust.hpp"
#include "oci/platform.hpp"

namespace whittle::gateway {

struct Device {
  std::string name;        // in receipts
  std::string compatible;  // its hardware: "acme,gw2"; a bundle names those that it is for
  oci::Platform platform;
  std::string adapter = "layout";              // who gets the images
  std::map<std::string, std::string> options;  // of the adapter
  std::uint64_t retain = 2;                    // generations that are kept, the present one included
  std::uint64_t reserve = 16 << 20;            // bytes that stay free on every file system
  std::vector<std::string> health;             // run after the change; empty: every generation is healthy
  std::uint64_t health_seconds = 60;           // so long it may take
};

class StateFolder {
 public:
  // Throws Error(usage) when there is a device in `folder` already, or a value makes no sense.
  static StateFolder create(const fs::path& folder, const Device& device, const bundle::Trust& trust);
  // What `create` would give; nothing is written.
  static StateFolder preview(const fs::path& folder, const Device& device) { return {folder, device}; }
  // Throws Error(usage) when there is none, Error(export_failed) when it is damaged.
  static StateFolder open(const fs::path& folder);

  const Device& device() const { return device_; }
  bundle::Trust trust() const;  // the newest that this device believes
  void believe(const bundle::Trust& trust) const;

  fs::path store() const { return folder_ / "store"; }  // an OCI layout
  fs::path generations() const { return folder_ / "generations"; }
  fs::path journal() const { return folder_ / "journal.json"; }
  fs::path audit() const { return folder_ / "audit.jsonl"; }
  fs::path scratch() const { return folder_ / "scratch"; }  // temporary files; emptied at the end of an apply
  const fs::path& folder() const { return folder_; }

  // Of everything that changes the device. Throws Error(transient) when another process has it.
  FileLock lock() const;

 private:
  StateFolder(fs::path folder, Device device) : folder_(std::move(folder)), device_(std::move(device)) {}

  fs::path folder_;
  Device device_;
};

}  // namespace whittle::gateway
