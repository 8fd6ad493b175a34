// An HttpTransport that answers from a list, so that a test can say exactly what goes wrong and when.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "registry/http.hpp"
#include "registry/retry.hpp"

namespace whittle::testing {

class ScriptedTransport : public registry::HttpTransport {
 public:
  // Answers in this order; one more request than answers is answered by 599.
  void then(registry::HttpResponse response) { script_.push_back(std::move(response)); }
  void then(registry::TransportFailure failure) { script_.push_back(std::move(failure)); }
  // `number` times the same.
  void then(int number, const registry::Outcome& outcome) {
    for (int i = 0; i < number; ++i) script_.push_back(outcome);
  }

  registry::Outcome send(const registry::HttpRequest& request, const registry::BodySink& choose,
                         std::stop_token stop) override {
    const std::lock_guard lock(mutex_);
    sent.push_back(request);
    bodies.push_back(request.body_source ? read_all(*request.body_source, 1 << 30, "body") : request.body);
    sent.back().body_source = nullptr;
    if (stop.stop_requested())
      return registry::TransportFailure{registry::TransportFailure::Kind::cancelled, "cancelled"};
    if (script_.empty()) return registry::HttpResponse{.status = 599};
    registry::Outcome outcome = std::move(script_.front());
    script_.pop_front();
    if (auto* response = std::get_if<registry::HttpResponse>(&outcome); response && response->ok() && choose) {
      if (Sink* const sink = choose(*response); sink != nullptr) {
        sink->write(bytes_of(response->body));
        response->body.clear();
      }
    }
    return outcome;
  }

  bool is_used_up() const { return script_.empty(); }
  std::vector<registry::HttpRequest> sent;
  std::vector<std::string> bodies;

 private:
  std::mutex mutex_;
  std::deque<registry::Outcome> script_;
};

// Time that passes only when somebody sleeps. Safe for several threads, except `slept`: read it when they are done.
class FakeClock : public registry::Clock {
 public:
  Time now() override {
    const std::scoped_lock lock(mutex_);
    return now_;
  }
  void sleep(Duration time, std::stop_token) override {
    const std::scoped_lock lock(mutex_);
    slept.push_back(time);
    now_ += time;
  }
  void advance(Duration time) {
    const std::scoped_lock lock(mutex_);
    now_ += time;
  }
  std::vector<Duration> slept;

 private:
  std::mutex mutex_;
  Time now_{};
};

}  // namespace whittle::testing
