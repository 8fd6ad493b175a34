// Any text as a Link header: what is found lies between its brackets.
#include "registry/link.hpp"

#include <cstdint>
#include <cstdlib>

using namespace whittle::registry;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::string link = next_link({text});
  if (!link.empty() && text.find("<" + link + ">") == std::string::npos) std::abort();
  return 0;
}
