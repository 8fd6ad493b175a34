#include "gateway/forecast.hpp"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/text.hpp"

namespace whittle::gateway {

namespace {

std::uint64_t rounded(std::uint64_t size, std::uint64_t block) {
  return block == 0 ? size : (size + block - 1) / block * block;
}

}  // namespace

FileSystem file_system_of(const fs::path& folder) {
  fs::path place = fs::absolute(folder);
  std::error_code ignored;
  while (!fs::is_directory(place, ignored) && place.has_relative_path()) place = place.parent_path();
  struct statvfs system {};
  struct stat status {};
  if (::statvfs(place.c_str(), &system) != 0 || ::stat(place.c_str(), &status) != 0) {
    throw system_error(Exit::export_failed, cat("cannot ask for the free space of ", backticked(place.native())));
  }
  return {.id = status.st_dev,
          .block = system.f_frsize,
          .free_bytes = static_cast<std::uint64_t>(system.f_bavail) * system.f_frsize,
          .free_inodes = system.f_favail,
          .counts_inodes = system.f_files != 0};
}

bool Forecast::Row::fits() const {
  return shortage().empty();
}

std::string Forecast::Row::shortage() const {
  if (peak() + reserve > now.free_bytes) {
    return cat(human_size(peak() + reserve - now.free_bytes), " are missing in ", backticked(folder.native()), ": ",
               human_size(peak()), " are needed and ", human_size(reserve), " stay in reserve, ",
               human_size(now.free_bytes), " are free");
  }
  if (now.counts_inodes && inodes > now.free_inodes) {
    return cat(inodes - now.free_inodes, " inodes are missing in ", backticked(folder.native()), ": ", inodes,
               " are needed, ", now.free_inodes, " are free");
  }
  return {};
}

bool Forecast::fits() const {
  for (const Row& row : rows) {
    if (!row.fits()) return false;
  }
  return true;
}

void Forecast::require() const {
  Error error(Exit::refused, "there is not enough room for this bundle");
  for (const Row& row : rows) {
    const std::string shortage = row.shortage();
    if (!shortage.empty()) error.cause(shortage);
  }
  if (error.causes().empty()) return;
  throw error.hint("make room, or send a smaller bundle: `whittle gateway receipt` says what is here already")
      .note("nothing was changed");
}

Forecast::Row& ForecastBuilder::row(const fs::path& folder, const std::string& what) {
  const FileSystem now = file_system_(folder);
  for (Forecast::Row& row : forecast_.rows) {
    if (row.now.id != now.id) continue;
    if (row.what.find(what) == std::string::npos) row.what += cat(", ", what);
    return row;
  }
  forecast_.rows.push_back({.folder = folder, .what = what, .now = now, .reserve = reserve_});
  return forecast_.rows.back();
}

void ForecastBuilder::add_file(const fs::path& folder, const std::string& what, std::uint64_t size) {
  Forecast::Row& row = this->row(folder, what);
  row.bytes += rounded(size, row.now.block);
  ++row.inodes;
}

void ForecastBuilder::remove_file(const fs::path& folder, const std::string& what, std::uint64_t size) {
  Forecast::Row& row = this->row(folder, what);
  row.freed_bytes += rounded(size, row.now.block);
  ++row.freed_inodes;
}

void ForecastBuilder::add_passing(const fs::path& folder, const std::string& what, std::uint64_t bytes) {
  Forecast::Row& row = this->row(folder, what);
  row.passing_bytes += rounded(bytes, row.now.block);
}

void ForecastBuilder::add(const Need& need) {
  Forecast::Row& row = this->row(need.folder, need.what);
  row.bytes += rounded(need.bytes, row.now.block);
  row.inodes += need.inodes;
  row.passing_bytes += rounded(need.passing_bytes, row.now.block);
}

}  // namespace whittle::gateway
