// A configuration file of an operator's: read, written and read again as the same.
#include <cstdint>
#include <cstdlib>

#include "base/error.hpp"
#include "base/yaml.hpp"

using namespace whittle;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const Json value = parse_yaml({reinterpret_cast<const char*>(data), size}, "input").root;
    const std::string text = yaml_text(OrderedJson::parse(value.dump()));
    if (parse_yaml(text, "again").root != value) std::abort();
  } catch (const Error& error) {
    // Written out, an alias takes more room than in the input.
    if (error.message().find("again") != std::string::npos &&
        error.causes().at(0).find("more than") == std::string::npos) {
      std::abort();
    }
  }
  return 0;
}
