#include "base/digest.hpp"
#include "base/text.hpp"
#include "tests/lab/api.hpp"

namespace whittle::testing {

namespace {

struct Span {
  std::uint64_t first = 0, last = 0;
};

// "bytes=5-", "bytes=5-9"; other forms are as if the header were not there (RFC 9110 14.2).
std::optional<Span> parse_range(const std::string& text, std::uint64_t size) {
  if (!text.starts_with("bytes=")) return std::nullopt;
  const std::size_t dash = text.find('-');
  if (dash == std::string::npos) return std::nullopt;
  const auto first = parse_number(std::string_view(text).substr(6, dash - 6));
  const std::string_view end = std::string_view(text).substr(dash + 1);
  const auto last = end.empty() ? UINT64_MAX : parse_number(end);
  if (!first || !last || *last < *first) return std::nullopt;
  return Span{*first, std::min(*last, size - 1)};
}

// "0-1023": as the specification has it, without a unit.
std::optional<Span> parse_content_range(const std::string& text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string::npos) return std::nullopt;
  const auto first = parse_number(std::string_view(text).substr(0, dash));
  const auto last = parse_number(std::string_view(text).substr(dash + 1));
  return first && last && *first <= *last ? std::optional(Span{*first, *last}) : std::nullopt;
}

}  // namespace

std::string Upload::id() const {
  return cat("upload-", number);
}

// With an escape in it, so that a client that decodes and encodes anew, or cuts, is noticed.
std::string Upload::state() const {
  return cat("opaque%2Fstate-", number, "-", version);
}

Answer Api::blob(const Question& question, const Route& route) {
  auto& blobs = repositories[route.repository].blobs;
  const auto found = blobs.find(route.name);
  if (found == blobs.end()) return error_answer(404, "BLOB_UNKNOWN", "blob unknown to registry");
  if (question.method == "DELETE") {
    blobs.erase(found);
    return {.status = 202};
  }
  if (question.method != "GET" && question.method != "HEAD") {
    return error_answer(405, "UNSUPPORTED", "method not allowed");
  }
  if (options_.storage && question.method == "GET") {
    return {.status = 307, .headers = {{"Location", options_.storage(route.name, found->second)}}};
  }
  return serve_blob(question, route.name, found->second);
}

Answer Api::serve_blob(const Question& question, const std::string& digest, const std::string& content) {
  Answer answer{.headers = {{"Content-Type", "application/octet-stream"},
                            {"Docker-Content-Digest", digest},
                            {"Accept-Ranges", "bytes"},
                            {"ETag", cat('"', digest, '"')}},
                .body = corrupted.count(digest) > 0 ? flipped(content) : content};
  const std::string asked = question.header("range");
  const std::string condition = question.header("if-range");
  if (asked.empty() || (!condition.empty() && condition != answer.header("ETag"))) return answer;
  const auto range = parse_range(asked, content.size());
  if (!range) return answer;
  if (range->first >= content.size()) {
    answer.status = 416;
    answer.headers.emplace_back("Content-Range", cat("bytes */", content.size()));
    answer.body.clear();
    return answer;
  }
  answer.status = 206;
  answer.headers.emplace_back("Content-Range", cat("bytes ", range->first, "-", range->last, "/", content.size()));
  answer.body = answer.body.substr(range->first, range->last - range->first + 1);
  return answer;
}

Answer Api::open_upload(const Question& question, const Route& route) {
  if (question.method != "POST") return error_answer(405, "UNSUPPORTED", "method not allowed");
  if (question.parameter("mount")) {
    if (auto answer = mount(question, route)) return std::move(*answer);
  }
  Upload& upload = open_[cat("upload-", ++upload_number_)];
  upload.repository = route.repository;
  upload.number = upload_number_;
  if (question.parameter("digest") && options_.personality.uploads_by_post) {
    upload.content = question.body;
    Question whole = question;
    whole.body.clear();
    whole.query = cat("_state=", upload.state(), "&", question.query);
    return finish(whole, upload);
  }
  return status_of(upload, 202);
}

std::optional<Answer> Api::mount(const Question& question, const Route& route) {
  const Personality& personality = options_.personality;
  const std::string digest = *question.parameter("mount");
  const std::string from = question.parameter("from").value_or("");
  if (options_.mount_refusal != 0) return error_answer(options_.mount_refusal, "UNSUPPORTED", "no mounts here");
  if (!is_digest(digest)) return error_answer(400, "DIGEST_INVALID", "invalid digest");
  if (from.empty() && personality.mount_needs_from) {
    return error_answer(400, "NAME_INVALID", "a mount needs a source");
  }
  const bool is_covered = from == route.repository || !options_.may_read || options_.may_read(from);
  if (!is_covered && personality.foreign_mount_refusal != 0) {
    return error_answer(personality.foreign_mount_refusal, "UNAUTHORIZED", "no access to the source repository");
  }
  if (!options_.mounts || !is_covered) return std::nullopt;
  const auto source = repositories.find(from);
  if (source == repositories.end() || source->second.blobs.count(digest) == 0) return std::nullopt;
  repositories[route.repository].blobs[digest] = source->second.blobs[digest];
  return Answer{
      .status = 201,
      .headers = {{"Docker-Content-Digest", digest}, {"Location", cat("/v2/", route.repository, "/blobs/", digest)}}};
}

std::string Api::location_of(const Upload& upload) const {
  if (options_.uploads) return options_.uploads(upload.id(), upload.state());
  const std::string path = cat("/v2/", upload.repository, "/blobs/uploads/", upload.id(), "?_state=", upload.state());
  return options_.relative_locations ? path : options_.url + path;
}

Answer Api::status_of(const Upload& upload, int status) const {
  const Personality& personality = options_.personality;
  std::uint64_t there = upload.content.size();
  if (personality.has_stale_range) there = std::min(there, upload.first_chunk);
  if (personality.understates_range && there > 0) --there;
  // Nothing and one byte look the same: the specification has no other form.
  const std::string range = cat("0-", there > 0 ? there - 1 : 0);
  return {.status = status,
          .headers = {{"Location", location_of(upload)}, {"Range", range}, {"Docker-Upload-UUID", upload.id()}}};
}

Answer Api::upload(const Question& question, const Route& route) {
  const auto found = open_.find(route.name);
  if (found == open_.end() || found->second.repository != route.repository) {
    return error_answer(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
  }
  Upload& upload = found->second;
  if (question.method == "GET") return status_of(upload, 204);
  if (question.method == "DELETE") {
    open_.erase(found);
    return {.status = 204};
  }
  if (question.method == "PATCH") return append(question, upload);
  return finish_upload(question, route.name);
}

std::optional<Answer> Api::refuse_chunk(const Question& question, const Upload& upload) const {
  const Personality& personality = options_.personality;
  if (question.query.find(cat("_state=", upload.state())) == std::string::npos) {
    return error_answer(personality.forgets_broken_uploads ? 404 : 400, "BLOB_UPLOAD_INVALID",
                        "the state was lost, changed or is not the latest");
  }
  if (question.headers.count("content-length") + question.headers.count("transfer-encoding") != 1) {
    return error_answer(411, "SIZE_INVALID", "the length is missing");
  }
  const std::string text = question.header("content-range");
  if (text.empty() || personality.ignores_content_range) return std::nullopt;
  const auto range = parse_content_range(text);
  if (!range || range->last - range->first + 1 != question.body.size()) {
    return error_answer(400, "SIZE_INVALID", "Content-Range and the body differ");
  }
  if (range->first != upload.content.size()) return status_of(upload, 416);
  return std::nullopt;
}

Answer Api::append(const Question& question, Upload& upload) {
  const Personality& personality = options_.personality;
  if (question.body.size() > personality.longest_patch)
    return error_answer(416, "SIZE_INVALID", "the chunk is too large");
  if (personality.takes_one_patch && upload.version > 0) {
    return error_answer(400, "UNSUPPORTED", "Stream uploads after first write are not allowed");
  }
  if (auto refusal = refuse_chunk(question, upload)) return std::move(*refusal);
  upload.content += question.body;
  if (upload.version++ == 0) upload.first_chunk = upload.content.size();
  return status_of(upload, personality.patch_status);
}

Answer Api::finish_upload(const Question& question, const std::string& id) {
  const auto found = open_.find(id);
  if (found == open_.end()) return error_answer(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
  if (question.method != "PUT") return error_answer(405, "UNSUPPORTED", "method not allowed");
  if (auto refusal = refuse_chunk(question, found->second)) return std::move(*refusal);
  return finish(question, found->second);
}

Answer Api::finish(const Question& question, Upload& upload) {
  upload.content += question.body;
  const std::string digest = question.parameter("digest").value_or("");
  if (!is_digest(digest) || digest_of(upload.content).str() != digest) {
    open_.erase(upload.id());
    return error_answer(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
  }
  const std::string repository = upload.repository;
  repositories[repository].blobs[digest] = std::move(upload.content);
  open_.erase(upload.id());
  return {.status = 201,
          .headers = {{"Docker-Content-Digest", digest}, {"Location", cat("/v2/", repository, "/blobs/", digest)}}};
}

void Api::break_off(const Question& question) {
  const Route route = route_of(question.path);
  const auto found = route.kind == Route::Kind::upload ? open_.find(route.name) : open_.end();
  if (found == open_.end() || question.body.empty()) return;
  if (options_.personality.forgets_broken_uploads) {
    open_.erase(found);
    return;
  }
  // What had come is kept, and the next Location tells that it was.
  found->second.content += question.body;
  if (found->second.version++ == 0) found->second.first_chunk = found->second.content.size();
}

}  // namespace whittle::testing
