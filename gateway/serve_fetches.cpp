#include "gateway/serve_fetches.hpp"

#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"

namespace whittle::gateway {

Fetches::Fetches(Upstream& upstream, oci::Layout& cache, unsigned at_a_time, ServeMetrics& metrics, EventSink& events,
                 std::stop_token stop, std::function<void()> ended)
    : upstream_(upstream),
      cache_(cache),
      metrics_(metrics),
      events_(events),
      stop_(std::move(stop)),
      ended_(std::move(ended)),
      pool_(at_a_time) {}

std::shared_ptr<const Fetch> Fetches::manifest(const oci::Reference& image) {
  return begin(cat("manifest ", image.str()), image.str(), [this, image] {
    const auto found = upstream_.manifest(image, cache_.blobs());
    if (!found) return false;
    cache_.tag(image.str(), *found);
    metrics_.fetched_bytes += found->size;
    return true;
  });
}

std::shared_ptr<const Fetch> Fetches::blob(const oci::Reference& image, const oci::Descriptor& blob) {
  return begin(cat("blob ", blob.digest.hex()), cat(image.name(), "@", blob.digest.str()), [this, image, blob] {
    if (!cache_.blobs().has(blob.digest, blob.size)) {
      upstream_.blob(image, blob, cache_.blobs());
      metrics_.fetched_bytes += blob.size;
    }
    return true;
  });
}

std::shared_ptr<const Fetch> Fetches::begin(const std::string& key, const std::string& what, Work work) {
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  std::erase_if(fetches_, [&](const auto& one) {
    const Fetch& fetch = *one.second;
    return fetch.is_over() && (fetch.state() == Fetch::State::done || fetch.ended_ + kFailureLife < now);
  });
  if (const auto found = fetches_.find(key); found != fetches_.end()) return found->second;
  if (fetches_.size() >= kMostWaiting) return nullptr;
  auto fetch = std::make_shared<Fetch>();
  fetches_.emplace(key, fetch);
  ++running_;
  pool_.submit([this, fetch, key, what, work = std::move(work)] { run(fetch, key, what, work); });
  return fetch;
}

void Fetches::run(const std::shared_ptr<Fetch>& fetch, const std::string& key, const std::string& what,
                  const Work& work) {
  Fetch::State state = Fetch::State::failed;
  try {
    if (stop_.stop_requested()) throw Error(Exit::transient, "the gateway is ending");
    state = work() ? Fetch::State::done : Fetch::State::absent;
  } catch (const Error& error) {
    fetch->reason_ = error.message();
    if (!stop_.stop_requested()) events_.warn(cat("cannot fetch ", printable(what), ": ", error.message()));
  } catch (const std::exception& problem) {
    fetch->reason_ = problem.what();
    events_.warn(cat("cannot fetch ", printable(what), ": ", printable(problem.what())));
  }
  ++(state == Fetch::State::done ? metrics_.fetched : metrics_.fetches_failed);
  {
    const std::lock_guard lock(mutex_);
    fetch->ended_ = std::chrono::steady_clock::now();
    fetch->end(state);
    if (state == Fetch::State::done) fetches_.erase(key);
  }
  --running_;
  ended_();
}

}  // namespace whittle::gateway
