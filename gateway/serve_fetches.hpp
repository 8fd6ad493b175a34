// What is on its way from upstream: each thing once, however many clients wait for it.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>

#include "base/event.hpp"
#include "base/parallel.hpp"
#include "gateway/serve_metrics.hpp"
#include "gateway/upstream.hpp"
#include "oci/layout.hpp"

namespace whittle::gateway {

// One blob or manifest. Read by any thread.
class Fetch {
 public:
  enum class State { running, done, absent, failed };
  State state() const { return state_.load(std::memory_order_acquire); }
  bool is_over() const { return state() != State::running; }
  // Of a failed one.
  const std::string& reason() const { return reason_; }

 private:
  friend class Fetches;
  void end(State state) { state_.store(state, std::memory_order_release); }
  std::atomic<State> state_ = State::running;
  std::string reason_;
  std::chrono::steady_clock::time_point ended_;
};

class Fetches {
 public:
  // How long a failure answers whoever asks next: a metered link is not asked for the same again and again.
  static constexpr std::chrono::seconds kFailureLife{10};
  static constexpr std::size_t kMostWaiting = 256;

  // All are borrowed. `ended` is called, from any thread, after each end.
  Fetches(Upstream& upstream, oci::Layout& cache, unsigned at_a_time, ServeMetrics& metrics, EventSink& events,
          std::stop_token stop, std::function<void()> ended);

  const oci::Layout& cache() const { return cache_; }
  bool covers(const oci::Reference& image) const { return upstream_.covers(image); }
  // Null when too much is under way. A manifest gets its name in the cache.
  std::shared_ptr<const Fetch> manifest(const oci::Reference& image);
  std::shared_ptr<const Fetch> blob(const oci::Reference& image, const oci::Descriptor& blob);
  // Blobs and manifests under way that a client waits for.
  unsigned running() const { return running_.load(); }

 private:
  using Work = std::function<bool()>;  // false: the far side has no such thing
  std::shared_ptr<const Fetch> begin(const std::string& key, const std::string& what, Work work);
  void run(const std::shared_ptr<Fetch>& fetch, const std::string& key, const std::string& what, const Work& work);

  Upstream& upstream_;
  oci::Layout& cache_;
  ServeMetrics& metrics_;
  EventSink& events_;
  std::stop_token stop_;
  std::function<void()> ended_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Fetch>> fetches_;
  std::atomic<unsigned> running_{0};
  ThreadPool pool_;
};

}  // namespace whittle::gateway
