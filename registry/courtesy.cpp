#include "registry/courtesy.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>

namespace whittle::registry {

namespace {

using SteadyClock = std::chrono::steady_clock;

// One origin's turnstile.
class Turnstile {
 public:
  explicit Turnstile(int most) : most_(most), room_(most) {}

  // False: a stop was asked for.
  bool enter(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait(lock, stop, [&] { return inside_ < static_cast<int>(room_); })) return false;
    ++inside_;
    return true;
  }

  void leave(bool is_overloaded, SteadyClock::time_point since) {
    const std::lock_guard lock(mutex_);
    --inside_;
    if (!is_overloaded) {
      room_ = std::min<double>(most_, room_ + 1 / room_);
    } else if (since > narrowed_) {
      // Those that were under way together say the same thing; it counts once.
      room_ = std::max(1.0, room_ / 2);
      narrowed_ = SteadyClock::now();
    }
    changed_.notify_all();
  }

 private:
  const int most_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  double room_;
  int inside_ = 0;
  SteadyClock::time_point narrowed_{};
};

class Courteous : public HttpTransport {
 public:
  Courteous(HttpTransport& inner, int most) : inner_(inner), most_(most) {}

  Outcome send(const HttpRequest& request, const BodySink& sink, std::stop_token stop) override {
    const auto url = Url::parse(request.url);
    Turnstile& turnstile = turnstile_of(url ? url->origin() : "");
    if (!turnstile.enter(stop)) return TransportFailure{TransportFailure::Kind::cancelled, "cancelled"};
    const SteadyClock::time_point since = SteadyClock::now();
    // Whatever is thrown, the place is given back.
    bool is_overloaded = false;
    const std::shared_ptr<void> leaving(nullptr, [&](void*) { turnstile.leave(is_overloaded, since); });
    Outcome outcome = inner_.send(request, sink, std::move(stop));
    const auto* response = std::get_if<HttpResponse>(&outcome);
    is_overloaded = response != nullptr && (response->status == 429 || response->status == 503);
    return outcome;
  }

 private:
  Turnstile& turnstile_of(const std::string& origin) {
    const std::lock_guard lock(mutex_);
    return turnstiles_.try_emplace(origin, most_).first->second;
  }

  HttpTransport& inner_;
  int most_;
  std::mutex mutex_;
  std::map<std::string, Turnstile> turnstiles_;
};

// Bytes are paid for after they have passed; who owes waits.
class Budget {
 public:
  explicit Budget(std::uint64_t bytes_per_second) : rate_(static_cast<double>(bytes_per_second)) {}

  void pay(std::size_t bytes, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    const auto now = SteadyClock::now();
    paid_until_ = std::max(paid_until_, now) + std::chrono::duration_cast<SteadyClock::duration>(
                                                   std::chrono::duration<double>(static_cast<double>(bytes) / rate_));
    const auto until = paid_until_;
    never_.wait_until(lock, stop, until, [] { return false; });
  }
  // So small that a slow line is not mistaken for a stalled one.
  std::size_t portion() const { return static_cast<std::size_t>(std::clamp(rate_ / 4, 1024.0, 262'144.0)); }

 private:
  double rate_;
  std::mutex mutex_;
  std::condition_variable_any never_;
  SteadyClock::time_point paid_until_{};
};

class PaidSource : public Source {
 public:
  PaidSource(Source& inner, Budget& budget, std::stop_token stop)
      : inner_(inner), budget_(budget), stop_(std::move(stop)) {}
  std::size_t read(std::span<std::byte> room) override {
    const std::size_t size = inner_.read(room.first(std::min(room.size(), budget_.portion())));
    budget_.pay(size, stop_);
    return size;
  }

 private:
  Source& inner_;
  Budget& budget_;
  std::stop_token stop_;
};

class PaidSink : public Sink {
 public:
  PaidSink(Sink& inner, Budget& budget, std::stop_token stop)
      : inner_(inner), budget_(budget), stop_(std::move(stop)) {}
  void write(Bytes bytes) override {
    inner_.write(bytes);
    budget_.pay(bytes.size(), stop_);
  }

 private:
  Sink& inner_;
  Budget& budget_;
  std::stop_token stop_;
};

class RateLimited : public HttpTransport {
 public:
  RateLimited(HttpTransport& inner, std::uint64_t bytes_per_second) : inner_(inner), budget_(bytes_per_second) {}

  Outcome send(const HttpRequest& request, const BodySink& sink, std::stop_token stop) override {
    HttpRequest paid = request;
    std::optional<PaidSource> source;
    if (request.body_source != nullptr) paid.body_source = &source.emplace(*request.body_source, budget_, stop);
    std::optional<PaidSink> paying;
    const BodySink chosen = [&](const HttpResponse& head) -> Sink* {
      Sink* const inner = sink ? sink(head) : nullptr;
      return inner != nullptr ? &paying.emplace(*inner, budget_, stop) : nullptr;
    };
    return inner_.send(paid, chosen, stop);
  }

 private:
  HttpTransport& inner_;
  Budget budget_;
};

}  // namespace

std::unique_ptr<HttpTransport> courteous(HttpTransport& inner, int most) {
  return std::make_unique<Courteous>(inner, most);
}

std::unique_ptr<HttpTransport> rate_limited(HttpTransport& inner, std::uint64_t bytes_per_second) {
  return std::make_unique<RateLimited>(inner, bytes_per_second);
}

}  // namespace whittle::registry
