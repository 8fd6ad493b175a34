// `Sun, 06 Nov 1994 08:49:37 GMT`: the only form that is written, and the only one of three that is read. RFC
// 9110, 5.6.7.
#pragma once

#include "server/buffer.hpp"

namespace whittle::server {

inline constexpr size_t kDateSize = 29;
using DateText = Buffer<kDateSize>;

DateText format_date(long long seconds);
// False for another form, and for no date at all.
bool parse_date(Text text, long long& seconds);

}  // namespace whittle::server
