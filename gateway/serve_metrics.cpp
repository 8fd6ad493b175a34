#include "gateway/serve_metrics.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace whittle::gateway {

namespace {

constexpr std::array kKindNames = {"base", "catalog", "tags", "manifest", "blob", "referrers", "metrics", "other"};
constexpr std::array kClassNames = {"2xx", "3xx", "4xx", "5xx"};

enum class Type { gauge, counter };

void begin(std::string& out, std::string_view name, Type type, std::string_view help, std::string_view unit = {}) {
  out += cat("# TYPE whittle_gateway_", name, type == Type::gauge ? " gauge\n" : " counter\n");
  if (!unit.empty()) out += cat("# UNIT whittle_gateway_", name, " ", unit, "\n");
  out += cat("# HELP whittle_gateway_", name, " ", help, "\n");
}

template <class Number>
void one(std::string& out, std::string_view name, Type type, std::string_view help, Number value,
         std::string_view unit = {}) {
  begin(out, name, type, help, unit);
  out += cat("whittle_gateway_", name, type == Type::counter ? "_total " : " ", value, "\n");
}

}  // namespace

void ServeMetrics::count_answer(Route::Kind kind, int status) {
  const int hundreds = std::clamp(status / 100 - 2, 0, static_cast<int>(kClasses) - 1);
  answers_.at(static_cast<std::size_t>(kind)).at(static_cast<std::size_t>(hundreds))++;
}

std::string ServeMetrics::text() const {
  std::string out;
  begin(out, "requests", Type::counter, "Answers by what was asked for.");
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    for (std::size_t hundreds = 0; hundreds < kClasses; ++hundreds) {
      out += cat("whittle_gateway_requests_total{kind=\"", kKindNames[kind], "\",status=\"", kClassNames[hundreds],
                 "\"} ", answers_[kind][hundreds].load(), "\n");
    }
  }
  one(out, "sent_bytes", Type::counter, "Bytes of bodies that clients have taken.", sent.load(), "bytes");
  one(out, "connections", Type::gauge, "Clients at this moment.", connections.load());
  one(out, "connections_taken", Type::counter, "Clients ever.", connections_taken.load());
  one(out, "dropped", Type::counter, "Clients that took too long and were let go.", dropped.load());
  one(out, "broken", Type::counter, "Answers that failed on this side.", broken.load());
  one(out, "fetches", Type::counter, "Blobs and manifests that came from upstream.", fetched.load());
  one(out, "fetches_failed", Type::counter, "Those that did not.", fetches_failed.load());
  one(out, "fetched_bytes", Type::counter, "Bytes that came from upstream.", fetched_bytes.load(), "bytes");
  one(out, "repositories", Type::gauge, "Repositories that have a name here.", repositories.load());
  one(out, "tags", Type::gauge, "Tags of all repositories.", tags.load());
  one(out, "prefetch_left", Type::gauge, "Images that are still to be fetched ahead.", prefetch_left.load());
  out += "# EOF\n";
  return out;
}

}  // namespace whittle::gateway
