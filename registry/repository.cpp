#include "registry/repository.hpp"

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

constexpr std::size_t kMostPages = 10'000;
constexpr std::size_t kMostTags = 1'000'000;

// Some registries answer null for none, or list digests among the tags.
std::vector<std::string> tags_in(const std::string& body, const std::string& name) {
  const Json document =
      parse_json(body, cat("the list of tags of ", backticked(name)), static_cast<int>(Exit::registry_content));
  std::vector<std::string> tags;
  if (!document.is_object()) return tags;
  const auto list = document.find("tags");
  if (list == document.end() || !list->is_array()) return tags;
  for (const Json& tag : *list) {
    if (tag.is_string() && oci::is_valid_tag(tag.get<std::string>())) tags.push_back(tag.get<std::string>());
  }
  return tags;
}

}  // namespace

Repository::Repository(const oci::Reference& reference, For purpose, const Client& client)
    : name_(reference.name()),
      session_(std::make_unique<Session>(reference,
                                         purpose == For::reading ? Session::Access::pull : Session::Access::remove,
                                         client.transport, client.options, client.events, client.stop)) {}

Repository::~Repository() = default;

std::optional<std::string> Repository::digest_of(const std::string& name) {
  return digest_at(*session_, name);
}

std::vector<std::string> Repository::tags() {
  std::vector<std::string> tags;
  std::set<std::string> seen, pages;
  // ECR takes no more than a thousand at a time.
  std::string next = session_->path("tags/list?n=1000");
  while (!next.empty()) {
    if (!pages.insert(next).second || pages.size() > kMostPages || tags.size() > kMostTags) {
      throw Error(Exit::registry_content, cat("the list of tags of ", backticked(name_), " does not end"));
    }
    const Request request{.doing = "list of tags", .target = next};
    const Reply reply = session_->send(request, {404});
    if (reply.response.status == 404) {
      throw Error(Exit::input_unavailable, cat("there is no repository ", backticked(name_)))
          .at(cat("GET ", redacted(reply.url.str())))
          .cause(words_of(reply.response));
    }
    for (std::string& tag : tags_in(reply.response.body, name_)) {
      if (seen.insert(tag).second) tags.push_back(std::move(tag));
    }
    next = next_page(reply, *session_, request);
  }
  return tags;
}

bool Repository::remove_tag(const std::string& tag, bool may_remove_manifest) {
  const auto remove = [&](const std::string& name) {
    return session_
        ->send({.doing = cat("removal of ", backticked(name)),
                .method = "DELETE",
                .target = session_->path(cat("manifests/", name))},
               {400, 404, 405, 501})
        .response.status;
  };
  const int status = remove(tag);
  if (status < 300 || status == 404) return true;
  if (!may_remove_manifest) return false;
  const auto digest = digest_of(tag);
  return !digest || (Digest::parse(*digest) && remove(*digest) < 300);
}

oci::Descriptor describe(const oci::Reference& reference, const Client& client) {
  Session session(reference, Session::Access::pull, client.transport, client.options, client.events, client.stop);
  return ManifestReader(session, reference).fetch_root().descriptor;
}

void check_credentials(const std::string& host, const Credentials& credentials, const Client& client) {
  ClientOptions options = client.options;
  options.credentials = credentials;
  const oci::Reference registry{.host = host, .repository = "", .tag = "", .digest = std::nullopt};
  Session session(registry, Session::Access::none, client.transport, options, client.events, client.stop);
  session.send({.doing = "login", .target = "/v2/"});
}

}  // namespace whittle::registry
