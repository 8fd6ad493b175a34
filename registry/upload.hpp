// Brings blobs into one repository of a registry: what is there, or elsewhere on the same registry, is mounted; the
// rest is uploaded, in one piece or, where the registry takes no large requests, in chunks. Thread safe.
#pragma once

#include <atomic>
#include <optional>

#include "oci/blob_store.hpp"
#include "registry/chunked_upload.hpp"
#include "registry/progress.hpp"
#include "registry/session.hpp"
#include "registry/whereabouts.hpp"

namespace whittle::registry {

class Uploads {
 public:
  // All are borrowed.
  Uploads(Session& session, Whereabouts& places) : session_(session), places_(places), chunks_(session) {}

  // True when the content had to be sent. Throws when it could not be; the upload is cancelled then.
  bool bring(const oci::Descriptor& blob, const oci::BlobSource& from, Meter& meter);
  // The registry missed a blob that seemed to be there: from now on each is asked for by name.
  void distrust() { mounts_ = false; }
  // Throws when the registry says that it stored something else.
  void check_digest(const HttpResponse& response, const oci::Descriptor& expected, const Request& request) const;

 private:
  // Where to put the content; nothing when the blob turns out to be there.
  std::optional<Url> open(const oci::Descriptor& blob);
  std::optional<Url> open_mounting(const oci::Descriptor& blob);
  struct Mounted {
    enum class How { there, opened, refused } how = How::refused;
    Url location = {};
  };
  Mounted mount(const oci::Descriptor& blob, const std::string& from);
  Mounted mount_from_elsewhere(const oci::Descriptor& blob);
  bool is_silent_about(const oci::Descriptor& blob);
  Request opening(const oci::Descriptor& blob) const;
  Url location_of(const Reply& reply, const Request& request) const;
  Trial send(const oci::Descriptor& blob, const oci::BlobSource& from, Meter& meter, Request& last, bool& was_there);

  Session& session_;
  Whereabouts& places_;
  ChunkedUploads chunks_;
  std::atomic<bool> mounts_ = true, has_mounted_ = false;
  std::atomic<int> refusals_ = 0;  // of mounts from other repositories
};

}  // namespace whittle::registry
