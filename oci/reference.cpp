#include "oci/reference.hpp"

#include <algorithm>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::oci {

namespace {

constexpr std::size_t kMaximumName = 255, kMaximumTag = 128;

bool is_lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_letter_or_digit(char c) {
  return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z');
}

Error invalid(std::string_view text, std::string why) {
  Error error(Exit::usage, cat(backticked(text), " is not an image reference"));
  error.cause(std::move(why)).hint("a reference looks like `registry.example.com/team/app:1.0`");
  return error;
}

bool is_valid_host(std::string_view host) {
  std::string_view name = host, port;
  const bool is_ipv6 = host.starts_with('[');
  if (const std::size_t colon = host.find(':', is_ipv6 ? host.find(']') : 0); colon < host.size()) {
    name = host.substr(0, colon);
    port = host.substr(colon + 1);
    const std::optional<std::uint64_t> number = parse_number(port);
    if (!number || *number == 0 || *number > 65535) return false;
  }
  if (is_ipv6) {
    if (!name.ends_with(']') || name.size() < 4) return false;
    name = name.substr(1, name.size() - 2);
    return std::all_of(name.begin(), name.end(), [](char c) { return c == ':' || std::isxdigit(c) != 0; });
  }
  const std::vector<std::string> labels = split(name, '.');
  return std::all_of(labels.begin(), labels.end(), [](const std::string& label) {
    return !label.empty() && label.front() != '-' && label.back() != '-' &&
           std::all_of(label.begin(), label.end(), [](char c) { return is_letter_or_digit(c) || c == '-'; });
  });
}

// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
bool is_valid_component(std::string_view text) {
  if (text.empty() || !is_lower_or_digit(text.front()) || !is_lower_or_digit(text.back())) return false;
  for (std::size_t at = 0; at < text.size();) {
    if (is_lower_or_digit(text[at])) {
      ++at;
      continue;
    }
    const std::size_t end = std::min(text.find_first_not_of(text[at], at), text.size());
    const std::size_t run = end - at;
    const bool is_separator = text[at] == '-' || (text[at] == '.' && run == 1) || (text[at] == '_' && run <= 2);
    if (!is_separator || !is_lower_or_digit(text[end])) return false;
    at = end;
  }
  return true;
}

bool looks_like_host(std::string_view component) {
  return component == "localhost" || component.find_first_of(".:") != std::string_view::npos;
}

void check_repository(std::string_view repository, std::string_view whole) {
  if (repository.empty()) throw invalid(whole, "it names no repository");
  for (const std::string& component : split(repository, '/')) {
    if (is_valid_component(component)) continue;
    const bool has_capitals = lower(component) != component && is_valid_component(lower(component));
    throw invalid(whole, has_capitals ? cat("the repository part ", backticked(component), " has capital letters")
                                      : cat("the repository part ", backticked(component),
                                            " may only have letters and digits, with `.`, `_` or `-` between them"));
  }
}

}  // namespace

bool is_valid_tag(std::string_view text) {
  if (text.empty() || text.size() > kMaximumTag || text.front() == '.' || text.front() == '-') return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return is_letter_or_digit(c) || c == '_' || c == '.' || c == '-'; });
}

Reference Reference::parse(std::string_view text) {
  Reference reference;
  std::string_view rest = text;
  if (const std::size_t at = rest.find('@'); at != std::string_view::npos) {
    reference.digest = Digest::parse(rest.substr(at + 1));
    if (!reference.digest) {
      throw invalid(text, cat("the digest ", backticked(rest.substr(at + 1)),
                              " is not `sha256:` and 64 lower-case hexadecimal digits"));
    }
    rest = rest.substr(0, at);
  }
  const std::size_t slash = rest.rfind('/');
  if (const std::size_t colon = rest.find(':', slash == std::string_view::npos ? 0 : slash);
      colon != std::string_view::npos) {
    reference.tag = rest.substr(colon + 1);
    if (!is_valid_tag(reference.tag)) throw invalid(text, cat("the tag ", backticked(reference.tag), " is not valid"));
    rest = rest.substr(0, colon);
  }
  const std::size_t first = rest.find('/');
  if (first != std::string_view::npos && looks_like_host(rest.substr(0, first))) {
    reference.host = rest.substr(0, first);
    if (!is_valid_host(reference.host)) {
      throw invalid(text, cat("the host ", backticked(reference.host), " is not valid"));
    }
    rest = rest.substr(first + 1);
  }
  reference.repository = rest;
  check_repository(rest, text);
  if (reference.name().size() > kMaximumName) {
    throw invalid(text, cat("the name is longer than ", kMaximumName, " bytes"));
  }
  return reference;
}

std::string Reference::name() const {
  return host.empty() ? repository : cat(host, "/", repository);
}

std::string Reference::str() const {
  std::string text = name();
  if (!tag.empty()) text += cat(":", tag);
  if (digest) text += cat("@", digest->str());
  return text;
}

std::string repository_from(std::string_view text) {
  std::vector<std::string> components;
  for (const std::string& part : split(lower(text), '/')) {
    std::string component;
    for (const char c : part) {
      if (is_lower_or_digit(c)) {
        component += c;
      } else if (!component.empty() && is_lower_or_digit(component.back())) {
        component += c == '.' || c == '_' ? c : '-';
      }
    }
    while (!component.empty() && !is_lower_or_digit(component.back())) component.pop_back();
    if (!component.empty()) components.push_back(component);
  }
  // A first component with a dot, or `localhost`, would be read as a host.
  if (components.size() > 1) std::replace(components[0].begin(), components[0].end(), '.', '-');
  if (components.size() > 1 && looks_like_host(components[0])) components[0] += "-local";
  const std::string name = join(components, "/");
  return name.empty() || name.size() > kMaximumName ? "app" : name;
}

}  // namespace whittle::oci
