// whittle push, pull, tags, login, logout: the store and registries.
#include <algorithm>
#include <iostream>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/delivery.hpp"
#include "cli/image_source.hpp"
#include "registry/credential_store.hpp"
#include "registry/repository.hpp"

namespace whittle::cli {

namespace {

oci::Reference with_registry(const std::string& text) {
  oci::Reference reference = oci::Reference::parse(text);
  if (reference.host.empty()) {
    throw Error(Exit::usage, cat(backticked(text), " names no registry"))
        .hint("write the registry's host first, as in `registry.example/team/app:1`");
  }
  return reference;
}

int print_reference(const std::string& name, const oci::Descriptor& root, bool json, Session& session) {
  const std::string pinned = cat(name, "@", root.digest.str());
  if (json) {
    session.out() << pretty_json({{"reference", pinned}, {"digest", root.digest.str()}, {"size", root.size}});
  } else {
    session.out() << pinned << "\n";
  }
  return 0;
}

int list_what_would_be_sent(const ResolvedImage& image, const std::vector<oci::Reference>& destinations,
                            const ImageOptions& options, Session& session) {
  Json list = Json::array();
  std::uint64_t total = 0;
  for (const oci::Reference& to : destinations) {
    const auto sink = registry::dry_run_sink(to, session.client(options.allow_http), [&](const oci::Descriptor& blob) {
      total += blob.size;
      list.push_back(
          {{"to", to.str()}, {"mediaType", blob.media_type}, {"digest", blob.digest.str()}, {"size", blob.size}});
    });
    registry::deliver(image.root, image.blobs, *sink, session.transfers(), session.events(), session.stop());
  }
  if (options.json) {
    session.out() << pretty_json({{"schema", "whittle.push/v1"}, {"wouldSend", list}});
    return 0;
  }
  for (const Json& one : list) {
    session.out() << one["digest"].get<std::string>() << "  " << one["size"] << "  " << one["to"].get<std::string>()
                  << "\n";
  }
  session.events().info(cat(list.size(), list.size() == 1 ? " blob or manifest" : " blobs and manifests", " of ",
                            human_size(total), " would be sent; nothing was"));
  return 0;
}

// Never from the command line, where every process of the machine can read it.
std::string password_from_input() {
  std::string password;
  std::getline(std::cin, password);
  while (password.ends_with('\r')) password.pop_back();
  if (password.empty()) throw Error(Exit::usage, "standard input gives no password");
  if (password.size() > 64 * 1024) throw Error(Exit::usage, "the password is longer than 64 KiB");
  return password;
}

std::string checked_host(const std::string& text) {
  const oci::Reference probe = oci::Reference::parse(cat(text, "/x"));
  if (probe.host != text) throw Error(Exit::usage, cat(backticked(text), " is not the name of a registry"));
  return text;
}

}  // namespace

int push(const ImageOptions& options, Session& session) {
  session.limit_rate(options.limit_rate);
  std::vector<oci::Reference> destinations;
  for (const std::string& text : options.destinations) destinations.push_back(with_registry(text));
  if (destinations.empty()) destinations.push_back(with_registry(options.image));
  const ResolvedImage found = resolve_image(options.image, session, options.allow_http);
  for (oci::Reference& to : destinations) {
    // A digest says which image is meant, not where its name should point.
    if (to.digest && *to.digest != found.root.digest) {
      throw Error(Exit::usage, cat("cannot push to ", backticked(to.str()), ": that digest is of another image"))
          .detail(cat(backticked(options.image), " is ", found.root.digest.str()));
    }
    if (!to.digest) to.tag = to.tag_or_latest();
  }
  if (options.dry_run) return list_what_would_be_sent(found, destinations, options, session);
  std::vector<std::string> names;
  for (const oci::Reference& to : destinations) {
    push_image(found.root, found.blobs, to, options.allow_http, session);
    // One line an image: several tags of one repository are one.
    if (std::find(names.begin(), names.end(), to.name()) == names.end()) names.push_back(to.name());
  }
  for (const std::string& name : names) print_reference(name, found.root, options.json, session);
  return 0;
}

int pull(const ImageOptions& options, Session& session) {
  session.limit_rate(options.limit_rate);
  oci::Reference from = with_registry(options.image);
  session.events().emit(StageStarted{"pull", from.str()});
  oci::Layout store = session.open_store();
  const oci::Descriptor root = with_context(cat("cannot pull ", backticked(from.str())), [&] {
    return registry::pull(from, {.platform = oci::Platform::host(), .all_platforms = options.all_platforms},
                          store.blobs(), session.transport(), session.client_options(options.allow_http),
                          session.transfers(), session.events(), session.stop());
  });
  if (from.tag.empty() && from.digest) from.tag = cat("sha256-", from.digest->hex());
  store.tag(store_name(from), root);
  return print_reference(from.name(), root, options.json, session);
}

int tags(const ImageOptions& options, Session& session) {
  const oci::Reference repository = with_registry(options.image);
  const std::vector<std::string> found =
      registry::Repository(repository, registry::Repository::For::reading, session.client(options.allow_http)).tags();
  if (options.json) {
    session.out() << pretty_json({{"schema", "whittle.tags/v1"}, {"name", repository.name()}, {"tags", found}});
  } else {
    for (const std::string& tag : found) session.out() << tag << "\n";
  }
  return 0;
}

int login(const LoginOptions& options, Session& session) {
  const std::string host = checked_host(options.host);
  if (!options.password_stdin) {
    throw Error(Exit::usage, "a password is read from standard input only")
        .hint(cat("as in `whittle login ", host, " --username NAME --password-stdin < FILE`"));
  }
  const registry::Credentials credentials{.user = options.user,
                                          .password = password_from_input(),
                                          .identity_token = {},
                                          .registry_token = {},
                                          .source = "standard input"};
  with_context(cat("cannot log in to ", backticked(host)),
               [&] { registry::check_credentials(host, credentials, session.client(options.allow_http)); });
  const registry::Stored stored =
      registry::store_credentials(host, credentials, session.environment(), session.runner(), session.stop());
  if (stored.is_readable) {
    session.events().warn(
        cat("the password is kept in ", stored.place,
            " as it is, readable to you alone; a credential helper (`credsStore` in that file) keeps it better"));
  }
  session.events().info(
      cat("logged in to ", backticked(host), " as ", backticked(options.user), "; kept in ", stored.place));
  return 0;
}

int logout(const LoginOptions& options, Session& session) {
  const std::string host = checked_host(options.host);
  const bool had = registry::erase_credentials(host, session.environment(), session.runner(), session.stop());
  session.events().info(had ? cat("logged out of ", backticked(host))
                            : cat("there was no login to ", backticked(host)));
  return 0;
}

}  // namespace whittle::cli
