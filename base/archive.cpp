// Two libarchive handles in a row: the first only decompresses ("raw"), the second only reads tar. So the
// filter is one that was sniffed (never a chain that libarchive guessed), every decompressed byte passes
// through here to be counted, and the stream is read to its end even when tar's end comes before it.
#include "base/archive.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle {

namespace {

constexpr std::size_t kBuffer = 128 * 1024;
constexpr std::uint64_t kRatioFloor = 64ULL << 20;
constexpr std::size_t kBlock = 512;

struct FreeArchive {
  void operator()(archive* handle) const { archive_read_free(handle); }
};
using Handle = std::unique_ptr<archive, FreeArchive>;

// libarchive converts names in pax records to the locale's character set and loses what that lacks;
// whittle's names are bytes. Only the calling thread is affected.
class Utf8Locale {
 public:
  Utf8Locale() : mine_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (mine_ != nullptr) before_ = ::uselocale(mine_);
  }
  ~Utf8Locale() {
    if (mine_ == nullptr) return;
    ::uselocale(before_);
    ::freelocale(mine_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  locale_t mine_;
  locale_t before_ = nullptr;
};

Error broken(std::string_view what, std::string why) {
  Error error(Exit::registry_content, cat("cannot read ", what));
  error.cause(std::move(why));
  return error;
}

Error over_limit(std::string_view what, std::string why) {
  Error error(Exit::registry_content, cat("refused to read ", what));
  error.cause(std::move(why));
  return error;
}

int filter_of(Bytes start) {
  const auto byte = [&](std::size_t i) { return i < start.size() ? std::to_integer<unsigned>(start[i]) : 0U; };
  if (byte(0) == 0x1F && byte(1) == 0x8B) return ARCHIVE_FILTER_GZIP;
  const bool is_zstd = byte(0) == 0x28 && byte(1) == 0xB5 && byte(2) == 0x2F && byte(3) == 0xFD;
  const bool is_skippable = (byte(0) & 0xF0U) == 0x50 && byte(1) == 0x2A && byte(2) == 0x4D && byte(3) == 0x18;
  return is_zstd || is_skippable ? ARCHIVE_FILTER_ZSTD : ARCHIVE_FILTER_NONE;
}

// Pulls blocks of the decompressed stream.
class Decompressor {
 public:
  Decompressor(Source& source, std::string_view what, const ArchiveLimits& limits)
      : source_(source), what_(what), limits_(limits), buffer_(kBuffer) {
    fill();
    // A short first read would hide the magic number.
    while (ready_ > 0 && ready_ < 4 && append() > 0) {
    }
    filter_ = filter_of(std::span(buffer_).first(ready_));
    if (filter_ == ARCHIVE_FILTER_NONE) return;
    handle_.reset(archive_read_new());
    if (!handle_) throw std::bad_alloc();
    if (archive_read_append_filter(handle_.get(), filter_) < ARCHIVE_WARN ||
        archive_read_support_format_raw(handle_.get()) < ARCHIVE_WARN ||
        archive_read_support_format_empty(handle_.get()) < ARCHIVE_WARN) {
      throw broken(what_, archive_words());
    }
    const int opened = archive_read_open(handle_.get(), this, nullptr, &Decompressor::pull, nullptr);
    if (failure_) std::rethrow_exception(failure_);
    // "Empty" accepts a stream whose first block is broken; the complaint is there all the same.
    if (opened != ARCHIVE_OK || archive_errno(handle_.get()) != 0) throw broken(what_, archive_words());
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(handle_.get(), &entry);
    if (failure_) std::rethrow_exception(failure_);
    if (status == ARCHIVE_EOF) ended_ = true;
    if (status < ARCHIVE_WARN) throw broken(what_, archive_words());
  }

  // Empty at the end; valid until the next call.
  Bytes next() {
    if (ended_) return end();
    Bytes block = filter_ == ARCHIVE_FILTER_NONE ? next_plain() : next_decompressed();
    if (block.empty()) return end();
    produced_ += block.size();
    if (!holds_zeros_only(block)) substance_ += block.size();
    if (substance_ > kRatioFloor && substance_ / limits_.ratio > consumed_) {
      throw over_limit(what_, cat("it unpacks to more than ", limits_.ratio, " times its size"));
    }
    return block;
  }
  std::uint64_t produced() const { return produced_; }

 private:
  Bytes next_plain() {
    if (ready_ == 0) fill();
    return std::span(buffer_).first(std::exchange(ready_, 0));
  }

  Bytes next_decompressed() {
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    do {
      const int status = archive_read_data_block(handle_.get(), &data, &size, &offset);
      if (failure_) std::rethrow_exception(failure_);
      if (status == ARCHIVE_EOF) return {};
      if (status < ARCHIVE_WARN) throw broken(what_, archive_words());
    } while (size == 0);
    return {static_cast<const std::byte*>(data), size};
  }

  // libarchive takes what follows the last gzip member for padding.
  Bytes end() {
    if (!std::exchange(ended_, true) || !checked_) {
      checked_ = true;
      if (filter_ == ARCHIVE_FILTER_GZIP) {
        fill();
        const auto used = static_cast<std::uint64_t>(archive_filter_bytes(handle_.get(), -1));
        if (used < consumed_) throw broken(what_, cat(consumed_ - used, " bytes follow the compressed data"));
      }
    }
    return {};
  }

  void fill() {
    ready_ = 0;
    append();
  }
  std::size_t append() {
    const std::size_t size = source_.read(std::span(buffer_).subspan(ready_));
    ready_ += size;
    consumed_ += size;
    return size;
  }

  static la_ssize_t pull(archive* handle, void* self, const void** data) {
    auto& me = *static_cast<Decompressor*>(self);
    try {
      if (me.ready_ == 0) me.fill();
      *data = me.buffer_.data();
      return static_cast<la_ssize_t>(std::exchange(me.ready_, 0));
    } catch (...) {
      me.failure_ = std::current_exception();
      archive_set_error(handle, EIO, "the source failed");
      return -1;
    }
  }

  std::string archive_words() const {
    const char* words = archive_error_string(handle_.get());
    return words == nullptr ? "it is damaged" : lower(printable(words));
  }

  Source& source_;
  std::string what_;
  ArchiveLimits limits_;
  std::vector<std::byte> buffer_;
  std::size_t ready_ = 0;
  std::uint64_t consumed_ = 0, produced_ = 0, substance_ = 0;
  int filter_ = ARCHIVE_FILTER_NONE;
  bool ended_ = false, checked_ = false;
  Handle handle_;
  std::exception_ptr failure_;
};

std::string normalised(std::string_view path) {
  while (path.starts_with("./")) {
    path.remove_prefix(2);
    while (path.starts_with('/')) path.remove_prefix(1);
  }
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return path.empty() ? "." : std::string(path);
}

bool is_confined_path(std::string_view path) {
  if (path.empty() || path.front() == '/' || path.find('\0') != std::string_view::npos) return false;
  const std::vector<std::string> parts = split(path, '/');
  return std::find(parts.begin(), parts.end(), "..") == parts.end();
}

ArchiveEntry::Kind kind_of(archive_entry* entry) {
  using Kind = ArchiveEntry::Kind;
  if (archive_entry_hardlink(entry) != nullptr) return Kind::hard_link;
  switch (archive_entry_filetype(entry)) {
    case AE_IFDIR:
      return Kind::folder;
    case AE_IFLNK:
      return Kind::symbolic_link;
    case AE_IFCHR:
      return Kind::character_device;
    case AE_IFBLK:
      return Kind::block_device;
    case AE_IFIFO:
      return Kind::fifo;
    case AE_IFSOCK:
      return Kind::socket;
    default:
      return Kind::file;
  }
}

std::map<std::string, std::string> attributes_of(archive_entry* entry) {
  std::map<std::string, std::string> attributes;
  archive_entry_xattr_reset(entry);
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
    attributes[name] = std::string(static_cast<const char*>(value), size);
  }
  return attributes;
}

}  // namespace

bool ArchiveEntry::is_confined() const {
  return is_confined_path(path) && (kind != Kind::hard_link || is_confined_path(link));
}

struct ArchiveReader::State : Source {
  State(Source& from, std::string name, ArchiveFormat a_format, const ArchiveLimits& some_limits)
      : what(std::move(name)),
        format(a_format),
        limits(some_limits),
        stream(from, what, limits),
        handle(archive_read_new()) {
    if (!handle) throw std::bad_alloc();
    archive_read_append_filter(handle.get(), ARCHIVE_FILTER_NONE);
    if (format == ArchiveFormat::zip) {
      archive_read_support_format_zip_streamable(handle.get());
    } else {
      archive_read_support_format_tar(handle.get());
      // Otherwise names in pax records are brought to Unicode's composed form, and two files may become one.
      archive_read_set_options(handle.get(), "tar:compat-2x");
    }
    const Utf8Locale locale;
    check(archive_read_open(handle.get(), this, nullptr, &State::pull, nullptr));
  }

  bool next(ArchiveEntry& to) {
    const Utf8Locale locale;
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(handle.get(), &entry);
    if (status == ARCHIVE_EOF) return finish();
    check(status);
    if (++entries > limits.entries) throw over_limit(what, cat("it has more than ", limits.entries, " entries"));
    translate(entry, to);
    // In a zip archive that was written as a stream, a file's size stands behind it.
    is_open_ended = format == ArchiveFormat::zip && archive_entry_size_is_set(entry) == 0;
    rest = is_open_ended ? limits.total_bytes - total : to.size;
    if (to.size > limits.total_bytes - total) {
      throw over_limit(what, cat("it holds more than ", human_size(limits.total_bytes)));
    }
    total += to.size;
    return true;
  }

  void translate(archive_entry* entry, ArchiveEntry& to) const {
    const char* path = archive_entry_pathname(entry);
    if (path == nullptr) throw broken(what, "an entry has no path");
    to.kind = kind_of(entry);
    to.path = normalised(path);
    const char* link =
        to.kind == ArchiveEntry::Kind::hard_link ? archive_entry_hardlink(entry) : archive_entry_symlink(entry);
    to.link = link == nullptr ? "" : link;
    if (to.kind == ArchiveEntry::Kind::hard_link) to.link = normalised(to.link);
    if (std::max(to.path.size(), to.link.size()) > limits.path_bytes) {
      throw over_limit(what, cat("a path in it is longer than ", limits.path_bytes, " bytes"));
    }
    const std::int64_t size = archive_entry_size(entry);
    if (size < 0) throw broken(what, cat(backticked(to.path), " has a negative size"));
    if (archive_entry_sparse_count(entry) > 0) throw over_limit(what, cat(backticked(to.path), " is a sparse file"));
    to.size = to.kind == ArchiveEntry::Kind::file ? static_cast<std::uint64_t>(size) : 0;
    to.mode = archive_entry_perm(entry) & 07777U;
    to.uid = static_cast<std::uint64_t>(archive_entry_uid(entry));
    to.gid = static_cast<std::uint64_t>(archive_entry_gid(entry));
    to.modified = archive_entry_mtime(entry);
    to.attributes = attributes_of(entry);
  }

  std::size_t read(std::span<std::byte> room) override {
    const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(room.size(), rest));
    if (wanted == 0) return 0;
    const la_ssize_t size = archive_read_data(handle.get(), room.data(), wanted);
    if (size < 0) check(static_cast<int>(size));
    if (size == 0 && is_open_ended) return 0;
    if (size <= 0) throw broken(what, "it ends in the middle of a file");
    rest -= static_cast<std::uint64_t>(size);
    if (is_open_ended) total += static_cast<std::uint64_t>(size);
    if (is_open_ended && rest == 0) {
      throw over_limit(what, cat("it holds more than ", human_size(limits.total_bytes)));
    }
    return static_cast<std::size_t>(size);
  }

  // What follows tar's end mark is read too: the source may be verifying itself at its end.
  bool finish() {
    while (!take().empty()) {
    }
    if (format == ArchiveFormat::tar && zeros < kBlock) throw broken(what, "it is cut off: the end mark is missing");
    return false;
  }

  Bytes take() {
    const Bytes block = stream.next();
    const auto last = std::find_if(block.rbegin(), block.rend(), [](std::byte b) { return b != std::byte{0}; });
    const auto tail = static_cast<std::size_t>(last - block.rbegin());
    zeros = tail == block.size() ? zeros + tail : tail;
    return block;
  }

  static la_ssize_t pull(archive* archive_handle, void* self, const void** data) {
    auto& me = *static_cast<State*>(self);
    try {
      const Bytes block = me.take();
      *data = block.data();
      return static_cast<la_ssize_t>(block.size());
    } catch (...) {
      me.failure = std::current_exception();
      archive_set_error(archive_handle, EIO, "the source failed");
      return -1;
    }
  }

  // Warnings too: libarchive gives them for names that it could not convert, and a name that differs
  // from what other readers see is not one to act on.
  void check(int status) const {
    if (failure) std::rethrow_exception(failure);
    if (status == ARCHIVE_OK || status == ARCHIVE_EOF) return;
    if (stream.produced() == 0) throw broken(what, "it is empty");
    const char* words = archive_error_string(handle.get());
    throw broken(what, words == nullptr ? "it is damaged" : lower(printable(words)));
  }

  std::string what;
  ArchiveFormat format;
  bool is_open_ended = false;
  ArchiveLimits limits;
  Decompressor stream;
  Handle handle;
  std::exception_ptr failure;
  std::uint64_t entries = 0, total = 0, rest = 0;
  std::size_t zeros = 0;
};

ArchiveReader::ArchiveReader(Source& source, std::string what, ArchiveFormat format, const ArchiveLimits& limits)
    : state_(std::make_unique<State>(source, std::move(what), format, limits)) {}

ArchiveReader::~ArchiveReader() = default;

bool ArchiveReader::next(ArchiveEntry& entry) {
  return state_->next(entry);
}

Source& ArchiveReader::content() {
  return *state_;
}

bool holds_zeros_only(Bytes bytes) {
  return bytes.empty() || (bytes[0] == std::byte{0} && std::memcmp(bytes.data(), &bytes[0] + 1, bytes.size() - 1) == 0);
}

void decompress(Source& source, Sink& out, std::string_view what, const ArchiveLimits& limits) {
  Decompressor stream(source, what, limits);
  for (Bytes block = stream.next(); !block.empty(); block = stream.next()) {
    if (stream.produced() > limits.total_bytes) {
      throw over_limit(what, cat("it unpacks to more than ", human_size(limits.total_bytes)));
    }
    out.write(block);
  }
}

}  // namespace whittle
