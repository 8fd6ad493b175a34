// Any text as a WWW-Authenticate header: parameters keep their bounds, and the choice is one of what was parsed.
#include "registry/challenge.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

using namespace whittle::registry;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto challenges = parse_challenges(text);
  for (const Challenge& challenge : challenges) {
    if (challenge.scheme.empty() || challenge.parameters.size() > 32) std::abort();
  }
  const auto chosen = answerable({text});
  const bool is_one = !chosen || std::any_of(challenges.begin(), challenges.end(), [&](const Challenge& challenge) {
    return challenge.scheme == chosen->scheme && challenge.parameters == chosen->parameters;
  });
  if (!is_one) std::abort();
  return 0;
}
