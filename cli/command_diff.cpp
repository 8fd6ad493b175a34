// whittle diff: which files and layers of two images differ.
#include <set>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/image_source.hpp"
#include "layers/image_reader.hpp"

namespace whittle::cli {

namespace {

using Files = std::map<std::string, layers::ImageFile>;

struct Side {
  ResolvedImage found;
  oci::Image image;
  Files files;
  TemporaryFolder root;
};

Side open_side(const std::string& name, const DiffOptions& options, Session& session) {
  ResolvedImage found = resolve_image(name, session, options.allow_http);
  const oci::Platform platform = found.root.platform.value_or(oci::Platform::host());
  oci::Image image = oci::load_image(found.blobs, found.root, platform);
  Files files = layers::list_files(found.blobs, image);
  TemporaryFolder root = temporary_store(session);
  layers::unpack(found.blobs, image, root.path(), false, session.events(), session.stop());
  return {std::move(found), std::move(image), std::move(files), std::move(root)};
}

struct Difference {
  char kind = 0;  // '+' only in the second, '-' only in the first, '~' in both
  std::string path;
  std::int64_t growth = 0;
};

bool is_same(const Side& one, const Side& other, const std::string& path) {
  const ArchiveEntry &a = one.files.at(path).entry, &b = other.files.at(path).entry;
  if (a.kind != b.kind || a.mode != b.mode || a.uid != b.uid || a.gid != b.gid || a.size != b.size ||
      a.link != b.link) {
    return false;
  }
  if (a.kind != ArchiveEntry::Kind::file) return true;
  return digest_of_file(one.root.path() / path) == digest_of_file(other.root.path() / path);
}

std::vector<Difference> differences(const Side& one, const Side& other) {
  std::vector<Difference> found;
  std::set<std::string> paths;
  for (const Side* side : {&one, &other}) {
    for (const auto& [path, file] : side->files) paths.insert(path);
  }
  const auto size = [](const Side& side, const std::string& path) {
    return static_cast<std::int64_t>(side.files.at(path).entry.size);
  };
  for (const std::string& path : paths) {
    if (!one.files.contains(path)) {
      found.push_back({'+', path, size(other, path)});
    } else if (!other.files.contains(path)) {
      found.push_back({'-', path, -size(one, path)});
    } else if (!is_same(one, other, path)) {
      found.push_back({'~', path, size(other, path) - size(one, path)});
    }
  }
  return found;
}

// Layers of the second image that the first one lacks: what its users would fetch.
std::vector<oci::Descriptor> new_layers(const Side& one, const Side& other) {
  std::set<std::string> known;
  for (const oci::Layer& layer : one.image.layers) known.insert(layer.blob.digest.str());
  std::vector<oci::Descriptor> fresh;
  for (const oci::Layer& layer : other.image.layers) {
    if (!known.contains(layer.blob.digest.str())) fresh.push_back(layer.blob);
  }
  return fresh;
}

std::string signed_size(std::int64_t bytes) {
  const auto size = static_cast<std::uint64_t>(bytes < 0 ? -bytes : bytes);
  return cat(bytes < 0 ? "-" : "+", human_size(size));
}

}  // namespace

int diff(const DiffOptions& options, Session& session) {
  const Side one = open_side(options.first, options, session), other = open_side(options.second, options, session);
  const std::vector<Difference> changed = differences(one, other);
  const std::vector<oci::Descriptor> fetched = new_layers(one, other);
  std::uint64_t bytes = 0;
  for (const oci::Descriptor& layer : fetched) bytes += layer.size;
  if (options.json) {
    Json list = Json::array();
    for (const Difference& difference : changed) {
      const char* const change = difference.kind == '+' ? "added" : difference.kind == '-' ? "removed" : "changed";
      list.push_back({{"path", "/" + printable(difference.path)}, {"change", change}, {"growth", difference.growth}});
    }
    session.out() << pretty_json({{"schema", "whittle.diff/v1"},
                                  {"same", one.image.config.digest == other.image.config.digest},
                                  {"files", std::move(list)},
                                  {"newLayers", fetched.size()},
                                  {"newBytes", bytes}});
    return 0;
  }
  for (const Difference& difference : changed) {
    session.out() << difference.kind << " /" << printable(difference.path);
    if (difference.growth != 0) session.out() << "  " << signed_size(difference.growth);
    session.out() << "\n";
  }
  session.events().info(changed.empty() ? "the files are the same"
                                        : cat(changed.size(), " files differ; ", fetched.size(), " of ",
                                              other.image.layers.size(), " layers are new (", human_size(bytes), ")"));
  return 0;
}

}  // namespace whittle::cli
