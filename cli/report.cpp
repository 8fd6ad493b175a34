#include "cli/report.hpp"

#include "base/text.hpp"

namespace whittle::cli {

namespace {

// Continuation lines stand below the first, so that a label's text stays one block.
std::string labelled(std::string_view label, std::string_view text, std::string_view indentation) {
  std::string out;
  bool first = true;
  for (const std::string& line : split_lines(text)) {
    out += first ? cat(indentation, label, line, "\n") : cat(indentation, "  ", line, "\n");
    first = false;
  }
  return out;
}

}  // namespace

std::string render(const Error& error, bool color) {
  const std::string_view red = color ? "\x1b[1;31m" : "", cyan = color ? "\x1b[36m" : "",
                         reset = color ? "\x1b[0m" : "";
  std::string out = labelled(cat(red, "error:", reset, " "), error.message(), "");
  if (!error.where().empty()) out += labelled("--> ", error.where(), "  ");
  for (const std::string& detail : error.details()) out += labelled("", detail, "  ");
  for (const std::string& cause : error.causes()) out += labelled("caused by: ", cause, "  ");
  if (!error.hints().empty() || !error.notes().empty()) out += "\n";
  for (const std::string& hint : error.hints()) out += labelled(cat(cyan, "hint:", reset, " "), hint, "");
  for (const std::string& note : error.notes()) out += labelled(cat(cyan, "note:", reset, " "), note, "");
  return out;
}

Json to_json(const Error& error) {
  return {{"error", error.message()}, {"exit", static_cast<int>(error.exit())},
          {"where", error.where()},   {"details", error.details()},
          {"causes", error.causes()}, {"hints", error.hints()},
          {"notes", error.notes()}};
}

}  // namespace whittle::cli
