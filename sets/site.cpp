#include "sets/site.hpp"

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "oci/reference.hpp"

namespace whittle::sets {

namespace {

constexpr std::uint64_t kMiB = 1 << 20, kLeastMemory = 4 * kMiB;

bool is_dns_label(std::string_view text) {
  const auto is_inner = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !text.empty() && text.size() <= 63 && std::all_of(text.begin(), text.end(), is_inner) && text.front() != '-' &&
         text.back() != '-';
}

bool is_port(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto number = parse_number(text.substr(0, slash));
  const std::string_view protocol = slash == std::string_view::npos ? "tcp" : text.substr(slash + 1);
  return number && *number > 0 && *number < 65'536 && (protocol == "tcp" || protocol == "udp" || protocol == "sctp");
}

// Texts that become lines of files.
bool is_one_line(std::string_view text) {
  return is_utf8(text) && std::none_of(text.begin(), text.end(),
                                       [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool is_variable(std::string_view name) {
  const auto is_inner = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && std::all_of(name.begin(), name.end(), is_inner) &&
         !(name.front() >= '0' && name.front() <= '9');
}

void check_image(const SiteImage& image) {
  const auto refuse = [&](const std::string& what, const std::string& why) {
    throw Error(Exit::usage, cat("the image ", backticked(image.name), " has ", what, " that ", why));
  };
  if (!is_dns_label(image.name)) {
    throw Error(Exit::usage, cat("an image of a site cannot be called ", backticked(image.name)))
        .hint("small letters, digits and `-`, as Kubernetes wants it");
  }
  oci::Reference::parse(image.reference);
  for (const std::string& port : image.ports) {
    if (!is_port(port)) refuse(cat("a port ", backticked(port)), "is none");
  }
  for (const std::string& volume : image.volumes) {
    // Commas and colons have meanings of their own where mounts are written.
    const bool is_path =
        volume.starts_with('/') && is_one_line(volume) && volume.find_first_of(",:\"\\ %$") == std::string::npos;
    if (!is_path) refuse(cat("a volume ", backticked(volume)), "no unit can name");
  }
  for (const auto& [name, value] : image.environment) {
    if (!is_variable(name) || !is_one_line(value)) refuse(cat("a variable ", backticked(name)), "no unit can hold");
  }
  if (!is_one_line(image.user) || image.user.find_first_of(" \"'\\%$") != std::string::npos) {
    refuse(cat("a user ", backticked(image.user)), "no unit can name");
  }
}

}  // namespace

SiteImage SiteImage::of(std::string name, std::string reference, const Digest& digest, const oci::Config& config) {
  return {.name = std::move(name),
          .reference = std::move(reference),
          .digest = digest,
          .ports = config.exposed_ports,
          .volumes = config.volumes,
          .user = config.user,
          .stop_signal = config.stop_signal,
          .environment = {},
          .measured = {},
          .is_critical = false};
}

std::string SiteImage::pinned() const {
  return cat(oci::Reference::parse(reference).name(), "@", digest.str());
}

void Site::check() const {
  if (!is_dns_label(name)) {
    throw Error(Exit::usage, cat("a site cannot be called ", backticked(name)))
        .hint("small letters, digits and `-`, as Kubernetes wants it");
  }
  std::set<std::string> names;
  for (const SiteImage& image : images) {
    check_image(image);
    if (!names.insert(image.name).second) {
      throw Error(Exit::usage, cat("two images of the site are called ", backticked(image.name)));
    }
  }
}

std::uint64_t memory_limit(const Measured& measured) {
  if (measured.memory == 0) return 0;
  const std::uint64_t wanted = measured.memory + measured.memory / 2;
  return std::max(kLeastMemory, (wanted + kMiB - 1) / kMiB * kMiB);
}

std::uint64_t cpu_limit(const Measured& measured) {
  if (measured.milli_cores == 0) return 0;
  return (measured.milli_cores + measured.milli_cores / 2 + 9) / 10 * 10;
}

}  // namespace whittle::sets
