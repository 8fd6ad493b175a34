// A stop token that follows another one, and that also asks for an end when its time is over.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

namespace whittle {

class Deadline {
 public:
  // Without a limit only `outer` ends it.
  Deadline(std::optional<std::chrono::seconds> limit, std::stop_token outer);

  std::stop_token token() const { return source_.get_token(); }
  bool has_passed() const { return has_passed_; }

 private:
  std::stop_source source_;
  std::stop_callback<std::function<void()>> follow_;
  std::atomic<bool> has_passed_ = false;
  std::mutex mutex_;
  std::condition_variable_any ended_;
  std::jthread clock_;
};

}  // namespace whittle
