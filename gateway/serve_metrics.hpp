// What a gateway's registry counts, for whoever watches it. Any thread may count.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "gateway/serve_route.hpp"

namespace whittle::gateway {

class ServeMetrics {
 public:
  void count_answer(Route::Kind kind, int status);

  std::atomic<std::uint64_t> sent{0};               // bytes of bodies
  std::atomic<std::int64_t> connections{0};         // at this moment
  std::atomic<std::uint64_t> connections_taken{0};  // ever
  std::atomic<std::uint64_t> dropped{0};            // clients that took too long
  std::atomic<std::uint64_t> broken{0};             // answers that failed here
  std::atomic<std::uint64_t> fetched{0}, fetches_failed{0}, fetched_bytes{0};
  std::atomic<std::uint64_t> repositories{0}, tags{0};
  std::atomic<std::int64_t> prefetch_left{0};  // images

  // OpenMetrics 1.0, to its `# EOF`.
  std::string text() const;
  static constexpr const char* kMediaType = "application/openmetrics-text; version=1.0.0; charset=utf-8";

 private:
  static constexpr std::size_t kKinds = 8, kClasses = 4;
  std::array<std::array<std::atomic<std::uint64_t>, kClasses>, kKinds> answers_{};  // by kind, by hundreds from 200
};

}  // namespace whittle::gateway
