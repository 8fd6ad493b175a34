#include "base/error.hpp"
#include "base/text.hpp"
#include "registry/client.hpp"
#include "registry/progress.hpp"
#include "registry/questions.hpp"
#include "registry/session.hpp"
#include "registry/upload.hpp"
#include "registry/whereabouts.hpp"

namespace whittle::registry {

namespace {

// Requests: one HEAD, of the tag or of a manifest that is remembered to be there; what `Uploads` needs for the
// blobs; one PUT a manifest. docs/design/registry.md has the reasons.
class RegistrySink : public ImageSink {
 public:
  RegistrySink(const oci::Reference& reference, HttpTransport& transport, const ClientOptions& options,
               EventSink& events, std::stop_token stop)
      : reference_(reference),
        places_(options.memory, reference.host),
        session_(reference, Session::Access::push, transport, options, events, std::move(stop)),
        uploads_(session_, places_),
        events_(events) {}

  bool has_manifest(const oci::Descriptor& manifest) override {
    if (!asked_for_root_) return has_root(manifest);
    if (is_distrustful_) return false;
    // Where not even the tag was there, the manifests below it will not be either, unless they are remembered.
    const bool is_remembered = places_.has(manifest.digest, session_.repository());
    return (tag_exists_ || is_remembered) && is_confirmed(manifest);
  }

  bool put_blob(const oci::Descriptor& blob, const oci::BlobSource& from) override {
    Meter meter(cat("push ", short_name(blob)), blob.size, events_);
    const bool sent = uploads_.bring(blob, from, meter);
    meter.complete();
    return sent;
  }

  bool put_manifest(const oci::Descriptor& manifest, std::string_view json) override {
    return put(manifest, json, manifest.digest.str());
  }

  bool tag(const oci::Descriptor& root, std::string_view json) override {
    if (current_tag_ != root.digest.str()) {
      if (!put(root, json, name())) return false;
      if (const auto replaced = Digest::parse(current_tag_)) places_.forget(*replaced, tag_place());
      current_tag_ = root.digest.str();
    }
    places_.learn(root.digest, session_.repository());
    places_.learn(root.digest, tag_place());
    return true;
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
  std::string tag_place() const { return cat(session_.repository(), ":", name()); }

  bool has_root(const oci::Descriptor& root) {
    if (reference_.digest && *reference_.digest != root.digest) {
      throw Error(Exit::usage, cat("the image is not ", backticked(reference_.str()), " but ", root.digest.str()))
          .hint("leave the digest out; it is printed after the push");
    }
    asked_for_root_ = true;
    // Known in this repository and not under this tag: a new name for it needs no question about the old one.
    const bool is_tagged = places_.has(root.digest, tag_place());
    if (!is_tagged && places_.has(root.digest, session_.repository())) return is_confirmed(root);
    current_tag_ = digest_at(session_, name()).value_or("");
    tag_exists_ = !current_tag_.empty();
    if (current_tag_ == root.digest.str()) return true;
    places_.forget(root.digest, tag_place());
    return places_.has(root.digest, session_.repository()) && is_confirmed(root);
  }

  // Is it there by its digest? A manifest that is has its blobs.
  bool is_confirmed(const oci::Descriptor& manifest) {
    if (digest_at(session_, manifest.digest.str()) == manifest.digest.str()) return true;
    places_.forget(manifest.digest, session_.repository());
    return false;
  }

  bool put(const oci::Descriptor& manifest, std::string_view json, const std::string& as) {
    const Request request{.doing = cat("upload of ", short_name(manifest)),
                          .method = "PUT",
                          .target = session_.path(cat("manifests/", as)),
                          .headers = {{"Content-Type", manifest.media_type}},
                          .body = std::string(json)};
    bool is_ambiguous = false;
    const Trial trial = session_.repeat(request.doing, [&](int) -> Outcome {
      // The answer was lost, perhaps not the request; sending it twice could undo what somebody else did since.
      if (is_ambiguous && digest_at(session_, as) == manifest.digest.str()) return HttpResponse{.status = 201};
      Outcome outcome = session_.attempt(request);
      is_ambiguous = std::holds_alternative<TransportFailure>(outcome);
      return outcome;
    });
    const auto* response = std::get_if<HttpResponse>(&trial.outcome);
    if (response != nullptr && response->ok()) {
      uploads_.check_digest(*response, manifest, request);
      places_.learn(manifest.digest, session_.repository());
      return true;
    }
    places_.forget(manifest.digest, session_.repository());
    if (response == nullptr || is_distrustful_ || !misses_something(*response)) throw session_.error(request, trial);
    is_distrustful_ = true;
    uploads_.distrust();
    events_.verbose(cat(backticked(session_.host()), " misses something that seemed to be there: ", words_of(*response),
                        "; asking for everything by name"));
    return false;
  }

  static bool misses_something(const HttpResponse& response) {
    return has_error_code(response, "MANIFEST_BLOB_UNKNOWN") || has_error_code(response, "BLOB_UNKNOWN") ||
           has_error_code(response, "MANIFEST_UNKNOWN");
  }

  oci::Reference reference_;
  Whereabouts places_;
  Session session_;
  Uploads uploads_;
  EventSink& events_;
  bool asked_for_root_ = false, tag_exists_ = false, is_distrustful_ = false;
  std::string current_tag_;
};

}  // namespace

std::unique_ptr<ImageSink> registry_sink(const oci::Reference& reference, HttpTransport& transport,
                                         const ClientOptions& options, EventSink& events, std::stop_token stop) {
  return std::make_unique<RegistrySink>(reference, transport, options, events, std::move(stop));
}

}  // namespace whittle::registry
