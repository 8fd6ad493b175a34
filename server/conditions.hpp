// Whether a client has what it asks for already. RFC 9110, 13.
#pragma once

#include "server/request.hpp"

namespace whittle::server {

// What is known of a file: an entity tag with its quotes, or none; the time of its last change, or -1.
struct Validators {
  Text tag;
  long long modified = -1;
};

// 0: answer as if there were no conditions; else 304 or 412.
int check_conditions(const Request& request, const Validators& validators);

// Whether `If-Range` is absent or names what is here.
bool range_applies(const Request& request, const Validators& validators);

}  // namespace whittle::server
