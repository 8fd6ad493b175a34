#include "layers/layer_index.hpp"

#include <algorithm>

#include "base/base64.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace whittle::layers {

namespace {

// Whatever the layer's: a TOC is mostly digests, which no level compresses; a tar-split mostly headers.
constexpr int kTocLevel = 3, kTarSplitLevel = 7;
constexpr std::uint32_t kSkippable = 0x184D2A50;
constexpr std::uint64_t kTocIsZstd = 1;
// They differ in the case of one letter.
constexpr std::string_view kPodmanMagic = "GNUlInUx", kStargzMagic = "GnUlInUx";

std::string little_endian(std::uint64_t value, std::size_t size) {
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xFF);
  return bytes;
}

std::uint64_t word_at(std::string_view bytes, std::size_t offset) {
  std::uint64_t value = 0;
  for (std::size_t i = 8; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[offset + i]);
  return value;
}

std::string skippable_header(std::uint64_t size) {
  return little_endian(kSkippable, 4) + little_endian(size, 4);
}

std::string json_text(std::string_view text) {
  return canonical_json(Json(std::string(text)));
}

std::string_view type_of(TarHeader::Kind kind) {
  switch (kind) {
    case TarHeader::Kind::file:
      return "reg";
    case TarHeader::Kind::folder:
      return "dir";
    case TarHeader::Kind::symbolic_link:
      return "symlink";
    case TarHeader::Kind::hard_link:
      return "hardlink";
  }
  return "";
}

void append_number(std::string& out, std::string_view key, std::uint64_t number) {
  if (number != 0) out += cat(",\"", key, "\":", number);
}

}  // namespace

std::string IndexPosition::toc() const {
  return cat(toc_offset, ":", toc_packed, ":", toc_size, ":", kTocIsZstd);
}

std::string IndexPosition::tar_split() const {
  return cat(tar_split_offset, ":", tar_split_packed, ":", tar_split_size);
}

std::string IndexPosition::footers() const {
  std::string toc_words, tar_split_words;
  for (const std::uint64_t word : {toc_offset, toc_packed, toc_size, kTocIsZstd}) toc_words += little_endian(word, 8);
  for (const std::uint64_t word : {tar_split_offset, tar_split_packed, tar_split_size}) {
    tar_split_words += little_endian(word, 8);
  }
  return cat(skippable_header(kPodmanFooter - 8), toc_words, tar_split_words, kPodmanMagic,
             skippable_header(kStargzFooter - 8), toc_words, kStargzMagic);
}

std::optional<IndexPosition> IndexPosition::from_footers(std::string_view footers, std::uint64_t blob_size) {
  if (footers.size() != kPodmanFooter + kStargzFooter || blob_size < footers.size()) return std::nullopt;
  const auto word = [&](std::size_t number) { return word_at(footers, 8 + 8 * number); };
  const IndexPosition position{.toc_offset = word(0),
                               .toc_packed = word(1),
                               .toc_size = word(2),
                               .tar_split_offset = word(4),
                               .tar_split_packed = word(5),
                               .tar_split_size = word(6)};
  const std::uint64_t end = blob_size - footers.size();
  const bool is_inside = position.toc_offset >= 8 && position.toc_offset <= end && position.toc_packed <= end &&
                         position.tar_split_packed <= end;
  const bool has_no_gap = is_inside && position.tar_split_offset == position.toc_offset + position.toc_packed + 8 &&
                          position.tar_split_offset + position.tar_split_packed == end;
  if (!has_no_gap || position.footers() != footers) return std::nullopt;
  return position;
}

LayerIndex::LayerIndex() : tar_split_(kTarSplitLevel) {}

void LayerIndex::add(const TarHeader& header, std::string_view header_bytes) {
  const std::string name = header.kind == TarHeader::Kind::folder ? header.path + '/' : header.path;
  raw_ += header_bytes;
  add_segment();
  name_ = json_text(name);
  add_toc_entry(header, name_);
  file_size_ = header.kind == TarHeader::Kind::file ? header.size : 0;
  if (file_size_ == 0) {
    entries_ += '}';
    add_checksum();
  } else {
    files_.back().place = entries_.size();
  }
}

void LayerIndex::add_toc_entry(const TarHeader& header, std::string_view name) {
  if (!entries_.empty()) entries_ += ',';
  entries_ += "{\"name\":";
  if (header.kind == TarHeader::Kind::file && header.size > 0) {
    files_.push_back({.name_size = name.size(), .name_place = entries_.size(), .digest = {}});
  }
  entries_ += name;
  entries_ += cat(",\"type\":\"", type_of(header.kind), "\"");
  if (!header.link.empty()) entries_ += cat(",\"linkName\":", json_text(header.link));
  append_number(entries_, "mode", header.mode & 07777U);
  append_number(entries_, "size", header.kind == TarHeader::Kind::file ? header.size : 0);
  append_number(entries_, "uid", header.uid);
  append_number(entries_, "gid", header.gid);
  if (!header.attributes.empty()) {
    Json attributes = Json::object();
    for (const auto& [key, value] : header.attributes) attributes[key] = base64_of(bytes_of(value));
    entries_ += cat(",\"xattrs\":", canonical_json(attributes));
  }
  entries_ += cat(",\"modtime\":\"", oci::rfc3339(header.modified), "\"");
}

void LayerIndex::add_segment() {
  std::string line = "{\"type\":2,\"payload\":\"";
  append_base64(line, bytes_of(raw_));
  line += cat("\",\"position\":", lines_++, "}\n");
  tar_split_.append(line);
  raw_.clear();
}

void LayerIndex::add_checksum() {
  std::string line = cat("{\"type\":1,\"name\":", name_);
  if (file_size_ == 0) {
    line += ",\"payload\":null";
  } else {
    std::string checksum = little_endian(checksum_.value(), 8);
    std::reverse(checksum.begin(), checksum.end());
    line += cat(",\"size\":", file_size_, ",\"payload\":\"", base64_of(bytes_of(checksum)), "\"");
  }
  tar_split_.append(line += cat(",\"position\":", lines_++, "}\n"));
  checksum_ = {};
}

void LayerIndex::add_chunk(Bytes bytes, bool is_zeros, bool is_whole_file) {
  checksum_.update(bytes);
  if (!is_whole_file) hasher_.update(bytes);
  zeros_.push_back(is_zeros);
  ++files_.back().chunks;
}

void LayerIndex::end_file() {
  add_checksum();
  File& file = files_.back();
  if (file.chunks > 1) file.digest = hasher_.digest();
  hasher_ = {};
}

bool LayerIndex::is_too_large() const {
  constexpr std::uint64_t kLeastOfChunk = 100;
  return entries_.size() + kLeastOfChunk * zeros_.size() > kMaximumIndex;
}

std::optional<LayerIndex::Written> LayerIndex::finish(const std::vector<ChunkFrame>& chunks, std::uint64_t offset,
                                                      std::uint64_t tar_size) {
  add_segment();
  const std::string& tar_split = tar_split_.finish();

  PackedText toc(kTocLevel);
  toc.append("{\"version\":1,\"entries\":[");
  std::size_t done = 0, first = 0;
  for (const File& file : files_) {
    toc.append(std::string_view(entries_).substr(done, file.place - done));
    write_file(toc, file, std::span(chunks).subspan(first, file.chunks), first);
    first += file.chunks;
    done = file.place;
  }
  toc.append(std::string_view(entries_).substr(done));
  // No line end: stargz-snapshotter's digest is of what a JSON parser consumes.
  toc.append(cat("],\"tarSplitDigest\":\"", digest_of(tar_split).str(), "\"}"));
  if (toc.plain_size() > kMaximumIndex) return std::nullopt;
  const std::string& packed = toc.finish();

  const IndexPosition position{.toc_offset = offset + 8,
                               .toc_packed = packed.size(),
                               .toc_size = toc.plain_size(),
                               .tar_split_offset = offset + 8 + packed.size() + 8,
                               .tar_split_packed = tar_split.size(),
                               .tar_split_size = tar_split_.plain_size()};
  return Written{.bytes = cat(skippable_header(packed.size()), packed, skippable_header(tar_split.size()), tar_split,
                              position.footers()),
                 .annotations = {{std::string(kTocChecksumKey), digest_of(packed).str()},
                                 {std::string(kTocPositionKey), position.toc()},
                                 {std::string(kTarSplitPositionKey), position.tar_split()},
                                 {std::string(kStargzTocKey), toc.plain_digest().str()},
                                 {std::string(kStargzSizeKey), std::to_string(tar_size)}}};
}

// Completes a file's entry, which is also its first chunk, and adds entries for the others.
void LayerIndex::write_file(PackedText& toc, const File& file, std::span<const ChunkFrame> chunks,
                            std::size_t first) const {
  // Podman makes holes of chunks of zeros. Were there nothing else in a file, and nothing else to fetch, it would
  // send a request without a range.
  bool has_data = false;
  for (std::size_t i = 0; i < chunks.size(); ++i) has_data |= !zeros_[first + i];
  const std::uint64_t end = chunks.back().offset + chunks.back().packed_size;
  std::uint64_t at = 0;
  std::string text = cat(",\"digest\":\"", file.digest.value_or(chunks.front().digest).str(), "\"");
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const ChunkFrame& chunk = chunks[i];
    if (i > 0) {
      text += cat(",{\"name\":", std::string_view(entries_).substr(file.name_place, file.name_size),
                  ",\"type\":\"chunk\",\"chunkOffset\":", at);
    }
    text += cat(",\"offset\":", chunk.offset);
    // Of the last, or Podman would fetch what lies between this file and the next; of the first by convention.
    if (i == 0 || i + 1 == chunks.size()) text += cat(",\"endOffset\":", end);
    text += cat(",\"chunkSize\":", chunk.plain_size, ",\"chunkDigest\":\"", chunk.digest.str(), "\"");
    if (zeros_[first + i] && has_data) text += ",\"chunkType\":\"zeros\"";
    text += '}';
    toc.append(text);
    text.clear();
    at += chunk.plain_size;
  }
}

}  // namespace whittle::layers
