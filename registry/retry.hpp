// The one place that decides whether something is tried again, and when.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>

#include "base/event.hpp"
#include "registry/http.hpp"

namespace whittle::registry {

// Time, handed in so that tests need not wait.
class Clock {
 public:
  using Duration = std::chrono::milliseconds;
  using Time = std::chrono::time_point<std::chrono::steady_clock, Duration>;
  virtual ~Clock() = default;
  virtual Time now() = 0;
  // Returns early when `stop` is requested.
  virtual void sleep(Duration time, std::stop_token stop) = 0;
};
Clock& machine_clock();

struct RetryPolicy {
  int tries = 6;  // outlives five faults in a row
  Clock::Duration first_pause{200}, longest_pause{5'000};
  Clock::Duration longest_asked{60'000};  // what Retry-After may demand
  // For so long a registry that says "too many requests" is waited for; it costs no tries.
  Clock::Duration longest_throttled{300'000};
};

// 408, 425, 429, 500, 502, 503, 504, and what proxies say (499, 520 to 524): the same request may succeed later.
bool is_transient(int status);
bool is_transient(const Outcome& outcome);
// The Retry-After header: seconds, or a date relative to the response's own Date (clocks differ).
std::optional<Clock::Duration> retry_after(const HttpResponse& response);

// The last outcome, and what it took.
struct Trial {
  Outcome outcome;
  int tries = 1;
  Clock::Duration elapsed{0};
};

struct Retrying {
  RetryPolicy policy;
  Clock& clock;
  EventSink& events;
  std::stop_token stop;

  // Calls `attempt` (with 1, 2, …) until its outcome is not transient or the policy is exhausted.
  // Whatever `attempt` does must be harmless when done twice. `doing` is for the events. `progress` tells how far
  // the work as a whole has come, in bytes: tries are counted anew when it has got on.
  Trial run(std::string_view doing, const std::function<Outcome(int)>& attempt,
            const std::function<std::uint64_t()>& progress = {}) const;
};

}  // namespace whittle::registry
