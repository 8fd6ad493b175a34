// whittle copy: images from one place to another, one or all tags of a repository.
#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/delivery.hpp"
#include "cli/image_source.hpp"
#include "registry/referrers.hpp"
#include "registry/repository.hpp"

namespace whittle::cli {

namespace {

// A registry's repository, a layout, or (as a source) whatever else names an image; as a destination, an archive.
struct Place {
  std::optional<oci::Reference> reference;  // in a registry
  fs::path layout, archive;
  std::string name;  // in the layout or archive
  std::string text;  // as given
};

bool is_registry(const Place& place) {
  return place.reference.has_value();
}

Place parse_place(const std::string& text) {
  Place place{.reference = std::nullopt, .layout = {}, .archive = {}, .name = {}, .text = text};
  if (text.starts_with("archive:")) {
    place.archive = text.substr(8);
  } else if (text.starts_with("oci:")) {
    std::string folder = text.substr(4);
    const std::size_t colon = folder.rfind(':');
    const bool has_name = colon != std::string::npos && folder.find('/', colon) == std::string::npos;
    if (has_name && !fs::is_directory(folder)) {
      place.name = folder.substr(colon + 1);
      folder.resize(colon);
    }
    place.layout = folder;
  } else {
    oci::Reference reference = oci::Reference::parse(text);
    if (!reference.host.empty()) place.reference = std::move(reference);
  }
  return place;
}

// "1.10.0" after "1.9.3": runs of digits count as numbers.
bool is_older(std::string_view a, std::string_view b) {
  const auto number_at = [](std::string_view& text) {
    const std::size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
    const std::uint64_t number = parse_number(text.substr(0, end)).value_or(~std::uint64_t{0});
    text.remove_prefix(end);
    return number;
  };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  while (!a.empty() && !b.empty()) {
    if (is_digit(a.front()) && is_digit(b.front())) {
      const std::uint64_t one = number_at(a), two = number_at(b);
      if (one != two) return one < two;
      continue;
    }
    if (a.front() != b.front()) return a.front() < b.front();
    a.remove_prefix(1);
    b.remove_prefix(1);
  }
  // A release comes after what was tried before it: `1.0-rc1` is older than `1.0`.
  if (a.empty() != b.empty()) return a.empty() ? b.front() != '-' : a.front() == '-';
  return false;
}

class Copying {
 public:
  Copying(const CopyOptions& options, Session& session)
      : options_(options),
        session_(session),
        client_(session.client(options.allow_http)),
        from_(parse_place(options.source)),
        to_(parse_place(options.destination)) {
    if (!is_registry(to_) && to_.layout.empty() && to_.archive.empty()) {
      throw Error(Exit::usage, cat("cannot copy to ", backticked(options.destination)))
          .hint("a destination is a reference with a registry, `oci:DIR[:TAG]` or `archive:FILE`");
    }
    if (options.referrers && (!is_registry(from_) || !to_.archive.empty())) {
      throw Error(Exit::usage, "`--referrers` copies from a registry to a registry or a layout");
    }
  }

  int run() {
    if (options_.all_tags) return mirror();
    if (is_registry(from_)) {
      copy_tag(from_.reference->digest ? "" : from_.reference->tag_or_latest());
    } else {
      const ResolvedImage image = resolve_image(options_.source, session_, options_.allow_http);
      send(image.root, image.blobs, "");
      copied_.emplace_back(where(""), image.root.digest.str());
    }
    return print();
  }

 private:
  oci::Reference source_of(const std::string& tag) const {
    oci::Reference reference = *from_.reference;
    reference.tag = tag;
    if (!tag.empty()) reference.digest.reset();
    return reference;
  }

  // Where `tag` of the source goes; with an explicit name at the destination, there.
  oci::Reference destination_of(const std::string& tag) const {
    oci::Reference reference = *to_.reference;
    if (!reference.digest && reference.tag.empty()) reference.tag = tag.empty() ? "latest" : tag;
    return reference;
  }
  std::string layout_name(const std::string& tag) const { return to_.name.empty() ? tag : to_.name; }

  std::string where(const std::string& tag) const {
    if (is_registry(to_)) return destination_of(tag).name();
    return to_.layout.empty() ? cat("archive:", to_.archive.native()) : cat("oci:", to_.layout.native());
  }

  std::unique_ptr<registry::ImageSink> sink(const std::string& tag) {
    if (is_registry(to_)) {
      return registry_sink(destination_of(tag), client_.transport, client_.options, client_.events, client_.stop);
    }
    if (!to_.layout.empty()) return registry::layout_sink(to_.layout, layout_name(tag), session_.events());
    return registry::archive_sink(to_.archive, is_registry(from_) ? source_of(tag).str() : std::string());
  }

  void send(const oci::Descriptor& root, const oci::BlobSource& blobs, const std::string& tag) {
    with_context(cat("cannot copy to ", backticked(options_.destination)),
                 [&] { deliver_to(*sink(tag), root, blobs, session_); });
  }

  // One question on each side; more only when they differ.
  void copy_tag(const std::string& tag) {
    const oci::Reference source = source_of(tag);
    const auto wanted = source_repository().digest_of(tag.empty() ? source.digest->str() : tag);
    if (!wanted) {
      throw Error(Exit::input_unavailable, cat("there is no image ", backticked(source.str())))
          .hint(cat("`whittle tags ", source.name(), "` lists what there is"));
    }
    copied_.emplace_back(where(tag), *wanted);
    if (is_there(tag, *wanted) && !options_.referrers) {
      session_.events().verbose(cat(source.str(), ": unchanged"));
      ++unchanged_;
      return;
    }
    const TemporaryFolder folder = temporary_store(session_);
    oci::BlobStore spool(folder.path());
    const registry::RemoteImage image(source, spool, client_);
    copied_.back().second = image.root().digest.str();
    send(image.root(), image, tag);
    if (options_.referrers) copy_referrers(image.root().digest);
  }

  bool is_there(const std::string& tag, const std::string& digest) {
    if (is_registry(to_)) {
      const oci::Reference to = destination_of(tag);
      return destination_repository().digest_of(to.digest ? to.digest->str() : to.tag) == digest;
    }
    if (to_.layout.empty() || !fs::exists(to_.layout / "oci-layout")) return false;
    const oci::Layout layout(to_.layout, oci::Layout::Open::existing, session_.events());
    const auto found = layout.find(layout_name(tag));
    return found && found->digest.str() == digest && layout.blobs().has(found->digest, found->size);
  }

  void copy_referrers(const Digest& subject) {
    registry::Referrers there(*from_.reference, false, client_);
    for (const oci::Descriptor& referrer : there.list(subject)) {
      oci::Reference source = source_of("");
      source.digest = referrer.digest;
      copy_as(source, "", referrer);
      if (is_registry(to_)) registry::Referrers(*to_.reference, true, client_).add(subject, referrer);
    }
    // What cosign left before registries had lists.
    for (const char* kind : {"sig", "att", "sbom"}) {
      const std::string tag = cat("sha256-", subject.hex(), ".", kind);
      if (source_repository().digest_of(tag)) copy_as(source_of(tag), tag, {});
    }
  }

  void copy_as(const oci::Reference& source, const std::string& tag, const oci::Descriptor& referrer) {
    const TemporaryFolder folder = temporary_store(session_);
    oci::BlobStore spool(folder.path());
    const registry::RemoteImage image(source, spool, client_);
    oci::Descriptor root = image.root();
    root.artifact_type = referrer.artifact_type;
    std::unique_ptr<registry::ImageSink> into;
    if (is_registry(to_)) {
      oci::Reference to = *to_.reference;
      to.tag = tag;
      to.digest = tag.empty() ? std::optional(root.digest) : std::nullopt;
      into = registry_sink(to, client_.transport, client_.options, client_.events, client_.stop);
    } else {
      into = registry::layout_sink(to_.layout, tag, session_.events());
    }
    deliver_to(*into, root, image, session_);
  }

  int mirror() {
    if (!to_.archive.empty()) throw Error(Exit::usage, "`--all-tags` copies to a registry or a layout");
    if ((is_registry(to_) && (!to_.reference->tag.empty() || to_.reference->digest)) || !to_.name.empty()) {
      throw Error(Exit::usage, cat(backticked(options_.destination), " names a tag, yet all are to be copied"));
    }
    const std::vector<std::string> tags = chosen(all_tags());
    for (const std::string& tag : tags) copy_from(tag);
    if (options_.prune) prune(tags);
    session_.events().info(cat(tags.size() - unchanged_, " of ", tags.size(),
                               tags.size() == 1 ? " tag was copied" : " tags were copied", ", ", unchanged_,
                               unchanged_ == 1 ? " was" : " were", " there"));
    return print();
  }

  void copy_from(const std::string& tag) {
    if (is_registry(from_)) return copy_tag(tag);
    const ResolvedImage image = resolve_image(cat("oci:", from_.layout.native(), ":", tag), session_);
    copied_.emplace_back(where(tag), image.root.digest.str());
    if (is_there(tag, image.root.digest.str())) {
      ++unchanged_;
      return;
    }
    send(image.root, image.blobs, tag);
  }

  std::vector<std::string> all_tags() {
    if (is_registry(from_)) return source_repository().tags();
    if (from_.layout.empty()) throw Error(Exit::usage, "`--all-tags` copies from a registry or a layout");
    return names_in(from_.layout);
  }

  std::vector<std::string> names_in(const fs::path& folder) {
    std::vector<std::string> names;
    const oci::Layout layout(folder, oci::Layout::Open::existing, session_.events());
    for (const oci::Layout::Entry& entry : layout.entries()) {
      if (oci::is_valid_tag(entry.name)) names.push_back(entry.name);
    }
    return names;
  }

  std::vector<std::string> chosen(std::vector<std::string> tags) const {
    std::erase_if(tags, [&](const std::string& tag) {
      const auto fits = [&](const std::string& pattern) { return matches_glob(pattern, tag); };
      return !options_.tags.empty() && std::none_of(options_.tags.begin(), options_.tags.end(), fits);
    });
    if (options_.newest == 0) return tags;
    std::stable_sort(tags.begin(), tags.end(), [](const auto& a, const auto& b) { return is_older(b, a); });
    tags.resize(std::min<std::size_t>(tags.size(), options_.newest));
    return tags;
  }

  void prune(const std::vector<std::string>& kept) {
    const std::set<std::string> wanted(kept.begin(), kept.end());
    if (wanted.empty()) {
      throw Error(Exit::usage, "no tag was chosen, so `--prune` would remove all of them")
          .hint("check `--tag` and `--newest`");
    }
    std::set<std::string> digests;
    for (const auto& [name, digest] : copied_) digests.insert(digest);
    for (const std::string& tag : is_registry(to_) ? destination_repository().tags() : names_in(to_.layout)) {
      if (wanted.count(tag) > 0 || tag.starts_with("sha256-")) continue;
      remove(tag, digests);
    }
  }

  // A manifest that another tag needs stays, even where a tag cannot be removed without it.
  void remove(const std::string& tag, const std::set<std::string>& needed) {
    if (!is_registry(to_)) {
      oci::Layout(to_.layout, oci::Layout::Open::existing, session_.events()).untag(tag);
      session_.events().info(cat("removed ", backticked(tag)));
      return;
    }
    if (!removals_) removals_.emplace(*to_.reference, registry::Repository::For::removing, client_);
    const auto digest = destination_repository().digest_of(tag);
    const bool is_needed = digest && needed.count(*digest) > 0;
    if (removals_->remove_tag(tag, !is_needed)) {
      session_.events().info(cat("removed ", backticked(tag)));
    } else {
      session_.events().warn(cat("the registry does not remove the tag ", backticked(tag)));
    }
  }

  registry::Repository& source_repository() {
    if (!source_) source_.emplace(*from_.reference, registry::Repository::For::reading, client_);
    return *source_;
  }
  registry::Repository& destination_repository() {
    if (!destination_) destination_.emplace(*to_.reference, registry::Repository::For::reading, client_);
    return *destination_;
  }

  int print() {
    std::set<std::string> seen;
    Json list = Json::array();
    for (const auto& [name, digest] : copied_) {
      const std::string pinned = cat(name, "@", digest);
      if (!seen.insert(pinned).second) continue;
      list.push_back(pinned);
      if (!options_.json) session_.out() << pinned << "\n";
    }
    if (options_.json) session_.out() << pretty_json({{"schema", "whittle.copy/v1"}, {"images", list}});
    return 0;
  }

  const CopyOptions& options_;
  Session& session_;
  registry::Client client_;
  Place from_, to_;
  std::optional<registry::Repository> source_, destination_, removals_;
  std::vector<std::pair<std::string, std::string>> copied_;  // where, digest
  std::size_t unchanged_ = 0;
};

}  // namespace

int copy(const CopyOptions& options, Session& session) {
  session.limit_rate(options.limit_rate);
  return Copying(options, session).run();
}

}  // namespace whittle::cli
