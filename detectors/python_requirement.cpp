#include "detectors/python_requirement.hpp"

#include <algorithm>
#include <cctype>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "plan/versions.hpp"

namespace whittle::detectors {

namespace {

bool is_name_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.';
}

Error refused(std::string_view text) {
  Error error(Exit::detector_failed, "a dependency cannot be read");
  error.cause(cat(backticked(text), " is no requirement"));
  return error;
}

std::string without_blanks(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != ' ' && c != '\t') out += c;
  }
  return out;
}

std::string one_of_poetry(std::string_view part) {
  const std::string_view text = trim(part);
  if (text.empty() || text == "*") return {};
  const std::vector<std::uint64_t> numbers =
      plan::numbers_of(text.substr(text.starts_with('^') || text.starts_with('~') ? 1 : 0));
  if (text.starts_with('^') && !numbers.empty()) return cat(">=", text.substr(1), ",<", plan::caret_end(numbers));
  if (text.starts_with('~') && !text.starts_with("~=") && !numbers.empty()) {
    return cat(">=", text.substr(1), ",<", plan::tilde_end(numbers));
  }
  if (std::isdigit(static_cast<unsigned char>(text.front())) != 0) return cat("==", text);
  return without_blanks(text);
}

}  // namespace

std::string python_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool is_separator = c == '-' || c == '_' || c == '.';
    if (is_separator && !out.empty() && out.back() == '-') continue;
    out += is_separator ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

PythonRequirement parse_python_requirement(std::string_view text) {
  PythonRequirement requirement;
  std::string_view rest = trim(text);
  std::size_t end = 0;
  while (end < rest.size() && is_name_character(rest[end])) ++end;
  if (end == 0) throw refused(text);
  requirement.name = python_name(rest.substr(0, end));
  rest = trim(rest.substr(end));
  if (rest.starts_with('[')) {
    const std::size_t close = rest.find(']');
    if (close == std::string_view::npos) throw refused(text);
    for (const std::string& extra : split(rest.substr(1, close - 1), ',')) {
      if (!trim(extra).empty()) requirement.extras.insert(python_name(trim(extra)));
    }
    rest = trim(rest.substr(close + 1));
  }
  if (rest.starts_with('@')) {
    const std::size_t marker = rest.find(" ;");
    requirement.url = trim(rest.substr(1, marker == std::string_view::npos ? marker : marker - 1));
    rest = marker == std::string_view::npos ? std::string_view() : rest.substr(marker + 1);
  }
  const std::size_t semicolon = rest.find(';');
  if (semicolon != std::string_view::npos) requirement.marker = trim(rest.substr(semicolon + 1));
  std::string specifier = without_blanks(rest.substr(0, std::min(semicolon, rest.size())));
  if (specifier.starts_with('(') && specifier.ends_with(')')) specifier = specifier.substr(1, specifier.size() - 2);
  if (!specifier.empty() && std::string_view("<>=!~").find(specifier.front()) == std::string_view::npos) {
    throw refused(text);
  }
  requirement.specifier = std::move(specifier);
  return requirement;
}

bool is_exact(const PythonRequirement& requirement) {
  const std::string& text = requirement.specifier;
  return text.starts_with("==") && text.find_first_of(",*") == std::string::npos;
}

std::string text_of(const PythonRequirement& requirement) {
  std::string text = requirement.name;
  if (!requirement.extras.empty()) {
    text += cat("[", join(std::vector<std::string>(requirement.extras.begin(), requirement.extras.end()), ","), "]");
  }
  text += requirement.url.empty() ? requirement.specifier : cat(" @ ", requirement.url);
  if (!requirement.marker.empty()) text += cat(" ; ", requirement.marker);
  return text;
}

std::string pep440_of_poetry(std::string_view constraint) {
  if (constraint.find("||") != std::string_view::npos || constraint.find('|') != std::string_view::npos) {
    return one_of_poetry(split(constraint, '|').back());
  }
  std::string out;
  for (const std::string& part : split(constraint, ',')) {
    const std::string one = one_of_poetry(part);
    if (!one.empty()) out += cat(out.empty() ? "" : ",", one);
  }
  return out;
}

}  // namespace whittle::detectors
