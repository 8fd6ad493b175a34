#include <atomic>
#include <mutex>

#include "base/error.hpp"
#include "base/text.hpp"
#include "registry/client.hpp"
#include "registry/progress.hpp"
#include "registry/session.hpp"

namespace whittle::registry {

namespace {

// A HEAD before sending this much costs nothing that anybody would notice.
constexpr std::uint64_t kWorthAsking = 4 << 20;

std::string manifest_types() {
  using namespace oci::media_type;
  return cat(kManifest, ", ", kIndex, ", ", kDockerManifest, ", ", kDockerList);
}

// Requests: one HEAD of the tag; for a blob one POST that mounts it from the repository itself (201: it was
// there) or opens the upload (202), and one PUT; one PUT a manifest. docs/design/registry.md has the reasons.
class RegistrySink : public ImageSink {
 public:
  RegistrySink(const oci::Reference& reference, HttpTransport& transport, const ClientOptions& options,
               EventSink& events, std::stop_token stop)
      : reference_(reference),
        session_(reference, Session::Access::push, transport, options, events, std::move(stop)),
        events_(events) {}

  bool has_manifest(const oci::Descriptor& manifest) override {
    if (!asked_for_tag_) return has_tagged(manifest);
    // Where not even the tag was there, the manifests below it will not be either.
    return tag_exists_ && digest_at(manifest.digest.str(), manifest) == manifest.digest.str();
  }

  bool put_blob(const oci::Descriptor& blob, const oci::BlobStore& from) override {
    Meter meter(cat("push ", short_name(blob)), blob.size, events_);
    const bool sent = upload(blob, from, meter);
    meter.complete();
    return sent;
  }

  void put_manifest(const oci::Descriptor& manifest, std::string_view json) override {
    put(manifest, json, manifest.digest.str());
  }

  void tag(const oci::Descriptor& root, std::string_view json) override {
    if (current_tag_ == root.digest.str()) return;
    put(root, json, name());
    current_tag_ = root.digest.str();
  }

  std::string where() const override { return reference_.str(); }

  std::string left_behind(std::size_t layers, std::size_t of_layers) const override {
    return cat(layers, " of ", of_layers, of_layers == 1 ? " layer is" : " layers are",
               " uploaded and will be reused; no tag was changed");
  }

 private:
  // What the image is pushed as: the tag, or only the digest when that was all that the user gave.
  std::string name() const {
    if (reference_.tag.empty() && reference_.digest) return reference_.digest->str();
    return reference_.tag_or_latest();
  }

  bool has_tagged(const oci::Descriptor& root) {
    if (reference_.digest && *reference_.digest != root.digest) {
      throw Error(Exit::usage, cat("the image is not ", backticked(reference_.str()), " but ", root.digest.str()))
          .hint("leave the digest out; it is printed after the push");
    }
    asked_for_tag_ = true;
    const std::string found = digest_at(name(), root);
    tag_exists_ = !found.empty();
    current_tag_ = found;
    return found == root.digest.str();
  }

  // The digest behind a tag or digest; empty when there is nothing.
  std::string digest_at(const std::string& name, const oci::Descriptor& manifest) {
    const Reply reply = session_.send({.doing = cat("question for ", short_name(manifest)),
                                       .method = "HEAD",
                                       .target = session_.path(cat("manifests/", name)),
                                       .headers = {{"Accept", manifest_types()}}},
                                      {404});
    if (!reply.response.ok()) return {};
    // Without the header this much is known: something is there.
    return reply.response.header("docker-content-digest").value_or("?");
  }

  bool blob_exists(const oci::Descriptor& blob) {
    return session_
        .send({.doing = cat("question for ", short_name(blob)),
               .method = "HEAD",
               .target = session_.path(cat("blobs/", blob.digest.str()))},
              {404})
        .response.ok();
  }

  bool upload(const oci::Descriptor& blob, const oci::BlobStore& from, Meter& meter) {
    if (!mounts_ && blob_exists(blob)) return false;
    Request last;
    bool was_there = false;
    const Trial trial = session_.repeat(cat("upload of ", short_name(blob)), [&](int number) -> Outcome {
      // After a break nobody knows whether the blob arrived.
      if (number > 1 && blob_exists(blob)) return HttpResponse{.status = 201};
      const auto location = open_upload(blob);
      was_there = !location;
      if (!location) return HttpResponse{.status = 201};
      last = content_request(blob, from, *location, meter);
      return session_.attempt(last);
    });
    const auto* response = std::get_if<HttpResponse>(&trial.outcome);
    if (response == nullptr || !response->ok()) throw session_.error(last, trial);
    check_digest(*response, blob, last);
    return !was_there;
  }

  // Where to put the content; nothing when the blob turns out to be there.
  std::optional<Url> open_upload(const oci::Descriptor& blob) {
    Request request{
        .doing = cat("upload of ", short_name(blob)), .method = "POST", .target = session_.path("blobs/uploads/")};
    if (mounts_) {
      Request mount = request;
      mount.target +=
          cat("?mount=", percent_encoded(blob.digest.str()), "&from=", percent_encoded(session_.repository()));
      // Registries refuse mounts in many ways; none of them means that an upload is refused.
      Reply reply = session_.send(mount, {400, 403, 404, 405, 501});
      if (reply.response.status == 201) {
        has_mounted_ = true;
        return std::nullopt;
      }
      if (reply.response.ok()) {
        if (is_silent_about(blob)) return std::nullopt;
        return location_of(reply, request);
      }
      mounts_ = false;
      // An ordinary upload first: when that is refused too, its answer says why.
      const Url opened = location_of(session_.send(request), request);
      return blob_exists(blob) ? std::nullopt : std::optional(opened);
    }
    return location_of(session_.send(request), request);
  }

  // Registries that do not mount answer as if the blob were missing. Until one mount has been honoured, a
  // large blob is asked for before it is sent for nothing.
  bool is_silent_about(const oci::Descriptor& blob) {
    if (has_mounted_ || blob.size < kWorthAsking || !blob_exists(blob)) return false;
    mounts_ = false;
    return true;
  }

  Url location_of(const Reply& reply, const Request& request) const {
    return session_.resolve(reply.url, reply.response.header("location").value_or(""), request);
  }

  static Request content_request(const oci::Descriptor& blob, const oci::BlobStore& from, const Url& location,
                                 Meter& meter) {
    return {.doing = cat("upload of ", short_name(blob)),
            .method = "PUT",
            .target = location.with_parameter("digest", blob.digest.str()).str(),
            .headers = {{"Content-Type", "application/octet-stream"}},
            .content = [&blob, &from, &meter] { return std::make_unique<MeteredSource>(from.open(blob), meter); },
            .content_size = blob.size};
  }

  void put(const oci::Descriptor& manifest, std::string_view json, const std::string& as) {
    const Request request{.doing = cat("upload of ", short_name(manifest)),
                          .method = "PUT",
                          .target = session_.path(cat("manifests/", as)),
                          .headers = {{"Content-Type", manifest.media_type}},
                          .body = std::string(json)};
    check_digest(session_.send(request).response, manifest, request);
  }

  // A registry that stored something else must not go unnoticed.
  void check_digest(const HttpResponse& response, const oci::Descriptor& expected, const Request& request) const {
    const auto stored = response.header("docker-content-digest");
    if (!stored || *stored == expected.digest.str()) return;
    Error error(Exit::registry_content,
                cat(backticked(session_.host()), " stored something else than ", short_name(expected)));
    throw error.at(cat(request.method, " ", redacted(request.target)))
        .detail(cat("sent: ", expected.digest.str()))
        .detail(cat("stored: ", printable(*stored)));
  }

  oci::Reference reference_;
  Session session_;
  EventSink& events_;
  bool asked_for_tag_ = false, tag_exists_ = false;
  std::string current_tag_;
  std::atomic<bool> mounts_ = true, has_mounted_ = false;
};

}  // namespace

std::unique_ptr<ImageSink> registry_sink(const oci::Reference& reference, HttpTransport& transport,
                                         const ClientOptions& options, EventSink& events, std::stop_token stop) {
  return std::make_unique<RegistrySink>(reference, transport, options, events, std::move(stop));
}

}  // namespace whittle::registry
