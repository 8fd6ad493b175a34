// The three ways in which events reach standard error: `terminal` (live, one line redrawn for work in
// progress), `plain` (CI: one line a fact), `json` (one object a line).
#pragma once

#include <memory>
#include <ostream>
#include <string_view>

#include "base/error.hpp"
#include "base/event.hpp"

namespace whittle::cli {

enum class LogFormat { terminal, plain, json };

struct RendererOptions {
  LogFormat format = LogFormat::plain;
  bool color = false;
  bool quiet = false;    // errors and warnings only
  bool verbose = false;  // verbose notes and the output of build steps too
  int width = 80;        // columns, for the live line
};

class Renderer : public EventSink {
 public:
  // Draws the error that ended the command; the last thing that is said.
  virtual void fail(const Error& error) noexcept = 0;
};

// Borrows `out`; locks it for every event.
std::unique_ptr<Renderer> make_renderer(const RendererOptions& options, std::ostream& out);

}  // namespace whittle::cli
