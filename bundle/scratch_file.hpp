// A temporary file that has no name, so that nothing of it is left however the process ends.
#pragma once

#include <cstdint>

#include "base/files.hpp"

namespace whittle::bundle {

class ScratchFile : public Sink {
 public:
  explicit ScratchFile(const fs::path& folder);  // which exists
  ScratchFile(ScratchFile&&) = delete;
  ~ScratchFile() override;

  void write(Bytes bytes) override;  // at the end
  void write_at(std::uint64_t position, Bytes bytes);
  // Throws Error(bug) for bytes that were never written.
  void read_at(std::uint64_t position, std::span<std::byte> room) const;
  std::uint64_t size() const { return size_; }

  // All of it in memory, until the file is written to again or gone.
  Bytes map();

 private:
  void unmap();

  fs::path folder_;
  FileDescriptor file_;
  std::uint64_t size_ = 0;
  void* mapped_ = nullptr;
  std::size_t mapped_size_ = 0;
};

// A part of it, from its beginning.
class ScratchSource : public Source {
 public:
  ScratchSource(const ScratchFile& file, std::uint64_t begin, std::uint64_t size)
      : file_(file), begin_(begin), left_(size) {}
  std::size_t read(std::span<std::byte> room) override;

 private:
  const ScratchFile& file_;
  std::uint64_t begin_, left_;
};

}  // namespace whittle::bundle
