// Programs that whittle brings along are outputs like others: their bytes lie in the work folder before steps run.
#pragma once

#include "base/files.hpp"
#include "plan/build_plan.hpp"

namespace whittle::builder {

// Writes them below `work`. Throws Error(input_unavailable) for a digest that this whittle has no program of.
void bring_shipped(const plan::BuildPlan& plan, const fs::path& work);

}  // namespace whittle::builder
