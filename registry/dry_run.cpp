#include <mutex>

#include "base/text.hpp"
#include "registry/client.hpp"
#include "registry/questions.hpp"
#include "registry/session.hpp"

namespace whittle::registry {

namespace {

class DryRunSink : public ImageSink {
 public:
  DryRunSink(const oci::Reference& reference, const Client& client,
             std::function<void(const oci::Descriptor&)> would_send)
      : reference_(reference),
        session_(reference, Session::Access::pull, client.transport, client.options, client.events, client.stop),
        would_send_(std::move(would_send)) {}

  bool has_manifest(const oci::Descriptor& manifest) override {
    const bool is_root = std::exchange(is_first_, false);
    const std::string digest = manifest.digest.str();
    if (is_root) is_tagged_ = digest_at(session_, reference_.tag_or_latest()) == digest;
    return (is_root && is_tagged_) || digest_at(session_, digest) == digest;
  }

  bool put_blob(const oci::Descriptor& blob, const oci::BlobSource&) override {
    if (has_blob(session_, blob)) return false;
    tell(blob);
    return true;
  }

  bool put_manifest(const oci::Descriptor& manifest, std::string_view) override {
    tell(manifest);
    return true;
  }
  bool tag(const oci::Descriptor& root, std::string_view) override {
    if (!is_tagged_) tell(root);
    return true;
  }
  std::string where() const override { return reference_.str(); }
  std::string left_behind(std::size_t, std::size_t) const override { return "nothing was sent"; }

 private:
  void tell(const oci::Descriptor& blob) {
    const std::lock_guard lock(mutex_);
    would_send_(blob);
  }

  oci::Reference reference_;
  Session session_;
  std::function<void(const oci::Descriptor&)> would_send_;
  std::mutex mutex_;
  bool is_first_ = true, is_tagged_ = false;
};

}  // namespace

std::unique_ptr<ImageSink> dry_run_sink(const oci::Reference& reference, const Client& client,
                                        std::function<void(const oci::Descriptor&)> would_send) {
  return std::make_unique<DryRunSink>(reference, client, std::move(would_send));
}

}  // namespace whittle::registry
