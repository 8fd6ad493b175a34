// Digests of a site's files, computed when its image was made, so that no file has to be read to tell that it is the
// same. One line a file, `DIGEST PATH`, sorted by the bytes of the paths.
#pragma once

#include "server/text.hpp"

namespace whittle::server {

class Digests {
 public:
  Digests() = default;
  explicit Digests(Text lines) : lines_(lines) {}

  // Maps a file for as long as the program runs; false, with errno, when it cannot.
  bool open(const char* path);

  // Empty when there is none.
  Text find(Text path) const;

 private:
  Text lines_;
};

}  // namespace whittle::server
