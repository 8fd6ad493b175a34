#include "bundle/reader.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <optional>
#include <unordered_map>

#include "base/error.hpp"
#include "base/tar.hpp"
#include "base/text.hpp"
#include "bundle/document.hpp"
#include "bundle/head.hpp"

namespace whittle::bundle {

namespace {

struct Volume {
  fs::path path;
  ReadHead head;
};

std::string shown(const fs::path& path) {
  return backticked(path.native());
}

std::optional<Volume> read_volume(const fs::path& path) {
  FileSource source(path);
  std::optional<ReadHead> head = read_head(source, shown(path));
  if (!head) return std::nullopt;
  return Volume{path, std::move(*head)};
}

// Other files of the folder that say that they belong to the same bundle; what cannot be read is none.
void look_beside(const Volume& first, std::map<std::size_t, Volume>& volumes) {
  const fs::path folder = first.path.parent_path().empty() ? fs::path(".") : first.path.parent_path();
  std::error_code problem;
  std::vector<fs::path> names;
  for (auto entry = fs::directory_iterator(folder, problem); !problem && entry != fs::directory_iterator();
       entry.increment(problem)) {
    std::error_code ignored;
    if (entry->is_regular_file(ignored)) names.push_back(entry->path());
  }
  std::sort(names.begin(), names.end());
  for (const fs::path& name : names) {
    try {
      std::optional<Volume> volume = read_volume(name);
      if (volume && volume->head.root == first.head.root && volume->head.of == first.head.of) {
        volumes.try_emplace(volume->head.volume, std::move(*volume));
      }
    } catch (const Error&) {
      continue;  // the volume that it should be is missing then, and named
    }
  }
}

// Reads extents one after another.
class ExtentSource : public Source {
 public:
  ExtentSource(const std::vector<Volume>& volumes, const std::vector<Extent>& extents, const BlobSize& blob)
      : volumes_(volumes), extents_(extents), blob_(blob) {}

  std::size_t read(std::span<std::byte> room) override {
    if (room.empty()) return 0;
    while (extent_ < extents_.size() && done_ == extents_[extent_].size) {
      file_.reset();
      done_ = 0;
      ++extent_;
    }
    if (extent_ == extents_.size()) {
      if (hash_.digest() != blob_.digest) refuse_damage(cat("its content has the digest ", hash_.digest().str()));
      return 0;
    }
    const Extent& extent = extents_[extent_];
    const fs::path& path = volumes_[extent.volume].path;
    if (!file_) file_ = FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    for (;;) {
      const std::size_t wanted = std::min<std::uint64_t>(room.size(), extent.size - done_);
      const ssize_t size = ::pread(file_.get(), room.data(), wanted, static_cast<off_t>(extent.offset + done_));
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) throw system_error(Exit::refused, cat("cannot read ", shown(path)));
      if (size == 0) refuse_damage("the file ends there");
      done_ += static_cast<std::uint64_t>(size);
      hash_.write(room.first(static_cast<std::size_t>(size)));
      return static_cast<std::size_t>(size);
    }
  }

 private:
  [[noreturn]] void refuse_damage(std::string why) const {
    const Extent& extent = extents_[std::min(extent_, extents_.size() - 1)];
    throw Error(Exit::refused, cat("the bundle is damaged: ", shown(volumes_[extent.volume].path)))
        .detail(cat("the blob ", blob_.digest.str(), " at byte ", extent.offset, " of volume ", extent.volume + 1))
        .cause(std::move(why))
        .hint("copy the bundle to the medium again");
  }

  const std::vector<Volume>& volumes_;
  const std::vector<Extent>& extents_;
  BlobSize blob_;
  std::size_t extent_ = 0;
  std::uint64_t done_ = 0;
  FileDescriptor file_;
  HashSink hash_;
};

}  // namespace

struct BundleReader::State {
  std::vector<Volume> volumes;
  Root root;
  Placement placement;
  std::unordered_map<Digest, std::size_t> index;  // blob → its place in the root

  const Head& head() const { return volumes.front().head.head; }

  std::unique_ptr<ExtentSource> open(std::size_t blob) const {
    return std::make_unique<ExtentSource>(volumes, placement.blobs[blob], root.blobs[blob]);
  }

  void check_size(const Volume& volume) const {
    const std::uint64_t expected = placement.volume_sizes[volume.head.volume];
    const std::uint64_t size = FileSource(volume.path).size();
    if (size == expected) return;
    throw Error(Exit::refused, cat("the bundle is damaged: ", shown(volume.path)))
        .cause(cat("it has ", size, " bytes, and ", expected, " are expected"))
        .hint("copy the bundle to the medium again");
  }

  void check_headers() const {
    for (const std::vector<Extent>& extents : placement.blobs) {
      for (const Extent& extent : extents) {
        expect(extent.volume, extent.offset - extent.header.size(), extent.header);
        expect(extent.volume, extent.offset + extent.size, std::string(tar_padding(extent.size), '\0'));
      }
    }
    for (std::size_t i = 0; i < volumes.size(); ++i) {
      expect(i, placement.volume_sizes[i] - kTarEnd, std::string(kTarEnd, '\0'));
    }
  }

  void expect(std::size_t volume, std::uint64_t offset, const std::string& text) const {
    const FileDescriptor file(::open(volumes[volume].path.c_str(), O_RDONLY | O_CLOEXEC));
    std::string found(text.size(), '\1');
    const ssize_t size = text.empty() ? 0 : ::pread(file.get(), found.data(), found.size(), static_cast<off_t>(offset));
    if (size == static_cast<ssize_t>(text.size()) && found == text) return;
    throw Error(Exit::refused, cat("the bundle is damaged: ", shown(volumes[volume].path)))
        .detail(cat("at byte ", offset, " of volume ", volume + 1))
        .cause("what stands between its blobs is not what whittle writes there")
        .hint("copy the bundle to the medium again");
  }
};

BundleReader::BundleReader(std::span<const fs::path> files) : state_(std::make_unique<State>()) {
  if (files.empty()) throw Error(Exit::usage, "no bundle is named");
  std::map<std::size_t, Volume> volumes;
  std::optional<Volume> first;
  for (const fs::path& file : files) {
    std::optional<Volume> volume = read_volume(file);
    if (!volume) {
      throw Error(Exit::refused, cat(shown(file), " is no bundle"))
          .hint("bundles are written by `whittle set bundle` and `whittle set delta`");
    }
    if (first && (volume->head.root != first->head.root || volume->head.of != first->head.of)) {
      throw Error(Exit::refused, cat(shown(file), " belongs to another bundle"))
          .detail(cat("its root is ", volume->head.root.str()))
          .detail(cat("that of ", shown(first->path), " is ", first->head.root.str()));
    }
    if (!first) first = volume;
    volumes.try_emplace(volume->head.volume, std::move(*volume));
  }
  if (volumes.size() < first->head.of) look_beside(*first, volumes);
  if (volumes.size() < first->head.of) {
    Error error(Exit::refused, cat("the bundle of ", shown(first->path), " is not complete"));
    for (std::size_t i = 0; i < first->head.of; ++i) {
      if (volumes.find(i) == volumes.end()) error.detail(cat("missing: volume ", i + 1, " of ", first->head.of));
    }
    throw error.hint("put all volumes into one folder, or name them all");
  }
  for (auto& [number, volume] : volumes) state_->volumes.push_back(std::move(volume));
  state_->root = Root::decode(state_->head().root.text, cat("the root document of ", shown(first->path)));
  state_->placement = failing_as(Exit::refused, [&] { return place(state_->root, state_->volumes.front().head.size); });
  for (std::size_t i = 0; i < state_->root.blobs.size(); ++i) state_->index[state_->root.blobs[i].digest] = i;
  if (state_->placement.volume_sizes.size() != state_->volumes.size()) {
    throw Error(Exit::refused, cat("the bundle of ", shown(first->path), " does not add up"))
        .cause(cat("it has ", state_->volumes.size(), " volumes, and ", state_->placement.volume_sizes.size(),
                   " are expected"));
  }
}

BundleReader::BundleReader(BundleReader&&) noexcept = default;
BundleReader::~BundleReader() = default;

const Root& BundleReader::root() const {
  return state_->root;
}

Digest BundleReader::root_digest() const {
  return state_->volumes.front().head.root;
}

const SignedText& BundleReader::signed_root() const {
  return state_->head().root;
}

const TrustChain& BundleReader::trust() const {
  return state_->head().trust;
}

std::uint64_t BundleReader::size() const {
  std::uint64_t size = 0;
  for (const std::uint64_t one : state_->placement.volume_sizes) size += one;
  return size;
}

std::vector<fs::path> BundleReader::files() const {
  std::vector<fs::path> files;
  for (const Volume& volume : state_->volumes) files.push_back(volume.path);
  return files;
}

Trust BundleReader::check_trust(const Trust& pinned) const {
  if (root().set != pinned.set) {
    throw Error(Exit::refused, cat("the bundle is for the set ", backticked(root().set)))
        .detail(cat("this device is for ", backticked(pinned.set)));
  }
  Trust trust = follow(pinned, state_->head().trust);
  require_signatures(trust, state_->head().root, "the bundle");
  return trust;
}

void BundleReader::verify(EventSink& events, std::stop_token stop) const {
  for (const Volume& volume : state_->volumes) state_->check_size(volume);
  state_->check_headers();
  const std::uint64_t total = size();
  std::uint64_t done = 0;
  std::vector<std::byte> room(256 * 1024);
  for (std::size_t i = 0; i < root().blobs.size(); ++i) {
    const auto source = state_->open(i);
    for (std::size_t got = 0; (got = source->read(room)) != 0;) {
      if (stop.stop_requested()) throw Error(Exit::transient, "cancelled while the bundle was verified");
      events.emit(Progress{.item = "verify", .done = done += got, .total = total});
    }
  }
  const std::optional<RuntimeDocuments>& runtime = state_->head().runtime;
  if (runtime && *runtime != runtime_documents(root(), *this)) {
    throw Error(Exit::refused, cat("the bundle is damaged: ", shown(state_->volumes.front().path)))
        .cause("its index.json is not that of its images")
        .hint("copy the bundle to the medium again");
  }
  events.emit(Progress{.item = "verify", .done = total, .total = total});
}

bool BundleReader::has(const Digest& digest, std::uint64_t size) const {
  const auto found = state_->index.find(digest);
  return found != state_->index.end() && root().blobs[found->second].size == size;
}

std::string BundleReader::read(const oci::Descriptor& blob, std::uint64_t limit) const {
  if (blob.size > limit) {
    throw Error(Exit::refused, cat("the blob ", blob.digest.str(), " is larger than ", human_size(limit)));
  }
  return read_all(*open(blob), limit, blob.digest.str());
}

std::unique_ptr<Source> BundleReader::open(const oci::Descriptor& blob) const {
  if (!has(blob.digest, blob.size)) {
    throw Error(Exit::refused, cat("the bundle does not carry the blob ", blob.digest.str()));
  }
  return state_->open(state_->index.at(blob.digest));
}

}  // namespace whittle::bundle
