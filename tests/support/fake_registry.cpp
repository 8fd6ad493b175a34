#include "tests/support/fake_registry.hpp"

#include <httplib.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "base/digest.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace whittle::testing {

namespace {

using httplib::Request;
using httplib::Response;

struct StoredManifest {
  std::string media_type, json;
};

struct Repository {
  std::map<std::string, std::string> blobs;
  std::map<std::string, StoredManifest> manifests;  // by digest
  std::map<std::string, std::string> tags;
};

struct Upload {
  std::string repository, state;
};

struct Route {
  enum class Kind { none, root, manifest, blob, uploads, upload } kind = Kind::none;
  std::string repository, name;
};

Route route_of(const std::string& path) {
  if (path == "/v2/") return {Route::Kind::root, "", ""};
  if (!path.starts_with("/v2/")) return {};
  const std::string rest = path.substr(4);
  for (const auto& [middle, kind] :
       {std::pair("/blobs/uploads/", Route::Kind::upload), std::pair("/blobs/", Route::Kind::blob),
        std::pair("/manifests/", Route::Kind::manifest)}) {
    const std::size_t at = rest.find(middle);
    if (at == std::string::npos) continue;
    Route route{kind, rest.substr(0, at), rest.substr(at + std::string_view(middle).size())};
    if (kind == Route::Kind::upload && route.name.empty()) route.kind = Route::Kind::uploads;
    return route;
  }
  return {};
}

std::string basic_header(const std::string& user, const std::string& password) {
  return httplib::make_basic_authentication_header(user, password).second;
}

void answer_error(Response& res, int status, const std::string& code, const std::string& message) {
  res.status = status;
  res.set_content(canonical_json(Json{{"errors", {{{"code", code}, {"message", message}}}}}), "application/json");
}

std::string query_of(const Request& req) {
  const std::size_t mark = req.target.find('?');
  return mark == std::string::npos ? "" : req.target.substr(mark + 1);
}

std::string flipped(std::string content) {
  if (!content.empty()) content[content.size() / 2] = static_cast<char>(content[content.size() / 2] ^ 0x10);
  return content;
}

}  // namespace

std::string SeenRequest::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

struct FakeRegistry::State {
  explicit State(Options given) : options(std::move(given)) {
    server.set_tcp_nodelay(true);
    server.set_keep_alive_max_count(100'000);
    server.new_task_queue = [] { return new httplib::ThreadPool(24); };
    const auto plain = [this](const Request& req, Response& res) { answer(req, res, ""); };
    const auto with_body = [this](const Request& req, Response& res, const httplib::ContentReader& reader) {
      std::string body;
      reader([&](const char* data, std::size_t size) {
        body.append(data, size);
        return true;
      });
      answer(req, res, body);
    };
    server.Get(".*", plain);
    server.Post(".*", with_body);
    server.Put(".*", with_body);
    server.Patch(".*", with_body);
    server.Delete(".*", plain);
    port = server.bind_to_any_port("127.0.0.1");
    thread = std::thread([this] { server.listen_after_bind(); });
  }

  ~State() {
    while (!server.is_running()) std::this_thread::yield();
    server.stop();
    thread.join();
  }

  std::string url() const { return cat("http://127.0.0.1:", port); }

  void answer(const Request& req, Response& res, const std::string& body) {
    if (const auto taken_over = handler_of(req.path)) taken_over(req, res, body);
    const std::lock_guard lock(mutex);
    SeenRequest seen{
        .method = req.method, .path = req.path, .query = query_of(req), .headers = {}, .body_size = body.size()};
    for (const auto& [name, value] : req.headers) seen.headers.emplace(lower(name), value);
    if (res.status == -1 && !inject(req, res)) dispatch(req, res, body);
    seen.status = res.status == -1 ? 200 : res.status;
    res.status = seen.status;
    log.push_back(std::move(seen));
  }

  // What another registry does at this address, without this one's lock: it takes its own.
  std::function<void(const Request&, Response&, const std::string&)> handler_of(const std::string& path) {
    const std::lock_guard lock(mutex);
    if (path.starts_with("/elsewhere/")) return elsewhere;
    return {};
  }

  bool inject(const Request& req, Response& res) {
    for (Fault& fault : faults) {
      if (fault.times == 0 || fault.method != req.method || req.path.find(fault.part) == std::string::npos) continue;
      --fault.times;
      res.status = fault.status;
      for (const auto& [name, value] : fault.headers) res.set_header(name, value);
      res.set_content(fault.body, "application/json");
      return true;
    }
    return false;
  }

  void dispatch(const Request& req, Response& res, const std::string& body) {
    if (req.path == "/token") return answer_token(req, res, body);
    if (req.path.starts_with("/storage/")) return answer_storage(req, res);
    const Route route = route_of(req.path);
    if (!is_allowed(req, res, route)) return;
    switch (route.kind) {
      case Route::Kind::root:
        res.status = 200;
        return;
      case Route::Kind::manifest:
        return req.method == "PUT" ? store_manifest(req, res, route, body) : serve_manifest(req, res, route);
      case Route::Kind::blob:
        return serve_blob(req, res, route);
      case Route::Kind::uploads:
        return open_upload(req, res, route);
      case Route::Kind::upload:
        return finish_upload(req, res, route.name, body);
      case Route::Kind::none:
        return answer_error(res, 404, "NOT_FOUND", "no such place");
    }
  }

  bool is_allowed(const Request& req, Response& res, const Route& route) {
    const std::string given = req.get_header_value("Authorization");
    if (options.auth == Auth::none) return true;
    if (options.auth == Auth::basic) {
      if (given == basic_header(kUser, kPassword)) return true;
      res.set_header("WWW-Authenticate", R"(Basic realm="fake, with a comma")");
      answer_error(res, 401, "UNAUTHORIZED", "authentication required");
      return false;
    }
    const bool reads = req.method == "GET" || req.method == "HEAD";
    const std::string needed = cat("repository:", route.repository, reads ? ":pull" : ":pull,push");
    const auto token = tokens.find(given.starts_with("Bearer ") ? given.substr(7) : "");
    const std::string full = cat("repository:", route.repository, ":pull,push");
    if (token != tokens.end() && (token->second.count(needed) > 0 || token->second.count(full) > 0)) return true;
    const std::string realm = options.realm.empty() ? url() + "/token" : options.realm;
    res.set_header("WWW-Authenticate", cat("Negotiate, Bearer realm=\"", realm, "\",service=\"fake\",scope=\"", needed,
                                           "\"", given.empty() ? "" : ",error=\"insufficient_scope\""));
    answer_error(res, 401, "UNAUTHORIZED", "authentication required");
    return false;
  }

  void answer_token(const Request& req, Response& res, const std::string& body) {
    httplib::Params form = req.params;
    if (req.method == "POST") httplib::detail::parse_query_text(body, form);
    const auto field = [&](const std::string& name) {
      const auto found = form.find(name);
      return found == form.end() ? std::string() : found->second;
    };
    const bool by_identity = field("grant_type") == "refresh_token" && field("refresh_token") == kIdentityToken;
    const bool by_password =
        req.method == "GET" && req.get_header_value("Authorization") == basic_header(kUser, kPassword);
    if (field("service") != "fake") return answer_error(res, 400, "BAD_SERVICE", "wrong service");
    if (!by_identity && !by_password) {
      res.status = 401;
      res.set_content(R"({"details":"incorrect username or password"})", "application/json");
      return;
    }
    std::set<std::string> scopes;
    const auto [first, last] = form.equal_range("scope");
    for (auto scope = first; scope != last; ++scope) {
      for (const std::string& one : split(scope->second, ' ')) scopes.insert(one);
    }
    const std::string token = cat("token-", ++token_number);
    tokens[token] = scopes;
    res.status = 200;
    res.set_content(canonical_json(Json{{"token", token}, {"expires_in", options.token_lifetime}}), "application/json");
  }

  void serve_manifest(const Request& req, Response& res, const Route& route) {
    const auto repository = repositories.find(route.repository);
    if (repository == repositories.end())
      return answer_error(res, 404, "NAME_UNKNOWN", "repository name not known to registry");
    const auto tag = repository->second.tags.find(route.name);
    const std::string digest = tag == repository->second.tags.end() ? route.name : tag->second;
    const auto found = repository->second.manifests.find(digest);
    if (found == repository->second.manifests.end())
      return answer_error(res, 404, "MANIFEST_UNKNOWN", "manifest unknown");
    if (req.get_header_value("Accept").find(found->second.media_type) == std::string::npos) {
      return answer_error(res, 404, "MANIFEST_UNKNOWN", "no manifest of an accepted type");
    }
    res.status = 200;
    res.set_header("Docker-Content-Digest", digest);
    const std::string json = corrupted.count(digest) > 0 ? flipped(found->second.json) : found->second.json;
    res.set_content(json, found->second.media_type.c_str());
  }

  void store_manifest(const Request& req, Response& res, const Route& route, const std::string& body) {
    Repository& repository = repositories[route.repository];
    const Json json = Json::parse(body, nullptr, false);
    const std::string type = req.get_header_value("Content-Type");
    if (!json.is_object() || json.value("mediaType", "") != type) {
      return answer_error(res, 400, "MANIFEST_INVALID", "Content-Type and mediaType differ");
    }
    const std::string digest = digest_of(body).str();
    if (route.name.starts_with("sha256:") && route.name != digest) {
      return answer_error(res, 400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    }
    if (const std::string missing = missing_below(repository, json); !missing.empty()) {
      return answer_error(res, 404, "MANIFEST_BLOB_UNKNOWN", cat("blob unknown to registry: ", missing));
    }
    repository.manifests[digest] = {type, body};
    if (!route.name.starts_with("sha256:")) repository.tags[route.name] = digest;
    res.status = 201;
    res.set_header("Docker-Content-Digest", digest);
    res.set_header("Location", cat("/v2/", route.repository, "/manifests/", digest));
  }

  static std::string missing_below(const Repository& repository, const Json& json) {
    for (const Json& child : json.value("manifests", Json::array())) {
      if (repository.manifests.count(child.value("digest", "")) == 0) return child.value("digest", "?");
    }
    if (json.contains("manifests")) return {};
    Json blobs = json.value("layers", Json::array());
    blobs.push_back(json.value("config", Json::object()));
    for (const Json& blob : blobs) {
      const auto found = repository.blobs.find(blob.value("digest", ""));
      if (found == repository.blobs.end() || found->second.size() != blob.value("size", 0U))
        return blob.value("digest", "?");
    }
    return {};
  }

  void serve_blob(const Request& req, Response& res, const Route& route) {
    const auto& blobs = repositories[route.repository].blobs;
    const auto found = blobs.find(route.name);
    if (found == blobs.end()) return answer_error(res, 404, "BLOB_UNKNOWN", "blob unknown to registry");
    if (options.storage != nullptr && req.method == "GET") {
      State& storage = *options.storage->state_;
      const std::lock_guard lock(storage.mutex);
      storage.stored[cat("/storage/", route.name)] = found->second;
      res.status = 307;
      res.set_header("Location", cat(storage.url(), "/storage/", route.name, "?X-Signature=secret"));
      return;
    }
    res.status = 200;
    res.set_header("Docker-Content-Digest", route.name);
    const std::string content = corrupted.count(route.name) > 0 ? flipped(found->second) : found->second;
    res.set_content(content, "application/octet-stream");
  }

  void answer_storage(const Request& req, Response& res) {
    const auto found = stored.find(req.path);
    if (found == stored.end() || query_of(req) != "X-Signature=secret")
      return answer_error(res, 403, "DENIED", "bad signature");
    res.status = 200;
    res.set_content(found->second, "application/octet-stream");
  }

  void open_upload(const Request& req, Response& res, const Route& route) {
    if (req.method != "POST") return answer_error(res, 405, "UNSUPPORTED", "method not allowed");
    const std::string digest = req.get_param_value("mount");
    if (!digest.empty() && options.mount_refusal != 0)
      return answer_error(res, options.mount_refusal, "UNSUPPORTED", "no mounts here");
    if (!digest.empty() && options.mounts) {
      const auto& source = repositories[req.get_param_value("from")].blobs;
      if (const auto found = source.find(digest); found != source.end()) {
        repositories[route.repository].blobs[digest] = found->second;
        res.status = 201;
        res.set_header("Docker-Content-Digest", digest);
        return;
      }
    }
    const std::string id = cat("upload-", ++upload_number);
    uploads[id] = {route.repository, cat("opaque%2Fstate-", upload_number)};
    std::string location = cat("/v2/", route.repository, "/blobs/uploads/", id, "?_state=", uploads[id].state);
    if (!options.relative_locations) location = url() + location;
    if (options.uploads != nullptr) {
      State& other = *options.uploads->state_;
      const std::lock_guard lock(other.mutex);
      other.elsewhere = [this](const Request& put, Response& answered, const std::string& body) {
        const std::lock_guard own(mutex);
        finish_upload(put, answered, put.path.substr(std::string_view("/elsewhere/").size()), body);
      };
      location = cat(other.url(), "/elsewhere/", id, "?_state=", uploads[id].state);
    }
    res.status = 202;
    res.set_header("Location", location);
    res.set_header("Range", "0-0");
  }

  void finish_upload(const Request& req, Response& res, const std::string& id, const std::string& body) {
    const auto upload = uploads.find(id);
    if (upload == uploads.end())
      return answer_error(res, 404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
    if (req.method != "PUT") return answer_error(res, 405, "UNSUPPORTED", "method not allowed");
    if (!query_of(req).starts_with(cat("_state=", upload->second.state, "&digest="))) {
      return answer_error(res, 400, "BLOB_UPLOAD_INVALID", "the state was lost or changed");
    }
    if (req.get_header_value("Content-Length") != std::to_string(body.size())) {
      return answer_error(res, 400, "SIZE_INVALID", "Content-Length is missing");
    }
    const std::string digest = req.get_param_value("digest");
    if (digest_of(body).str() != digest) {
      return answer_error(res, 400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    }
    repositories[upload->second.repository].blobs[digest] = body;
    uploads.erase(upload);
    res.status = 201;
    res.set_header("Docker-Content-Digest", digest);
  }

  Options options;
  httplib::Server server;
  int port = 0;
  std::thread thread;
  mutable std::mutex mutex;
  std::map<std::string, Repository> repositories;
  std::map<std::string, Upload> uploads;
  std::map<std::string, std::set<std::string>> tokens;
  std::map<std::string, std::string> stored;
  std::function<void(const Request&, Response&, const std::string&)> elsewhere;
  std::set<std::string> corrupted;
  std::vector<Fault> faults;
  std::vector<SeenRequest> log;
  int upload_number = 0, token_number = 0;
};

FakeRegistry::FakeRegistry() : FakeRegistry(Options{}) {}
FakeRegistry::FakeRegistry(Options options) : state_(std::make_unique<State>(std::move(options))) {}
FakeRegistry::~FakeRegistry() = default;

std::string FakeRegistry::host() const {
  return cat("127.0.0.1:", state_->port);
}
std::string FakeRegistry::url() const {
  return state_->url();
}

void FakeRegistry::inject(Fault fault) {
  const std::lock_guard lock(state_->mutex);
  state_->faults.push_back(std::move(fault));
}

void FakeRegistry::corrupt(const std::string& digest) {
  const std::lock_guard lock(state_->mutex);
  state_->corrupted.insert(digest);
}

void FakeRegistry::expire_tokens() {
  const std::lock_guard lock(state_->mutex);
  state_->tokens.clear();
}

std::vector<SeenRequest> FakeRegistry::requests() const {
  const std::lock_guard lock(state_->mutex);
  return state_->log;
}

void FakeRegistry::forget_requests() {
  const std::lock_guard lock(state_->mutex);
  state_->log.clear();
}

std::size_t FakeRegistry::count(std::string_view method, std::string_view part) const {
  std::size_t found = 0;
  for (const SeenRequest& request : requests()) {
    if (request.method == method && request.path.find(part) != std::string::npos) ++found;
  }
  return found;
}

bool FakeRegistry::has_blob(const std::string& repository, const std::string& digest) const {
  const std::lock_guard lock(state_->mutex);
  return state_->repositories[repository].blobs.count(digest) > 0;
}

std::size_t FakeRegistry::blob_count(const std::string& repository) const {
  const std::lock_guard lock(state_->mutex);
  return state_->repositories[repository].blobs.size();
}

std::optional<std::string> FakeRegistry::manifest(const std::string& repository, const std::string& name) const {
  const std::lock_guard lock(state_->mutex);
  const Repository& in = state_->repositories[repository];
  const auto tag = in.tags.find(name);
  const auto found = in.manifests.find(tag == in.tags.end() ? name : tag->second);
  return found == in.manifests.end() ? std::nullopt : std::optional(found->second.json);
}

void FakeRegistry::put_blob(const std::string& repository, const std::string& digest, const std::string& content) {
  const std::lock_guard lock(state_->mutex);
  state_->repositories[repository].blobs[digest] = content;
}

void FakeRegistry::put_manifest(const std::string& repository, const std::string& name, const std::string& digest,
                                const std::string& media_type, const std::string& json) {
  const std::lock_guard lock(state_->mutex);
  state_->repositories[repository].manifests[digest] = {media_type, json};
  if (name != digest) state_->repositories[repository].tags[name] = digest;
}

}  // namespace whittle::testing
