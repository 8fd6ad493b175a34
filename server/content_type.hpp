// What a file is, by its name.
#pragma once

#include "server/text.hpp"

namespace whittle::server {

struct ContentType {
  Text name;             // with `charset=utf-8` for text
  bool is_page = false;  // HTML
};
ContentType content_type_of(Text path);

// A name that a bundler has put a digest of the content into: what it names never changes.
bool is_named_by_content(Text path);

}  // namespace whittle::server
