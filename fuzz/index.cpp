// Any text as an index: what decodes is encoded to text that decodes to the same.
#include <cstdint>
#include <cstdlib>

#include "base/error.hpp"
#include "oci/image.hpp"

using namespace whittle;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string once;
  try {
    once = oci::Index::decode({reinterpret_cast<const char*>(data), size}, "the index").encode();
  } catch (const Error&) {
    return 0;
  }
  if (oci::Index::decode(once, "the index").encode() != once) std::abort();
  return 0;
}
