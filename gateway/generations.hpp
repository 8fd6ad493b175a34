// What the device had, has, and is about to get: one file a generation, and one that says which is in use.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/files.hpp"
#include "bundle/root.hpp"

namespace whittle::gateway {

struct Generation {
  std::uint64_t number = 0;
  std::string set, profile;
  std::uint64_t epoch = 0;
  Digest root;          // of the root document that it came with
  std::string applied;  // RFC 3339, by the device's clock; told, never compared
  oci::Platform platform;
  std::vector<bundle::BundledImage> images;
  std::map<Digest, std::uint64_t> blobs;  // of all images, with their sizes

  static Generation from(const bundle::Root& root, const Digest& digest, std::uint64_t number);
  // The same for generations whose names mean the same images.
  Digest images_digest() const;
  const bundle::BundledImage* find(std::string_view reference) const;
};

// The images of the highest epoch that this device has taken: what an older bundle is measured by.
struct Floor {
  std::uint64_t epoch = 0;
  Digest images;
};

class Generations {
 public:
  explicit Generations(fs::path folder) : folder_(std::move(folder)) {}

  // What is in use; nothing before the first apply.
  std::optional<std::uint64_t> current() const;
  std::optional<Generation> current_generation() const;
  std::optional<Floor> floor() const;
  // Durable on return; one rename.
  void select(std::optional<std::uint64_t> number, const std::optional<Floor>& floor);

  std::vector<std::uint64_t> numbers() const;  // ascending
  bool has(std::uint64_t number) const;
  Generation read(std::uint64_t number) const;  // throws Error(export_failed) when it is not there or damaged
  void write(const Generation& generation);
  void remove(std::uint64_t number);

 private:
  fs::path file(std::uint64_t number) const;
  fs::path folder_;
};

}  // namespace whittle::gateway
