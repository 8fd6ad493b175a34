// The storage that Podman and CRI-O share, through `skopeo`, which keeps digests (`podman load` does not). It gives
// packed layers never back, so the store keeps them. skopeo cannot take one name off an image: a name that the new
// generation has not stays until the image goes.
#include <set>

#include "base/json.hpp"
#include "base/text.hpp"
#include "gateway/adapter.hpp"
#include "gateway/blob_sources.hpp"

namespace whittle::gateway {

namespace {

constexpr std::uint64_t kHalfABlock = 2048;

class PodmanAdapter : public Adapter {
 public:
  PodmanAdapter(const StateFolder& state, const Runtime& runtime)
      : runtime_(runtime),
        blobs_(state.store()),
        scratch_(state.scratch()),
        storage_(option_or(state.device(), "storage", "")),
        folder_(option_or(state.device(), "folder", "/var/lib/containers/storage")),
        program_(option_or(state.device(), "program", "skopeo")) {}

  std::string description() const override {
    return cat("containers-storage", storage_.empty() ? "" : cat(" ", backticked(storage_)));
  }
  void require() const override { skopeo({"--version"}, "start skopeo"); }
  bool uses_store() const override { return true; }
  std::vector<fs::path> places() const override { return {folder_}; }

  std::vector<Need> needs(const Generation& next, const Generation* former) const override {
    const auto [bytes, inodes] = new_files(next, former);
    std::uint64_t most = 0;
    for (const bundle::BundledImage& image : next.images) {
      std::uint64_t size = 0;
      for (const Digest& blob : image.blobs) {
        if (former == nullptr || !former->blobs.contains(blob)) size += next.blobs.at(blob);
      }
      most = std::max(most, size);
    }
    return {{.folder = folder_,
             .what = "images of containers-storage",
             .bytes = bytes + inodes * kHalfABlock,
             .inodes = inodes + 16 * next.images.size()},
            {.folder = scratch_, .what = "what skopeo unpacks", .passing_bytes = most}};
  }

  void import(const Generation& next, const oci::BlobSource&) override {
    for (const bundle::BundledImage& image : next.images) {
      runtime_.check_stop();
      if (digest_at(pinned_name(image)) == image.target.digest) continue;
      copy_in(image, pinned_name(image), "import");
    }
  }

  void commit(const Generation* former, const Generation* next) override {
    name_in_store(blobs_.root(), former, next, runtime_.events);
    if (next == nullptr) return;
    make_folders(scratch_);
    for (const bundle::BundledImage& image : next->images) {
      if (digest_at(image.reference) == image.target.digest) continue;
      copy_in(image, image.reference, "name");
    }
  }

  std::vector<Damage> check(const Generation& generation, bool is_current, bool deep) const override {
    std::vector<Damage> found;
    for (const bundle::BundledImage& image : generation.images) {
      std::vector<std::string> wanted = {pinned_name(image)};
      if (is_current) wanted.push_back(image.reference);
      bool is_there = true;
      for (const std::string& name : wanted) {
        const std::optional<Digest> digest = digest_at(name);
        if (digest == image.target.digest) continue;
        is_there = false;
        found.push_back(
            {cat("name ", name), digest ? cat("it means ", digest->str()) : std::string("it is not there")});
      }
      if (!deep || !is_there) continue;
      const std::string why = problem_of(image);
      if (!why.empty()) found.push_back({cat("image ", image.name), why, image.target.digest});
    }
    return found;
  }

  void retire(const std::vector<Generation>& kept, const std::vector<Generation>& gone) override {
    // Images with one configuration are one image there, whatever their manifests.
    std::set<Digest> wanted;
    for (const Generation& generation : kept) {
      for (const bundle::BundledImage& image : generation.images) wanted.insert(configuration_of(image));
    }
    for (const Generation& generation : gone) {
      for (const bundle::BundledImage& image : generation.images) {
        if (wanted.insert(configuration_of(image)).second) remove(image);
      }
    }
  }

  void discard(const Generation& generation, const std::vector<Damage>& damage) override {
    for (const bundle::BundledImage& image : generation.images) {
      for (const Damage& one : damage) {
        if (one.blob == image.target.digest) remove(image);
      }
    }
  }

 private:
  std::string at(const std::string& name) const {
    return cat("containers-storage:", storage_.empty() ? "" : cat("[", storage_, "]"), name);
  }
  Command command(const std::vector<std::string>& words) const {
    // The signature of the bundle has been checked: the machine's policy is about registries.
    Command command{.argv = {program_, "--insecure-policy"}, .env = runtime_.environment, .folder = {}};
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    command.env["TMPDIR"] = scratch_.native();
    return command;
  }
  std::string skopeo(const std::vector<std::string>& words, const std::string& doing) const {
    return run_program(runtime_, command(words), doing);
  }

  // Layers that are there are not read. Not from one name to another within the storage: it would pack them anew.
  void copy_in(const bundle::BundledImage& image, const std::string& name, const char* doing) const {
    const TemporaryFolder layout(scratch_);
    write_file(layout.path() / "oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
    oci::Descriptor target = image.target;
    target.annotations["org.opencontainers.image.ref.name"] = "image";
    const oci::Index index{
        .media_type = std::string(oci::media_type::kIndex), .manifests = {target}, .annotations = {}};
    write_file(layout.path() / "index.json", index.encode());
    skopeo({"copy", "--preserve-digests", "--src-shared-blob-dir", (blobs_.root() / "blobs").native(),
            cat("oci:", layout.path().native(), ":image"), at(name)},
           cat(doing, " the image `", image.name, "`"));
  }

  std::optional<Digest> digest_at(const std::string& name) const {
    const CapturedOutput captured =
        run_captured(runtime_.runner, command({"inspect", "--raw", at(name)}), runtime_.stop);
    if (captured.result.cancelled) throw Error(Exit::transient, "cancelled");
    if (!captured.result.ok()) return std::nullopt;
    return digest_of(captured.out);
  }
  void remove(const bundle::BundledImage& image) {
    if (!digest_at(pinned_name(image))) return;
    skopeo({"delete", at(pinned_name(image))}, cat("remove the image `", image.name, "`"));
  }
  // Its digest; the manifest's own when that cannot be read.
  Digest configuration_of(const bundle::BundledImage& image) const {
    try {
      const std::string text = blobs_.read(image.target, oci::kMaximumManifest);
      return oci::Manifest::decode(text, image.name).config.digest;
    } catch (const Error&) {
      return image.target.digest;
    }
  }
  // The storage puts each layer together again from its files and compares.
  std::string problem_of(const bundle::BundledImage& image) const {
    std::string said;
    make_folders(scratch_);
    const TemporaryFolder copy(scratch_);
    const ProcessResult result = runtime_.runner.run(
        command({"copy", at(pinned_name(image)), cat("dir:", copy.path().native())}),
        [&](OutputStream stream, std::string_view text) {
          if (stream == OutputStream::error) said += text;
        },
        runtime_.stop);
    if (result.cancelled) throw Error(Exit::transient, "cancelled");
    if (result.ok()) return {};
    const std::vector<std::string> lines = split_lines(trim(said));
    return lines.empty() ? cat("skopeo ended with ", result.status) : printable(lines.back());
  }

  const Runtime& runtime_;
  oci::BlobStore blobs_;
  fs::path scratch_;
  std::string storage_;
  fs::path folder_;
  std::string program_;
};

}  // namespace

std::unique_ptr<Adapter> make_podman_adapter(const StateFolder& state, const Runtime& runtime) {
  return std::make_unique<PodmanAdapter>(state, runtime);
}

}  // namespace whittle::gateway
