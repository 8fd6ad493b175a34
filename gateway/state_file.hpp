// The small JSON files of the state folder: each is replaced as a whole, durably, and one that is damaged is said to
// be.
#pragma once

#include <functional>
#include <optional>

#include "base/files.hpp"
#include "base/json.hpp"

namespace whittle::gateway {

// {"format":1,…} in `file`; nothing when there is no such file. Throws Error(export_failed) for a damaged one.
std::optional<Json> read_state(const fs::path& file);
void write_state(const fs::path& file, Json value);

// Runs `body`, which takes a document apart: an Error that leaves it says that `file` is damaged.
void reading_state(const fs::path& file, const std::function<void()>& body);

}  // namespace whittle::gateway
