// In which form a client wants a file. RFC 9110, 12.5.3.
#pragma once

#include "server/text.hpp"

namespace whittle::server {

enum class Encoding { identity, gzip, brotli, zstd };
inline constexpr int kEncodings = 4;

struct EncodingName {
  Text name;       // in headers
  Text extension;  // of the file beside the plain one
};
const EncodingName& name_of(Encoding encoding);

// How much each is wanted, in thousandths; 0: not at all.
struct EncodingWishes {
  int quality[kEncodings] = {1000, 0, 0, 0};
  int operator[](Encoding encoding) const { return quality[static_cast<int>(encoding)]; }
};

// The value of `Accept-Encoding`, whose data is null when it was not sent.
EncodingWishes parse_accept_encoding(Text header);

}  // namespace whittle::server
