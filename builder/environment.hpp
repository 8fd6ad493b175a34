// The environment of build steps: nothing of the caller's but what is listed here.
#pragma once

#include <map>
#include <span>
#include <string>

#include "builder/toolchain.hpp"
#include "plan/build_plan.hpp"

namespace whittle::builder {

using Environment = std::map<std::string, std::string>;

// PATH of the tools, HOME and TMPDIR in the work folder, a fixed locale, time zone and source date.
Environment clean_environment(std::span<const ProbedTool> tools, const fs::path& work, const plan::BuildPlan& plan);

// What a step that fetches gets besides: proxies, CA roots, and where and how to fetch, from the caller's
// environment and from the user's settings of Go. Nothing in it decides what is compiled.
Environment network_environment(const Host& host);

// Gives a private cargo home the user's registries and source replacements, and nothing else of the user's settings.
// With `network`, the user's credentials can be read through a link; otherwise there is none.
void prepare_cargo_home(const fs::path& cargo_home, const Host& host, bool network);

}  // namespace whittle::builder
