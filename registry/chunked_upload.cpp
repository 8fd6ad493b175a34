#include "registry/chunked_upload.hpp"

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/text.hpp"
#include "registry/ranges.hpp"

namespace whittle::registry {

namespace {

constexpr std::uint64_t kSmallestChunk = 256 * 1024;

bool is_too_large(int status) {
  return status == 413 || status == 416;
}

}  // namespace

bool ChunkedUploads::note_refusal(int status, const oci::Descriptor& blob) {
  if (!is_too_large(status) || blob.size <= kSmallestChunk) return false;
  std::uint64_t known = largest_whole_;
  while (blob.size <= known && !largest_whole_.compare_exchange_weak(known, blob.size - 1)) {
  }
  while (chunk_size_ >= blob.size) note_large_chunk(chunk_size_);
  return true;
}

bool ChunkedUploads::note_large_chunk(std::uint64_t size) {
  std::uint64_t known = chunk_size_;
  while (known >= size && known > kSmallestChunk) {
    if (chunk_size_.compare_exchange_weak(known, std::max(known / 2, kSmallestChunk))) break;
  }
  return size > kSmallestChunk;
}

void ChunkedUpload::open(Url location) {
  location_ = std::move(location);
  sent_ = 0;
  is_in_doubt_ = false;
  buffer_.clear();
}

Outcome ChunkedUpload::go_on(Request& last) {
  if (is_in_doubt_) ask();
  if (!location_) return TransportFailure{TransportFailure::Kind::broken, "the upload has to begin anew"};
  while (sent_ < blob_.size) {
    if (auto outcome = send_chunk(last)) return std::move(*outcome);
  }
  return finish(last);
}

std::optional<Outcome> ChunkedUpload::send_chunk(Request& last) {
  const std::string& bytes = chunk();
  last = {.doing = cat("upload of ", short_name(blob_)),
          .method = "PATCH",
          .target = location_->str(),
          .headers = {{"Content-Type", "application/octet-stream"},
                      {"Content-Range", cat(sent_, "-", sent_ + bytes.size() - 1)}},
          .content = [&bytes] { return std::make_unique<StringSource>(bytes); },
          .content_size = bytes.size()};
  Session::Exchanged exchanged = session_.exchange(last);
  const auto* response = std::get_if<HttpResponse>(&exchanged.outcome);
  if (response != nullptr && response->ok()) {
    if (!take_answer(*response, exchanged.url, last)) registry_.note_contradiction();
    sent_ += bytes.size();
    buffer_.clear();
    meter_.reached(sent_);
    return std::nullopt;
  }
  is_in_doubt_ = true;
  if (response == nullptr || !is_too_large(response->status)) return std::move(exchanged.outcome);
  if (!registry_.note_large_chunk(bytes.size())) return std::move(exchanged.outcome);
  buffer_.clear();
  ask();
  if (!location_) return TransportFailure{TransportFailure::Kind::broken, "the upload has to begin anew"};
  return std::nullopt;
}

// The next place is always the newest one. False: the registry contradicts what it was sent.
bool ChunkedUpload::take_answer(const HttpResponse& response, const Url& from, const Request& request) {
  if (const auto location = response.header("location")) location_ = session_.resolve(from, *location, request);
  const auto account = response.header("range");
  return !account || received_length(*account) == sent_ + buffer_.size();
}

void ChunkedUpload::ask() {
  is_in_doubt_ = false;
  const Request question{.doing = cat("question for ", short_name(blob_)), .method = "GET", .target = location_->str()};
  const Session::Exchanged exchanged = session_.exchange(question);
  const auto* response = std::get_if<HttpResponse>(&exchanged.outcome);
  const auto there = response != nullptr && response->status == 204
                         ? received_length(response->header("range").value_or(""))
                         : std::nullopt;
  // Either the chunk in doubt is there, or it is not; anything else is a part of it, or nonsense.
  const std::uint64_t most = std::min(sent_ + registry_.chunk_size(), blob_.size);
  if (!there || !registry_.is_account_reliable() || *there < sent_ || *there > std::max(most, sent_ + buffer_.size())) {
    if (there) registry_.note_contradiction();
    abandon();
    return;
  }
  if (const auto location = response->header("location")) {
    location_ = session_.resolve(exchanged.url, *location, question);
  }
  if (*there != sent_) buffer_.clear();
  sent_ = *there;
}

Outcome ChunkedUpload::finish(Request& last) {
  // Reads on to the end, where a damaged blob shows.
  std::array<std::byte, 1> rest{};
  if (source_ && source_->read(rest) != 0) throw Error(Exit::bug, cat(short_name(blob_), " is longer than it was"));
  last = {.doing = cat("upload of ", short_name(blob_)),
          .method = "PUT",
          .target = location_->with_parameter("digest", blob_.digest.str()).str(),
          .headers = {{"Content-Type", "application/octet-stream"}}};
  Outcome outcome = session_.attempt(last);
  const auto* response = std::get_if<HttpResponse>(&outcome);
  if (response != nullptr && response->ok()) {
    location_.reset();
  } else {
    // It may have been taken, or not: the blob is asked for, and the upload begun anew.
    abandon();
  }
  return outcome;
}

// The bytes from `sent_` on. The source is read forwards; only a registry that lost some makes it begin again.
const std::string& ChunkedUpload::chunk() {
  if (!buffer_.empty()) return buffer_;
  if (!source_ || read_ != sent_) {
    source_ = from_.open(blob_);
    std::array<std::byte, 64 * 1024> skipped{};
    for (read_ = 0; read_ < sent_;) {
      read_ += source_->read(std::span(skipped).first(std::min<std::uint64_t>(skipped.size(), sent_ - read_)));
    }
  }
  buffer_.resize(std::min(registry_.chunk_size(), blob_.size - sent_));
  for (std::size_t filled = 0; filled < buffer_.size();) {
    const std::size_t size =
        source_->read(std::as_writable_bytes(std::span(buffer_.data() + filled, buffer_.size() - filled)));
    if (size == 0) throw Error(Exit::input_unavailable, cat(short_name(blob_), " is shorter than it was"));
    filled += size;
  }
  read_ += buffer_.size();
  return buffer_;
}

void ChunkedUpload::abandon() {
  if (location_) session_.abandon(*location_);
  location_.reset();
}

}  // namespace whittle::registry
