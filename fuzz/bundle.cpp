// The head of a volume, its root document and its trust, as a stranger's medium gives them.
#include <cstddef>
#include <cstdint>

#include "base/error.hpp"
#include "bundle/head.hpp"
#include "bundle/receipt.hpp"
#include "bundle/volumes.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace whittle;
  using namespace whittle::bundle;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    StringSource source(text);
    if (const std::optional<ReadHead> head = read_head(source, "the volume")) {
      place(Root::decode(head->head.root.text, "the root document"), head->size);
    }
  } catch (const Error&) {
  }
  for (const auto decode : {+[](std::string_view json) { place(Root::decode(json, "the root document"), 8192); },
                            +[](std::string_view json) { Trust::decode(json, "the trust document"); },
                            +[](std::string_view json) { TrustChain::decode(json, "the chain"); },
                            +[](std::string_view json) { Receipt::decode(json, "the receipt"); }}) {
    try {
      decode(text);
    } catch (const Error&) {
    }
  }
  return 0;
}
