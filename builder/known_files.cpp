#include "builder/known_files.hpp"

#include <fcntl.h>

#include <array>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::builder {

namespace {

constexpr std::string_view kElfMagic =
    "\x7f"
    "ELF";

struct stat status_of(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    throw system_error(Exit::export_failed, cat("cannot keep ", backticked(path.native())));
  }
  return status;
}

FileContent read(FileSource& source) {
  FileContent content;
  HashSink hash;
  std::array<std::byte, 128 * 1024> room{};
  for (std::size_t size = source.read(room); size > 0; size = source.read(room)) {
    const Bytes piece = Bytes(room).first(size);
    if (hash.size() == 0) content.is_elf = text_of(piece).starts_with(kElfMagic);
    hash.write(piece);
  }
  content.digest = hash.digest();
  content.size = hash.size();
  return content;
}

}  // namespace

FileContent KnownFiles::content_of(const fs::path& path) {
  const FileSignature present = FileSignature::of(status_of(path));
  const auto known = entries_.find(path.native());
  if (known != entries_.end() && known->second.signature == present && present.was_settled_at(known->second.read)) {
    return known->second.content;
  }
  const std::int64_t now = file_clock();
  FileSource source(path);
  const FileContent content = read(source);
  if (FileSignature::of(status_of(path)) != present) {
    throw Error(Exit::transient, cat(backticked(path.native()), " changed while it was kept"))
        .hint("run the same command again");
  }
  entries_[path.native()] = {.signature = present, .read = now, .content = content};
  return content;
}

void KnownFiles::note(const fs::path& path, const FileContent& content) {
  entries_[path.native()] = {.signature = FileSignature::of(status_of(path)), .read = file_clock(), .content = content};
}

}  // namespace whittle::builder
