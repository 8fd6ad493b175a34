// Any text as a manifest: what decodes is encoded to text that decodes to the same.
#include <cstdint>
#include <cstdlib>

#include "base/error.hpp"
#include "oci/image.hpp"

using namespace whittle;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string once;
  try {
    once = oci::Manifest::decode({reinterpret_cast<const char*>(data), size}, "the manifest").encode();
  } catch (const Error&) {
    return 0;
  }
  if (oci::Manifest::decode(once, "the manifest").encode() != once) std::abort();
  return 0;
}
