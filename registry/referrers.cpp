#include "registry/referrers.hpp"

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "registry/link.hpp"
#include "registry/manifest_reader.hpp"
#include "registry/questions.hpp"
#include "registry/session.hpp"

namespace whittle::registry {

namespace {

constexpr std::size_t kMostPages = 100, kMostReferrers = 10'000;
constexpr int kMostRaces = 10;
constexpr std::string_view kEmptyType = "application/vnd.oci.empty.v1+json";
constexpr std::string_view kEmpty = "{}";

std::string tag_of(const Digest& subject) {
  return cat("sha256-", subject.hex());
}

bool contains(const std::vector<oci::Descriptor>& entries, const Digest& digest) {
  return std::any_of(entries.begin(), entries.end(), [&](const auto& entry) { return entry.digest == digest; });
}

Json descriptor_json(const oci::Descriptor& blob) {
  return {{"mediaType", blob.media_type}, {"digest", blob.digest.str()}, {"size", blob.size}};
}

}  // namespace

Referrers::Referrers(const oci::Reference& repository, bool to_change, const Client& client)
    : name_(repository.name()),
      locks_(client.options.memory),
      session_(std::make_unique<Session>(repository, to_change ? Session::Access::push : Session::Access::pull,
                                         client.transport, client.options, client.events, client.stop)) {}

Referrers::~Referrers() = default;

std::vector<oci::Descriptor> Referrers::list(const Digest& subject, const std::string& type) {
  std::vector<oci::Descriptor> found;
  if (auto answered = ask(subject)) {
    found = std::move(*answered);
  } else {
    found = read_tag(subject).entries;
    // Anybody who may push can write this tag, and some registries take it for the image itself.
    std::erase_if(found, [&](const oci::Descriptor& referrer) { return !refers_to(referrer, subject); });
  }
  if (!type.empty()) std::erase_if(found, [&](const auto& referrer) { return referrer.artifact_type != type; });
  return found;
}

// Nothing when the registry has no such list.
std::optional<std::vector<oci::Descriptor>> Referrers::ask(const Digest& subject) {
  std::vector<oci::Descriptor> found;
  std::set<std::string> pages;
  std::string next = session_->path(cat("referrers/", subject.str()));
  while (!next.empty()) {
    if (!pages.insert(next).second || pages.size() > kMostPages || found.size() > kMostReferrers) {
      throw Error(Exit::registry_content, cat("the list of referrers of ", subject.str(), " does not end"));
    }
    const Request request{
        .doing = "list of referrers", .target = next, .headers = {{"Accept", std::string(oci::media_type::kIndex)}}};
    const Reply reply = session_->send(request, {400, 404, 405, 501});
    if (!reply.response.ok() || reply.response.media_type() != oci::media_type::kIndex) return std::nullopt;
    oci::Index index = oci::Index::decode(reply.response.body, cat("the list of referrers of ", subject.str()));
    std::move(index.manifests.begin(), index.manifests.end(), std::back_inserter(found));
    next = next_page(reply, *session_, request);
  }
  return found;
}

Referrers::Listing Referrers::read_tag(const Digest& subject) {
  const Reply reply = session_->send({.doing = "list of referrers",
                                      .target = session_->path(cat("manifests/", tag_of(subject))),
                                      .headers = {{"Accept", manifest_types()}}},
                                     {404});
  if (!reply.response.ok()) return {};
  Listing listing{.exists = true, .entity_tag = reply.response.header("etag").value_or(""), .entries = {}};
  // GitLab and others read the tag as the digest that it looks like.
  const bool is_list =
      digest_of(reply.response.body) != subject && reply.response.media_type() == oci::media_type::kIndex;
  if (!is_list) {
    throw Error(Exit::registry_content, cat(backticked(session_->host()), " has no referrers for ", subject.str()))
        .cause(cat("the tag ", backticked(tag_of(subject)), " is not a list of them"));
  }
  listing.entries = oci::Index::decode(reply.response.body, "the list of referrers").manifests;
  return listing;
}

bool Referrers::write_tag(const Digest& subject, const Listing& listing) {
  const oci::Index index{
      .media_type = std::string(oci::media_type::kIndex), .manifests = listing.entries, .annotations = {}};
  Request request{.doing = "list of referrers",
                  .method = "PUT",
                  .target = session_->path(cat("manifests/", tag_of(subject))),
                  .headers = {{"Content-Type", index.media_type}},
                  .body = index.encode()};
  // A weak one does not say that the bytes are the same.
  const bool is_strong = !listing.entity_tag.empty() && !listing.entity_tag.starts_with("W/");
  if (is_strong) request.headers.emplace_back("If-Match", listing.entity_tag);
  return session_->send(request, {409, 412}).response.ok();
}

bool Referrers::refers_to(const oci::Descriptor& referrer, const Digest& subject) {
  try {
    const Fetched fetched = ManifestReader(*session_, {}).fetch(referrer);
    const Json document = parse_json(fetched.json, "the referrer");
    const auto named = document.find("subject");
    return named != document.end() && named->is_object() && named->value("digest", "") == subject.str();
  } catch (const Error& error) {
    if (error.exit() == Exit::transient || error.exit() == Exit::registry_credentials) throw;
    return false;
  }
}

// Where the registry lets the last writer win, those of one machine at least take turns.
std::optional<FileLock> Referrers::turn() const {
  if (locks_.empty()) return std::nullopt;
  make_folders(locks_);
  return FileLock(locks_ / "referrers.lock", FileLock::Mode::exclusive);
}

// Reads, adds and writes; then reads again, since another may have written in between what it had read before.
void Referrers::add(const Digest& subject, const oci::Descriptor& referrer) {
  const auto answered = ask(subject);
  if (answered && contains(*answered, referrer.digest)) return;
  const std::optional<FileLock> mine = turn();
  std::vector<oci::Descriptor> wanted = {referrer};
  for (int race = 0; race < kMostRaces; ++race) {
    Listing listing = read_tag(subject);
    bool is_complete = true;
    for (const oci::Descriptor& one : wanted) {
      if (contains(listing.entries, one.digest)) continue;
      listing.entries.push_back(one);
      is_complete = false;
    }
    if (is_complete) return;
    // What was listed when we wrote is our business too: our writing must not have lost it.
    if (write_tag(subject, listing)) wanted = listing.entries;
  }
  throw Error(Exit::transient, cat("the list of referrers of ", subject.str(), " is being changed by many at once"))
      .hint("run the same command again");
}

bool Referrers::remove(const Digest& subject, const Digest& referrer) {
  const Reply reply = session_->send({.doing = cat("removal of ", referrer.str()),
                                      .method = "DELETE",
                                      .target = session_->path(cat("manifests/", referrer.str()))},
                                     {404});
  bool had = reply.response.ok();
  if (ask(subject)) return had;
  const std::optional<FileLock> mine = turn();
  for (int race = 0; race < kMostRaces; ++race) {
    Listing listing = read_tag(subject);
    if (!contains(listing.entries, referrer)) return had;
    had = true;
    std::erase_if(listing.entries, [&](const oci::Descriptor& one) { return one.digest == referrer; });
    write_tag(subject, listing);
  }
  throw Error(Exit::transient, cat("the list of referrers of ", subject.str(), " is being changed by many at once"))
      .hint("run the same command again");
}

oci::Descriptor make_referrer(const oci::Descriptor& subject, const Attachment& attachment, oci::BlobStore& into) {
  const oci::Descriptor config = into.put(kEmpty, kEmptyType);
  const oci::Descriptor blob = into.put(attachment.content, attachment.artifact_type);
  Json manifest = {{"schemaVersion", 2},
                   {"mediaType", oci::media_type::kManifest},
                   {"artifactType", attachment.artifact_type},
                   {"config", descriptor_json(config)},
                   {"layers", Json::array({descriptor_json(blob)})},
                   {"subject", descriptor_json(subject)}};
  if (!attachment.annotations.empty()) manifest["annotations"] = attachment.annotations;
  oci::Descriptor referrer = into.put(canonical_json(manifest), oci::media_type::kManifest);
  referrer.artifact_type = attachment.artifact_type;
  referrer.annotations = attachment.annotations;
  return referrer;
}

}  // namespace whittle::registry
