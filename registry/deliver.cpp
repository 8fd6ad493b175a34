#include <algorithm>
#include <atomic>
#include <map>
#include <set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "registry/image_sink.hpp"
#include "registry/progress.hpp"

namespace whittle::registry {

namespace {

constexpr int kDeepestIndex = 4;

bool is_config(const oci::Descriptor& blob) {
  return blob.media_type == oci::media_type::kConfig || blob.media_type == oci::media_type::kDockerConfig;
}

// What is to be sent, in the order in which it becomes visible.
struct Contents {
  std::vector<oci::Descriptor> layers, configs;
  std::vector<oci::Descriptor> manifests;  // children before the index that names them; not the root
  std::map<Digest, std::string> json;
};

class Delivering {
 public:
  Delivering(const oci::BlobSource& from, ImageSink& sink, ThreadPool& pool, EventSink& events, std::stop_token stop)
      : from_(from), sink_(sink), pool_(pool), events_(events), stop_(std::move(stop)) {}

  Delivery run(const oci::Descriptor& root) {
    Delivery delivery;
    const std::string json = from_.read(root, oci::kMaximumManifest);
    delivery.unchanged = sink_.has_manifest(root);
    // What the sink believed to be there may be gone; then it says so, once, and all is offered again.
    for (bool is_there = delivery.unchanged; !bring(root, json, is_there); is_there = false) {
      delivery.unchanged = false;
      contents_ = {};
      seen_.clear();
    }
    delivery.sent_bytes = sent_bytes_;
    delivery.sent_blobs = sent_blobs_;
    const std::uint64_t blobs = contents_.layers.size() + contents_.configs.size();
    delivery.reused_blobs = blobs - std::min(blobs, delivery.sent_blobs);
    return delivery;
  }

 private:
  bool bring(const oci::Descriptor& root, const std::string& json, bool is_there) {
    if (!is_there) collect(root, json, 0);
    try {
      if (!is_there && !send()) return false;
      stop_if_asked();
      return sink_.tag(root, json);
    } catch (Error& error) {
      error.note(sink_.left_behind(layers_there_, contents_.layers.size()));
      throw;
    }
  }

  void collect(const oci::Descriptor& root, const std::string& json, int depth) {
    if (oci::media_type::is_index(root.media_type)) {
      if (depth == kDeepestIndex) throw Error(Exit::usage, cat(short_name(root), " is nested too deeply"));
      for (const oci::Descriptor& child : oci::Index::decode(json, short_name(root)).manifests)
        collect_child(child, depth);
      return;
    }
    const oci::Manifest manifest = oci::Manifest::decode(json, short_name(root));
    for (const oci::Descriptor& layer : manifest.layers) add(layer, contents_.layers);
    add(manifest.config, contents_.configs);
  }

  void collect_child(const oci::Descriptor& child, int depth) {
    if (!seen_.insert(child.digest).second || sink_.has_manifest(child)) return;
    std::string json = from_.read(child, oci::kMaximumManifest);
    collect(child, json, depth + 1);
    contents_.json[child.digest] = std::move(json);
    contents_.manifests.push_back(child);
  }

  void add(const oci::Descriptor& blob, std::vector<oci::Descriptor>& list) {
    if (seen_.insert(blob.digest).second) list.push_back(blob);
  }

  // The largest first: what starts last should end soon.
  bool send() {
    layers_there_ = 0;
    std::stable_sort(contents_.layers.begin(), contents_.layers.end(),
                     [](const auto& a, const auto& b) { return a.size > b.size; });
    send_all(contents_.layers);
    send_all(contents_.configs);
    for (const oci::Descriptor& manifest : contents_.manifests) {
      stop_if_asked();
      if (!sink_.put_manifest(manifest, contents_.json.at(manifest.digest))) return false;
    }
    return true;
  }

  void send_all(const std::vector<oci::Descriptor>& blobs) {
    parallel_map(pool_, blobs, [&](const oci::Descriptor& blob) {
      stop_if_asked();
      if (!from_.has(blob.digest, blob.size)) throw damaged(blob);
      const bool sent = sink_.put_blob(blob, from_);
      if (!is_config(blob)) ++layers_there_;
      if (sent) {
        ++sent_blobs_;
        sent_bytes_ += blob.size;
      }
      events_.verbose(cat(short_name(blob), sent ? " sent" : " was there"));
      return sent;
    });
  }

  // Found before anything of it is sent: the far side would only say that the digest is wrong.
  static Error damaged(const oci::Descriptor& blob) {
    Error error(Exit::input_unavailable, cat("the blob ", blob.digest.str(), " of this image is missing or damaged"));
    error.hint("build or pull the image again: a damaged blob is replaced");
    return error;
  }

  void stop_if_asked() const {
    if (stop_.stop_requested()) throw Error(Exit::transient, "cancelled");
  }

  const oci::BlobSource& from_;
  ImageSink& sink_;
  ThreadPool& pool_;
  EventSink& events_;
  std::stop_token stop_;
  Contents contents_;
  std::set<Digest> seen_;
  std::atomic<std::uint64_t> sent_bytes_ = 0, sent_blobs_ = 0;
  std::atomic<std::size_t> layers_there_ = 0;
};

}  // namespace

Delivery deliver(const oci::Descriptor& root, const oci::BlobSource& from, ImageSink& sink, ThreadPool& pool,
                 EventSink& events, std::stop_token stop) {
  return Delivering(from, sink, pool, events, std::move(stop)).run(root);
}

}  // namespace whittle::registry
