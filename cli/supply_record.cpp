#include "cli/supply_record.hpp"

#include "base/error.hpp"
#include "base/json.hpp"

namespace whittle::cli {

namespace {

constexpr std::uint64_t kMaximumRecord = 1 << 20;
constexpr const char* kWhat = "the record of a probe";

}  // namespace

// A record is a plan of nothing but the image's settings, whose form is known.
std::optional<Supplied> SupplyRecords::find(const Digest& image) const {
  const std::optional<std::string> text = read_file_if_exists(folder_ / image.hex(), kMaximumRecord);
  if (!text) return std::nullopt;
  try {
    const plan::BuildPlan record = plan::BuildPlan::from_json(parse_json(*text, kWhat), kWhat);
    const auto home = record.image.env.find("HOME");
    return Supplied{record.image.supplies, home == record.image.env.end() ? "" : home->second};
  } catch (const Error&) {
    return std::nullopt;
  }
}

void SupplyRecords::remember(const Digest& image, const Supplied& supplied) const {
  plan::BuildPlan record;
  record.image.supplies = supplied.supplies;
  if (!supplied.home.empty()) record.image.env["HOME"] = supplied.home;
  make_folders(folder_);
  write_unsynced(folder_ / image.hex(), record.canonical());
}

}  // namespace whittle::cli
