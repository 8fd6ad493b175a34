// What the programs of images were seen to miss when they were run, and were given: image without it → supplies. It
// keeps a later `--probe` of the same image from coming to another end. Lost, it is found out again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "plan/build_plan.hpp"

namespace whittle::cli {

struct Supplied {
  std::vector<plan::Supply> supplies;
  std::string home;  // HOME in the image's environment; empty: not set

  bool empty() const { return supplies.empty() && home.empty(); }
  bool operator==(const Supplied&) const = default;
};

class SupplyRecords {
 public:
  // `folder` is in the cache.
  explicit SupplyRecords(fs::path folder) : folder_(std::move(folder)) {}

  // Nothing when the image was not probed here, or the record is damaged.
  std::optional<Supplied> find(const Digest& image) const;
  void remember(const Digest& image, const Supplied& supplied) const;

 private:
  fs::path folder_;
};

}  // namespace whittle::cli
