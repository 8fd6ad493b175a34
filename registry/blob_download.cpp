#include "registry/blob_download.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "registry/ranges.hpp"

namespace whittle::registry {

BlobDownload::BlobDownload(Session& session, const oci::Descriptor& blob, oci::BlobStore& into, EventSink& events)
    : BlobDownload(session, blob, into, events,
                   {.target = session.path(cat("blobs/", blob.digest.str())), .name = short_name(blob)}) {}

BlobDownload::BlobDownload(Session& session, const oci::Descriptor& blob, oci::BlobStore& into, EventSink& events,
                           const Elsewhere& elsewhere)
    : session_(session),
      blob_(blob),
      target_(elsewhere.target),
      name_(elsewhere.name),
      events_(events),
      meter_(cat("pull ", name_), blob.size, events),
      partial_(into, blob) {
  if (partial_.size() > 0) events.verbose(cat(name_, ": ", human_size(partial_.size()), " were there"));
}

void BlobDownload::run() {
  for (bool is_first = true;; is_first = false) {
    fetch();
    if (nonsense_.empty() && partial_.is_whole()) break;
    const Error error = different();
    partial_.restart();
    if (!is_first) throw error;
    events_.warn(cat(name_, " arrived damaged; fetching it once more"));
    asks_for_ranges_ = false;
  }
  partial_.commit();
  meter_.complete();
}

void BlobDownload::fetch() {
  nonsense_.clear();
  if (partial_.size() == blob_.size) return;
  Request last;
  const Trial trial = session_.repeat(
      cat("download of ", name_), [&](int) { return attempt(last); }, [&] { return partial_.size(); });
  const auto* response = std::get_if<HttpResponse>(&trial.outcome);
  if (!nonsense_.empty() || (response != nullptr && response->ok())) return;
  throw session_.error(last, trial);
}

// No If-Range: the digest in the address is a stronger validator than any that a server could name.
Outcome BlobDownload::attempt(Request& last) {
  if (!asks_for_ranges_ && partial_.size() > 0) partial_.restart();
  // From its beginning only once: a range is asked for again when this try breaks off.
  asks_for_ranges_ = true;
  last = {.doing = cat("download of ", name_), .target = target_, .sink = [this](const HttpResponse& head) {
            return receiver(head);
          }};
  if (partial_.size() > 0) last.headers = {{"Range", cat("bytes=", partial_.size(), "-")}};
  try {
    return judged(session_.attempt(last));
  } catch (const Error& error) {
    if (error.exit() != Exit::registry_content || !error.where().empty()) throw;
    nonsense_ = error.message();
    return HttpResponse{.status = 200};
  }
}

Sink* BlobDownload::receiver(const HttpResponse& head) {
  const bool is_rest = head.status == 206;
  if (is_rest && !is_the_rest(head.header("content-range").value_or(""), partial_.size(), blob_.size)) {
    throw Error(Exit::registry_content, cat("it was asked for the bytes from ", partial_.size(), " of ", blob_.size,
                                            " and sent ", printable(head.header("content-range").value_or("others"))));
  }
  return &incoming_.emplace(partial_, meter_, is_rest ? 0 : partial_.size());
}

// A range that the server cannot give means that what is here, or what is there, is not the blob.
Outcome BlobDownload::judged(Outcome outcome) {
  const auto* response = std::get_if<HttpResponse>(&outcome);
  const bool is_broken =
      response == nullptr && std::get<TransportFailure>(outcome).kind == TransportFailure::Kind::broken;
  // It broke off after the last byte of the blob: its digest decides.
  if (is_broken && partial_.size() == blob_.size) return HttpResponse{.status = 200};
  if (response == nullptr) return outcome;
  if (response->status == 416 && partial_.size() > 0) {
    asks_for_ranges_ = false;
    return TransportFailure{TransportFailure::Kind::broken, words_of(*response)};
  }
  if (!response->ok() || partial_.size() == blob_.size) return outcome;
  return TransportFailure{TransportFailure::Kind::broken,
                          cat("the answer ended after ", partial_.size(), " of ", blob_.size, " bytes"), 0,
                          partial_.size()};
}

Error BlobDownload::different() const {
  Error error(Exit::registry_content, cat(backticked(session_.host()), " sent something else than ", name_));
  if (!nonsense_.empty()) return std::move(error.cause(nonsense_).note("nothing of it was kept"));
  error.cause(cat("the blob ", blob_.digest.str(), " was promised, and ", partial_.digest().str(), " came"));
  return std::move(error.note("nothing of it was kept"));
}

void BlobDownload::Incoming::write(Bytes bytes) {
  const auto passed_over = static_cast<std::size_t>(std::min<std::uint64_t>(skipped_, bytes.size()));
  skipped_ -= passed_over;
  if (passed_over == bytes.size()) return;
  partial_.write(bytes.subspan(passed_over));
  meter_.reached(partial_.size());
}

}  // namespace whittle::registry
