// whittle why: which layer holds a file of an image, what put it there, and which value and evidence decided.
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/image_source.hpp"
#include "cli/origins.hpp"
#include "layers/assembler.hpp"
#include "layers/image_reader.hpp"

namespace whittle::cli {

namespace {

std::string without_slashes(std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  return std::string(path);
}

Error no_such_file(const WhyOptions& options, const std::map<std::string, layers::ImageFile>& files) {
  Error error(Exit::usage, cat("the image ", backticked(options.image), " has no ", backticked(options.path)));
  std::vector<std::string> paths;
  for (const auto& [path, file] : files) paths.push_back("/" + path);
  if (const std::optional<std::string> meant = nearest(options.path, paths))
    error.hint(cat("did you mean ", backticked(*meant), "?"));
  error.hint(cat("`whittle inspect --files ", printable(options.image), "` lists what is there"));
  return error;
}

}  // namespace

int why(const WhyOptions& options, Session& session) {
  const ResolvedImage found = resolve_image(options.image, session, options.allow_http);
  const oci::Platform platform = found.root.platform.value_or(oci::Platform::host());
  const oci::Image image = oci::load_image(found.blobs, found.root, platform);
  const std::map<std::string, layers::ImageFile> files = layers::list_files(found.blobs, image);
  const std::string path = without_slashes(options.path);
  const auto file = files.find(path);
  if (file == files.end()) throw no_such_file(options, files);

  const std::size_t number = file->second.layer;
  const oci::Descriptor& blob = image.layers.at(number).blob;
  const std::optional<Origin> origin = Origins(session.cache_folder() / "origins").find(image.config.digest, path);
  const bool is_folder = file->second.entry.kind == ArchiveEntry::Kind::folder;
  const std::string from = origin ? origin->origin : is_folder ? "what lies below it" : "";
  if (options.json) {
    session.out() << pretty_json({{"schema", "whittle.why/v1"},
                                  {"path", "/" + printable(path)},
                                  {"layer", number},
                                  {"digest", blob.digest.str()},
                                  {"slice", printable(layers::slice_name(blob))},
                                  {"origin", from},
                                  {"reason", origin ? origin->reason : ""},
                                  {"value", origin ? origin->value : ""},
                                  {"sandbox", origin ? origin->sandbox : ""}});
    return 0;
  }
  std::ostream& out = session.out();
  out << "/" << printable(path) << "\n  layer   " << number << " " << blob.digest.str();
  if (!layers::slice_name(blob).empty()) out << " (" << printable(layers::slice_name(blob)) << ")";
  out << "\n";
  if (!from.empty()) out << "  from    " << printable(from) << "\n";
  if (origin && !origin->reason.empty()) out << "  reason  " << printable(origin->reason) << "\n";
  if (origin && !origin->sandbox.empty()) out << "  sandbox " << origin->sandbox << "\n";
  if (origin && !origin->value.empty()) out << "  value   " << printable(origin->value) << "\n";
  if (from.empty()) session.events().info("the image was not built here: what put the file there is not known");
  return 0;
}

}  // namespace whittle::cli
