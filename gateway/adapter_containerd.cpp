// containerd, through `ctr`: of each image only the blobs that are missing there go into an archive on its standard
// input. An import gives an image the name NAME@DIGEST, which keeps it from containerd's collector; the commit is one
// more import, of an index without blobs, that makes the plain names mean it.
#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "gateway/adapter.hpp"
#include "gateway/blob_sources.hpp"
#include "gateway/image_archive.hpp"

namespace whittle::gateway {

namespace {

// Kubernetes' collector leaves images with this label alone (containerd, pkg/cri/labels).
constexpr const char* kPin = "io.cri-containerd.pinned=pinned";
constexpr std::uint64_t kHalfABlock = 2048;  // that a file wastes

class ContainerdAdapter : public Adapter {
 public:
  ContainerdAdapter(const Device& device, const Runtime& runtime)
      : runtime_(runtime),
        address_(option_or(device, "address", "/run/containerd/containerd.sock")),
        namespace_(option_or(device, "namespace", "k8s.io")),
        snapshotter_(option_or(device, "snapshotter", "")),
        root_(option_or(device, "root", "/var/lib/containerd")),
        program_(option_or(device, "program", "ctr")),
        unpacks_(option_or(device, "unpack", "true") != "false"),
        content_(root_ / "io.containerd.content.v1.content" / "blobs" / "sha256") {}

  std::string description() const override {
    return cat("containerd at ", backticked(address_), ", namespace ", backticked(namespace_));
  }
  void require() const override { ctr({"version"}, "reach containerd"); }
  bool uses_store() const override { return false; }
  const oci::BlobSource* content() const override { return &content_; }
  std::vector<fs::path> places() const override { return {root_}; }

  std::vector<Need> needs(const Generation& next, const Generation* former) const override {
    Need need{.folder = root_, .what = "images of containerd"};
    for (const bundle::BlobSize& blob : new_blobs(next, former)) {
      need.bytes += blob.size + kHalfABlock;
      ++need.inodes;
    }
    if (unpacks_) {
      const auto [bytes, inodes] = new_files(next, former);
      need.bytes += bytes + inodes * kHalfABlock;
      need.inodes += inodes;
    }
    return {need};
  }

  void import(const Generation& next, const oci::BlobSource& blobs) override {
    const std::set<std::string> ready = ready_names();
    for (const bundle::BundledImage& image : next.images) {
      runtime_.check_stop();
      if (ready.contains(pinned_name(image))) continue;
      const std::set<std::string> present = present_blobs();
      std::vector<bundle::BlobSize> missing;
      for (const Digest& blob : image.blobs) {
        if (!present.contains(blob.str())) missing.push_back({blob, next.blobs.at(blob)});
      }
      const ImageArchive archive({{pinned_name(image), image.target}}, missing);
      std::vector<std::string> words = import_words();
      if (!unpacks_) words.emplace_back("--no-unpack");
      if (unpacks_ && !snapshotter_.empty()) words.insert(words.end(), {"--snapshotter", snapshotter_});
      feed(words, archive, blobs, cat("import the image `", image.name, "`"));
    }
  }

  void pin(const Generation& next) override {
    for (const bundle::BundledImage& image : next.images) label(pinned_name(image));
  }

  void commit(const Generation* former, const Generation* next) override {
    if (next != nullptr) {
      std::vector<ImageArchive::Name> names;
      for (const bundle::BundledImage& image : next->images) names.push_back({image.reference, image.target});
      const BlobSources nothing({});
      std::vector<std::string> words = import_words();
      words.emplace_back("--no-unpack");
      feed(std::move(words), ImageArchive(names, {}), nothing, "name the images");
      for (const bundle::BundledImage& image : next->images) label(image.reference);
    }
    remove(names_gone(former, next));
  }

  std::vector<Damage> check(const Generation& generation, bool is_current, bool deep) const override {
    std::vector<Damage> found;
    const std::map<std::string, std::string> names = named_digests();
    const std::set<std::string> present = present_blobs();
    const std::set<std::string> ready = unpacks_ ? ready_names() : std::set<std::string>();
    std::set<Digest> seen;
    for (const bundle::BundledImage& image : generation.images) {
      std::vector<std::string> wanted = {pinned_name(image)};
      if (is_current) wanted.push_back(image.reference);
      for (const std::string& name : wanted) {
        const auto digest = names.find(name);
        if (digest == names.end()) {
          found.push_back({cat("name ", name), "containerd does not know it"});
        } else if (digest->second != image.target.digest.str()) {
          found.push_back({cat("name ", name), cat("it means ", digest->second)});
        }
      }
      if (unpacks_ && names.contains(wanted[0]) && !ready.contains(wanted[0])) {
        found.push_back({cat("image ", image.name), "it is not unpacked"});
      }
      for (const Digest& blob : image.blobs) {
        if (!seen.insert(blob).second) continue;
        const std::string why = problem_of(blob, generation.blobs.at(blob), present, deep);
        if (!why.empty()) found.push_back({cat("blob ", blob.str()), why, blob});
      }
    }
    return found;
  }

  void retire(const std::vector<Generation>& kept, const std::vector<Generation>& gone) override {
    std::set<std::string> wanted;
    for (const Generation& generation : kept) {
      for (const bundle::BundledImage& image : generation.images) wanted.insert(pinned_name(image));
    }
    std::set<std::string> names;
    for (const Generation& generation : gone) {
      for (const bundle::BundledImage& image : generation.images) {
        if (!wanted.contains(pinned_name(image))) names.insert(pinned_name(image));
      }
    }
    remove({names.begin(), names.end()});
  }

  void discard(const Generation& generation, const std::vector<Damage>& damage) override {
    std::set<Digest> damaged;
    for (const Damage& one : damage) {
      if (one.blob) damaged.insert(*one.blob);
    }
    if (damaged.empty()) return;
    // A blob is found again by its name: containerd takes what it has for sound.
    const std::set<std::string> present = present_blobs();
    std::vector<std::string> words = {"content", "rm"};
    for (const Digest& blob : damaged) {
      if (present.contains(blob.str())) words.push_back(blob.str());
    }
    std::vector<std::string> names;
    for (const bundle::BundledImage& image : generation.images) {
      if (std::any_of(image.blobs.begin(), image.blobs.end(),
                      [&](const Digest& one) { return damaged.contains(one); })) {
        names.push_back(pinned_name(image));
      }
    }
    if (words.size() > 2) ctr(words, "remove damaged blobs");
    remove(names);
    content_ = ForeignBlobs(root_ / "io.containerd.content.v1.content" / "blobs" / "sha256");
  }

 private:
  Command command(const std::vector<std::string>& words) const {
    Command command{.argv = {program_, "--address", address_, "--namespace", namespace_},
                    .env = runtime_.environment,
                    .folder = {}};
    command.argv.insert(command.argv.end(), words.begin(), words.end());
    return command;
  }
  std::string ctr(const std::vector<std::string>& words, const std::string& doing) const {
    return run_program(runtime_, command(words), doing);
  }
  void feed(std::vector<std::string> words, const ImageArchive& archive, const oci::BlobSource& blobs,
            const std::string& doing) {
    words.emplace_back("-");
    Command import = command(words);
    const std::unique_ptr<Source> stream = archive.stream(blobs);
    import.feed = stream.get();
    run_program(runtime_, import, doing);
  }
  // containerd 2 would import by itself, and does not where it is not told of a platform to unpack for, or a blob is
  // left out; its `ctr` imports as that of 1.6 when it is asked to.
  std::vector<std::string> import_words() const {
    if (!imports_locally_) {
      imports_locally_ =
          ctr({"images", "import", "--help"}, "ask ctr for its options").find("--local") != std::string::npos;
    }
    std::vector<std::string> words = {"images", "import"};
    if (*imports_locally_) words.emplace_back("--local");
    return words;
  }
  void label(const std::string& name) { ctr({"images", "label", name, kPin}, cat("pin ", name)); }
  void remove(const std::vector<std::string>& names) {
    if (names.empty()) return;
    std::vector<std::string> words = {"images", "rm", "--sync"};
    words.insert(words.end(), names.begin(), names.end());
    ctr(words, "remove names of images");
  }

  std::set<std::string> lines_of(const std::vector<std::string>& words, const std::string& doing) const {
    std::set<std::string> found;
    for (const std::string& line : split_lines(ctr(words, doing))) {
      if (!trim(line).empty()) found.emplace(trim(line));
    }
    return found;
  }
  std::set<std::string> present_blobs() const { return lines_of({"content", "ls", "-q"}, "list blobs"); }
  std::set<std::string> ready_names() const {
    std::vector<std::string> words = {"images", "check", "-q"};
    if (!snapshotter_.empty()) words.insert(words.end(), {"--snapshotter", snapshotter_});
    return lines_of(words, "list images that are whole");
  }
  // Columns: name, media type, digest, …
  std::map<std::string, std::string> named_digests() const {
    std::map<std::string, std::string> found;
    for (const std::string& line : split_lines(ctr({"images", "ls"}, "list images"))) {
      std::vector<std::string> words;
      for (const std::string& word : split(line, ' ')) {
        if (!word.empty()) words.push_back(word);
      }
      if (words.size() > 2 && Digest::parse(words[2])) found[words[0]] = words[2];
    }
    return found;
  }

  std::string problem_of(const Digest& blob, std::uint64_t size, const std::set<std::string>& present,
                         bool deep) const {
    if (!present.contains(blob.str())) return "containerd does not have it";
    if (!deep) return {};
    HashSink hash;
    CapturedOutput captured;
    const Command get = command({"content", "get", blob.str()});
    captured.result = runtime_.runner.run(
        get,
        [&](OutputStream stream, std::string_view text) {
          if (stream == OutputStream::out) hash.write(bytes_of(text));
          if (stream == OutputStream::error) captured.error += text;
        },
        runtime_.stop);
    if (captured.result.cancelled) throw Error(Exit::transient, "cancelled");
    if (!captured.result.ok()) return cat("containerd cannot read it: ", trim(printable(captured.error)));
    if (hash.size() != size) return cat("it has ", hash.size(), " of ", size, " bytes");
    if (hash.digest() != blob) return cat("its content has the digest ", hash.digest().str());
    return {};
  }

  const Runtime& runtime_;
  std::string address_, namespace_, snapshotter_;
  fs::path root_;
  std::string program_;
  bool unpacks_;
  mutable std::optional<bool> imports_locally_;  // not asked yet
  ForeignBlobs content_;
};

}  // namespace

std::unique_ptr<Adapter> make_containerd_adapter(const StateFolder& state, const Runtime& runtime) {
  return std::make_unique<ContainerdAdapter>(state.device(), runtime);
}

}  // namespace whittle::gateway
