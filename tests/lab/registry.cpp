#include "tests/lab/registry.hpp"

#include <algorithm>
#include <functional>
#include <mutex>

#include "base/digest.hpp"
#include "base/text.hpp"
#include "tests/lab/api.hpp"
#include "tests/lab/server.hpp"
#include "tests/lab/tokens.hpp"

namespace whittle::testing {

namespace {

using Kind = Fault::Kind;
using Time = std::chrono::steady_clock;

// So many requests a second, and as many at once.
class RateLimit {
 public:
  explicit RateLimit(double per_second) : per_second_(per_second), allowance_(per_second) {}
  bool admits() {
    if (per_second_ <= 0) return true;
    const auto now = Time::now();
    allowance_ += per_second_ * std::chrono::duration<double>(now - last_).count();
    allowance_ = std::min(allowance_, per_second_);
    last_ = now;
    if (allowance_ < 1) return false;
    allowance_ -= 1;
    return true;
  }

 private:
  double per_second_, allowance_;
  Time::time_point last_ = Time::now();
};

std::string without_value(std::string_view name, const std::string& value) {
  if (name == "Content-Length") return std::to_string(parse_number(value).value_or(0) + 1);
  if (name == "Docker-Content-Digest") return digest_of("something else").str();
  return value;
}

}  // namespace

std::string SeenRequest::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

bool SeenRequest::has_credentials() const {
  for (const char* name : {"authorization", "proxy-authorization", "cookie", "x-registry-auth", "x-api-key"}) {
    if (has(name)) return true;
  }
  return query.find("token-") != std::string::npos || query.find(FakeRegistry::kIdentityToken) != std::string::npos;
}

struct FakeRegistry::State {
  explicit State(Options given)
      : options(std::move(given)),
        server(options.port),
        limit(options.requests_per_second),
        account{kUser, kPassword, kIdentityToken},
        tokens(account, options.personality,
               options.token_lifetime > 0 ? options.token_lifetime : options.personality.token_lifetime),
        api(api_options()) {
    tokens.set_uses(options.token_uses);
    if (options.tls) identity.emplace();
    server.start([this](Connection& connection) { serve(connection); });
  }

  ~State() { server.stop(); }

  std::string url() const { return cat(options.tls ? "https" : "http", "://127.0.0.1:", server.port()); }

  Api::Options api_options() {
    Api::Options given{.personality = options.personality,
                       .mounts = options.mounts,
                       .mount_refusal = options.mount_refusal,
                       .relative_locations = options.relative_locations,
                       .url = url()};
    if (options.storage != nullptr) {
      given.storage = [other = options.storage->state_.get()](const std::string& digest, const std::string& content) {
        const std::lock_guard lock(other->mutex);
        other->stored[cat("/storage/", digest)] = content;
        return cat(other->url(), "/storage/", digest, "?X-Signature=secret");
      };
    }
    if (options.uploads != nullptr) {
      given.uploads = [this, other = options.uploads->state_.get()](const std::string& id, const std::string& state) {
        const std::lock_guard lock(other->mutex);
        other->elsewhere = [this](const Question& question) {
          const std::lock_guard own(mutex);
          return api.finish_upload(question, question.path.substr(std::string_view("/elsewhere/").size()));
        };
        return cat(other->url(), "/elsewhere/", id, "?_state=", state);
      };
    }
    return given;
  }

  template <class Function>
  auto locked(Function&& function) const {
    const std::lock_guard lock(mutex);
    return function();
  }

  void serve(Connection& connection) {
    const bool is_greeted = connection.is_greeted_by_tls();
    if ((is_greeted || !options.tls) && locked([&] { return faults.take_abort(); })) return connection.reset();
    if (options.tls != is_greeted) {
      connection.send("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server, or none.\n");
      return;
    }
    if (options.tls && !connection.start_tls(*identity)) return;
    MessageReader reader(connection);
    while (auto question = reader.head()) {
      if (!exchange(connection, reader, *question)) return;
    }
  }

  // One request and its answer; false when the connection is not to be used again.
  bool exchange(Connection& connection, MessageReader& reader, Question& question) {
    const bool is_control = question.path.starts_with("/lab/");
    const auto fault = is_control ? std::nullopt : locked([&] { return faults.take(question); });
    if (!is_control && options.delay.count() > 0) server.wait(options.delay);
    if (fault && fault->kind == Kind::hang_up) {
      log_request(question, 0, 0, fault);
      connection.reset();
      return false;
    }
    auto answer = is_control ? std::nullopt : locked([&] { return refusal(question, fault); });
    const bool awaits_consent = question.header("expect") == "100-continue";
    if (answer && awaits_consent) answer->closes = true;
    if (!answer || !awaits_consent) {
      if (awaits_consent) connection.send("HTTP/1.1 100 Continue\r\n\r\n");
      if (!read_body(connection, reader, question, fault)) return false;
    }
    if (is_control) return connection.send(render(control(question), question));
    if (!answer) answer = reply(question);
    const std::size_t size = question.method == "HEAD" ? 0 : answer->body.size();
    const bool applies = fault && fault->applies_to(size);
    if (fault && !applies) locked([&] { faults.give_back(*fault); });
    return deliver(connection, question, *answer, applies ? fault : std::nullopt);
  }

  bool read_body(Connection& connection, MessageReader& reader, Question& question, const std::optional<Fault>& fault) {
    const bool breaks = fault && (fault->kind == Kind::reset_upload || fault->kind == Kind::stall_upload);
    const bool is_whole = reader.body(question, breaks ? fault->at : UINT64_MAX);
    if (is_whole && !breaks) return true;
    locked([&] { api.break_off(question); });
    log_request(question, 0, 0, fault);
    if (breaks && fault->kind == Kind::stall_upload) connection.wait_for_hangup();
    if (breaks) connection.reset();
    return false;
  }

  // What can be said when only the head is there.
  std::optional<Answer> refusal(const Question& question, const std::optional<Fault>& fault) {
    const Personality& personality = options.personality;
    if (!limit.admits()) {
      Answer answer = error_answer(429, "TOOMANYREQUESTS", "too many requests");
      answer.headers.emplace_back("Retry-After", "1");
      return answer;
    }
    if (fault && fault->kind == Kind::status) {
      Answer answer{.status = fault->status, .body = fault->body};
      for (const auto& [name, value] : fault->headers) answer.headers.emplace_back(name, value);
      return answer;
    }
    if (question.path == "/token" || question.path.starts_with("/storage/") ||
        question.path.starts_with("/elsewhere/")) {
      return std::nullopt;
    }
    const auto length = parse_number(question.header("content-length"));
    if (length && *length > personality.longest_upload) return Answer{.status = 413, .body = "too large"};
    if (question.header("authorization").size() > personality.longest_authorization) {
      return Answer{.status = 400, .body = "request header too large"};
    }
    if (++api_requests == personality.limited_request) {
      Answer answer =
          error_answer(403, "DENIED", "You have exceeded a secondary rate limit. Please wait a few minutes");
      answer.headers.emplace_back("Retry-After", "1");
      return answer;
    }
    return unauthorized(question);
  }

  std::optional<Answer> unauthorized(const Question& question) {
    const std::string given = question.header("authorization");
    if (options.auth == Auth::none) return std::nullopt;
    if (options.auth == Auth::basic) {
      if (given == basic_header(account)) return std::nullopt;
      return challenge(R"(Basic realm="fake, with a comma")");
    }
    const std::string repository = Api::repository_of(question);
    const bool writes = question.method != "GET" && question.method != "HEAD";
    if (tokens.allows(given, repository, writes)) {
      api.set_may_read([this, given](const std::string& other) { return tokens.allows(given, other, false); });
      return std::nullopt;
    }
    const std::string realm = options.realm.empty() ? url() + "/token" : options.realm;
    return challenge(cat("Bearer realm=\"", realm, "\",service=\"fake\",scope=\"repository:", repository,
                         writes ? ":pull,push" : ":pull", "\"", given.empty() ? "" : ",error=\"insufficient_scope\""));
  }

  static Answer challenge(std::string header) {
    Answer answer = error_answer(401, "UNAUTHORIZED", "authentication required");
    answer.headers.emplace_back("WWW-Authenticate", "Negotiate");
    answer.headers.emplace_back("WWW-Authenticate", std::move(header));
    return answer;
  }

  Answer reply(const Question& question) {
    // What another registry does at this address, without this one's lock: it takes its own.
    if (question.path.starts_with("/elsewhere/")) {
      const auto handler = locked([&] { return elsewhere; });
      if (handler) return handler(question);
    }
    return locked([&]() -> Answer {
      if (question.path == "/token") return tokens.answer(question);
      if (!question.path.starts_with("/storage/")) return api.answer(question);
      const auto found = stored.find(question.path);
      if (found == stored.end() || question.query != "X-Signature=secret") {
        return error_answer(403, "DENIED", "bad signature");
      }
      return {.headers = {{"Content-Type", "application/octet-stream"}}, .body = found->second};
    });
  }

  static std::string render(const Answer& answer, const Question& question) {
    return question.method == "HEAD" ? answer.head() : answer.head() + answer.body;
  }

  bool deliver(Connection& connection, const Question& question, Answer& answer, const std::optional<Fault>& fault) {
    const Kind kind = fault ? fault->kind : Kind::status;
    const std::size_t size = question.method == "HEAD" ? 0 : answer.body.size();
    const std::size_t at = fault ? std::min<std::uint64_t>(fault->at, size) : 0;
    std::string head = answer.head();
    std::string body = size > 0 ? answer.body : std::string();
    const auto as_length = [&](std::size_t length) {
      answer.headers.emplace_back("Content-Length", std::to_string(length));
      head = answer.head();
    };
    switch (kind) {
      case Kind::lose_answer:
        log_request(question, 0, 0, fault);
        connection.reset();
        return false;
      case Kind::reset:
      case Kind::truncate:
      case Kind::stall:
        log_request(question, answer.status, at, fault);
        connection.send(head + body.substr(0, at));
        if (kind == Kind::reset) connection.reset();
        if (kind == Kind::truncate) connection.end();
        if (kind != Kind::reset) connection.wait_for_hangup();
        return false;
      case Kind::corrupt:
        if (size > 0) body[std::min(at, size - 1)] = static_cast<char>(body[std::min(at, size - 1)] ^ 0x10);
        break;
      case Kind::shorten:
        if (size > 0) as_length(size - 1);
        break;
      case Kind::lengthen:
        if (question.method != "HEAD") as_length(size + 1);
        break;
      case Kind::duplicate: {
        answer.headers.emplace_back("Content-Length", std::to_string(answer.body.size()));
        const auto once = answer.headers;
        for (const auto& [name, value] : once) answer.headers.emplace_back(name, without_value(name, value));
        head = answer.head();
        break;
      }
      default:
        break;
    }
    log_request(question, answer.status, body.size(), fault);
    if (kind == Kind::drip) return drip(connection, head + body);
    const bool ends = kind == Kind::shorten || kind == Kind::lengthen || kind == Kind::leave ||
                      kind == Kind::duplicate || answer.closes;
    return connection.send(head + body) && !ends;
  }

  static bool drip(Connection& connection, std::string_view text) {
    const std::size_t slow = std::min<std::size_t>(text.size(), 1024);
    for (std::size_t i = 0; i < slow; ++i) {
      if (!connection.send(text.substr(i, 1))) return false;
    }
    return connection.send(text.substr(slow));
  }

  void log_request(const Question& question, int status, std::uint64_t answer_size, const std::optional<Fault>& fault) {
    const std::lock_guard lock(mutex);
    log.push_back({.method = question.method,
                   .path = question.path,
                   .query = question.query,
                   .headers = question.headers,
                   .body_size = question.body.size(),
                   .status = status,
                   .answer_size = answer_size,
                   .fault = fault ? std::string(name_of(fault->kind)) : std::string()});
  }

  // The program's own handles, not part of the registry: tests/lab/README.md.
  Answer control(const Question& question) {
    const std::lock_guard lock(mutex);
    const std::string what = cat(question.method, " ", question.path);
    if (what == "DELETE /lab/requests") {
      log.clear();
    } else if (what == "DELETE /lab/faults") {
      faults.clear();
    } else if (what == "DELETE /lab/repositories") {
      api.repositories.clear();
    } else if (what == "GET /lab/problem") {
      return {.body = api.problem()};
    } else if (what == "POST /lab/revoke") {
      tokens.revoke();
    } else if (what == "GET /lab/requests") {
      return {.headers = {{"Content-Type", "application/json"}}, .body = canonical_json(log_as_json())};
    } else if (what == "POST /lab/faults") {
      for (const std::string& line : split_lines(question.body)) {
        const auto fault = Fault::parse(line);
        if (!fault) return error_answer(400, "FAULT_INVALID", line);
        faults.add(*fault);
      }
    } else {
      return error_answer(404, "NOT_FOUND", what);
    }
    return {};
  }

  Json log_as_json() const {
    Json list = Json::array();
    for (const SeenRequest& seen : log) {
      list.push_back({{"method", seen.method},
                      {"path", seen.path},
                      {"query", seen.query},
                      {"status", seen.status},
                      {"received", seen.body_size},
                      {"sent", seen.answer_size},
                      {"fault", seen.fault}});
    }
    return list;
  }

  Options options;
  Server server;
  std::optional<Identity> identity;
  mutable std::mutex mutex;  // of everything up to `log`
  RateLimit limit;
  Account account;
  TokenServer tokens;
  FaultEngine faults;
  Api api;
  std::map<std::string, std::string> stored;
  std::function<Answer(const Question&)> elsewhere;
  int api_requests = 0;
  std::vector<SeenRequest> log;
};

FakeRegistry::FakeRegistry() : FakeRegistry(Options{}) {}
FakeRegistry::FakeRegistry(Options options) : state_(std::make_unique<State>(std::move(options))) {}
FakeRegistry::~FakeRegistry() = default;

std::string FakeRegistry::host() const {
  return cat("127.0.0.1:", state_->server.port());
}

std::string FakeRegistry::url() const {
  return state_->url();
}

std::string FakeRegistry::certificate_pem() const {
  return state_->identity ? state_->identity->certificate_pem() : std::string();
}

void FakeRegistry::inject(Fault fault) {
  state_->locked([&] { state_->faults.add(std::move(fault)); });
}

void FakeRegistry::end_faults() {
  state_->locked([&] { state_->faults.clear(); });
}

std::size_t FakeRegistry::faults_struck() const {
  return state_->locked([&] { return state_->faults.struck(); });
}

void FakeRegistry::corrupt(const std::string& digest) {
  state_->locked([&] { state_->api.corrupted.insert(digest); });
}

void FakeRegistry::expire_tokens() {
  state_->locked([&] { state_->tokens.revoke(); });
}

std::vector<SeenRequest> FakeRegistry::requests() const {
  return state_->locked([&] { return state_->log; });
}

void FakeRegistry::forget_requests() {
  state_->locked([&] { state_->log.clear(); });
}

std::size_t FakeRegistry::count(std::string_view method, std::string_view part) const {
  const auto seen = requests();
  return static_cast<std::size_t>(std::count_if(seen.begin(), seen.end(), [&](const SeenRequest& request) {
    return request.method == method && request.path.find(part) != std::string::npos;
  }));
}

std::uint64_t FakeRegistry::received_bytes() const {
  std::uint64_t total = 0;
  for (const SeenRequest& request : requests()) total += request.body_size;
  return total;
}

std::uint64_t FakeRegistry::sent_bytes() const {
  std::uint64_t total = 0;
  for (const SeenRequest& request : requests()) total += request.answer_size;
  return total;
}

bool FakeRegistry::has_blob(const std::string& repository, const std::string& digest) const {
  return state_->locked([&] { return state_->api.repositories[repository].blobs.count(digest) > 0; });
}

std::size_t FakeRegistry::blob_count(const std::string& repository) const {
  return state_->locked([&] { return state_->api.repositories[repository].blobs.size(); });
}

std::size_t FakeRegistry::open_uploads() const {
  return state_->locked([&] { return state_->api.open_uploads(); });
}

std::optional<std::string> FakeRegistry::manifest(const std::string& repository, const std::string& name) const {
  return state_->locked([&]() -> std::optional<std::string> {
    const Repository& in = state_->api.repositories[repository];
    const auto tag = in.tags.find(name);
    const auto found = in.manifests.find(tag == in.tags.end() ? name : tag->second);
    return found == in.manifests.end() ? std::nullopt : std::optional(found->second.json);
  });
}

void FakeRegistry::put_blob(const std::string& repository, const std::string& digest, const std::string& content) {
  state_->locked([&] { state_->api.repositories[repository].blobs[digest] = content; });
}

void FakeRegistry::put_manifest(const std::string& repository, const std::string& name, const std::string& digest,
                                const std::string& media_type, const std::string& json) {
  state_->locked([&] {
    Repository& in = state_->api.repositories[repository];
    in.manifests[digest] = {media_type, json};
    if (name != digest) in.tags[name] = digest;
  });
}

void FakeRegistry::remove_blob(const std::string& repository, const std::string& digest) {
  state_->locked([&] { state_->api.repositories[repository].blobs.erase(digest); });
}

std::string FakeRegistry::problem() const {
  return state_->locked([&] { return state_->api.problem(); });
}

}  // namespace whittle::testing
