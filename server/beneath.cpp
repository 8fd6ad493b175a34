#include "server/beneath.hpp"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "server/buffer.hpp"

namespace whittle::server {

namespace {

// Devices and pipes must not block whoever opens them.
constexpr int kFlags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

// <linux/openat2.h>, which C libraries need not have.
struct OpenHow {
  uint64_t flags, mode, resolve;
};
constexpr long kOpenat2 = 437;
constexpr uint64_t kNoMagicLinks = 0x02, kBeneath = 0x08;

using Path = Buffer<PATH_MAX>;

Descriptor refused(int reason) {
  errno = reason;
  return Descriptor();
}

// Takes the last part off; false at the root.
bool go_up(Path& path) {
  if (path.size() == 0) return false;
  const size_t slash = path.text().find_last('/');
  path.truncate(slash == Text::kNone ? 0 : slash);
  return true;
}

bool add_part(Path& path, Text part) {
  if (path.size() > 0) path.add('/');
  path.add(part);
  return !path.overflown();
}

// Puts what the link at `path` says before `rest`, as seen from the link's folder.
bool follow(const Descriptor& link, Path& path, Text rest, Path& pending) {
  char target[PATH_MAX];
  const ssize_t size = readlinkat(link.get(), "", target, sizeof(target));
  if (size <= 0 || size == static_cast<ssize_t>(sizeof(target))) return false;
  if (target[0] == '/') return false;
  Path joined;
  joined.add(Text(target, static_cast<size_t>(size))).add('/').add(rest);
  pending = joined;
  return go_up(path) && !joined.overflown();
}

}  // namespace

Descriptor open_beneath_by_walking(const Descriptor& root, const char* path) {
  constexpr int kMostLinks = 16;
  Path done, pending;
  pending.add(path);
  Path buffer = pending;
  Text rest = buffer.text();
  for (int links = 0; !rest.empty();) {
    const Text part = take_until(rest, '/');
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (!go_up(done)) return refused(EXDEV);
      continue;
    }
    if (!add_part(done, part)) return refused(ENAMETOOLONG);
    // No part of `done` is a link, unless somebody is changing the folder under our hands: then this finds one and
    // fails.
    const Descriptor found(openat(root.get(), done.terminated(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat status;
    if (!found || fstat(found.get(), &status) != 0) return refused(errno);
    if (!S_ISLNK(status.st_mode)) continue;
    if (++links > kMostLinks) return refused(ELOOP);
    if (!follow(found, done, rest, pending)) return refused(EXDEV);
    buffer = pending;
    rest = buffer.text();
  }
  if (done.size() == 0) done.add('.');
  return Descriptor(openat(root.get(), done.terminated(), kFlags | O_NOFOLLOW));
}

Descriptor open_beneath(const Descriptor& root, const char* path) {
  static bool is_known = true;
  if (is_known) {
    OpenHow how = {.flags = kFlags, .mode = 0, .resolve = kBeneath | kNoMagicLinks};
    Descriptor found(static_cast<int>(syscall(kOpenat2, root.get(), path, &how, sizeof(how))));
    // Old filters answer EPERM for what they do not know; a file never does when it is only read.
    if (found || (errno != ENOSYS && errno != EPERM)) return found;
    is_known = false;
  }
  return open_beneath_by_walking(root, path);
}

}  // namespace whittle::server
