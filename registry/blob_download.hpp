// Brings one blob into a store, over as many connections as it takes: after a break it goes on where it was, also
// where an earlier process was. Hashed as it comes; what arrives damaged is fetched once more, from its beginning.
#pragma once

#include <optional>
#include <string>

#include "oci/partial_blob.hpp"
#include "registry/progress.hpp"
#include "registry/session.hpp"

namespace whittle::registry {

class BlobDownload {
 public:
  // All are borrowed. `target` is where it lies when that is no repository: a path on the session's host, and what to
  // call it.
  struct Elsewhere {
    std::string target, name;
  };
  BlobDownload(Session& session, const oci::Descriptor& blob, oci::BlobStore& into, EventSink& events);
  BlobDownload(Session& session, const oci::Descriptor& blob, oci::BlobStore& into, EventSink& events,
               const Elsewhere& elsewhere);
  // The blob is in the store on return. Throws Error(registry_content) when the registry has something else.
  void run();

 private:
  void fetch();
  Outcome attempt(Request& last);
  Sink* receiver(const HttpResponse& head);
  Outcome judged(Outcome outcome);
  Error different() const;

  // Takes the place of `partial_` in an exchange: passes over what is there already.
  class Incoming : public Sink {
   public:
    Incoming(oci::PartialBlob& partial, Meter& meter, std::uint64_t skipped)
        : partial_(partial), meter_(meter), skipped_(skipped) {}
    void write(Bytes bytes) override;

   private:
    oci::PartialBlob& partial_;
    Meter& meter_;
    std::uint64_t skipped_;
  };

  Session& session_;
  const oci::Descriptor& blob_;
  const std::string target_, name_;
  EventSink& events_;
  Meter meter_;
  oci::PartialBlob partial_;
  std::optional<Incoming> incoming_;
  bool asks_for_ranges_ = true;
  std::string nonsense_;  // why this answer is of no use
};

}  // namespace whittle::registry
