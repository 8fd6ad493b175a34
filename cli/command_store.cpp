// whittle images, inspect, validate: what is in the store and in an image.
#include <iomanip>
#include <set>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/image_source.hpp"
#include "cli/platforms.hpp"
#include "layers/chunked_check.hpp"
#include "layers/image_reader.hpp"
#include "layers/layer_writer.hpp"
#include "oci/validate.hpp"

namespace whittle::cli {

namespace {

struct Listed {
  std::string name;
  oci::Descriptor root;
  std::uint64_t compressed = 0;
  std::string damage;  // why it cannot be read; empty: whole
};

std::vector<Listed> list(const oci::Layout& store) {
  std::vector<Listed> listed;
  for (const oci::Layout::Entry& entry : store.entries()) {
    Listed one{.name = entry.name, .root = entry.descriptor};
    try {
      for (const oci::Descriptor& blob : oci::closure(store.blobs(), entry.descriptor)) one.compressed += blob.size;
    } catch (const Error& error) {
      one.damage = error.message();
    }
    listed.push_back(std::move(one));
  }
  return listed;
}

Json json_of(const oci::Descriptor& blob) {
  return {{"mediaType", blob.media_type}, {"digest", blob.digest.str()}, {"size", blob.size}};
}

struct Inspected {
  ResolvedImage found;
  oci::Image image;
  oci::Config config;
};

Inspected open_image(const ImageOptions& options, Session& session) {
  ResolvedImage found = resolve_image(options.image, session, options.allow_http);
  const oci::Image image = oci::load_image(found.blobs, image_to_show(found.root, found.blobs), oci::Platform::host());
  const std::string config = found.blobs.read(image.config, oci::kMaximumConfig);
  return {std::move(found), image, oci::Config::decode(config, cat("the configuration of ", options.image))};
}

std::string layer_title(const oci::Config& config, std::size_t index) {
  std::size_t layer = 0;
  for (const oci::History& history : config.history) {
    if (history.empty_layer) continue;
    if (layer++ == index) return history.created_by;
  }
  return "";
}

void print_image(const Inspected& inspected, std::ostream& out) {
  const oci::Config& config = inspected.config;
  out << "digest      " << inspected.image.manifest.digest.str() << "\nplatform    " << config.platform.str()
      << "\ncreated     " << printable(config.created) << "\nentrypoint  " << shell_line(config.entrypoint)
      << "\nuser        " << printable(config.user) << "\n";
  for (const std::string& variable : config.env) out << "env         " << printable(variable) << "\n";
  for (const auto& [name, value] : config.labels)
    out << "label       " << printable(name) << "=" << printable(value) << "\n";
  out << "layers\n";
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < inspected.image.layers.size(); ++i) {
    const oci::Descriptor& blob = inspected.image.layers[i].blob;
    total += blob.size;
    out << "  " << blob.digest.str() << "  " << std::setw(8) << human_size(blob.size) << "  "
        << printable(layer_title(config, i)) << "\n";
  }
  out << "compressed  " << human_size(total) << "\n";
}

void print_files(const Inspected& inspected, std::ostream& out) {
  for (const auto& [path, file] : layers::list_files(inspected.found.blobs, inspected.image)) {
    out << std::oct << std::setw(5) << std::setfill('0') << file.entry.mode << std::dec << std::setfill(' ') << " "
        << file.entry.uid << ":" << file.entry.gid << " " << std::setw(10) << file.entry.size << "  layer "
        << file.layer << "  /" << printable(path);
    if (!file.entry.link.empty()) out << " -> " << printable(file.entry.link);
    out << "\n";
  }
}

Json json_of(const Inspected& inspected, bool with_files) {
  Json layers = Json::array();
  for (const oci::Layer& layer : inspected.image.layers) {
    Json one = json_of(layer.blob);
    one["diffId"] = layer.diff_id.digest.str();
    one["createdBy"] = layer_title(inspected.config, layers.size());
    layers.push_back(std::move(one));
  }
  const std::string config = inspected.found.blobs.read(inspected.image.config, oci::kMaximumConfig);
  Json json = {{"schema", "whittle.inspect/v1"},
               {"name", printable(inspected.found.name)},
               {"digest", inspected.image.manifest.digest.str()},
               {"platform", inspected.config.platform.str()},
               {"manifest", json_of(inspected.image.manifest)},
               {"config", parse_json(config, "the configuration")},
               {"layers", layers}};
  if (with_files) {
    json["files"] = Json::array();
    for (const auto& [path, file] : layers::list_files(inspected.found.blobs, inspected.image)) {
      json["files"].push_back({{"path", "/" + printable(path)},
                               {"mode", file.entry.mode},
                               {"size", file.entry.size},
                               {"layer", file.layer},
                               {"link", printable(file.entry.link)}});
    }
  }
  return json;
}

struct Root {
  std::string name;
  oci::Descriptor descriptor;
};

int report_problems(const std::vector<oci::Problem>& problems, std::size_t images, bool json, const std::string& what,
                    Session& session) {
  if (json) {
    Json list = Json::array();
    for (const oci::Problem& problem : problems)
      list.push_back({{"object", problem.object}, {"problem", problem.text}});
    session.out() << pretty_json({{"schema", "whittle.validate/v1"}, {"images", images}, {"problems", list}});
  }
  if (problems.empty()) {
    if (!json) session.out() << what << ": " << images << (images == 1 ? " image is" : " images are") << " valid\n";
    return 0;
  }
  Error error(Exit::export_failed, cat(what, " is damaged"));
  for (const oci::Problem& problem : problems) error.detail(cat(problem.object, ": ", problem.text));
  throw error.hint("build or pull the image again: a damaged blob is replaced");
}

}  // namespace

int images(bool json, Session& session) {
  const oci::Layout store = session.open_store();
  Json list_json = Json::array();
  for (const Listed& one : list(store)) {
    if (json) {
      Json entry = json_of(one.root);
      entry["name"] = printable(one.name);
      entry["compressed"] = one.compressed;
      if (!one.damage.empty()) entry["damage"] = printable(one.damage);
      list_json.push_back(std::move(entry));
      continue;
    }
    session.out() << printable(one.name) << "  " << one.root.digest.str() << "  "
                  << (one.damage.empty() ? human_size(one.compressed) : cat("damaged: ", one.damage)) << "\n";
  }
  if (json) session.out() << pretty_json({{"schema", "whittle.images/v1"}, {"images", list_json}});
  return 0;
}

int inspect(const ImageOptions& options, Session& session) {
  const Inspected inspected = open_image(options, session);
  if (options.json) {
    session.out() << pretty_json(json_of(inspected, options.files));
  } else {
    print_image(inspected, session.out());
    if (options.files) print_files(inspected, session.out());
  }
  return 0;
}

int validate(const ImageOptions& options, Session& session) {
  const auto problems_of = [](const oci::BlobStore& blobs, const oci::Descriptor& root) {
    const std::vector<oci::Problem> problems = oci::validate(blobs, root, layers::diff_id_of);
    return problems.empty() ? layers::check_chunked_layers(blobs, root) : problems;
  };
  if (!options.image.empty()) {
    const ResolvedImage found = resolve_image(options.image, session, options.allow_http);
    return report_problems(problems_of(found.blobs, found.root), 1, options.json,
                           cat("the image ", backticked(options.image)), session);
  }
  const oci::Layout store = session.open_store();
  std::vector<oci::Problem> problems;
  std::set<Digest> seen;
  const std::vector<oci::Layout::Entry> entries = store.entries();
  for (const oci::Layout::Entry& entry : entries) {
    if (!seen.insert(entry.descriptor.digest).second) continue;
    for (oci::Problem& problem : problems_of(store.blobs(), entry.descriptor)) {
      problem.object = cat(printable(entry.name), ": ", problem.object);
      problems.push_back(std::move(problem));
    }
  }
  return report_problems(problems, entries.size(), options.json, cat("the store ", backticked(store.root().native())),
                         session);
}

}  // namespace whittle::cli
