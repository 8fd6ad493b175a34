#include "registry/retry.hpp"

#include <algorithm>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <random>

#include "base/text.hpp"

namespace whittle::registry {

namespace {

class MachineClock : public Clock {
 public:
  Time now() override { return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now()); }
  void sleep(Duration time, std::stop_token stop) override {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait_for(lock, stop, time, [] { return false; });
  }
};

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7); the obsolete forms are not understood.
std::optional<std::time_t> parse_date(const std::string& text) {
  std::tm time{};
  const char* end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &time);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return ::timegm(&time);
}

// Between half and all of it, so that clients that failed together do not come back together.
Clock::Duration jittered(Clock::Duration pause) {
  thread_local std::minstd_rand random(std::random_device{}());
  return Clock::Duration(std::uniform_int_distribution<Clock::Duration::rep>(pause.count() / 2, pause.count())(random));
}

Clock::Duration pause_before(int next_try, const RetryPolicy& policy, const Outcome& outcome) {
  Clock::Duration pause = policy.first_pause;
  for (int i = 2; i < next_try; ++i) pause = std::min(pause * 2, policy.longest_pause);
  pause = jittered(pause);
  const auto* response = std::get_if<HttpResponse>(&outcome);
  const auto asked = response ? retry_after(*response) : std::nullopt;
  return asked ? std::clamp(*asked, pause, std::max(pause, policy.longest_asked)) : pause;
}

}  // namespace

Clock& machine_clock() {
  static MachineClock clock;
  return clock;
}

bool is_transient(int status) {
  switch (status) {
    case 408:
    case 425:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
      return true;
    default:
      return false;
  }
}

bool is_transient(const Outcome& outcome) {
  if (const auto* response = std::get_if<HttpResponse>(&outcome)) return is_transient(response->status);
  return std::get<TransportFailure>(outcome).kind == TransportFailure::Kind::broken;
}

std::optional<Clock::Duration> retry_after(const HttpResponse& response) {
  const auto asked = response.header("retry-after");
  if (!asked) return std::nullopt;
  constexpr std::uint64_t kDay = 86'400;
  if (const auto seconds = parse_number(trim(*asked))) return std::chrono::seconds(std::min(*seconds, kDay));
  const auto then = parse_date(std::string(trim(*asked)));
  const auto now = parse_date(std::string(trim(response.header("date").value_or(""))));
  if (!then || !now) return std::nullopt;
  return std::chrono::seconds(std::clamp<std::int64_t>(*then - *now, 0, kDay));
}

Trial Retrying::run(std::string_view doing, const std::function<Outcome(int)>& attempt) const {
  const Clock::Time start = clock.now();
  for (int number = 1;; ++number) {
    Outcome outcome = attempt(number);
    if (!is_transient(outcome) || number >= policy.tries || stop.stop_requested()) {
      return {std::move(outcome), number, clock.now() - start};
    }
    const Clock::Duration pause = pause_before(number + 1, policy, outcome);
    const auto* response = std::get_if<HttpResponse>(&outcome);
    const std::string why = response ? cat("status ", response->status) : std::get<TransportFailure>(outcome).text;
    events.verbose(
        cat(doing, ": ", printable(why), "; try ", number + 1, " of ", policy.tries, " in ", pause.count(), " ms"));
    clock.sleep(pause, stop);
  }
}

}  // namespace whittle::registry
