// What a request asks for, as a path below the site's folder.
#pragma once

#include "server/buffer.hpp"

namespace whittle::server {

inline constexpr size_t kLongestPath = 2 << 10;

struct Target {
  // "" for the root, "a/b", without slashes at either end; no part is empty, `.` or `..`, nor begins with a dot.
  Buffer<kLongestPath> path;
  bool names_folder = false;  // it ended in a slash
  Text query;                 // with its `?`; empty without one
};

// 0, or the status that answers it: 400 for what no client means, 404 for what is never served (names that begin with
// a dot, but for `.well-known`), 414.
int parse_target(Text target, Target& result);

}  // namespace whittle::server
