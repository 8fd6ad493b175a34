// The nouns of the OCI image specification 1.1 and their JSON codecs. Decoding treats the text as
// hostile: sizes are capped, digests parsed, counts limited; encoding is canonical JSON.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "oci/platform.hpp"

namespace whittle::oci {

namespace media_type {
inline constexpr std::string_view kIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kConfig = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kLayerTar = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view kLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr std::string_view kLayerZstd = "application/vnd.oci.image.layer.v1.tar+zstd";
inline constexpr std::string_view kDockerList = "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view kDockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kDockerConfig = "application/vnd.docker.container.image.v1+json";
inline constexpr std::string_view kDockerLayerGzip = "application/vnd.docker.image.rootfs.diff.tar.gzip";
bool is_index(std::string_view type);     // OCI index or Docker list
bool is_manifest(std::string_view type);  // OCI or Docker image manifest
}  // namespace media_type

// Of the manifest in an index that clients with zstd are to prefer to one with gzip layers.
inline constexpr std::string_view kZstdKey = "io.github.containers.compression.zstd";

inline constexpr std::uint64_t kMaximumManifest = 4 << 20;  // as distribution-spec asks of registries
inline constexpr std::uint64_t kMaximumConfig = 8 << 20;

// The digest of a layer's *uncompressed* tar stream: not interchangeable with a blob's digest.
struct DiffId {
  Digest digest;
  auto operator<=>(const DiffId&) const = default;
};

using Annotations = std::map<std::string, std::string>;

struct Descriptor {
  std::string media_type;
  Digest digest;
  std::uint64_t size = 0;
  std::optional<Platform> platform = {};
  Annotations annotations = {};
  std::string artifact_type = {};
  bool operator==(const Descriptor&) const = default;
};

struct Manifest {
  std::string media_type;
  Descriptor config;
  std::vector<Descriptor> layers;
  Annotations annotations;

  static Manifest decode(std::string_view json, std::string_view what);
  std::string encode() const;
};

struct Index {
  std::string media_type;
  std::vector<Descriptor> manifests;
  Annotations annotations;

  static Index decode(std::string_view json, std::string_view what);
  std::string encode() const;
};

struct History {
  std::string created_by, comment;
  bool empty_layer = false;
};

// The image configuration (image-spec, config.md).
struct Config {
  Platform platform;
  std::string created;  // RFC 3339
  std::vector<std::string> entrypoint, command;
  std::vector<std::string> env;  // "NAME=value"
  std::string user, working_directory, stop_signal;
  std::vector<std::string> exposed_ports;  // "8080/tcp"
  std::vector<std::string> volumes;
  Annotations labels;
  std::vector<DiffId> diff_ids;
  std::vector<History> history;

  static Config decode(std::string_view json, std::string_view what);
  std::string encode() const;
};

struct Layer {
  Descriptor blob;
  DiffId diff_id;
};

// One platform's image, all of whose blobs are in a BlobStore.
struct Image {
  Descriptor manifest;  // with platform
  Descriptor config;
  std::vector<Layer> layers;
};

// "2026-11-22T00:00:00Z" for seconds since 1970.
std::string rfc3339(std::int64_t seconds);

}  // namespace whittle::oci
