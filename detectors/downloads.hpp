// Toolchains that a machine without them can have from their ecosystem's registry, as data: one pinned file for each.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "plan/build_plan.hpp"

namespace whittle::detectors {

// A file of a registry. `host`: the platform that it runs on, empty: any.
struct PinnedArchive {
  std::string_view version, host, path, digest;
  std::uint64_t size;
};
// `path` is below `folder`; `program` is in the archive.
plan::Download pinned_download(const PinnedArchive& archive, std::string_view folder, std::string program);

// The compiler that C and C++ are built with when nothing else can: https://pypi.org/project/ziglang/
std::vector<plan::Download> zig_downloads();
// Of that version, "0.15.2"; nothing when it is not one of those that whittle knows the digest of.
std::vector<plan::Download> zig_downloads(std::string_view version);
// The versions of zig that are known, the newest last.
std::vector<std::string> known_zig_versions();

// A version of Go, fetched by any Go that is there; without a version, the one that a machine without Go begins with.
// The checksum database vouches for the first, whittle for the second. https://go.dev/doc/toolchain
std::vector<plan::Download> go_downloads(std::string_view version);

// The program that unpacks wheels, one version for every Python from 3.8 on, whatever the machine has.
// https://pypi.org/project/pip/
plan::Tool pip_tool();

}  // namespace whittle::detectors
