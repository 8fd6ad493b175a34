// Any text as a reference or platform: what parses is written as text that parses to the same, and a name made
// from any text parses.
#include "oci/reference.hpp"

#include <cstdint>
#include <cstdlib>

#include "base/error.hpp"
#include "oci/platform.hpp"

using namespace whittle;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  oci::Reference::parse(oci::repository_from(text));
  if (const auto platform = oci::Platform::parse(text); platform && oci::Platform::parse(platform->str()) != platform) {
    std::abort();
  }
  try {
    const oci::Reference reference = oci::Reference::parse(text);
    if (reference.str() != text || oci::Reference::parse(reference.str()) != reference) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
