// The context root: where lock files and workspace members come from, when that is not the application's
// own folder. Only the application root is scored (docs/design/detection.md).
#pragma once

#include <optional>

#include "base/files.hpp"

namespace whittle::detectors {

// The nearest ancestor of `app` (absolute, real) that holds a workspace the application belongs to: a
// `go.work`, a `go.mod` above a folder that has none, a `Cargo.toml` with `[workspace]` above a package, a workspace of
// npm, pnpm, yarn or bun that has the folder as a member, a `pom.xml` or Gradle settings that name it; for a
// `CMakeLists.txt` with a path that leads above its folder, the folder under version control. The search ends at the
// folder that holds a VCS folder, at the user's limits of permission, or at the root. Nothing when the application
// stands alone.
std::optional<fs::path> find_context(const fs::path& app);

}  // namespace whittle::detectors
