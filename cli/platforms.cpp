#include "cli/platforms.hpp"

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/text.hpp"
#include "oci/layout.hpp"

namespace whittle::cli {

namespace {

constexpr std::array<std::string_view, 4> kPlatforms = {"linux/amd64", "linux/arm64", "linux/arm/v7", "linux/riscv64"};

Error unknown_platform(const std::string& wanted) {
  std::vector<std::string> known(kPlatforms.begin(), kPlatforms.end());
  Error error(Exit::usage, cat("whittle does not build for the platform ", backticked(wanted)));
  error.detail(cat("it builds for ", join(known, ", ")));
  if (const std::optional<std::string> meant = nearest(wanted, known)) {
    error.hint(cat("did you mean ", backticked(*meant), "?"));
  }
  return error;
}

std::string known_platform(const std::string& wanted) {
  const std::optional<oci::Platform> platform = oci::Platform::parse(wanted);
  if (!platform) throw unknown_platform(wanted);
  const std::string name = platform->str();
  const bool is_known = std::find(kPlatforms.begin(), kPlatforms.end(), name) != kPlatforms.end();
  if (!is_known && *platform != oci::Platform::host()) throw unknown_platform(wanted);
  return name;
}

// The names of the kernel's emulators, as qemu's packages register them.
std::string emulator_of(const oci::Platform& platform) {
  if (platform.architecture == "amd64") return "x86_64";
  if (platform.architecture == "arm64") return "aarch64";
  return platform.architecture;
}

}  // namespace

std::vector<std::string> platforms_of(const std::vector<std::string>& wanted) {
  std::vector<std::string> platforms;
  for (const std::string& one : wanted) {
    std::string name = known_platform(one);
    if (std::find(platforms.begin(), platforms.end(), name) == platforms.end()) platforms.push_back(std::move(name));
  }
  if (platforms.empty()) platforms.push_back(oci::Platform::host().str());
  return platforms;
}

oci::Descriptor put_root(std::span<const oci::Descriptor> images, oci::BlobStore& store) {
  if (images.size() == 1) return images.front();
  oci::Index index{.media_type = std::string(oci::media_type::kIndex), .manifests = {}, .annotations = {}};
  for (const oci::Descriptor& image : images) {
    if (!oci::media_type::is_index(image.media_type)) {
      index.manifests.push_back(image);
      continue;
    }
    const oci::Index inner = oci::Index::decode(store.read(image, oci::kMaximumManifest), "an index just written");
    index.manifests.insert(index.manifests.end(), inner.manifests.begin(), inner.manifests.end());
  }
  return store.put(index.encode(), oci::media_type::kIndex);
}

oci::Descriptor image_to_show(const oci::Descriptor& root, const oci::BlobStore& store) {
  if (!oci::media_type::is_index(root.media_type)) return root;
  const oci::Index index =
      oci::Index::decode(store.read(root, oci::kMaximumManifest), cat("the index ", root.digest.str()));
  const oci::Platform host = oci::Platform::host();
  const bool has_host = std::any_of(index.manifests.begin(), index.manifests.end(),
                                    [&](const oci::Descriptor& one) { return one.platform == host; });
  const bool has_one = !index.manifests.empty() && index.manifests.front().platform.has_value();
  return oci::load_image(store, root, has_host || !has_one ? host : *index.manifests.front().platform).manifest;
}

bool runs_here(const oci::Platform& platform) {
  const oci::Platform host = oci::Platform::host();
  if (platform.os == host.os && platform.architecture == host.architecture) return true;
  if (host.architecture == "amd64" && platform.architecture == "386") return true;
  const fs::path emulator = fs::path("/proc/sys/fs/binfmt_misc") / cat("qemu-", emulator_of(platform));
  const std::optional<std::string> entry = read_file_if_exists(emulator, 1 << 16);
  if (!entry || !entry->starts_with("enabled")) return false;
  for (const std::string& line : split_lines(*entry)) {
    if (line.starts_with("flags:") && line.find('F') != std::string::npos) return true;
  }
  return false;
}

}  // namespace whittle::cli
