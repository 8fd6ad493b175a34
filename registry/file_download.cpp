#include "registry/file_download.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "registry/blob_download.hpp"
#include "registry/routes.hpp"

namespace whittle::registry {

namespace {

Url checked(const std::string& what, const std::string& text) {
  const std::optional<Url> url = Url::parse(text);
  if (!url) throw Error(Exit::usage, cat(backticked(redacted(text)), " is no address to fetch ", what, " from"));
  return *url;
}

// What is at an address written as plain http is asked for so: its digest is what is believed.
Session session_at(const Url& url, const Client& client) {
  ClientOptions options = client.options;
  options.credentials = Credentials{};
  options.routes = nullptr;
  const bool is_plain = url.scheme == "http";
  const std::string host = cat(url.host, ":", url.port);
  return {Endpoint{.reference = {.host = host, .repository = "files"}, .is_insecure = is_plain},
          Session::Access::none,
          client.transport,
          options,
          client.events,
          client.stop};
}

// What a registry's content is to an image, an input is to a build.
Error as_input(Error error, const std::string& what, const std::string& url) {
  const bool is_input = error.exit() == Exit::registry_content || error.exit() == Exit::registry_credentials;
  Error outer(is_input ? Exit::input_unavailable : error.exit(), cat("cannot fetch ", what));
  outer.at(redacted(url)).cause(error.message());
  for (const std::string& cause : error.causes()) outer.cause(cause);
  for (const std::string& hint : error.hints()) outer.hint(hint);
  return outer;
}

}  // namespace

void download_file(const RemoteFile& file, oci::BlobStore& into, const Client& client) {
  const Url url = checked(file.what, file.url);
  Session session = session_at(url, client);
  const oci::Descriptor blob{.media_type = "application/octet-stream", .digest = file.digest, .size = file.size};
  try {
    BlobDownload(session, blob, into, client.events, {.target = url.path_and_query, .name = file.what}).run();
  } catch (Error& error) {
    throw as_input(std::move(error), file.what, file.url);
  }
}

std::string download_page(const std::string& what, const std::string& url, const Client& client) {
  const Url address = checked(what, url);
  Session session = session_at(address, client);
  try {
    return session.send({.doing = what, .target = address.path_and_query}).response.body;
  } catch (Error& error) {
    throw as_input(std::move(error), what, url);
  }
}

}  // namespace whittle::registry
