#include "bundle/head.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "base/json.hpp"
#include "base/tar.hpp"
#include "base/text.hpp"
#include "bundle/document.hpp"

namespace whittle::bundle {

namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kSignatureRoom = 4096;  // signatures are padded to a multiple, so that another can be added
constexpr std::uint64_t kLargestDocument = kMaximumRoot;
constexpr std::size_t kMostVolumes = 10'000;
constexpr std::string_view kVolume = "whittle/volume.json", kRoot = "whittle/root.json",
                           kSignatures = "whittle/signatures.json", kTrust = "whittle/trust.json",
                           kLayout = "oci-layout", kIndex = "index.json", kDocker = "manifest.json";

std::string header_of(std::string_view path, std::uint64_t size) {
  return tar_header({.path = std::string(path), .size = size, .mode = 0644, .link = {}, .attributes = {}});
}

void append_entry(std::string& out, std::string_view path, std::string_view content) {
  out += header_of(path, content.size());
  out += content;
  out.append(tar_padding(content.size()), '\0');
}

std::string padded(std::string text, std::size_t multiple) {
  text.append((multiple - text.size() % multiple) % multiple, ' ');
  return text;
}

std::string blob_path(const Digest& digest) {
  return cat("blobs/sha256/", digest.hex());
}

// Pulls entries whose headers are exactly those that whittle writes.
class EntryReader {
 public:
  EntryReader(Source& source, std::string_view what) : source_(source), what_(what) {}

  // The content of the next entry, which must be `path`; nothing, and nothing is taken, when it is another one.
  std::optional<std::string> next(std::string_view path) {
    if (block_.empty()) block_ = take(kBlock);
    const std::optional<std::uint64_t> size = size_in(block_);
    if (!size || block_ != header_of(path, *size)) return std::nullopt;
    if (*size > kLargestDocument) refuse(what_, cat(backticked(path), " in it is too large"));
    block_.clear();
    std::string content = take(*size);
    const std::string padding(tar_padding(*size), '\0');
    if (content.size() != *size) refuse(what_, "it is cut off");
    if (take(padding.size()) != padding) refuse(what_, cat("what follows ", backticked(path), " in it is damaged"));
    size_ += kBlock + *size + tar_padding(*size);
    return content;
  }
  std::string required(std::string_view path) {
    std::optional<std::string> content = next(path);
    if (!content) refuse(what_, cat("it lacks ", backticked(path)));
    return std::move(*content);
  }
  std::uint64_t size() const { return size_; }  // of what was taken

 private:
  // Fewer bytes at the end only.
  std::string take(std::uint64_t size) {
    std::string bytes;
    std::array<std::byte, 64 * 1024> room{};
    while (bytes.size() < size) {
      const std::size_t wanted = std::min<std::uint64_t>(room.size(), size - bytes.size());
      const std::size_t got = source_.read(std::span(room).first(wanted));
      if (got == 0) break;
      bytes += text_of(std::span(room).first(got));
    }
    return bytes;
  }

  // The size field of a ustar header (POSIX.1-2017 pax): octal digits.
  static std::optional<std::uint64_t> size_in(std::string_view header) {
    constexpr std::size_t kAt = 124, kDigits = 11;
    if (header.size() != kBlock) return std::nullopt;
    std::uint64_t size = 0;
    for (const char digit : header.substr(kAt, kDigits)) {
      if (digit < '0' || digit > '7') return std::nullopt;
      size = size * 8 + static_cast<std::uint64_t>(digit - '0');
    }
    return size;
  }

  Source& source_;
  std::string_view what_;
  std::string block_;
  std::uint64_t size_ = 0;
};

}  // namespace

RuntimeDocuments runtime_documents(const Root& root, const oci::BlobSource& blobs) {
  oci::Index index{.media_type = std::string(oci::media_type::kIndex), .manifests = {}, .annotations = {}};
  Json docker = Json::array();
  for (const BundledImage& image : root.images) {
    index.manifests.push_back(image.target);
    index.manifests.back().annotations = {{"org.opencontainers.image.ref.name", image.reference},
                                          {"io.containerd.image.name", image.reference}};
    const oci::Manifest manifest = oci::Manifest::decode(blobs.read(image.target, oci::kMaximumManifest),
                                                         cat("the manifest of ", backticked(image.name)));
    Json layers = Json::array();
    for (const oci::Descriptor& layer : manifest.layers) layers.push_back(blob_path(layer.digest));
    docker.push_back({{"Config", blob_path(manifest.config.digest)},
                      {"Layers", std::move(layers)},
                      {"RepoTags", Json::array({image.reference})}});
  }
  return {.layout = R"({"imageLayoutVersion":"1.0.0"})", .index = index.encode(), .docker = canonical_json(docker)};
}

std::string Head::encode(std::size_t volume, std::size_t of) const {
  std::string head;
  const Json place = {{"format", 1}, {"root", digest_of(root.text).str()}, {"volume", volume + 1}, {"of", of}};
  append_entry(head, kVolume, padded(canonical_json(place), kBlock));
  append_entry(head, kRoot, root.text);
  append_entry(head, kSignatures, padded(encode_signatures(root.signatures), kSignatureRoom));
  append_entry(head, kTrust, trust.encode());
  if (runtime) {
    append_entry(head, kLayout, runtime->layout);
    append_entry(head, kIndex, runtime->index);
    append_entry(head, kDocker, runtime->docker);
  }
  return head;
}

std::optional<ReadHead> read_head(Source& volume, std::string_view what) {
  EntryReader entries(volume, what);
  const std::optional<std::string> place = entries.next(kVolume);
  if (!place) return std::nullopt;
  ReadHead read;
  const Json document = document_of(*place, kBlock, what);
  const std::uint64_t number = number_in(document, "volume", what);
  read.of = number_in(document, "of", what);
  if (number == 0 || number > read.of || read.of > kMostVolumes) refuse(what, "it has no place among its volumes");
  read.volume = number - 1;
  read.root = digest_in(document, "root", what);
  read.head.root.text = entries.required(kRoot);
  if (digest_of(read.head.root.text) != read.root) {
    refuse(what, cat("its root document is damaged: the digest is ", digest_of(read.head.root.text).str(), ", not ",
                     read.root.str()));
  }
  read.head.root.signatures = decode_signatures(entries.required(kSignatures), cat("the signatures of ", what));
  read.head.trust = TrustChain::decode(entries.required(kTrust), cat("the trust documents of ", what));
  if (std::optional<std::string> layout = entries.next(kLayout)) {
    std::string index = entries.required(kIndex), docker = entries.required(kDocker);
    read.head.runtime = RuntimeDocuments{std::move(*layout), std::move(index), std::move(docker)};
  }
  read.size = entries.size();
  return read;
}

}  // namespace whittle::bundle
