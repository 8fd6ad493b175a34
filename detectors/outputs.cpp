#include "detectors/outputs.hpp"

namespace whittle::detectors {

void add_output(plan::BuildPlan& plan, std::string_view built, std::string_view installed, plan::Output::Kind kind) {
  plan::Output output;
  output.built = built;
  output.installed = installed;
  output.kind = kind;
  plan.outputs.push_back(std::move(output));
}

}  // namespace whittle::detectors
