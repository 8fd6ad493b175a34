// The folder of archives that K3s imports at its start and when one of them changes. It looks at names, sizes and
// times, so an archive's name says what is in it, and it appears by a rename: `NAME.tar.part`, synced, becomes
// `NAME.tar`. What the former generation had is renamed to `NAME.tar.kept`, which K3s passes over.
#include <fcntl.h>
#include <sys/stat.h>

#include <set>

#include "base/text.hpp"
#include "gateway/adapter.hpp"
#include "gateway/blob_sources.hpp"
#include "gateway/image_archive.hpp"
#include "oci/reference.hpp"

namespace whittle::gateway {

namespace {

constexpr std::string_view kPart = ".part", kKept = ".kept";
constexpr std::size_t kNameDigits = 16;

ImageArchive archive_of(const bundle::BundledImage& image, const Generation& generation) {
  std::vector<bundle::BlobSize> blobs;
  for (const Digest& blob : image.blobs) blobs.push_back({blob, generation.blobs.at(blob)});
  // Both names, so that workloads may name either.
  return {{{image.reference, image.target}, {pinned_name(image), image.target}}, blobs};
}

std::string archive_name(const bundle::BundledImage& image) {
  const Digest identity = digest_of(cat(image.reference, "\n", image.target.digest.str()));
  std::string name = oci::repository_from(image.name);
  for (char& letter : name) letter = letter == '/' ? '-' : letter;
  return cat(name, "-", identity.hex().substr(0, kNameDigits), ".tar");
}

// Blobs of the archives in the folder.
class ArchivedBlobs : public oci::BlobSource {
 public:
  struct Place {
    fs::path file;
    std::uint64_t offset, size;
  };
  std::map<Digest, Place> places;

  bool has(const Digest& digest, std::uint64_t size) const override {
    const auto place = places.find(digest);
    if (place == places.end() || place->second.size != size) return false;
    const auto known = known_.find(digest);
    if (known != known_.end()) return known->second;
    HashSink hash;
    FilePart part(place->second.file, place->second.offset, place->second.size);
    copy(part, hash);
    return known_[digest] = hash.digest() == digest;
  }
  std::string read(const oci::Descriptor& blob, std::uint64_t limit) const override {
    return read_all(*open(blob), limit, blob.digest.str());
  }
  std::unique_ptr<Source> open(const oci::Descriptor& blob) const override {
    const Place& place = places.at(blob.digest);
    return std::make_unique<CheckedSource>(std::make_unique<FilePart>(place.file, place.offset, place.size), blob,
                                           backticked(place.file.native()));
  }

 private:
  mutable std::map<Digest, bool> known_;
};

class K3sAdapter : public Adapter {
 public:
  K3sAdapter(const StateFolder& state, const Runtime& runtime)
      : runtime_(runtime), folder_(option_or(state.device(), "folder", "/var/lib/rancher/k3s/agent/images")) {
    const Generations generations(state.generations());
    for (const std::uint64_t number : generations.numbers()) {
      const Generation generation = generations.read(number);
      for (const bundle::BundledImage& image : generation.images) index(image, generation);
    }
  }

  std::string description() const override { return cat("the image folder of K3s ", backticked(folder_.native())); }
  bool uses_store() const override { return false; }
  const oci::BlobSource* content() const override { return &blobs_; }
  std::vector<fs::path> places() const override { return {folder_}; }

  std::vector<Need> needs(const Generation& next, const Generation*) const override {
    std::vector<Need> needs;
    for (const bundle::BundledImage& image : next.images) {
      if (found(image)) continue;
      needs.push_back(
          {.folder = folder_, .what = "archives for K3s", .bytes = archive_of(image, next).size(), .inodes = 1});
    }
    return needs;
  }

  void import(const Generation& next, const oci::BlobSource& blobs) override {
    make_folders(folder_);
    for (const bundle::BundledImage& image : next.images) {
      if (found(image)) continue;
      const std::unique_ptr<Source> content = archive_of(image, next).stream(blobs);
      write_resumed(part(image), *content, [&] { runtime_.check_stop(); });
    }
  }

  void commit(const Generation* former, const Generation* next) override {
    bool changed = false;
    if (next != nullptr) {
      for (const bundle::BundledImage& image : next->images) {
        const fs::path file = folder_ / archive_name(image);
        for (const std::string_view ending : {kKept, kPart}) {
          if (fs::exists(file)) break;
          const fs::path hidden = cat(file.native(), ending);
          if (fs::exists(hidden)) changed = rename(hidden, file);
        }
      }
    }
    if (former != nullptr) {
      for (const bundle::BundledImage& image : former->images) {
        if (next != nullptr && has(*next, image)) continue;
        const fs::path file = folder_ / archive_name(image);
        if (fs::exists(file)) changed = rename(file, cat(file.native(), kKept));
      }
    }
    sync_folder(folder_);
    if (changed) touch_cache();
  }

  std::vector<Damage> check(const Generation& generation, bool is_current, bool deep) const override {
    std::vector<Damage> damage;
    for (const bundle::BundledImage& image : generation.images) {
      std::optional<fs::path> file = found(image);
      if (!file && !is_current && fs::exists(part(image))) file = part(image);
      const ImageArchive archive = archive_of(image, generation);
      if (!file) {
        damage.push_back({cat("archive ", archive_name(image)), "it is not there", image.target.digest});
      } else if (is_current && *file != folder_ / archive_name(image)) {
        damage.push_back({cat("archive ", archive_name(image)), "K3s does not see it"});
      } else if (fs::file_size(*file) != archive.size()) {
        damage.push_back({cat("archive ", archive_name(image)),
                          cat("it has ", fs::file_size(*file), " of ", archive.size(), " bytes"), image.target.digest});
      } else if (deep && !is_sound(*file, archive)) {
        damage.push_back({cat("archive ", archive_name(image)), "its content is damaged", image.target.digest});
      }
    }
    return damage;
  }

  void retire(const std::vector<Generation>& kept, const std::vector<Generation>& gone) override {
    for (const Generation& generation : gone) {
      for (const bundle::BundledImage& image : generation.images) {
        bool is_wanted = false;
        for (const Generation& other : kept) is_wanted = is_wanted || has(other, image);
        if (!is_wanted) remove(image);
      }
    }
    std::error_code ignored;
    if (fs::exists(folder_, ignored)) sync_folder(folder_);
  }

  void discard(const Generation& generation, const std::vector<Damage>& damage) override {
    for (const bundle::BundledImage& image : generation.images) {
      for (const Damage& one : damage) {
        const std::optional<fs::path> file = found(image);
        // Mended where it is not seen: only what differs is written.
        if (one.blob == image.target.digest && file && *file != part(image)) rename(*file, part(image));
      }
    }
  }

 private:
  static bool has(const Generation& generation, const bundle::BundledImage& image) {
    const bundle::BundledImage* const other = generation.find(image.reference);
    return other != nullptr && other->target.digest == image.target.digest && other->name == image.name;
  }
  fs::path part(const bundle::BundledImage& image) const {
    return cat((folder_ / archive_name(image)).native(), kPart);
  }

  // Complete: a `.part` may be anything.
  std::optional<fs::path> found(const bundle::BundledImage& image) const {
    const fs::path file = folder_ / archive_name(image), kept = cat(file.native(), kKept);
    std::error_code ignored;
    if (fs::exists(file, ignored)) return file;
    if (fs::exists(kept, ignored)) return kept;
    return std::nullopt;
  }
  bool rename(const fs::path& from, const fs::path& to) {
    std::error_code problem;
    fs::rename(from, to, problem);
    if (problem) {
      throw system_error(Exit::export_failed, cat("cannot rename ", backticked(from.native())), problem.value());
    }
    return true;
  }
  void remove(const bundle::BundledImage& image) {
    const std::string file = (folder_ / archive_name(image)).native();
    for (const std::string_view ending : {std::string_view(), kPart, kKept}) {
      std::error_code problem;
      fs::remove(cat(file, ending), problem);
      if (problem) throw system_error(Exit::export_failed, cat("cannot remove ", backticked(file)), problem.value());
    }
  }
  // Without this file K3s imports everything at every start.
  void touch_cache() const {
    const fs::path cache = folder_ / ".cache.json";
    const FileDescriptor file(::open(cache.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    if (!file || ::futimens(file.get(), nullptr) != 0) {
      throw system_error(Exit::export_failed, cat("cannot touch ", backticked(cache.native())));
    }
  }
  void index(const bundle::BundledImage& image, const Generation& generation) {
    const std::optional<fs::path> file = found(image);
    if (!file) return;
    const ImageArchive archive = archive_of(image, generation);
    for (const ImageArchive::Piece& piece : archive.pieces()) {
      if (piece.blob.size > 0) {
        blobs_.places.emplace(piece.blob.digest, ArchivedBlobs::Place{*file, piece.offset, piece.blob.size});
      }
    }
  }
  bool is_sound(const fs::path& path, const ImageArchive& archive) const {
    FileSource file(path);
    for (const ImageArchive::Piece& piece : archive.pieces()) {
      std::string text(piece.text.size(), '\0');
      if (!read_exactly(file, std::as_writable_bytes(std::span(text))) || text != piece.text) return false;
      Hasher hash;
      std::vector<std::byte> room(128 * 1024);
      for (std::uint64_t left = piece.blob.size; left > 0;) {
        runtime_.check_stop();
        const std::size_t size = file.read(std::span(room).first(std::min<std::uint64_t>(room.size(), left)));
        if (size == 0) return false;
        hash.update(std::span(room).first(size));
        left -= size;
      }
      if (piece.blob.size > 0 && hash.digest() != piece.blob.digest) return false;
    }
    return true;
  }
  static bool read_exactly(Source& source, std::span<std::byte> room) {
    while (!room.empty()) {
      const std::size_t size = source.read(room);
      if (size == 0) return false;
      room = room.subspan(size);
    }
    return true;
  }

  const Runtime& runtime_;
  fs::path folder_;
  ArchivedBlobs blobs_;
};

}  // namespace

std::unique_ptr<Adapter> make_k3s_adapter(const StateFolder& state, const Runtime& runtime) {
  return std::make_unique<K3sAdapter>(state, runtime);
}

}  // namespace whittle::gateway
