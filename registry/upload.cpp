#include "registry/upload.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "registry/questions.hpp"

namespace whittle::registry {

namespace {

// A HEAD before sending this much costs nothing that anybody would notice.
constexpr std::uint64_t kWorthAsking = 4 << 20;
constexpr int kMostRefusals = 2;

Request whole_content(const oci::Descriptor& blob, const oci::BlobSource& from, const Url& location, Meter& meter) {
  return {.doing = cat("upload of ", short_name(blob)),
          .method = "PUT",
          .target = location.with_parameter("digest", blob.digest.str()).str(),
          .headers = {{"Content-Type", "application/octet-stream"}},
          .content = [&blob, &from, &meter] { return std::make_unique<MeteredSource>(from.open(blob), meter); },
          .content_size = blob.size};
}

// Cancels an upload that is not brought to its end.
class OpenUpload {
 public:
  explicit OpenUpload(Session& session) : session_(session) {}
  ~OpenUpload() { abandon(); }
  OpenUpload(const OpenUpload&) = delete;
  OpenUpload& operator=(const OpenUpload&) = delete;
  void at(Url location) { location_ = std::make_unique<Url>(std::move(location)); }
  void completed() { location_.reset(); }
  void abandon() {
    if (location_) session_.abandon(*location_);
    location_.reset();
  }

 private:
  Session& session_;
  std::unique_ptr<Url> location_;
};

}  // namespace

bool Uploads::bring(const oci::Descriptor& blob, const oci::BlobSource& from, Meter& meter) {
  bool was_there = !mounts_ && has_blob(session_, blob);
  if (!was_there) {
    Request last = opening(blob);
    const Trial trial = send(blob, from, meter, last, was_there);
    const auto* response = std::get_if<HttpResponse>(&trial.outcome);
    if (response == nullptr || !response->ok()) {
      places_.forget(blob.digest, session_.repository());
      throw session_.error(last, trial);
    }
    check_digest(*response, blob, last);
  }
  places_.learn(blob.digest, session_.repository());
  return !was_there;
}

Trial Uploads::send(const oci::Descriptor& blob, const oci::BlobSource& from, Meter& meter, Request& last,
                    bool& was_there) {
  OpenUpload upload(session_);
  ChunkedUpload chunked(chunks_, blob, from, meter);
  bool is_put_off = false;  // nothing was done with the content, and the upload is still open
  const auto begin = [&](int number) -> std::optional<Outcome> {
    // After a break nobody knows whether the blob arrived.
    upload.abandon();
    if (number > 1 && has_blob(session_, blob)) return HttpResponse{.status = 201};
    const auto location = open(blob);
    was_there = !location;
    if (!location) return HttpResponse{.status = 201};
    if (chunks_.are_needed_for(blob)) {
      chunked.open(*location);
      return chunked.go_on(last);
    }
    upload.at(*location);
    last = whole_content(blob, from, *location, meter);
    return std::nullopt;
  };
  const auto attempt = [&](int number) -> Outcome {
    if (chunked.is_open()) return chunked.go_on(last);
    if (!is_put_off) {
      if (auto ended = begin(number)) return std::move(*ended);
    }
    Outcome outcome = session_.attempt(last);
    const auto* response = std::get_if<HttpResponse>(&outcome);
    const bool is_gone = is_put_off && response != nullptr && response->status == 404;
    is_put_off = response != nullptr && response->status == 429;
    if (is_gone) return TransportFailure{TransportFailure::Kind::broken, words_of(*response)};
    if (response != nullptr && response->ok()) upload.completed();
    if (response == nullptr || !chunks_.note_refusal(response->status, blob)) return outcome;
    upload.abandon();
    chunked.open(location_of(session_.send(opening(blob)), opening(blob)));
    return chunked.go_on(last);
  };
  return session_.repeat(cat("upload of ", short_name(blob)), attempt, [&] { return chunked.sent(); });
}

Request Uploads::opening(const oci::Descriptor& blob) const {
  return {.doing = cat("upload of ", short_name(blob)), .method = "POST", .target = session_.path("blobs/uploads/")};
}

std::optional<Url> Uploads::open(const oci::Descriptor& blob) {
  if (mounts_) return open_mounting(blob);
  return location_of(session_.send(opening(blob)), opening(blob));
}

std::optional<Url> Uploads::open_mounting(const oci::Descriptor& blob) {
  using How = Mounted::How;
  Mounted mounted = mount_from_elsewhere(blob);
  if (mounted.how == How::there) return std::nullopt;
  // Asked about another repository, the registry has said nothing of this one.
  if (mounted.how == How::opened && blob.size < kWorthAsking) return mounted.location;
  if (mounted.how == How::opened) {
    if (!has_blob(session_, blob)) return mounted.location;
    session_.abandon(mounted.location);
    return std::nullopt;
  }
  mounted = mount(blob, session_.repository());
  if (mounted.how == How::there) {
    has_mounted_ = true;
    return std::nullopt;
  }
  if (mounted.how == How::opened) {
    if (!is_silent_about(blob)) return mounted.location;
    session_.abandon(mounted.location);
    return std::nullopt;
  }
  mounts_ = false;
  // An ordinary upload first: when that is refused too, its answer says why.
  const Url opened = location_of(session_.send(opening(blob)), opening(blob));
  if (!has_blob(session_, blob)) return opened;
  session_.abandon(opened);
  return std::nullopt;
}

// Registries refuse mounts in many ways; none of them means that an upload is refused.
Uploads::Mounted Uploads::mount(const oci::Descriptor& blob, const std::string& from) {
  Request request = opening(blob);
  const bool is_own = from == session_.repository();
  request.target += cat("?mount=", percent_encoded(blob.digest.str()), "&from=", percent_encoded(from));
  if (!is_own) request.scopes = {cat("repository:", from, ":pull")};
  Reply reply = is_own ? session_.send(request, {400, 403, 404, 405, 501})
                       : session_.send(request, {400, 401, 403, 404, 405, 500, 501, 502, 503});
  if (reply.response.status == 201) return {Mounted::How::there, {}};
  if (reply.response.ok()) return {Mounted::How::opened, location_of(reply, request)};
  return {};
}

Uploads::Mounted Uploads::mount_from_elsewhere(const oci::Descriptor& blob) {
  if (refusals_ >= kMostRefusals || places_.has(blob.digest, session_.repository())) return {};
  const auto source = places_.elsewhere(blob.digest, session_.repository());
  if (!source) return {};
  Mounted mounted;
  try {
    mounted = mount(blob, *source);
  } catch (const Error& error) {
    // The token server does not let us read there.
    if (error.exit() != Exit::registry_credentials) throw;
  }
  if (mounted.how != Mounted::How::there) places_.forget(blob.digest, *source);
  if (mounted.how == Mounted::How::refused) ++refusals_;
  return mounted;
}

// Registries that do not mount answer as if the blob were missing. Until one mount has been honoured, a
// large blob is asked for before it is sent for nothing.
bool Uploads::is_silent_about(const oci::Descriptor& blob) {
  if (has_mounted_ || blob.size < kWorthAsking || !has_blob(session_, blob)) return false;
  mounts_ = false;
  return true;
}

Url Uploads::location_of(const Reply& reply, const Request& request) const {
  return session_.resolve(reply.url, reply.response.header("location").value_or(""), request);
}

// A registry that stored something else must not go unnoticed.
void Uploads::check_digest(const HttpResponse& response, const oci::Descriptor& expected,
                           const Request& request) const {
  const auto stored = response.header("docker-content-digest");
  if (!stored || *stored == expected.digest.str()) return;
  Error error(Exit::registry_content,
              cat(backticked(session_.host()), " stored something else than ", short_name(expected)));
  throw error.at(cat(request.method, " ", redacted(request.target)))
      .detail(cat("sent: ", expected.digest.str()))
      .detail(cat("stored: ", printable(*stored)));
}

}  // namespace whittle::registry
