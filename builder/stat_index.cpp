#include "builder/stat_index.hpp"

#include <fcntl.h>

#include <cstring>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::builder {

namespace {

// The file: this line, entries, and the SHA-256 of both. Numbers are the machine's own: a cache does not travel.
constexpr std::string_view kMagic = "whittle.stat-index/1\n";
constexpr std::uint64_t kMaximumIndex = 1 << 30;

struct Entry {
  FileSignature signature;
  std::int64_t recorded = 0;
  Digest digest;
  bool is_wanted = false;  // in this session

  bool holds_for(const FileSignature& present) const {
    return signature == present && signature.was_settled_at(recorded);
  }
};

template <class Number>
void put(std::string& out, Number number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

// Takes numbers and texts from the front; `ok` stays false after the first that is not whole.
struct Cursor {
  std::string_view rest;
  bool ok = true;

  std::string_view take(std::size_t size) {
    ok = ok && size <= rest.size();
    if (!ok) return {};
    const std::string_view piece = rest.substr(0, size);
    rest.remove_prefix(size);
    return piece;
  }
  template <class Number>
  Number number() {
    Number value{};
    const std::string_view piece = take(sizeof value);
    if (ok) std::memcpy(&value, piece.data(), sizeof value);
    return value;
  }
};

using Entries = std::unordered_map<std::string, Entry>;

std::string encoded(const Entries& entries) {
  std::string out(kMagic);
  for (const auto& [path, entry] : entries) {
    if (!entry.is_wanted) continue;
    put(out, static_cast<std::uint32_t>(path.size()));
    out += path;
    put(out, entry.signature.device);
    put(out, entry.signature.inode);
    put(out, entry.signature.size);
    put(out, entry.signature.modified);
    put(out, entry.signature.changed);
    put(out, entry.recorded);
    out += text_of(entry.digest.sha256);
  }
  const Digest digest = digest_of(out);
  out += text_of(digest.sha256);
  return out;
}

std::optional<Entries> decoded(std::string_view text) {
  if (text.size() < kMagic.size() + sizeof(Digest) || !text.starts_with(kMagic)) return std::nullopt;
  const std::string_view body = text.substr(0, text.size() - sizeof(Digest));
  if (text_of(digest_of(body).sha256) != text.substr(body.size())) return std::nullopt;
  Entries entries;
  Cursor cursor{body.substr(kMagic.size())};
  while (cursor.ok && !cursor.rest.empty()) {
    const auto length = cursor.number<std::uint32_t>();
    const std::string_view path = cursor.take(length);
    Entry entry;
    entry.signature.device = cursor.number<std::uint64_t>();
    entry.signature.inode = cursor.number<std::uint64_t>();
    entry.signature.size = cursor.number<std::uint64_t>();
    entry.signature.modified = cursor.number<std::int64_t>();
    entry.signature.changed = cursor.number<std::int64_t>();
    entry.recorded = cursor.number<std::int64_t>();
    const std::string_view digest = cursor.take(sizeof(Digest));
    if (!cursor.ok) return std::nullopt;
    std::memcpy(entry.digest.sha256.data(), digest.data(), digest.size());
    entries.emplace(path, entry);
  }
  return entries;
}

}  // namespace

std::int64_t file_clock() {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &time);
  return nanoseconds(time);
}

FileSignature FileSignature::of(const struct stat& status) {
  return {.device = status.st_dev,
          .inode = status.st_ino,
          .size = static_cast<std::uint64_t>(status.st_size),
          .modified = nanoseconds(status.st_mtim),
          .changed = nanoseconds(status.st_ctim)};
}

struct StatIndex::State {
  fs::path file;
  Entries entries;
  bool is_changed = false;
};

StatIndex::StatIndex(fs::path file, EventSink& events) : state_(std::make_unique<State>()) {
  state_->file = std::move(file);
  try {
    const std::optional<std::string> text = read_file_if_exists(state_->file, kMaximumIndex);
    if (!text) return;
    std::optional<Entries> entries = decoded(*text);
    if (entries) {
      state_->entries = std::move(*entries);
      return;
    }
    events.verbose(cat("dropped the damaged index ", backticked(state_->file.native()), "; files are read again"));
  } catch (const Error& error) {
    events.verbose(cat("dropped the index: ", error.message()));
  }
}

StatIndex::~StatIndex() = default;

Digest StatIndex::digest(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    throw system_error(Exit::usage, cat("cannot read ", backticked(path.native())));
  }
  return digest(path, status);
}

Digest StatIndex::digest(const fs::path& path, const struct stat& status) {
  Entry& entry = state_->entries[path.native()];
  if (entry.holds_for(FileSignature::of(status))) {
    entry.is_wanted = true;
    return entry.digest;
  }
  Entry fresh{.signature = {}, .recorded = file_clock(), .digest = {}, .is_wanted = true};
  FileDescriptor opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat found {};
  if (!opened || ::fstat(opened.get(), &found) != 0) {
    throw system_error(Exit::usage, cat("cannot read ", backticked(path.native())));
  }
  if (!S_ISREG(found.st_mode)) throw Error(Exit::usage, cat(backticked(path.native()), " is not a regular file"));
  fresh.signature = FileSignature::of(found);
  FileSource source(std::move(opened), path);
  HashSink hash;
  copy(source, hash);
  fresh.digest = hash.digest();
  entry = fresh;
  state_->is_changed = true;
  return entry.digest;
}

void StatIndex::save() {
  if (!state_->is_changed) return;
  make_folders(state_->file.parent_path());
  write_unsynced(state_->file, encoded(state_->entries));
  state_->is_changed = false;
}

}  // namespace whittle::builder
