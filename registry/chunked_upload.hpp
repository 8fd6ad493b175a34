// Uploads in chunks, for registries (or proxies before them) that take no large request: the fallback, since it is
// slow and the registries disagree about it (docs/design/registry.md). The digest at the end judges.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "oci/blob_store.hpp"
#include "registry/progress.hpp"
#include "registry/session.hpp"

namespace whittle::registry {

// What is known about one registry's limits. Thread safe.
class ChunkedUploads {
 public:
  explicit ChunkedUploads(Session& session) : session_(session) {}
  bool are_needed_for(const oci::Descriptor& blob) const { return blob.size > largest_whole_; }
  // After a blob was refused as a whole: true when chunks are worth a try.
  bool note_refusal(int status, const oci::Descriptor& blob);
  std::uint64_t chunk_size() const { return chunk_size_; }
  // A chunk of `size` was too large: false when smaller ones would make no sense.
  bool note_large_chunk(std::uint64_t size);
  // Does the registry's own account of what it has (Range) deserve belief?
  bool is_account_reliable() const { return contradictions_ < 2; }
  void note_contradiction() { ++contradictions_; }
  Session& session() const { return session_; }

 private:
  Session& session_;
  std::atomic<std::uint64_t> largest_whole_ = ~std::uint64_t{0}, chunk_size_ = 4 << 20;
  std::atomic<int> contradictions_ = 0;
};

// One blob's upload. It goes on from where it stands when it is tried again; not thread safe.
class ChunkedUpload {
 public:
  ChunkedUpload(ChunkedUploads& registry, const oci::Descriptor& blob, const oci::BlobSource& from, Meter& meter)
      : registry_(registry), session_(registry.session()), blob_(blob), from_(from), meter_(meter) {}
  ~ChunkedUpload() { abandon(); }
  ChunkedUpload(const ChunkedUpload&) = delete;
  ChunkedUpload& operator=(const ChunkedUpload&) = delete;

  bool is_open() const { return location_.has_value(); }
  std::uint64_t sent() const { return sent_; }
  void open(Url location);
  // Sends what is missing. A transient outcome: to be called again if the upload is still open, else to be begun
  // anew. `last` is the request that the outcome belongs to.
  Outcome go_on(Request& last);

 private:
  // Nothing: the chunk is there.
  std::optional<Outcome> send_chunk(Request& last);
  Outcome finish(Request& last);
  // Asks how far the upload has come; closes it when the answer makes no sense.
  void ask();
  bool take_answer(const HttpResponse& response, const Url& from, const Request& request);
  const std::string& chunk();
  void abandon();

  ChunkedUploads& registry_;
  Session& session_;
  const oci::Descriptor& blob_;
  const oci::BlobSource& from_;
  Meter& meter_;
  std::optional<Url> location_;
  std::uint64_t sent_ = 0;    // by the registry's word
  bool is_in_doubt_ = false;  // whether the last chunk arrived
  std::unique_ptr<Source> source_;
  std::uint64_t read_ = 0;  // from the source
  std::string buffer_;      // the chunk that begins at `sent_`
};

}  // namespace whittle::registry
