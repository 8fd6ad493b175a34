// Any text as a Dockerfile: every value has a line, and is one that the configuration would take.
#include <cstdint>
#include <cstdlib>

#include "detectors/dockerfile_hints.hpp"

using namespace whittle;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const detectors::DockerfileHints hints = detectors::hints_of_dockerfile(text, "Dockerfile");
  for (const auto member : {&plan::Config::user, &plan::Config::workdir, &plan::Config::stop_signal}) {
    const auto& setting = hints.config.*member;
    if (!setting) continue;
    plan::checked_setting(member, setting->value, setting->source);
    if (!setting->source.starts_with("Dockerfile:")) std::abort();
  }
  return 0;
}
