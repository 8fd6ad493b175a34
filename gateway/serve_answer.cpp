#include "gateway/serve_answer.hpp"

#include <algorithm>
#include <ctime>

#include "base/error.hpp"
#include "base/text.hpp"
#include "server/conditions.hpp"
#include "server/http_date.hpp"

namespace whittle::gateway {

namespace {

// No text of a client is near it, and layers that have it inside spoil nobody's answer but their own.
constexpr std::string_view kBoundary = "whittle-part-2f9c6b1de08a4735";
constexpr std::string_view kJson = "application/json";

const char* phrase_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 206:
      return "Partial Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 416:
      return "Range Not Satisfiable";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Internal Server Error";
  }
}

std::string_view view(server::Text text) {
  return {text.data(), text.size()};
}

class HeadWriter {
 public:
  explicit HeadWriter(int status) {
    text_ = cat("HTTP/1.1 ", status, " ", phrase_of(status));
    add("Date", view(server::format_date(std::time(nullptr)).text()));
    add("Docker-Distribution-Api-Version", "registry/2.0");
    add("X-Content-Type-Options", "nosniff");
  }
  HeadWriter& add(std::string_view name, std::string_view value) {
    text_ += cat("\r\n", name, ": ", value);
    return *this;
  }
  HeadWriter& add_length(std::uint64_t size) { return add("Content-Length", std::to_string(size)); }
  std::string take(bool closes, int minor_version) {
    if (closes) add("Connection", "close");
    if (!closes && minor_version == 0) add("Connection", "keep-alive");
    text_ += "\r\n\r\n";
    return std::move(text_);
  }

 private:
  std::string text_;
};

std::string entity_tag(const Digest& digest) {
  return cat("\"", digest.str(), "\"");
}

}  // namespace

struct Answers::Question {
  server::Request request;
  Route route;
  bool closes = false;
  const Fetch* waited_for = nullptr;

  bool wants_body() const { return request.method != server::Request::Method::head; }

  Answer begin(int status) const {
    Answer answer;
    answer.status = status;
    answer.kind = route.kind;
    answer.closes = closes;
    return answer;
  }
  Answer with_text(HeadWriter& head, int status, std::string_view type, std::string_view body) const {
    Answer answer = begin(status);
    head.add("Content-Type", type).add_length(body.size());
    answer.text = head.take(closes, request.minor_version);
    if (wants_body()) answer.text += body;
    return answer;
  }
  Answer with_json(HeadWriter& head, std::string_view type, const Json& body) const {
    return with_text(head, 200, type, canonical_json(body));
  }
  // distribution-spec, "Error Codes".
  Answer with_error(int status, const char* code, const std::string& message) const {
    HeadWriter head(status);
    if (status == 405) head.add("Allow", "GET, HEAD");
    if (status == 429 || status == 503) head.add("Retry-After", std::to_string(Fetches::kFailureLife.count()));
    head.add("Cache-Control", "no-cache");
    const Json error = {{"code", code}, {"message", message}};
    return with_text(head, status, kJson, canonical_json({{"errors", Json::array({error})}}));
  }
};

std::string part_text(const Answer& answer, std::size_t number) {
  if (number == answer.parts.size()) return cat("\r\n--", kBoundary, "--\r\n");
  const server::Range& range = answer.parts[number];
  return cat("\r\n--", kBoundary, "\r\nContent-Type: ", answer.type, "\r\nContent-Range: bytes ", range.first, "-",
             range.first + range.size - 1, "/", answer.size, "\r\n\r\n");
}

Answer Answers::refusal(int status) {
  Question question;
  question.closes = true;
  return question.with_error(status, status == 408 ? "TIMEOUT" : "UNSUPPORTED", phrase_of(status));
}

Answer Answers::make(std::string_view head, bool closes, const Fetch* waited_for) {
  Question question{.waited_for = waited_for};
  if (const int status = server::parse_request({head.data(), head.size()}, question.request); status != 0) {
    return refusal(status);
  }
  const server::Request& request = question.request;
  question.closes = closes || !request.keeps_alive || request.has_body;
  if (request.method == server::Request::Method::other) {
    return question.with_error(405, "UNSUPPORTED", "this registry is read-only");
  }
  if (request.has_body) return question.with_error(413, "UNSUPPORTED", "a question has no body");
  const auto parsed = parse_route(view(request.target));
  if (const auto* error = std::get_if<RouteError>(&parsed)) {
    return question.with_error(error->status, error->code, error->message);
  }
  question.route = std::get<Route>(parsed);
  return route(question);
}

Answer Answers::route(const Question& question) {
  switch (question.route.kind) {
    case Route::Kind::base:
      return answer_base(question);
    case Route::Kind::catalog:
      return answer_catalog(question);
    case Route::Kind::tags:
      return answer_tags(question);
    case Route::Kind::manifest:
      return answer_manifest(question);
    case Route::Kind::blob:
      return answer_blob(question);
    case Route::Kind::referrers:
      return answer_referrers(question);
    case Route::Kind::metrics:
      return answer_metrics(question);
    case Route::Kind::other:
      break;
  }
  return question.with_error(404, "UNSUPPORTED", "this registry has nothing at that path");
}

Answer Answers::answer_base(const Question& question) const {
  HeadWriter head(200);
  return question.with_json(head, kJson, Json::object());
}

Answer Answers::answer_metrics(const Question& question) const {
  HeadWriter head(200);
  head.add("Cache-Control", "no-cache");
  return question.with_text(head, 200, ServeMetrics::kMediaType, metrics_.text());
}

namespace {

// What comes after `last`, `count` of it at most; `more` tells whether there is yet more.
std::vector<std::string> page_of(const std::vector<std::string>& sorted, const Route& route, bool& more) {
  auto begin = route.last.empty() ? sorted.begin() : std::upper_bound(sorted.begin(), sorted.end(), route.last);
  const auto left = static_cast<std::uint64_t>(sorted.end() - begin);
  const std::uint64_t count = std::min(left, route.count.value_or(left));
  more = count > 0 && count < left;
  return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

void add_link(HeadWriter& head, std::string_view path, const Route& route, const std::string& last) {
  std::string link = cat("<", path, "?last=", last, "&n=", route.count.value_or(0));
  if (!route.repository.registry.empty()) link += cat("&ns=", route.repository.registry);
  head.add("Link", cat(link, ">; rel=\"next\""));
}

}  // namespace

Answer Answers::answer_catalog(const Question& question) {
  bool more = false;
  const std::vector<std::string> page = page_of(shelf_.catalog()->names(), question.route, more);
  HeadWriter head(200);
  if (more) add_link(head, "/v2/_catalog", question.route, page.back());
  return question.with_json(head, kJson, {{"repositories", page}});
}

Answer Answers::answer_tags(const Question& question) {
  const AskedRepository& asked = question.route.repository;
  const auto catalog = shelf_.catalog();
  const Catalog::Repository* repository = catalog->find(asked);
  if (repository == nullptr) return question.with_error(404, "NAME_UNKNOWN", "there is no such repository here");
  std::vector<std::string> tags;
  for (const auto& [tag, target] : repository->tags) tags.push_back(tag);
  bool more = false;
  const std::vector<std::string> page = page_of(tags, question.route, more);
  HeadWriter head(200);
  if (more) add_link(head, cat("/v2/", asked.path, "/tags/list"), question.route, page.back());
  return question.with_json(head, kJson, {{"name", asked.path}, {"tags", page}});
}

Answer Answers::answer_referrers(const Question& question) {
  const auto catalog = shelf_.catalog();
  if (catalog->find(question.route.repository) == nullptr) {
    return question.with_error(404, "NAME_UNKNOWN", "there is no such repository here");
  }
  Json list = Json::array();
  for (const oci::Descriptor& referrer : catalog->referrers(*question.route.digest)) {
    if (!question.route.artifact_type.empty() && referrer.artifact_type != question.route.artifact_type) continue;
    Json item = {{"mediaType", referrer.media_type}, {"digest", referrer.digest.str()}, {"size", referrer.size}};
    if (!referrer.artifact_type.empty()) item["artifactType"] = referrer.artifact_type;
    if (!referrer.annotations.empty()) item["annotations"] = referrer.annotations;
    list.push_back(std::move(item));
  }
  HeadWriter head(200);
  if (!question.route.artifact_type.empty()) head.add("OCI-Filters-Applied", "artifactType");
  return question.with_json(head, oci::media_type::kIndex,
                            {{"schemaVersion", 2}, {"mediaType", oci::media_type::kIndex}, {"manifests", list}});
}

// What upstream has said, when it has said that this is not to be had.
Answer Answers::answer_absent(const Question& question, const char* code, const std::string& message) const {
  const Fetch* fetch = question.waited_for;
  if (fetch == nullptr || fetch->state() != Fetch::State::failed) return question.with_error(404, code, message);
  return question.with_error(503, "UNAVAILABLE", cat("it is not here, and upstream: ", printable(fetch->reason())));
}

Answer Answers::answer_after(const Question& question, std::shared_ptr<const Fetch> fetch) const {
  if (!fetch) return question.with_error(429, "TOOMANYREQUESTS", "too much is being fetched already");
  Answer answer = question.begin(200);
  answer.fetch = std::move(fetch);
  return answer;
}

Answer Answers::answer_manifest(const Question& question) {
  const Route& route = question.route;
  const auto catalog = shelf_.catalog();
  const Catalog::Repository* repository = catalog->find(route.repository);
  std::optional<Digest> wanted = route.digest;
  if (!wanted && repository != nullptr) {
    const auto tag = repository->tags.find(route.tag);
    if (tag != repository->tags.end()) wanted = tag->second.digest;
  }
  if (wanted) {
    const oci::Descriptor* known = catalog->manifest(*wanted);
    const auto target = known != nullptr ? *known : shelf_.describe(*wanted);
    auto blob = target ? shelf_.open(*wanted) : std::nullopt;
    if (blob) return answer_file(question, *target, std::move(*blob));
  }
  oci::Reference image = route.repository.image();
  if (fetches_ != nullptr && question.waited_for == nullptr && fetches_->covers(image)) {
    image.tag = route.tag;
    image.digest = wanted;  // a name that is here means what it means here, also where the manifest itself is missing
    return answer_after(question, fetches_->manifest(image));
  }
  if (repository == nullptr && !route.digest) {
    return answer_absent(question, "NAME_UNKNOWN", "there is no such repository here");
  }
  return answer_absent(question, "MANIFEST_UNKNOWN", "there is no such manifest here");
}

Answer Answers::answer_blob(const Question& question) {
  const Digest& digest = *question.route.digest;
  oci::Descriptor what{.media_type = "application/octet-stream", .digest = digest};
  if (auto blob = shelf_.open(digest)) {
    what.size = blob->size;
    return answer_file(question, what, std::move(*blob));
  }
  const oci::Reference image = question.route.repository.image();
  const std::optional<std::uint64_t> size = shelf_.catalog()->blob_size(digest);
  if (fetches_ == nullptr || !size || !fetches_->covers(image)) {
    return answer_absent(question, "BLOB_UNKNOWN", "there is no such blob here");
  }
  what.size = *size;
  if (!question.wants_body()) return answer_file(question, what, {.file = {}, .size = *size});
  const std::shared_ptr<const Fetch> fetch = fetches_->blob(image, what);
  if (!fetch) return answer_after(question, fetch);
  if (fetch->state() == Fetch::State::failed) {
    Question after = question;
    after.waited_for = fetch.get();
    return answer_absent(after, "BLOB_UNKNOWN", "there is no such blob here");
  }
  Answer answer = answer_file(question, what, {.file = {}, .size = *size});
  answer.grows = !answer.parts.empty();
  if (answer.grows) answer.fetch = fetch;
  return answer;
}

Answer Answers::answer_file(const Question& question, const oci::Descriptor& what, Shelf::OpenBlob&& blob) const {
  const server::Request& request = question.request;
  const std::string tag = entity_tag(what.digest);
  const server::Validators validators{.tag = {tag.data(), tag.size()}};
  const bool is_named_by_content = question.route.digest.has_value();
  const auto add_identity = [&](HeadWriter& head) {
    head.add("Docker-Content-Digest", what.digest.str()).add("ETag", tag);
    head.add("Cache-Control", is_named_by_content ? "max-age=31536000, immutable" : "no-cache");
  };
  const auto without_body = [&](HeadWriter& head, int status) {
    Answer answer = question.begin(status);
    answer.text = head.take(question.closes, request.minor_version);
    return answer;
  };
  if (const int status = server::check_conditions(request, validators); status != 0) {
    HeadWriter head(status);
    add_identity(head);
    if (status != 304) head.add_length(0);
    return without_body(head, status);
  }
  WantedParts wanted;
  if (question.wants_body() && request.range.data() != nullptr && server::range_applies(request, validators)) {
    wanted = wanted_parts(view(request.range), blob.size);
  }
  if (wanted.answer == WantedParts::Answer::unsatisfiable) {
    HeadWriter head(416);
    head.add("Content-Range", cat("bytes */", blob.size));
    head.add_length(0);
    return without_body(head, 416);
  }
  const bool is_whole = wanted.answer == WantedParts::Answer::whole;
  Answer answer = question.begin(is_whole ? 200 : 206);
  answer.parts = is_whole ? std::vector<server::Range>{{0, static_cast<long long>(blob.size)}} : std::move(wanted.list);
  answer.is_multipart = answer.parts.size() > 1;
  answer.type = what.media_type;
  answer.size = blob.size;
  answer.digest = what.digest;
  std::uint64_t size = 0;
  for (const server::Range& part : answer.parts) size += static_cast<std::uint64_t>(part.size);
  HeadWriter head(answer.status);
  add_identity(head);
  if (is_whole) head.add("Accept-Ranges", "bytes");
  if (answer.is_multipart) {
    for (std::size_t i = 0; i <= answer.parts.size(); ++i) size += part_text(answer, i).size();
    head.add("Content-Type", cat("multipart/byteranges; boundary=", kBoundary));
  } else {
    head.add("Content-Type", answer.type);
    const server::Range& part = answer.parts.front();
    if (!is_whole) {
      head.add("Content-Range", cat("bytes ", part.first, "-", part.first + part.size - 1, "/", answer.size));
    }
  }
  head.add_length(size);
  answer.text = head.take(question.closes, request.minor_version);
  if (!question.wants_body()) answer.parts.clear();
  if (question.wants_body()) answer.file = std::move(blob.file);
  return answer;
}

}  // namespace whittle::gateway
