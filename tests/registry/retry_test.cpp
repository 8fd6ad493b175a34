#include "registry/retry.hpp"

#include <doctest/doctest.h>

#include "tests/support/scripted_transport.hpp"

using namespace whittle;
using namespace whittle::registry;
using namespace std::chrono_literals;

namespace {

struct Rig {
  whittle::testing::FakeClock clock;
  RecordingEvents events;
  std::stop_source stop;
  Retrying retrying{.policy = {}, .clock = clock, .events = events, .stop = stop.get_token()};

  Trial run(const Outcome& outcome) {
    return retrying.run("test", [&](int) { return outcome; });
  }
};

HttpResponse asking(std::string retry_after, std::string date = "") {
  return {.status = 429, .headers = {{"retry-after", std::move(retry_after)}, {"date", std::move(date)}}};
}

}  // namespace

TEST_CASE("what is not transient is not tried again") {
  for (const int status : {200, 301, 400, 401, 403, 404, 413, 501, 505}) {
    Rig rig;
    CHECK(rig.run(HttpResponse{.status = status}).tries == 1);
    CHECK(rig.clock.slept.empty());
  }
  Rig rig;
  CHECK(rig.run(TransportFailure{TransportFailure::Kind::untrusted, "bad certificate"}).tries == 1);
}

TEST_CASE("transient outcomes are tried six times, with growing pauses") {
  for (const int status : {408, 425, 499, 500, 502, 503, 504, 520, 524}) {
    Rig rig;
    CHECK(rig.run(HttpResponse{.status = status}).tries == 6);
    REQUIRE(rig.clock.slept.size() == 5);
    Clock::Duration full = 200ms;
    for (const Clock::Duration pause : rig.clock.slept) {
      CHECK(pause <= full);
      CHECK(pause >= full / 2);
      full *= 2;
    }
  }
  Rig rig;
  const Trial trial = rig.run(TransportFailure{TransportFailure::Kind::broken, "reset"});
  CHECK(trial.tries == 6);
  CHECK(trial.elapsed >= 3100ms);
}

TEST_CASE("a registry that asks us to slow down is waited for, and for five minutes at most") {
  for (const HttpResponse& answer :
       {HttpResponse{.status = 429}, HttpResponse{.status = 403, .headers = {{"retry-after", "1"}}},
        HttpResponse{.status = 403, .body = "You have exceeded a secondary Rate Limit"}}) {
    Rig rig;
    const Trial trial = rig.run(answer);
    CHECK(trial.tries > 50);
    CHECK(trial.elapsed >= 5min);
    CHECK(trial.elapsed < 6min);
  }
}

TEST_CASE("tries are counted anew when the work gets on, and a drip is no progress") {
  Rig rig;
  std::uint64_t reached = 0;
  const auto attempt = [&](int number) -> Outcome {
    if (number <= 20) reached += 64 * 1024;
    return TransportFailure{TransportFailure::Kind::broken, "reset"};
  };
  CHECK(rig.retrying.run("test", attempt, [&] { return reached; }).tries == 25);
  reached = 0;
  const auto drip = [&](int) -> Outcome {
    ++reached;
    return TransportFailure{TransportFailure::Kind::broken, "reset"};
  };
  CHECK(rig.retrying.run("test", drip, [&] { return reached; }).tries == 6);
}

TEST_CASE("five faults in a row are outlived") {
  Rig rig;
  const Trial trial = rig.retrying.run("test", [](int number) -> Outcome {
    if (number <= 5) return TransportFailure{TransportFailure::Kind::broken, "reset"};
    return HttpResponse{.status = 200};
  });
  CHECK(std::get<HttpResponse>(trial.outcome).status == 200);
  CHECK(trial.tries == 6);
}

TEST_CASE("Retry-After is waited for, in seconds or until a date of the server's own clock") {
  Rig rig;
  rig.run(asking("7"));
  CHECK(rig.clock.slept[0] >= 7s);
  CHECK(rig.clock.slept[0] <= 14s);
  CHECK(*retry_after(asking("Sun, 22 Nov 2026 10:00:20 GMT", "Sun, 22 Nov 2026 10:00:00 GMT")) == 20s);
  CHECK(*retry_after(asking("Sun, 22 Nov 2026 09:00:00 GMT", "Sun, 22 Nov 2026 10:00:00 GMT")) == 0s);
  CHECK_FALSE(retry_after(asking("Sun, 22 Nov 2026 10:00:20 GMT")));
  for (const char* nonsense : {"", "soon", "-1", "1e9", "99999999999999999999999"})
    CHECK_FALSE(retry_after(asking(nonsense)));
}

TEST_CASE("Retry-After cannot hold us for ever") {
  Rig rig;
  rig.run(asking("86400"));
  CHECK(rig.clock.slept[0] >= 60s);
  CHECK(rig.clock.slept[0] <= 65s);
}

TEST_CASE("nothing is tried again after a request to stop") {
  Rig rig;
  rig.stop.request_stop();
  CHECK(rig.run(HttpResponse{.status = 503}).tries == 1);
}

TEST_CASE("the machine's clock wakes up when asked to stop") {
  std::stop_source stop;
  stop.request_stop();
  const Clock::Time start = machine_clock().now();
  machine_clock().sleep(1h, stop.get_token());
  CHECK(machine_clock().now() - start < 1min);
}
