// What an apply takes of each file system, before it begins.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "gateway/adapter.hpp"

namespace whittle::gateway {

// As statvfs has it.
struct FileSystem {
  std::uint64_t id = 0;  // the same for folders on the same one
  std::uint64_t block = 4096;
  std::uint64_t free_bytes = 0, free_inodes = 0;
  bool counts_inodes = true;  // some have as many as they like
};
using FileSystemFunction = std::function<FileSystem(const fs::path&)>;
// Of the folder, or of the nearest one above it that exists. Throws Error(export_failed).
FileSystem file_system_of(const fs::path& folder);

struct Forecast {
  struct Row {
    fs::path folder;   // the first on this file system
    std::string what;  // "the store, images of containerd"
    FileSystem now;
    std::uint64_t bytes = 0, inodes = 0;              // that the new generation adds
    std::uint64_t passing_bytes = 0;                  // on top while it works
    std::uint64_t freed_bytes = 0, freed_inodes = 0;  // by generations that go at the end
    std::uint64_t reserve = 0;

    std::uint64_t peak() const { return bytes + passing_bytes; }
    bool fits() const;
    // Empty when it fits; else "12.3 MB short on …".
    std::string shortage() const;
  };
  std::vector<Row> rows;

  bool fits() const;
  // Throws Error(refused) that names what is short.
  void require() const;
};

// Adds up needs by file system.
class ForecastBuilder {
 public:
  ForecastBuilder(std::uint64_t reserve, FileSystemFunction file_system)
      : reserve_(reserve), file_system_(std::move(file_system)) {}
  // A file of that size in `folder`, rounded up to whole blocks.
  void add_file(const fs::path& folder, const std::string& what, std::uint64_t size);
  void remove_file(const fs::path& folder, const std::string& what, std::uint64_t size);
  void add_passing(const fs::path& folder, const std::string& what, std::uint64_t bytes);
  void add(const Need& need);
  Forecast forecast() const { return forecast_; }

 private:
  Forecast::Row& row(const fs::path& folder, const std::string& what);
  std::uint64_t reserve_;
  FileSystemFunction file_system_;
  Forecast forecast_;
};

}  // namespace whittle::gateway
