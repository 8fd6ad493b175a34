// Takes secrets out of what a step says, also where one comes in pieces.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace whittle::builder {

// What must not be seen of a secret: all of it, its lines, and in a file of settings (netrc, .npmrc, pip.conf, TOML,
// JSON, XML) what stands for a password or token. Nothing of fewer than four characters: that would hide half of every
// log.
std::vector<std::string> parts_of_secret(std::string_view secret);

class Mask {
 public:
  explicit Mask(std::vector<std::string> parts);

  // What may be shown now; the beginning of what may become a secret is held back.
  std::string shown(std::string_view text);
  // What was held back.
  std::string rest();

 private:
  std::string take(bool is_end);

  std::vector<std::string> parts_;  // the longest first
  std::string held_;
};

}  // namespace whittle::builder
