// The JSON schema of `whittle.toml`, made from the keys that it is read by, for editors (docs/whittle.schema.json).
#pragma once

#include "base/json.hpp"

namespace whittle::plan {

// JSON Schema 2020-12. It accepts every file that parse_config accepts; what only code can tell (an octal mode, the
// name of a repository) it leaves to whittle.
Json config_schema();

}  // namespace whittle::plan
