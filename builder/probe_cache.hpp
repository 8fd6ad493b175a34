// What probing a tool gave, as long as none of the files that it depends on has changed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/toolchain.hpp"

namespace whittle::builder {

class ProbeCache {
 public:
  explicit ProbeCache(fs::path folder) : folder_(std::move(folder)) {}

  // `question` is everything besides files that decides the answer. A damaged record counts as absent.
  std::optional<ProbedTool> find(std::string_view question) const;
  // `watched` files, present or absent, keep the record valid by staying as they are.
  void remember(std::string_view question, const ProbedTool& tool, const std::vector<fs::path>& watched) const;

 private:
  fs::path file_of(std::string_view question) const;
  fs::path folder_;
};

}  // namespace whittle::builder
