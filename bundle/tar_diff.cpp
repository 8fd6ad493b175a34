#include "bundle/tar_diff.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/zstd_frames.hpp"
#include "bundle/tar_path.hpp"
#include "bundle/varint.hpp"

namespace whittle::bundle {

namespace {

constexpr int kWindow = 23;
constexpr std::size_t kBuffer = 64 << 10;
constexpr std::uint64_t kLongestName = 4 << 10;

Error broken(std::string cause) {
  return Error(Exit::refused, "the tar-diff cannot be applied").cause(std::move(cause));
}

class Applier {
 public:
  Applier(Source& payload, const OldFiles& files, Sink& out, std::uint64_t limit)
      : frames_(payload, "the tar-diff", nullptr, kWindow),
        files_(files),
        out_(out),
        left_(limit),
        in_(kBuffer),
        data_(kBuffer),
        old_(kBuffer) {}

  void run() {
    while (const std::optional<unsigned> operation = byte()) {
      const std::uint64_t size = number();
      switch (*operation) {
        case 0:
          add_data(size, false);
          break;
        case 1:
          open(size);
          break;
        case 2:
          copy_old(size);
          break;
        case 3:
          add_data(size, true);
          break;
        case 4:
          position_ = size;
          break;
        default:
          throw broken(cat("it has an operation ", *operation, ", which does not exist"));
      }
    }
  }

 private:
  bool fill() {
    while (begin_ == end_) {
      begin_ = end_ = 0;
      if (is_in_frame_) end_ = frames_.read(in_);
      if (end_ == 0 && !(is_in_frame_ = next_frame())) return false;
    }
    return true;
  }
  // What readers pass over is passed over.
  bool next_frame() {
    while (frames_.next()) {
      if (!frames_.skippable()) return true;
    }
    return false;
  }
  std::optional<unsigned> byte() {
    if (!fill()) return std::nullopt;
    return std::to_integer<unsigned>(in_[begin_++]);
  }
  std::uint64_t number() {
    VarintReader reader;
    for (int i = 0; i < 10; ++i) {
      const std::optional<unsigned> next = byte();
      if (!next) break;
      if (const auto value = reader.take(*next)) return *value;
    }
    throw broken("it ends in the middle of an operation");
  }
  std::size_t take(std::span<std::byte> room) {
    if (!fill()) throw broken("it ends in the middle of an operation");
    const std::size_t size = std::min(room.size(), end_ - begin_);
    std::copy_n(in_.begin() + static_cast<std::ptrdiff_t>(begin_), size, room.begin());
    begin_ += size;
    return size;
  }

  void open(std::uint64_t size) {
    if (size > kLongestName) throw broken("it names a file with too long a name");
    std::string name;
    while (name.size() < size) {
      name += text_of(std::span(data_).first(take(std::span(data_).first(size - name.size()))));
    }
    name = clean_path(name);
    file_ = name.empty() || name.find('\0') != std::string::npos ? nullptr : files_.open(name);
    if (!file_) throw broken(cat("it reads a file that is not there: ", backticked(name)));
    position_ = 0;
  }
  void add_data(std::uint64_t size, bool is_difference) {
    while (size > 0) {
      const std::size_t now = take(std::span(data_).first(std::min<std::uint64_t>(size, data_.size())));
      if (is_difference) {
        read_old(now);
        for (std::size_t i = 0; i < now; ++i) {
          data_[i] = static_cast<std::byte>(std::to_integer<unsigned>(data_[i]) + std::to_integer<unsigned>(old_[i]));
        }
      }
      write(std::span(data_).first(now));
      size -= now;
    }
  }
  void copy_old(std::uint64_t size) {
    while (size > 0) {
      const std::size_t now = std::min<std::uint64_t>(size, old_.size());
      read_old(now);
      write(std::span(old_).first(now));
      size -= now;
    }
  }
  void read_old(std::size_t size) {
    if (!file_) throw broken("it reads before it opens a file");
    if (position_ > file_->size() || size > file_->size() - position_) throw broken("it reads after the end of a file");
    file_->read_at(position_, std::span(old_).first(size));
    position_ += size;
  }
  void write(Bytes bytes) {
    if (bytes.size() > left_) throw broken("it makes more bytes than it should");
    left_ -= bytes.size();
    out_.write(bytes);
  }

  FrameReader frames_;
  const OldFiles& files_;
  Sink& out_;
  std::uint64_t left_, position_ = 0;
  std::unique_ptr<OldFile> file_;
  std::vector<std::byte> in_, data_, old_;
  std::size_t begin_ = 0, end_ = 0;
  bool is_in_frame_ = false;
};

}  // namespace

void apply_tar_diff(Source& payload, const OldFiles& files, Sink& out, std::uint64_t limit) {
  std::string magic;
  std::array<std::byte, kTarDiffMagic.size()> room;
  while (magic.size() < kTarDiffMagic.size()) {
    const std::size_t size = payload.read(std::span(room).first(kTarDiffMagic.size() - magic.size()));
    if (size == 0) break;
    magic += text_of(std::span(room).first(size));
  }
  if (magic != kTarDiffMagic) throw broken("it does not begin as one");
  try {
    Applier(payload, files, out, limit).run();
  } catch (const Error& error) {
    if (error.exit() != Exit::registry_content) throw;
    throw broken(error.causes().empty() ? error.message() : error.causes().front());
  }
}

}  // namespace whittle::bundle
