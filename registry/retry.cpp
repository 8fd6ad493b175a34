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

// Less than this may be an endless drip.
constexpr std::uint64_t kProgress = 64 * 1024;

// GitHub's secondary limit is a 403 that says so in words, or names a time.
bool is_rate_limit(const HttpResponse& response) {
  if (response.status == 429) return true;
  if (response.status != 403) return false;
  return response.header("retry-after") || lower(response.body).find("rate limit") != std::string::npos;
}

bool is_throttled(const Outcome& outcome) {
  const auto* response = std::get_if<HttpResponse>(&outcome);
  return response != nullptr && is_rate_limit(*response);
}

std::string reason_of(const Outcome& outcome) {
  if (const auto* response = std::get_if<HttpResponse>(&outcome)) return cat("status ", response->status);
  return std::get<TransportFailure>(outcome).text;
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
  if (!asked) return pause;
  const Clock::Duration wanted = std::min(*asked, policy.longest_asked);
  // A limit on many at once is not outwaited by longer and longer pauses: whoever pauses longest starves. Up to twice
  // what was asked, so that they do not all come back in the same moment.
  if (is_throttled(outcome)) return wanted + jittered(std::clamp(wanted, policy.first_pause, policy.longest_pause));
  return std::max(wanted, pause);
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
    case 499:
    case 500:
    case 502:
    case 503:
    case 504:
    case 520:
    case 521:
    case 522:
    case 523:
    case 524:
      return true;
    default:
      return false;
  }
}

bool is_transient(const Outcome& outcome) {
  if (const auto* response = std::get_if<HttpResponse>(&outcome)) {
    return is_transient(response->status) || is_rate_limit(*response);
  }
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

Trial Retrying::run(std::string_view doing, const std::function<Outcome(int)>& attempt,
                    const std::function<std::uint64_t()>& progress) const {
  const Clock::Time start = clock.now();
  std::uint64_t reached = progress ? progress() : 0;
  int spent = 0;  // tries since the work last got on
  for (int number = 1;; ++number) {
    Outcome outcome = attempt(number);
    const std::uint64_t now_reached = progress ? progress() : 0;
    if (now_reached >= reached + kProgress) spent = 0;
    reached = std::max(reached, now_reached);
    const bool waits = is_throttled(outcome) && clock.now() - start < policy.longest_throttled;
    if (!waits) ++spent;
    if (!is_transient(outcome) || spent >= policy.tries || stop.stop_requested()) {
      return {std::move(outcome), number, clock.now() - start};
    }
    const Clock::Duration pause = pause_before(waits ? number + 1 : spent + 1, policy, outcome);
    events.verbose(cat(doing, ": ", printable(reason_of(outcome)), "; try ", number + 1, " in ", pause.count(), " ms"));
    clock.sleep(pause, stop);
  }
}

}  // namespace whittle::registry
