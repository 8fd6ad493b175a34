// The WWW-Authenticate header (RFC 9110 11.6.1): several challenges may share one line, and the text is hostile.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace whittle::registry {

struct Challenge {
  std::string scheme;                             // in lower case: "bearer", "basic"
  std::map<std::string, std::string> parameters;  // names in lower case
  std::string parameter(const std::string& name) const;
};

// Every challenge that could be understood, in order; what follows a syntax error is dropped.
std::vector<Challenge> parse_challenges(std::string_view header);
// The first challenge of a kind that whittle can answer: bearer or basic.
std::optional<Challenge> answerable(const std::vector<std::string>& headers);

}  // namespace whittle::registry
