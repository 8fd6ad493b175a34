// A stop token that is asked for when a time is over, or when another one is.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

namespace whittle::registry {

// Asks for a stop when the time is over or the caller wants one; ends with its scope.
class TimeLimit {
 public:
  TimeLimit(std::chrono::seconds time, const std::stop_token& outer)
      : outer_(outer, [this] { source_.request_stop(); }), watch_([this, time](const std::stop_token& ended) {
          std::mutex mutex;
          std::condition_variable_any never;
          std::unique_lock lock(mutex);
          never.wait_for(lock, ended, time, [] { return false; });
          if (!ended.stop_requested()) source_.request_stop();
        }) {}
  std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
  std::stop_callback<std::function<void()>> outer_;
  std::jthread watch_;
};

}  // namespace whittle::registry
