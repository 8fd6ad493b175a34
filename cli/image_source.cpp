#include "cli/image_source.hpp"

#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "registry/image_sink.hpp"

namespace whittle::cli {

TemporaryFolder temporary_store(Session& session) {
  const fs::path parent = session.cache_folder() / "images";
  make_folders(parent);
  return TemporaryFolder(parent);
}

namespace {

// `oci:DIR[:NAME]`. The longest folder that exists wins, since both parts may hold colons.
LayoutName parse_layout_name(std::string_view text) {
  std::string folder(text);
  std::string name;
  while (!fs::is_directory(folder)) {
    const std::size_t colon = folder.rfind(':');
    if (colon == std::string::npos || colon == 0) {
      throw Error(Exit::input_unavailable, cat("there is no OCI layout at ", backticked(text)));
    }
    name = std::string(text.substr(colon + 1));
    folder.resize(colon);
  }
  return {folder, name};
}

ResolvedImage open_layout(const LayoutName& where, Session& session) {
  oci::Layout layout(where.folder, oci::Layout::Open::existing, session.events());
  const std::vector<oci::Layout::Entry> entries = layout.entries();
  if (!where.name.empty()) {
    if (const auto found = layout.find(where.name)) {
      return {oci::BlobStore(layout.root()), *found, where.name, std::nullopt};
    }
  } else if (entries.size() == 1) {
    return {oci::BlobStore(layout.root()), entries[0].descriptor, entries[0].name, std::nullopt};
  }
  Error error(Exit::input_unavailable,
              where.name.empty()
                  ? cat("the layout ", backticked(where.folder.native()), " holds ", entries.size(), " images")
                  : cat("the layout ", backticked(where.folder.native()), " has no image ", backticked(where.name)));
  for (const oci::Layout::Entry& entry : entries) {
    error.detail(cat("it has: ", entry.name.empty() ? entry.descriptor.digest.str() : printable(entry.name)));
  }
  throw error.hint("name one, as in `oci:DIR:NAME`");
}

ResolvedImage open_archive(const ArchiveName& where, Session& session) {
  TemporaryFolder folder = temporary_store(session);
  oci::BlobStore blobs(folder.path());
  registry::ArchivedImage archived = registry::read_archive(where.file, blobs, session.events());
  const std::string name = archived.name.empty() ? where.file.filename().native() : archived.name;
  return {std::move(blobs), archived.root, name, std::move(folder)};
}

ResolvedImage pull_image(const oci::Reference& reference, Session& session, bool allow_http) {
  TemporaryFolder folder = temporary_store(session);
  oci::BlobStore blobs(folder.path());
  const oci::Descriptor root =
      registry::pull(reference, {.platform = oci::Platform::host(), .all_platforms = false}, blobs, session.transport(),
                     session.client_options(allow_http), session.transfers(), session.events(), session.stop());
  return {std::move(blobs), root, reference.str(), std::move(folder)};
}

Error unknown_image(std::string_view text, const oci::Layout& store) {
  Error error(Exit::input_unavailable, cat("there is no image ", backticked(text), " in the store"));
  std::vector<std::string> names;
  for (const oci::Layout::Entry& entry : store.entries()) names.push_back(entry.name);
  if (const auto near = nearest(text, names)) error.hint(cat("did you mean `", *near, "`?"));
  error.hint("`whittle images` lists what is there");
  return error;
}

}  // namespace

std::string store_name(const oci::Reference& reference) {
  return cat(reference.name(), ":", reference.tag_or_latest());
}

ImageName parse_image_name(std::string_view text) {
  if (text.starts_with("oci:")) return parse_layout_name(text.substr(4));
  if (text.starts_with("archive:")) return ArchiveName{fs::path(text.substr(8))};
  return StoreName{oci::Reference::parse(text)};
}

std::optional<oci::Descriptor> find_in_store(const oci::Layout& store, const oci::Reference& reference) {
  if (!reference.digest) return store.find(store_name(reference));
  for (const oci::Layout::Entry& entry : store.entries()) {
    const bool has_name = entry.name.starts_with(reference.name() + ":");
    if (entry.descriptor.digest == *reference.digest && has_name) return entry.descriptor;
  }
  return std::nullopt;
}

ResolvedImage resolve_image(std::string_view text, Session& session, bool allow_http) {
  const ImageName name = parse_image_name(text);
  if (const auto* layout = std::get_if<LayoutName>(&name)) return open_layout(*layout, session);
  if (const auto* archive = std::get_if<ArchiveName>(&name)) return open_archive(*archive, session);
  const oci::Reference& reference = std::get<StoreName>(name).reference;
  const oci::Layout store = session.open_store();
  if (const auto found = find_in_store(store, reference)) {
    return {oci::BlobStore(store.root()), *found, reference.str(), std::nullopt};
  }
  if (reference.host.empty()) throw unknown_image(text, store);
  return pull_image(reference, session, allow_http);
}

}  // namespace whittle::cli
