// Which files a build tool says that it has read: whether the inputs that a step declares are all of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"
#include "plan/build_plan.hpp"

namespace whittle::builder {

// `go list -deps -json`: the files of all packages outside of Go's own library.
std::vector<fs::path> read_by_go(std::string_view out);

// The dependency file that rustc leaves beside a program: `program: file file`, as make reads it.
std::vector<fs::path> read_by_rustc(std::string_view dependency_file);

// The first file below one of `roots` that no pattern of `inputs` takes, relative to that root; empty when there is
// none.
std::string beyond_inputs(const std::vector<fs::path>& files, const std::vector<fs::path>& roots,
                          const std::vector<std::string>& inputs);

}  // namespace whittle::builder
