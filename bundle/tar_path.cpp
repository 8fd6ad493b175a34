#include "bundle/tar_path.hpp"

#include "base/text.hpp"

namespace whittle::bundle {

std::string clean_path(std::string_view path) {
  std::vector<std::string> parts;
  for (std::string& part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(std::move(part));
    } else if (!parts.empty()) {
      parts.pop_back();
    }
  }
  return join(parts, "/");
}

}  // namespace whittle::bundle
