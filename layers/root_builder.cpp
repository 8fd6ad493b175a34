#include "layers/root_builder.hpp"

#include <sys/stat.h>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::layers {

namespace {

constexpr std::string_view kWhiteout = ".wh.";
constexpr std::size_t kMaximumPath = 4096;

bool is_folder(const Entry& entry) {
  return std::holds_alternative<Folder>(entry.node);
}

std::string shown(const std::string& origin) {
  return origin.empty() ? "what lies below it" : printable(origin);
}

Error unusable(std::string_view path, const std::string& origin, std::string why) {
  Error error(Exit::usage, cat(backticked(path), " cannot be a path in the image"));
  error.cause(std::move(why)).detail(cat("it comes from ", shown(origin)));
  return error;
}

// "/srv/./a//b/" → "srv/a/b"
std::string relative_path(std::string_view path, const std::string& origin) {
  if (!path.starts_with('/')) throw unusable(path, origin, "it is not absolute");
  if (path.find('\0') != std::string_view::npos) throw unusable(path, origin, "it has a NUL byte");
  std::string relative;
  for (const std::string& part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") throw unusable(path, origin, "it has `..` in it");
    if (part.starts_with(kWhiteout))
      throw unusable(path, origin, "names that begin with `.wh.` mark removals in layers");
    if (!relative.empty()) relative += '/';
    relative += part;
  }
  if (relative.size() > kMaximumPath) throw unusable(path, origin, cat("it is longer than ", kMaximumPath, " bytes"));
  return relative;
}

bool is_same(const Entry& a, const Entry& b) {
  const auto* const one = std::get_if<File>(&a.node);
  const auto* const other = std::get_if<File>(&b.node);
  if (one == nullptr || other == nullptr) return false;
  return one->digest && one->digest == other->digest && a.mode == b.mode && a.uid == b.uid && a.gid == b.gid;
}

}  // namespace

void RootBuilder::add_parents(const std::string& path, const std::string& origin) {
  const std::string parent = path.substr(0, path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  if (parent.empty() || parent == last_parent_) return;
  for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const auto [found, is_new] = root_.try_emplace(path.substr(0, slash));
    if (is_new) found->second = Entry{.node = Folder{}, .origin = {}, .reason = {}};
    if (is_folder(found->second)) continue;
    Error error(Exit::usage, cat(backticked("/" + found->first), " must be a folder and is none"));
    error.detail(cat("it comes from ", shown(found->second.origin)));
    throw error.detail(cat(backticked("/" + path), " below it comes from ", shown(origin)));
  }
  last_parent_ = parent;
}

void RootBuilder::add(std::string_view path, Entry entry) {
  const std::string relative = relative_path(path, entry.origin);
  if (relative.empty()) {
    if (is_folder(entry)) return;
    throw unusable(path, entry.origin, "it is the root folder");
  }
  add_parents(relative, entry.origin);
  const auto [found, is_new] = root_.try_emplace(relative);
  Entry& present = found->second;
  if (is_new || (is_folder(present) && present.origin.empty() && is_folder(entry))) {
    present = std::move(entry);
    return;
  }
  if ((is_folder(present) && is_folder(entry)) || is_same(present, entry)) return;
  Error error(Exit::usage, cat(backticked("/" + relative), " in the image has two origins"));
  error.detail(cat("one is ", shown(present.origin))).detail(cat("the other is ", shown(entry.origin)));
  throw error.hint("give one of them another path");
}

bool RootBuilder::add_if_absent(std::string_view path, Entry entry) {
  const std::string relative = relative_path(path, entry.origin);
  const auto found = root_.find(relative);
  if (found != root_.end() && !found->second.origin.empty()) return false;
  // The project may have made a link or a file of a folder above it, and has then decided about it too.
  for (std::size_t slash = relative.find('/'); slash != std::string::npos; slash = relative.find('/', slash + 1)) {
    const auto above = root_.find(relative.substr(0, slash));
    if (above != root_.end() && !is_folder(above->second)) return false;
  }
  add(path, std::move(entry));
  return true;
}

File file_on_disk(const fs::path& path) {
  std::error_code problem;
  const fs::path real = fs::canonical(path, problem);
  if (problem) throw system_error(Exit::usage, cat("cannot read ", backticked(path.native())), problem.value());
  struct stat status {};
  if (::stat(real.c_str(), &status) != 0)
    throw system_error(Exit::usage, cat("cannot read ", backticked(path.native())));
  if (!S_ISREG(status.st_mode)) throw Error(Exit::usage, cat(backticked(path.native()), " is not a regular file"));
  return {.content = real.native(),
          .size = static_cast<std::uint64_t>(status.st_size),
          .stamp = {.device = status.st_dev,
                    .inode = status.st_ino,
                    .modified = nanoseconds(status.st_mtim),
                    .changed = nanoseconds(status.st_ctim)}};
}

File hashed_file(const fs::path& path) {
  File file = file_on_disk(path);
  file.digest = digest_of_file(file.content);
  return file;
}

File text_file(std::string text) {
  const std::uint64_t size = text.size();
  const Digest digest = digest_of(text);
  return {.text = std::move(text), .size = size, .digest = digest};
}

}  // namespace whittle::layers
