#include "layers/layer_stream.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <unordered_map>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::layers {

namespace {

// Files up to this size that may have an equal are held while they are hashed; larger ones are read twice.
constexpr std::uint64_t kHeldFile = 1 << 20;

Error changed(const File& file, std::string how) {
  Error error(Exit::transient, cat(backticked(file.content), " changed while it was read"));
  error.detail(std::move(how)).hint("run the same command again").note("nothing of the layer was kept");
  return error;
}

// A file of the slice, open; knows when it is not what it was when the slice was made.
class OpenFile {
 public:
  explicit OpenFile(const File& file)
      : file_(file), opened_(::open(file.content.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)) {
    if (opened_) return;
    if (errno == ENOENT || errno == ELOOP || errno == ENOTDIR) throw changed(file, "it is not there any more");
    throw system_error(Exit::usage, cat("cannot read ", backticked(file.content)));
  }

  std::size_t read(std::span<std::byte> room) {
    for (;;) {
      const ssize_t size = ::read(opened_.get(), room.data(), room.size());
      if (size >= 0) return static_cast<std::size_t>(size);
      if (errno != EINTR) throw system_error(Exit::usage, cat("cannot read ", backticked(file_.content)));
    }
  }

  // Exactly the size that was promised, handed to `take` in pieces of at most what `room` offers.
  template <class Room, class Take>
  void read_all(Room&& room, Take&& take) {
    std::uint64_t rest = file_.size;
    while (rest > 0) {
      const std::span<std::byte> space = room();
      const std::size_t size = read(space.first(static_cast<std::size_t>(std::min<std::uint64_t>(space.size(), rest))));
      if (size == 0) throw changed(file_, cat("it had ", file_.size, " bytes and ended after ", file_.size - rest));
      take(size);
      rest -= size;
    }
    check();
  }

 private:
  void check() const {
    struct stat status {};
    if (::fstat(opened_.get(), &status) != 0) throw system_error(Exit::usage, "cannot read a file's status");
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (size != file_.size) throw changed(file_, cat("it had ", file_.size, " bytes and has ", size));
    // Who writes and then puts the modification time back, as `cp -p` does, cannot put this one back.
    const bool is_written_to =
        nanoseconds(status.st_mtim) != file_.stamp.modified || nanoseconds(status.st_ctim) != file_.stamp.changed;
    if (is_written_to) throw changed(file_, "it was written to");
  }

  const File& file_;
  FileDescriptor opened_;
};

TarHeader header_for(const std::string& path, const Entry& entry, std::int64_t modified) {
  return {.path = path,
          .mode = entry.mode,
          .uid = entry.uid,
          .gid = entry.gid,
          .modified = modified,
          .link = {},
          .attributes = {}};
}

// What two files must share to become one with two names.
struct Identity {
  Digest digest;
  std::uint64_t size, uid, gid;
  unsigned mode;
  auto operator<=>(const Identity&) const = default;
};

class LayerStream {
 public:
  LayerStream(const Slice& slice, std::int64_t modified, EntryWriter& out, EventSink& events, std::stop_token stop)
      : slice_(slice), modified_(modified), out_(out), events_(events), stop_(std::move(stop)) {
    for (const auto& [path, entry] : slice.entries) {
      const auto* const file = std::get_if<File>(&entry.node);
      if (file == nullptr) continue;
      total_ += file->size;
      if (file->size > 0) ++same_size_[file->size];
    }
  }

  void write() {
    for (const auto& [path, entry] : slice_.entries) {
      TarHeader header = header_for(path, entry, modified_);
      if (const auto* const file = std::get_if<File>(&entry.node)) {
        add_file(header, *file);
        continue;
      }
      const auto* const link = std::get_if<Link>(&entry.node);
      header.kind = link == nullptr ? TarHeader::Kind::folder : TarHeader::Kind::symbolic_link;
      if (link != nullptr) header.link = link->target;
      out_.begin(header);
    }
    out_.close();
    report(total_);
  }

 private:
  void add_file(TarHeader& header, const File& file) {
    if (stop_.stop_requested()) throw Error(Exit::transient, "stopped while writing a layer");
    header.size = file.size;
    const bool may_have_equal = file.size > 0 && same_size_[file.size] > 1;
    if (!may_have_equal) return add_content(header, file);
    if (file.digest) return add_unless_known(header, file, *file.digest);
    if (file.size > kHeldFile) return add_unless_known(header, file, read_digest(file));
    hold(file);
    const Digest digest = digest_of(std::span(held_).first(file.size));
    if (add_as_link(header, digest)) return;
    out_.begin(header);
    write(std::span(held_).first(file.size));
    end_file(file);
  }

  void add_unless_known(TarHeader& header, const File& file, const Digest& digest) {
    if (!add_as_link(header, digest)) add_content(header, file);
  }

  bool add_as_link(TarHeader& header, const Digest& digest) {
    const Identity identity{digest, header.size, header.uid, header.gid, header.mode};
    const auto [found, is_first] = first_paths_.try_emplace(identity, header.path);
    if (is_first) return false;
    report(done_ + header.size);
    header.kind = TarHeader::Kind::hard_link;
    header.link = found->second;
    header.size = 0;
    out_.begin(header);
    return true;
  }

  void add_content(const TarHeader& header, const File& file) {
    out_.begin(header);
    if (file.content.empty()) {
      write(bytes_of(file.text));
    } else {
      OpenFile(file).read_all([&] { return out_.room(); },
                              [&](std::size_t size) {
                                out_.advance(size);
                                if (stop_.stop_requested())
                                  throw Error(Exit::transient, "stopped while writing a layer");
                              });
    }
    end_file(file);
  }

  void write(Bytes bytes) {
    while (!bytes.empty()) {
      const std::span<std::byte> room = out_.room();
      const std::size_t size = std::min(room.size(), bytes.size());
      std::copy_n(bytes.begin(), size, room.begin());
      out_.advance(size);
      bytes = bytes.subspan(size);
    }
  }

  void hold(const File& file) {
    held_.resize(std::max<std::size_t>(held_.size(), kHeldFile));
    if (file.content.empty()) {
      const Bytes text = bytes_of(file.text);
      std::copy(text.begin(), text.end(), held_.begin());
      return;
    }
    std::size_t filled = 0;
    OpenFile(file).read_all([&] { return std::span(held_).subspan(filled); },
                            [&](std::size_t size) { filled += size; });
  }

  Digest read_digest(const File& file) {
    Hasher hasher;
    held_.resize(std::max<std::size_t>(held_.size(), kHeldFile));
    OpenFile(file).read_all([&] { return std::span(held_); },
                            [&](std::size_t size) { hasher.update(std::span(held_).first(size)); });
    return hasher.digest();
  }

  void end_file(const File& file) {
    out_.end_file(file.size);
    report(done_ + file.size);
  }

  // About a hundred times in all, however many files there are.
  void report(std::uint64_t done) {
    done_ = done;
    if (done_ == reported_) return;
    if (done_ != total_ && done_ - reported_ < std::max<std::uint64_t>(total_ / 100, 1 << 20)) return;
    reported_ = done_;
    events_.emit(Progress{.item = cat("layer ", slice_.name), .done = done_, .total = total_});
  }

  const Slice& slice_;
  std::int64_t modified_;
  EntryWriter& out_;
  EventSink& events_;
  std::stop_token stop_;
  std::unordered_map<std::uint64_t, std::uint32_t> same_size_;
  std::map<Identity, std::string> first_paths_;
  std::vector<std::byte> held_;
  std::uint64_t total_ = 0, done_ = 0, reported_ = 0;
};

}  // namespace

void write_entries(const Slice& slice, std::int64_t modified, EntryWriter& out, EventSink& events,
                   std::stop_token stop) {
  LayerStream(slice, modified, out, events, std::move(stop)).write();
}

}  // namespace whittle::layers
