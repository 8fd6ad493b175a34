// The head of a request, read strictly: whatever two parties could read in two ways is refused. RFC 9112.
#pragma once

#include "server/text.hpp"

namespace whittle::server {

inline constexpr size_t kLongestHead = 8 << 10;
inline constexpr size_t kLongestTarget = 4 << 10;

// Views of the bytes that were read; valid as long as those are.
struct Request {
  enum class Method { get, head, other } method = Method::other;
  Text target;  // as it was sent
  int minor_version = 1;
  bool keeps_alive = true;
  bool has_body = false;
  Text accept, accept_encoding, fetch_mode;
  Text range, if_range, if_match, if_none_match, if_modified_since, if_unmodified_since;
};

// Bytes of the head with its empty line, 0 when it has not all arrived.
size_t head_size(Text received);

// 0, or the status that answers a head which is none. `head` ends with its empty line. `request` then tells only
// whether it was a HEAD.
int parse_request(Text head, Request& request);

}  // namespace whittle::server
