// `--secret id=NAME,src=FILE` and `--secret id=NAME,env=VARIABLE`.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "builder/secrets.hpp"

namespace whittle::cli {

// Reads them. Throws Error(usage) for a text that is none, a file that cannot be read and a variable that is not set;
// no error holds a secret.
builder::Secrets given_secrets(const std::vector<std::string>& texts,
                               const std::map<std::string, std::string>& environment);

}  // namespace whittle::cli
