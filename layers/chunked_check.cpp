#include "layers/chunked_check.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/archive.hpp"
#include "base/base64.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "layers/layer_index.hpp"
#include "layers/tar_split_reader.hpp"
#include "oci/layout.hpp"

namespace whittle::layers {

namespace {

constexpr std::size_t kFooters = kPodmanFooter + kStargzFooter;
constexpr std::uint64_t kMaximumTarSplit = 1 << 30;
constexpr std::uint64_t kMaximumChunk = 64 << 20;  // ours are 1 MiB; nobody promises a limit
constexpr std::size_t kMaximumProblems = 20;

constexpr std::string_view kToc = "the table of contents", kTarSplit = "the tar-split";

// Parts of a blob, whose size is known.
class BlobFile {
 public:
  BlobFile(const fs::path& path, std::uint64_t size)
      : path_(path), size_(size), file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (!file_) throw system_error(Exit::registry_content, cat("cannot read ", backticked(path.native())));
  }

  std::uint64_t size() const { return size_; }
  std::string read(std::uint64_t offset, std::uint64_t size) const {
    std::string bytes(static_cast<std::size_t>(size), '\0');
    for (std::size_t done = 0; done < bytes.size();) {
      const ssize_t got =
          ::pread(file_.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw system_error(Exit::registry_content, cat("cannot read ", backticked(path_.native())));
      if (got == 0) throw Error(Exit::registry_content, cat(backticked(path_.native()), " ends too early"));
      done += static_cast<std::size_t>(got);
    }
    return bytes;
  }

 private:
  fs::path path_;
  std::uint64_t size_;
  FileDescriptor file_;
};

class Problems {
 public:
  void add(std::string text) {
    if (found.size() < kMaximumProblems) found.push_back(std::move(text));
  }
  template <class Value>
  void compare(std::string_view what, const Value& said, const Value& actual, std::string_view who) {
    if (said != actual) add(cat(what, " is ", printable_of(actual), ", ", who, " says ", printable_of(said)));
  }
  std::vector<std::string> found;

 private:
  static std::string printable_of(const std::string& text) { return backticked(text); }
  static std::string printable_of(std::uint64_t number) { return std::to_string(number); }
};

std::string type_of(ArchiveEntry::Kind kind) {
  switch (kind) {
    case ArchiveEntry::Kind::file:
      return "reg";
    case ArchiveEntry::Kind::folder:
      return "dir";
    case ArchiveEntry::Kind::symbolic_link:
      return "symlink";
    case ArchiveEntry::Kind::hard_link:
      return "hardlink";
    case ArchiveEntry::Kind::character_device:
      return "char";
    case ArchiveEntry::Kind::block_device:
      return "block";
    case ArchiveEntry::Kind::fifo:
      return "fifo";
    case ArchiveEntry::Kind::socket:
      break;
  }
  return "socket";
}

class Check {
 public:
  Check(const oci::BlobStore& store, const oci::Descriptor& layer, Problems& problems)
      : store_(store), layer_(layer), blob_(store.path(layer.digest), layer.size), problems_(problems) {}

  void run() {
    const bool has_room = blob_.size() > kFooters;
    const auto position = has_room
                              ? IndexPosition::from_footers(blob_.read(blob_.size() - kFooters, kFooters), blob_.size())
                              : std::nullopt;
    if (!position) {
      const bool claims = layer_.annotations.contains(std::string(kStargzTocKey));
      if (claims) problems_.add("its annotations promise footers that are not there");
      return;
    }
    toc_end_ = position->toc_offset - 8;
    if (position->toc_size > kMaximumIndex) return problems_.add(cat(kToc, " is too long"));
    const std::string packed_toc = blob_.read(position->toc_offset, position->toc_packed);
    const std::string packed_tar_split = blob_.read(position->tar_split_offset, position->tar_split_packed);
    const std::string toc_text = unpack_frame(packed_toc, position->toc_size, kToc);
    const std::string tar_split =
        unpack_frame(packed_tar_split, std::min(position->tar_split_size, kMaximumTarSplit), kTarSplit);
    check_numbers(*position, toc_text.size(), tar_split.size());
    check_annotations(*position, digest_of(packed_toc), digest_of(toc_text));

    const Json toc = parse_json(toc_text, kToc, static_cast<int>(Exit::registry_content));
    problems_.compare("the tar-split's digest", json_member<std::string>(toc, "tarSplitDigest", kToc),
                      digest_of(packed_tar_split).str(), kToc);
    check_tar_split(toc, tar_split);
    check_entries(toc);
  }

 private:
  void check_numbers(const IndexPosition& position, std::uint64_t toc_size, std::uint64_t tar_split_size) {
    problems_.compare("the size of the table of contents", position.toc_size, toc_size, "the footers");
    problems_.compare("the size of the tar-split", position.tar_split_size, tar_split_size, "the footer");
  }

  void check_annotations(const IndexPosition& position, const Digest& packed_toc, const Digest& toc) {
    const auto compare = [&](std::string_view key, const std::string& actual) {
      const auto said = layer_.annotations.find(std::string(key));
      if (said != layer_.annotations.end()) problems_.compare(key, said->second, actual, "the annotation");
    };
    compare(kTocChecksumKey, packed_toc.str());
    compare(kTocPositionKey, position.toc());
    compare(kTarSplitPositionKey, position.tar_split());
    compare(kStargzTocKey, toc.str());
  }

  void check_tar_split(const Json& toc, const std::string& lines) {
    TarSplitReader tar_split(lines);
    HashSink tar;
    TeeSink both(tar, tar_split);
    decompress(*store_.open(layer_), both, kTarSplit);
    both.finish();
    if (tar_split.mismatch()) problems_.add(cat(kTarSplit, " does not fit the tar: ", *tar_split.mismatch()));
    std::vector<std::string> names;
    for (const Json& entry : entries_of(toc)) {
      if (entry.value("type", "") != "chunk") names.push_back(json_member<std::string>(entry, "name", kToc));
    }
    if (names != tar_split.names()) problems_.add(cat(kToc, " and the tar-split do not name the same entries"));
    if (std::set(names.begin(), names.end()).size() != names.size()) problems_.add(cat(kToc, " has a name twice"));
    const auto said = layer_.annotations.find(std::string(kStargzSizeKey));
    if (said != layer_.annotations.end()) {
      problems_.compare(kStargzSizeKey, said->second, std::to_string(tar.size()), "the annotation");
    }
  }

  static const Json& entries_of(const Json& toc) {
    if (!toc.is_object() || !toc.contains("entries") || !toc.at("entries").is_array()) {
      throw Error(Exit::registry_content, cat(kToc, " has no list of entries"));
    }
    return toc.at("entries");
  }

  // Both in the order of the tar.
  void check_entries(const Json& toc) {
    const Json& entries = entries_of(toc);
    const std::unique_ptr<Source> source = store_.open(layer_);
    ArchiveReader reader(*source, cat("the layer ", layer_.digest.str()));
    ArchiveEntry actual;
    std::size_t at = 0;
    while (reader.next(actual)) {
      if (at == entries.size()) return problems_.add(cat(kToc, " ends before ", backticked(actual.path)));
      std::size_t end = at + 1;
      while (end < entries.size() && entries[end].value("type", "") == "chunk") ++end;
      check_entry(entries[at], actual);
      if (actual.kind == ArchiveEntry::Kind::file && actual.size > 0) {
        HashSink content;
        copy(reader.content(), content);
        problems_.compare(cat("the digest of ", backticked(actual.path)),
                          json_member_or<std::string>(entries[at], "digest", "", kToc), content.digest().str(), kToc);
        check_chunks(entries, at, end);
      }
      at = end;
    }
    if (at != entries.size()) problems_.add(cat(kToc, " goes on after the tar's last entry"));
  }

  void check_entry(const Json& entry, const ArchiveEntry& actual) {
    const auto compare = [&](std::string_view key, const auto& value) {
      using Value = std::decay_t<decltype(value)>;
      problems_.compare(cat("the ", key, " of ", backticked(actual.path)), json_member_or<Value>(entry, key, {}, kToc),
                        value, kToc);
    };
    const bool is_file = actual.kind == ArchiveEntry::Kind::file;
    std::string name = json_member<std::string>(entry, "name", kToc);
    while (name.starts_with("./")) name.erase(0, 2);
    while (name.size() > 1 && name.ends_with('/')) name.pop_back();
    problems_.compare("a name", name, actual.path, kToc);
    compare("type", type_of(actual.kind));
    const auto octal = [](std::uint64_t mode) {
      std::string digits;
      for (; mode != 0 || digits.empty(); mode >>= 3)
        digits.insert(digits.begin(), static_cast<char>('0' + (mode & 7)));
      return digits;
    };
    problems_.compare(cat("the mode of ", backticked(actual.path)),
                      octal(json_member_or<std::uint64_t>(entry, "mode", 0, kToc)), octal(actual.mode & 07777U), kToc);
    compare("size", is_file ? actual.size : std::uint64_t{0});
    compare("uid", actual.uid);
    compare("gid", actual.gid);
    compare("linkName", actual.link);
    const std::string modified = json_member_or<std::string>(entry, "modtime", oci::rfc3339(0), kToc);
    problems_.compare(cat("the time of ", backticked(actual.path)), modified, oci::rfc3339(actual.modified), kToc);
    Json attributes = Json::object();
    for (const auto& [key, value] : actual.attributes) attributes[key] = base64_of(bytes_of(value));
    problems_.compare(cat("the attributes of ", backticked(actual.path)),
                      canonical_json(entry.value("xattrs", Json::object())), canonical_json(attributes), kToc);
  }

  // `entries[first]` is a file and its first chunk; the others follow.
  void check_chunks(const Json& entries, std::size_t first, std::size_t end) {
    const auto number = [&](std::size_t at, std::string_view key, std::uint64_t fallback) {
      return json_member_or<std::uint64_t>(entries[at], key, fallback, kToc);
    };
    const std::string name = backticked(json_member<std::string>(entries[first], "name", kToc));
    std::uint64_t done = 0;
    for (std::size_t at = first; at < end; ++at) {
      const std::uint64_t offset = number(at, "offset", 0);
      const std::uint64_t stop = at + 1 < end ? number(at + 1, "offset", 0) : number(first, "endOffset", 0);
      const std::uint64_t size = number(at, "chunkSize", number(first, "size", 0));
      const std::string what = cat("the chunk of ", name, " at ", done);
      const std::string digest = json_member_or<std::string>(
          entries[at], "chunkDigest", json_member_or<std::string>(entries[first], "digest", "", kToc), kToc);
      problems_.compare(cat("the place of ", what), number(at, "chunkOffset", 0), done, kToc);
      check_chunk(what, offset, stop, size, digest,
                  json_member_or<std::string>(entries[at], "chunkType", "", kToc) == "zeros");
      done += size;
    }
    problems_.compare(cat("the sum of the chunks of ", name), done, number(first, "size", 0), kToc);
  }

  void check_chunk(const std::string& what, std::uint64_t offset, std::uint64_t stop, std::uint64_t size,
                   const std::string& digest, bool is_zeros) {
    if (offset >= stop || stop > toc_end_) return problems_.add(cat(what, " is not inside the layer"));
    if (size > kMaximumChunk || stop - offset > 2 * kMaximumChunk) return problems_.add(cat(what, " is too large"));
    try {
      const std::string plain = unpack_frame(blob_.read(offset, stop - offset), size, what);
      problems_.compare(cat("the size of ", what), size, std::uint64_t{plain.size()}, kToc);
      problems_.compare(cat("the digest of ", what), digest, digest_of(plain).str(), kToc);
      if (is_zeros && plain.find_first_not_of('\0') != std::string::npos) problems_.add(cat(what, " is not of zeros"));
    } catch (const Error& error) {
      problems_.add(error.causes().empty() ? error.message() : cat(error.message(), ": ", error.causes().front()));
    }
  }

  const oci::BlobStore& store_;
  const oci::Descriptor& layer_;
  BlobFile blob_;
  Problems& problems_;
  std::uint64_t toc_end_ = 0;
};

}  // namespace

std::vector<std::string> check_chunked(const oci::BlobStore& store, const oci::Descriptor& layer) {
  Problems problems;
  try {
    if (layer.media_type == oci::media_type::kLayerZstd) Check(store, layer, problems).run();
  } catch (const Error& error) {
    problems.add(error.causes().empty() ? error.message() : cat(error.message(), ": ", error.causes().front()));
  } catch (const Json::exception& error) {
    problems.add(cat(kToc, " is broken: ", error.what()));
  }
  return std::move(problems.found);
}

std::vector<oci::Problem> check_chunked_layers(const oci::BlobStore& store, const oci::Descriptor& root) {
  std::vector<oci::Problem> problems;
  std::set<std::pair<Digest, oci::Annotations>> seen;
  for (const oci::Descriptor& descriptor : oci::closure(store, root)) {
    if (!oci::media_type::is_manifest(descriptor.media_type)) continue;
    const std::string text = store.read(descriptor, oci::kMaximumManifest);
    for (const oci::Descriptor& layer : oci::Manifest::decode(text, "a manifest").layers) {
      if (!seen.insert({layer.digest, layer.annotations}).second) continue;
      for (std::string& problem : check_chunked(store, layer)) {
        problems.push_back({.object = cat("layer ", layer.digest.str()), .text = std::move(problem)});
      }
    }
  }
  return problems;
}

}  // namespace whittle::layers
