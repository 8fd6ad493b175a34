// Fetches what the names of a gateway lead to and its store lacks, before anybody asks: one thing after another, in the
// order that was given, and only while no client waits for something else.
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "gateway/serve_fetches.hpp"
#include "gateway/serve_shelf.hpp"

namespace whittle::gateway {

class Prefetch {
 public:
  // All are borrowed.
  Prefetch(Shelf& shelf, Fetches& fetches, ServeMetrics& metrics, EventSink& events, std::stop_token stop)
      : shelf_(shelf), fetches_(fetches), metrics_(metrics), events_(events), stop_(std::move(stop)) {}

  // These before the images of the index. Until all is here, was tried, or a stop is requested. What fails is left
  // to the first who asks.
  void run(std::vector<oci::Reference> images);
  // Something has ended.
  void notice();

 private:
  bool bring_image(const oci::Reference& image);
  bool bring(const oci::Reference& image, const Digest& manifest, int depth);
  bool wait_for(const std::shared_ptr<const Fetch>& fetch);
  void wait_for_turn();

  Shelf& shelf_;
  Fetches& fetches_;
  ServeMetrics& metrics_;
  EventSink& events_;
  std::stop_token stop_;
  std::mutex mutex_;
  std::condition_variable_any ended_;
};

}  // namespace whittle::gateway
