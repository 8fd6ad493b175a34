// What commands of this folder have at hand, and programs of the device that they start.
#pragma once

#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/event.hpp"
#include "base/process.hpp"

namespace whittle::gateway {

struct Runtime {
  EventSink& events;
  ProcessRunner& runner;
  const std::map<std::string, std::string>& environment;
  std::stop_token stop;

  // Throws Error(transient) when somebody asked for an end.
  void check_stop() const;
};

// Runs to the end and gives standard output. Throws Error(transient) with the program's own words when it fails:
// whatever it did can be done again. `doing`: "import the image x".
std::string run_program(const Runtime& runtime, Command command, const std::string& doing);
Error program_failed(const Command& command, const CapturedOutput& captured, const std::string& doing);

}  // namespace whittle::gateway
