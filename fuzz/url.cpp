// Any text as an address, and as a Location against one: what parses is written as text that parses to the same,
// an https address never leads to a place without a scheme, and nothing that is redacted shows a secret.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "registry/http.hpp"
#include "registry/reach.hpp"

using namespace whittle::registry;

namespace {

void check(const Url& url) {
  const auto again = Url::parse(url.str());
  if (!again || again->str() != url.str() || again->origin() != url.origin()) std::abort();
  if (url.scheme != "http" && url.scheme != "https") std::abort();
  if (url.host.empty() || !url.path_and_query.starts_with('/')) std::abort();
  for (const char c : url.str()) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == '\\') std::abort();
  }
  if (url.host.find('@') != std::string::npos) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto url = Url::parse(text)) check(*url);
  const auto base = Url::parse("https://registry.example:5000/v2/team/app/blobs/uploads/1?state=x");
  if (const auto url = base->resolve(text)) {
    check(*url);
    check(url->with_parameter("digest", "sha256:0"));
  }
  is_within(text, reach_of(text));
  if (redacted(std::string("https://user:") + "hunter2@r.example/?secret=hunter2&" + "x=1").find("hunter2") !=
      std::string::npos) {
    std::abort();
  }
  redacted(text);
  return 0;
}
