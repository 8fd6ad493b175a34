// The steps, outputs and processes of a Node project.
#pragma once

#include "detectors/detector.hpp"
#include "detectors/node_project.hpp"

namespace whittle::detectors {

void plan_node_project(const NodeProject& project, const Surroundings& surroundings, plan::Detection& detection);

}  // namespace whittle::detectors
