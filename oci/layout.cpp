#include "oci/layout.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::oci {

namespace {

constexpr std::string_view kNameKey = "org.opencontainers.image.ref.name";
constexpr std::string_view kMarker = "oci-layout", kIndexFile = "index.json", kLockFile = ".whittle.lock";
constexpr std::uint64_t kMaximumIndexFile = 64 << 20;

Json empty_index() {
  return {{"schemaVersion", 2}, {"mediaType", media_type::kIndex}, {"manifests", Json::array()}};
}

Error not_a_layout(const fs::path& root, std::string why) {
  Error error(Exit::usage, cat(backticked(root.native()), " is not an OCI image layout"));
  error.cause(std::move(why));
  return error;
}

// What an interrupted creation may have left.
bool is_ours(const std::string& name) {
  return name == kLockFile || name == "blobs" || name.starts_with(".tmp-");
}

bool holds_something_else(const fs::path& root) {
  for (const fs::directory_entry& entry : fs::directory_iterator(root)) {
    if (!is_ours(entry.path().filename())) return true;
  }
  return false;
}

void check_marker(const fs::path& root, std::string_view text) {
  const Json marker = parse_json(text, (root / kMarker).native());
  const auto version = json_member<std::string>(marker, "imageLayoutVersion", (root / kMarker).native());
  if (version != "1.0.0") throw not_a_layout(root, cat("its version is ", backticked(version), ", not `1.0.0`"));
}

std::string name_of(const Json& entry) {
  if (!entry.is_object()) return {};
  return json_text(entry.value("annotations", Json::object()), kNameKey);
}

// False when nothing changed.
bool put(Json& manifests, std::string_view name, const Descriptor& target, const Json& entry) {
  const auto found = std::find_if(manifests.begin(), manifests.end(), [&](const Json& item) {
    return name_of(item) == name && (!name.empty() || json_text(item, "digest") == target.digest.str());
  });
  if (found == manifests.end()) {
    manifests.push_back(entry);
    return true;
  }
  if (*found == entry) return false;
  *found = entry;
  return true;
}

bool drop(Json& manifests, std::string_view name) {
  const auto last =
      std::remove_if(manifests.begin(), manifests.end(), [&](const Json& item) { return name_of(item) == name; });
  const bool any = last != manifests.end();
  manifests.erase(last, manifests.end());
  return any;
}

Json entry_for(std::string_view name, const Descriptor& target) {
  Descriptor named = target;
  if (!name.empty()) named.annotations[std::string(kNameKey)] = name;
  const Index one{.media_type = {}, .manifests = {named}, .annotations = {}};
  return parse_json(one.encode(), "the entry")["manifests"][0];
}

}  // namespace

Layout::Layout(fs::path root, Open how, EventSink& events) : blobs_(std::move(root)), events_(events) {
  const fs::path& folder = this->root();
  std::optional<std::string> marker = read_file_if_exists(folder / kMarker);
  if (!marker && how == Open::existing) {
    throw not_a_layout(folder, fs::exists(folder) ? "it has no file `oci-layout`" : "there is no such folder");
  }
  if (marker) check_marker(folder, *marker);
  if (how == Open::existing) return;

  make_folders(folder);
  if (!marker && holds_something_else(folder)) {
    // Another process may have been making it at this moment.
    marker = read_file_if_exists(folder / kMarker);
    if (!marker) throw not_a_layout(folder, "it holds other files").hint("name an empty or a new folder");
  }
  if (!marker) write_file(folder / kMarker, R"({"imageLayoutVersion":"1.0.0"})");
  if (!fs::exists(folder / kIndexFile)) update([](Json&) { return true; });
  remove_abandoned(folder);
}

Json Layout::read_index() const {
  const fs::path path = root() / kIndexFile;
  const std::optional<std::string> text = read_file_if_exists(path, kMaximumIndexFile);
  if (!text) {
    // A creation that was interrupted, or a layout that lost its index.
    std::error_code ignored;
    if (fs::is_empty(root() / "blobs" / "sha256", ignored) || ignored) return empty_index();
    throw not_a_layout(root(), "its `index.json` is missing, yet it holds blobs");
  }
  Json index = parse_json(*text, path.native());
  if (!index.is_object() || !index.value("manifests", Json()).is_array()) {
    throw not_a_layout(root(), "its `index.json` has no list `manifests`");
  }
  return index;
}

std::vector<Layout::Entry> Layout::entries() const {
  const Json json = read_index();
  const std::string what = (root() / kIndexFile).native();
  std::vector<Entry> entries;
  for (const Json& item : json["manifests"]) {
    // One at a time: the limits on an index that a registry sends are not those of a store.
    const Json one = {{"schemaVersion", 2}, {"manifests", Json::array({item})}};
    Descriptor descriptor = Index::decode(canonical_json(one), what).manifests.at(0);
    entries.push_back({.name = name_of(item), .descriptor = std::move(descriptor)});
  }
  return entries;
}

std::optional<Descriptor> Layout::find(std::string_view name) const {
  for (Entry& entry : entries()) {
    if (entry.name == name && !name.empty()) return std::move(entry.descriptor);
  }
  return std::nullopt;
}

void Layout::update(const std::function<bool(Json&)>& change) {
  const FileLock lock(root() / kLockFile, FileLock::Mode::exclusive, [&] {
    events_.info(cat("waiting for another whittle that writes to ", backticked(root().native())));
  });
  Json index = read_index();
  if (change(index["manifests"])) write_file(root() / kIndexFile, canonical_json(index));
}

void Layout::tag(std::string_view name, const Descriptor& target) {
  const Json entry = entry_for(name, target);
  update([&](Json& manifests) { return put(manifests, name, target, entry); });
}

bool Layout::untag(std::string_view name) {
  bool removed = false;
  if (name.empty()) return false;
  update([&](Json& manifests) { return removed = drop(manifests, name); });
  return removed;
}

void Layout::exchange(std::span<const std::string> gone, std::span<const Entry> now) {
  update([&](Json& manifests) {
    const Json before = manifests;
    for (const std::string& name : gone) drop(manifests, name);
    for (const Entry& one : now) put(manifests, one.name, one.descriptor, entry_for(one.name, one.descriptor));
    return manifests != before;
  });
}

}  // namespace whittle::oci
