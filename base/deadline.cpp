#include "base/deadline.hpp"

namespace whittle {

Deadline::Deadline(std::optional<std::chrono::seconds> limit, std::stop_token outer)
    : follow_(std::move(outer), [this] { source_.request_stop(); }) {
  if (!limit) return;
  clock_ = std::jthread([this, limit = *limit](const std::stop_token& ended) {
    std::unique_lock lock(mutex_);
    if (ended_.wait_for(lock, ended, limit, [&] { return ended.stop_requested(); })) return;
    if (ended.stop_requested()) return;
    has_passed_ = true;
    source_.request_stop();
  });
}

}  // namespace whittle
