#include "builder/remedies.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace whittle::builder {

namespace {

struct Remedy {
  std::string_view said, advice;
};

constexpr std::array kRemedies = {
    Remedy{"--locked was passed",
           "Cargo.lock is out of date: run `cargo update --workspace` and commit the new Cargo.lock"},
    Remedy{"missing go.sum entry", "go.sum is incomplete: run `go mod tidy` and commit go.mod and go.sum"},
    Remedy{"updating go.sum", "go.sum is incomplete: run `go mod tidy` and commit go.mod and go.sum"},
    Remedy{"updates to go.mod needed", "go.mod is out of date: run `go mod tidy` and commit go.mod and go.sum"},
    Remedy{"inconsistent vendoring", "vendor/ is out of date: run `go mod vendor` and commit it"},
    Remedy{"checksum mismatch", "what was fetched is not what the lock file says: find out why before it is updated"},
    Remedy{"can only install packages when your package.json",
           "package-lock.json is out of date: run `npm install` and commit package-lock.json"},
    Remedy{"ERR_PNPM_OUTDATED_LOCKFILE", "pnpm-lock.yaml is out of date: run `pnpm install` and commit pnpm-lock.yaml"},
    Remedy{"Your lockfile needs to be updated", "yarn.lock is out of date: run `yarn install` and commit yarn.lock"},
    Remedy{"The lockfile would have been modified",
           "yarn.lock is out of date: run `yarn install` and commit yarn.lock"},
    Remedy{"lockfile had changes, but lockfile is frozen", "bun.lock is out of date: run `bun install` and commit it"},
    Remedy{"No space left on device", "the disk is full: `whittle cache gc` makes room in whittle's own cache"},
    Remedy{"Disk quota exceeded", "the disk quota is used up: `whittle cache gc` makes room in whittle's own cache"},
};

}  // namespace

std::vector<std::string> remedies_for(std::span<const std::string> lines) {
  std::vector<std::string> advice;
  for (const Remedy& remedy : kRemedies) {
    const bool is_said = std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
      return line.find(remedy.said) != std::string::npos;
    });
    if (is_said) advice.emplace_back(remedy.advice);
  }
  return advice;
}

}  // namespace whittle::builder
