// Any text as Content-Range and as Range: what is accepted is what it must be.
#include "registry/ranges.hpp"

#include <cstdint>
#include <cstdlib>

using namespace whittle::registry;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  constexpr std::uint64_t kStart = 100, kTotal = 200;
  if (is_the_rest(text, kStart, kTotal) && text.find("100") == std::string::npos) std::abort();
  if (is_the_rest(text, kTotal, kTotal)) std::abort();  // nothing is left there
  if (const auto length = received_length(text); length && *length == 1) std::abort();
  return 0;
}
