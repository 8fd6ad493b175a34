#include "gateway/staging.hpp"

#include <array>
#include <set>

#include "base/text.hpp"
#include "gateway/blob_sources.hpp"
#include "oci/partial_blob.hpp"

namespace whittle::gateway {

namespace {

constexpr std::string_view kPartial = ".partial-";

// Passes on what comes after the first `skip` bytes, which the blob has already, and tells of it.
class TailSink : public Sink {
 public:
  TailSink(oci::PartialBlob& blob, const Runtime& runtime, std::string item, std::uint64_t total)
      : blob_(blob), runtime_(runtime), item_(std::move(item)), skip_(blob.size()), total_(total) {}

  void write(Bytes bytes) override {
    runtime_.check_stop();
    seen_ += bytes.size();
    const std::size_t known = std::min<std::uint64_t>(bytes.size(), skip_);
    skip_ -= known;
    bytes = bytes.subspan(known);
    if (!bytes.empty()) blob_.write(bytes);
    written_ += bytes.size();
    runtime_.events.emit(Progress{item_, seen_, total_});
  }
  std::uint64_t written() const { return written_; }

 private:
  oci::PartialBlob& blob_;
  const Runtime& runtime_;
  std::string item_;
  std::uint64_t skip_, total_, seen_ = 0, written_ = 0;
};

oci::Descriptor descriptor_of(const bundle::BlobSize& blob) {
  return {.media_type = {}, .digest = blob.digest, .size = blob.size};
}

std::string short_name(const Digest& digest) {
  return digest.hex().substr(0, 12);
}

// `fill` writes the whole blob. What an earlier try left may be of no use: then once more from the beginning.
template <class Fill>
std::uint64_t fill_blob(oci::BlobStore& store, const bundle::BlobSize& blob, const Runtime& runtime, Fill&& fill) {
  const oci::Descriptor descriptor = descriptor_of(blob);
  oci::PartialBlob partial(store, descriptor);
  std::uint64_t written = 0;
  for (const bool is_again : {false, true}) {
    const bool had_some = partial.size() > 0;
    if (!partial.is_whole()) {
      TailSink sink(partial, runtime, short_name(blob.digest), blob.size);
      fill(sink);
      written += sink.written();
    }
    if (partial.is_whole()) break;
    if (is_again || !had_some) {
      partial.restart();
      throw Error(Exit::transient, cat("the blob ", blob.digest.str(), " did not become what it should be"));
    }
    partial.restart();
  }
  partial.commit();
  return written;
}

}  // namespace

std::uint64_t Stager::copy_carried(const bundle::BlobSize& blob) const {
  return fill_blob(store_, blob, workshop_.runtime, [&](Sink& sink) {
    const std::unique_ptr<Source> source = offer_.carried.open(descriptor_of(blob));
    copy(*source, sink);
  });
}

std::uint64_t Stager::rebuild(const bundle::Rebuilt& rebuilt) const {
  std::vector<const oci::BlobSource*> sources = {&store_};
  if (workshop_.adapter.content() != nullptr) sources.push_back(workshop_.adapter.content());
  const BlobSources present(std::move(sources));
  std::vector<bundle::BlobSize> bases;
  for (const Digest& base : rebuilt.bases) bases.push_back({base, size_of(base)});
  return fill_blob(store_, rebuilt.blob, workshop_.runtime, [&](Sink& sink) {
    make_folders(workshop_.state.scratch());
    const TemporaryFolder scratch(workshop_.state.scratch());
    workshop_.rebuild({.rebuilt = rebuilt,
                       .payload_size = size_of(rebuilt.payload),
                       .bases = bases,
                       .payloads = offer_.carried,
                       .old = present,
                       .scratch = scratch.path()},
                      sink, workshop_.runtime.stop);
  });
}

std::uint64_t Stager::size_of(const Digest& digest) const {
  for (const auto* list : {&offer_.root.blobs, &offer_.root.bases}) {
    for (const bundle::BlobSize& blob : *list) {
      if (blob.digest == digest) return blob.size;
    }
  }
  for (const bundle::Rebuilt& one : offer_.root.rebuilt) {
    if (one.blob.digest == digest) return one.blob.size;
  }
  throw Error(Exit::refused, cat("the bundle does not say how large ", digest.str(), " is"));
}

std::uint64_t Stager::stage(const Generation& next, bool carried) const {
  std::uint64_t written = 0;
  std::vector<const oci::BlobSource*> sources = {&store_};
  if (workshop_.adapter.content() != nullptr) sources.push_back(workshop_.adapter.content());
  const BlobSources present(std::move(sources));
  for (const bundle::BlobSize& blob : offer_.root.blobs) {
    workshop_.runtime.check_stop();
    if (carried && next.blobs.contains(blob.digest) && !present.has(blob.digest, blob.size)) {
      written += copy_carried(blob);
    }
  }
  for (const bundle::Rebuilt& rebuilt : offer_.root.rebuilt) {
    workshop_.runtime.check_stop();
    if (next.blobs.contains(rebuilt.blob.digest) && !present.has(rebuilt.blob.digest, rebuilt.blob.size)) {
      written += rebuild(rebuilt);
    }
  }
  return written;
}

bool Stager::bring(const Digest& blob, std::uint64_t& written) const {
  for (const bundle::BlobSize& one : offer_.root.blobs) {
    if (one.digest != blob) continue;
    written += copy_carried(one);
    return true;
  }
  for (const bundle::Rebuilt& one : offer_.root.rebuilt) {
    if (one.blob.digest != blob) continue;
    written += rebuild(one);
    return true;
  }
  return false;
}

std::uint64_t staged_already(const oci::BlobStore& store, std::span<const bundle::BlobSize> blobs) {
  std::uint64_t bytes = 0;
  for (const bundle::BlobSize& blob : blobs) {
    std::error_code problem;
    const std::uint64_t size = fs::file_size(store.root() / cat(kPartial, blob.digest.hex()), problem);
    if (!problem) bytes += std::min(size, blob.size);
  }
  return bytes;
}

void remove_blobs(const fs::path& store, const std::vector<Generation>& kept) {
  std::set<std::string> wanted;
  for (const Generation& generation : kept) {
    for (const auto& [digest, size] : generation.blobs) wanted.insert(digest.hex());
  }
  const auto remove_from = [](const fs::path& folder, const auto& is_wanted) {
    std::vector<fs::path> gone;
    std::error_code problem;
    for (auto entry = fs::directory_iterator(folder, problem); !problem && entry != fs::directory_iterator();
         entry.increment(problem)) {
      if (!is_wanted(entry->path().filename().native())) gone.push_back(entry->path());
    }
    for (const fs::path& path : gone) {
      fs::remove(path, problem);
      if (problem)
        throw system_error(Exit::export_failed, cat("cannot remove ", backticked(path.native())), problem.value());
    }
    if (!gone.empty()) sync_folder(folder);
  };
  remove_from(store / "blobs" / "sha256", [&](const std::string& name) { return wanted.contains(name); });
  remove_from(store, [](const std::string& name) { return !name.starts_with(kPartial); });
}

}  // namespace whittle::gateway
