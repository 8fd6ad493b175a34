#include "bundle/writer.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/error.hpp"
#include "base/tar.hpp"
#include "base/text.hpp"
#include "bundle/head.hpp"
#include "bundle/volumes.hpp"

namespace whittle::bundle {

namespace {

// A file of which an earlier run may have written the beginning: what is right is kept, the first byte that is not is
// where writing begins.
class ResumedFile {
 public:
  explicit ResumedFile(fs::path path)
      : path_(std::move(path)), file_(::open(path_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644)) {
    struct stat status {};
    if (!file_ || ::fstat(file_.get(), &status) != 0) throw cannot_write();
    present_ = static_cast<std::uint64_t>(status.st_size);
  }

  void write(Bytes bytes) {
    while (!bytes.empty() && offset_ < present_) {
      std::array<std::byte, 64 * 1024> room{};
      const std::size_t wanted = std::min({bytes.size(), room.size(), static_cast<std::size_t>(present_ - offset_)});
      const ssize_t size = ::pread(file_.get(), room.data(), wanted, static_cast<off_t>(offset_));
      const bool is_same = size > 0 && std::memcmp(room.data(), bytes.data(), static_cast<std::size_t>(size)) == 0;
      if (!is_same) {
        if (::ftruncate(file_.get(), static_cast<off_t>(offset_)) != 0) throw cannot_write();
        present_ = offset_;
        break;
      }
      offset_ += static_cast<std::uint64_t>(size);
      bytes = bytes.subspan(static_cast<std::size_t>(size));
    }
    while (!bytes.empty()) {
      const ssize_t size = ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset_));
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) throw cannot_write();
      offset_ += static_cast<std::uint64_t>(size);
      bytes = bytes.subspan(static_cast<std::size_t>(size));
    }
  }

  // Durable, and no longer in the page cache: who reads it next reads the medium.
  void finish() {
    if (::ftruncate(file_.get(), static_cast<off_t>(offset_)) != 0 || ::fsync(file_.get()) != 0) throw cannot_write();
    ::posix_fadvise(file_.get(), 0, 0, POSIX_FADV_DONTNEED);
  }

  std::uint64_t offset() const { return offset_; }

 private:
  Error cannot_write() const {
    Error error = system_error(Exit::export_failed, cat("cannot write ", backticked(path_.native())));
    return error.note("what is written stays; the same command goes on from there");
  }

  fs::path path_;
  FileDescriptor file_;
  std::uint64_t present_ = 0, offset_ = 0;
};

class Writing {
 public:
  Writing(const BundlePlan& plan, const oci::BlobSource& from, const fs::path& file, EventSink& events,
          std::stop_token stop)
      : root_(plan.root), from_(from), target_(file), events_(events), stop_(std::move(stop)) {
    head_.root = {plan.root.encode(), plan.signatures};
    head_.trust = plan.trust;
    if (root_.is_whole() && root_.volume_size == 0) head_.runtime = runtime_documents(root_, from);
    placement_ = place(root_, head_.encode(0, 1).size());
  }

  std::vector<fs::path> run() {
    const fs::path folder = target_.parent_path().empty() ? fs::path(".") : target_.parent_path();
    make_folders(folder);
    for (const std::uint64_t size : placement_.volume_sizes) total_ += size;
    open_next();
    for (std::size_t i = 0; i < root_.blobs.size(); ++i) write_blob(root_.blobs[i], placement_.blobs[i]);
    close_volume();
    const std::vector<fs::path> volumes = all_volumes();
    for (const fs::path& volume : volumes) {
      if (::rename(unfinished(volume).c_str(), volume.c_str()) != 0) {
        throw system_error(Exit::export_failed, cat("cannot write ", backticked(volume.native())));
      }
    }
    sync_folder(folder);
    return volumes;
  }

 private:
  static fs::path unfinished(const fs::path& volume) { return volume.native() + ".part"; }

  std::vector<fs::path> all_volumes() const {
    std::vector<fs::path> volumes;
    for (std::size_t i = 0; i < placement_.volume_sizes.size(); ++i) {
      volumes.push_back(target_.parent_path() /
                        volume_name(target_.filename().native(), i, placement_.volume_sizes.size()));
    }
    return volumes;
  }

  void open_next() {
    const std::size_t next = out_ ? volume_ + 1 : 0;
    if (out_) close_volume();
    volume_ = next;
    out_.emplace(unfinished(all_volumes()[volume_]));
    out_->write(bytes_of(head_.encode(volume_, placement_.volume_sizes.size())));
  }

  void close_volume() {
    out_->write(bytes_of(std::string(kTarEnd, '\0')));
    if (out_->offset() != placement_.volume_sizes[volume_]) throw Error(Exit::bug, "a volume is not as it was planned");
    out_->finish();
    done_ += out_->offset();
    out_.reset();
  }

  void write_blob(const BlobSize& blob, const std::vector<Extent>& extents) {
    const auto source = from_.open({.media_type = {}, .digest = blob.digest, .size = blob.size});
    for (const Extent& extent : extents) {
      if (extent.volume != volume_) open_next();
      out_->write(bytes_of(extent.header));
      copy_part(*source, extent.size);
      out_->write(bytes_of(std::string(tar_padding(extent.size), '\0')));
    }
    // A source that verifies does so at its end.
    std::byte one{};
    if (source->read({&one, 1}) != 0)
      throw Error(Exit::input_unavailable, cat("the blob ", blob.digest.str(), " is too long"));
  }

  void copy_part(Source& source, std::uint64_t size) {
    for (std::uint64_t rest = size; rest > 0;) {
      if (stop_.stop_requested()) {
        throw Error(Exit::transient, "cancelled while the bundle was written")
            .note("what is written stays; the same command goes on from there");
      }
      const std::size_t wanted = std::min<std::uint64_t>(buffer_.size(), rest);
      const std::size_t got = source.read(std::span(buffer_).first(wanted));
      if (got == 0) throw Error(Exit::input_unavailable, "a blob is shorter than it says");
      out_->write(std::span(buffer_).first(got));
      rest -= got;
      events_.emit(Progress{.item = "bundle", .done = done_ + out_->offset(), .total = total_});
    }
  }

  const Root& root_;
  const oci::BlobSource& from_;
  fs::path target_;
  EventSink& events_;
  std::stop_token stop_;
  Head head_;
  Placement placement_;
  std::optional<ResumedFile> out_;
  std::size_t volume_ = 0;
  std::uint64_t done_ = 0, total_ = 0;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(256 * 1024);
};

}  // namespace

std::vector<fs::path> write_bundle(const BundlePlan& plan, const oci::BlobSource& from, const fs::path& file,
                                   EventSink& events, std::stop_token stop) {
  return Writing(plan, from, file, events, std::move(stop)).run();
}

}  // namespace whittle::bundle
