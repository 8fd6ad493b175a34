#include "cli/session.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/sandbox.hpp"
#include "registry/courtesy.hpp"
#include "registry/routes.hpp"

namespace whittle::cli {

namespace {

constexpr int kTransfers = 6;

}  // namespace

Session::Session(std::map<std::string, std::string> environment, EventSink& events, std::ostream& out,
                 std::stop_token stop)
    : environment_(std::move(environment)), events_(events), out_(out), stop_(std::move(stop)) {}

Session::~Session() = default;

std::string Session::variable(const std::string& name) const {
  const auto found = environment_.find(name);
  return found == environment_.end() ? "" : found->second;
}

ThreadPool& Session::pool() {
  if (!pool_) {
    const std::string wanted = variable("WHITTLE_THREADS");
    const std::optional<std::uint64_t> threads = parse_number(wanted.empty() ? "0" : wanted);
    if (!threads || *threads > 1024) {
      throw Error(Exit::usage, cat("`WHITTLE_THREADS` is ", backticked(wanted), ", not a number from 0 to 1024"))
          .hint("0 means one thread per processor");
    }
    pool_ = std::make_unique<ThreadPool>(*threads);
  }
  return *pool_;
}

ThreadPool& Session::transfers() {
  if (!transfers_) transfers_ = std::make_unique<ThreadPool>(kTransfers);
  return *transfers_;
}

registry::HttpTransport& Session::transport() {
  if (transport_) return *transport_;
  connections_ = registry::curl_transport({}, {}, [this](const registry::Url& url) { return routes().tls_for(url); });
  if (rate_ > 0) limited_ = registry::rate_limited(*connections_, rate_);
  transport_ = registry::courteous(limited_ ? *limited_ : *connections_, kTransfers);
  return *transport_;
}

void Session::limit_rate(const std::string& text) {
  if (text.empty()) return;
  const auto rate = parse_size(text);
  if (!rate || *rate < 1024) {
    throw Error(Exit::usage, cat("`--limit-rate` is ", backticked(text), ", not a number of bytes a second"))
        .hint("write it as `500KB` or `2MB`; the least is 1KiB");
  }
  rate_ = *rate;
}

registry::Client Session::client(bool allow_http) {
  return {transport(), client_options(allow_http), events_, stop_};
}

fs::path Session::user_folder(const char* whittle_variable, const char* xdg_variable, const char* below_home) const {
  if (const std::string own = variable(whittle_variable); !own.empty()) return fs::absolute(own);
  // The XDG base directory specification: a relative path is invalid and to be ignored.
  if (const std::string xdg = variable(xdg_variable); xdg.starts_with('/')) return fs::path(xdg) / "whittle";
  if (const std::string home = variable("HOME"); home.starts_with('/')) {
    return fs::path(home) / below_home / "whittle";
  }
  throw Error(Exit::usage, cat("neither `", whittle_variable, "`, `", xdg_variable, "` nor `HOME` names a folder"))
      .hint(cat("set `", whittle_variable, "` to a folder that whittle may write to"));
}

fs::path Session::store_folder() const {
  const fs::path folder = user_folder("WHITTLE_STORE", "XDG_DATA_HOME", ".local/share");
  return variable("WHITTLE_STORE").empty() ? folder / "store" : folder;
}

oci::Layout Session::open_store() {
  return oci::Layout(store_folder(), oci::Layout::Open::create, events_);
}

fs::path Session::cache_folder() const {
  return user_folder("WHITTLE_CACHE", "XDG_CACHE_HOME", ".cache");
}

builder::Host Session::host() const {
  return {.environment = environment_, .cache = cache_folder(), .platform = oci::Platform::host().str()};
}

builder::Sandbox& Session::sandbox(const std::string& mode) {
  if (!sandbox_ || sandbox_->mode() != mode) {
    sandbox_ = std::make_unique<builder::Sandbox>(mode, host(), runner_, events_);
  }
  return *sandbox_;
}

const registry::Routes& Session::routes() {
  if (!routes_) routes_ = std::make_unique<registry::Routes>(registry::Routes::read(environment_));
  return *routes_;
}

registry::ClientOptions Session::client_options(bool allow_http) {
  return {.environment = environment_,
          .allow_http = allow_http,
          .routes = &routes(),
          .memory = cache_folder() / "registries"};
}

}  // namespace whittle::cli
