#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <thread>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/text.hpp"
#include "registry/http.hpp"

using namespace whittle;
using namespace whittle::registry;
using Kind = TransportFailure::Kind;

namespace {

// A server that reads one request's head and answers with these bytes, whatever they are, then closes.
class RawServer {
 public:
  enum class Then { close, wait, drip };  // `drip` sends kDrops more bytes in some seconds
  static constexpr int kDrops = 200;
  explicit RawServer(std::string answer, Then then = Then::close) : answer_(std::move(answer)), then_(then) {
    listener_ = FileDescriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(listener_.get(), any, size) == 0);
    REQUIRE(::listen(listener_.get(), 8) == 0);
    REQUIRE(::getsockname(listener_.get(), any, &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~RawServer() { heard(); }
  RawServer(RawServer&) = delete;
  RawServer& operator=(RawServer&) = delete;

  std::string url() const { return cat("http://127.0.0.1:", port_, "/v2/"); }
  // Everything that came; nothing is accepted afterwards.
  std::string heard() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    return heard_;
  }

 private:
  void serve() {
    const FileDescriptor connection(::accept(listener_.get(), nullptr, nullptr));
    if (!connection) return;
    std::array<char, 4096> room{};
    while (heard_.find("\r\n\r\n") == std::string::npos) {
      const ssize_t size = ::read(connection.get(), room.data(), room.size());
      if (size <= 0) return;
      heard_.append(room.data(), static_cast<std::size_t>(size));
    }
    std::string_view rest = answer_;
    while (!rest.empty()) {
      const ssize_t size = ::send(connection.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
      if (size <= 0) return;
      rest.remove_prefix(static_cast<std::size_t>(size));
    }
    // Held open until the client goes away.
    while (then_ == Then::wait && ::read(connection.get(), room.data(), room.size()) > 0) {
    }
    pollfd client{.fd = connection.get(), .events = POLLIN, .revents = 0};
    for (int i = 0; then_ == Then::drip && i < kDrops; ++i) {
      if (::poll(&client, 1, 10) != 0 || ::send(connection.get(), " ", 1, MSG_NOSIGNAL) != 1) return;
    }
  }

  std::string answer_, heard_;
  Then then_;
  FileDescriptor listener_;
  int port_ = 0;
  std::thread thread_;
};

TransportFailure failure_of(const Outcome& outcome) {
  REQUIRE(std::holds_alternative<TransportFailure>(outcome));
  return std::get<TransportFailure>(outcome);
}

Outcome get(const std::string& url, Sink* sink = nullptr) {
  return curl_transport()->send({.method = "GET", .url = url}, [sink](const HttpResponse&) { return sink; }, {});
}

}  // namespace

TEST_CASE("status, headers and body come back, names in lower case") {
  RawServer server(
      "HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\nHTTP/1.1 404 Nope\r\nDocker-X:  a b \r\nLINK: 1\r\nlink: "
      "2\r\nContent-Length: 4\r\n\r\nbody");
  const Outcome outcome = get(server.url());
  const auto& response = std::get<HttpResponse>(outcome);
  CHECK(response.status == 404);
  CHECK(response.header("docker-x") == "a b");
  CHECK(response.all("link") == std::vector<std::string>{"1", "2"});
  CHECK_FALSE(response.header("x-early"));
  CHECK(response.body == "body");
  CHECK(response.peer == "127.0.0.1");
}

TEST_CASE("only the body of a success goes to the sink") {
  StringSink sink;
  RawServer good("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody");
  CHECK(std::get<HttpResponse>(get(good.url(), &sink)).body.empty());
  CHECK(sink.text == "body");
  RawServer bad("HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops");
  CHECK(std::get<HttpResponse>(get(bad.url(), &sink)).body == "oops");
  CHECK(sink.text == "body");
}

TEST_CASE("a redirect is an answer and is not followed") {
  RawServer target("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  RawServer server(cat("HTTP/1.1 307 There\r\nLocation: ", target.url(), "\r\nContent-Length: 0\r\n\r\n"));
  CHECK(std::get<HttpResponse>(get(server.url())).status == 307);
  CHECK(target.heard().empty());
}

TEST_CASE("a body that ends early is a broken transfer with the bytes that came") {
  StringSink sink;
  RawServer server("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
  const TransportFailure failure = failure_of(get(server.url(), &sink));
  CHECK(failure.kind == Kind::broken);
  CHECK(failure.received == 5);
  CHECK_FALSE(failure.text.empty());
}

TEST_CASE("no answer, nonsense and nobody there are broken transfers") {
  RawServer silent("");
  CHECK(failure_of(get(silent.url())).kind == Kind::broken);
  std::string url;
  {
    RawServer gone("");
    url = gone.url();
    get(url);
  }
  const TransportFailure refused = failure_of(get(url));
  CHECK(refused.kind == Kind::broken);
  CHECK(refused.text.find("connect") != std::string::npos);
}

TEST_CASE("an endless answer is cut at 4 MiB") {
  RawServer server(cat("HTTP/1.1 200 OK\r\n\r\n", std::string(5 << 20, 'x')));
  const TransportFailure failure = failure_of(get(server.url()));
  CHECK(failure.kind == Kind::refused);
  CHECK(failure.text == "the answer is larger than 4.2 MB");
}

TEST_CASE("endless headers are cut") {
  std::string headers;
  for (int i = 0; i < 5000; ++i) headers += cat("X-", i, ": ", std::string(80, 'y'), "\r\n");
  RawServer server(cat("HTTP/1.1 200 OK\r\n", headers, "\r\n"));
  CHECK(std::holds_alternative<TransportFailure>(get(server.url())));
}

TEST_CASE("what the sink throws comes out as it was") {
  struct Full : Sink {
    void write(Bytes) override { throw Error(Exit::export_failed, "disk full"); }
  } full;
  RawServer server("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody");
  CHECK_THROWS_WITH_AS(get(server.url(), &full), "disk full", Error);
}

TEST_CASE("a body's source that throws ends the request with its error") {
  struct Broken : Source {
    std::size_t read(std::span<std::byte>) override { throw Error(Exit::usage, "blob damaged"); }
  } broken;
  RawServer server("", RawServer::Then::wait);
  const HttpRequest request{.method = "PUT", .url = server.url(), .body_source = &broken, .body_size = 10};
  CHECK_THROWS_WITH_AS(curl_transport()->send(request, nullptr, {}), "blob damaged", Error);
}

TEST_CASE("a header with a line end in it is never sent") {
  RawServer server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  for (const auto& [name, value] : {std::pair("X-A", "b\r\nX-Evil: 1"), std::pair("X-A\r\nX-Evil", "1"),
                                    std::pair("X-A", "\n"), std::pair("", "x")}) {
    const HttpRequest request{.method = "GET", .url = server.url(), .headers = {{name, value}}};
    CHECK_THROWS_AS(curl_transport()->send(request, nullptr, {}), Error);
  }
  CHECK(server.heard().empty());
}

TEST_CASE("a request to stop ends a transfer that hangs") {
  RawServer server("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome", RawServer::Then::wait);
  std::stop_source stop;
  struct Stopping : Sink {
    std::stop_source* source;
    void write(Bytes) override { source->request_stop(); }
  } sink;
  sink.source = &stop;
  const Outcome outcome = curl_transport()->send(
      {.method = "GET", .url = server.url()}, [&](const HttpResponse&) { return &sink; }, stop.get_token());
  CHECK(failure_of(outcome).kind == Kind::cancelled);
}

TEST_CASE("a small answer that comes byte by byte is given up in the end, a download is not") {
  const auto transport = curl_transport({}, {.answer = std::chrono::seconds(1)});
  RawServer slow("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", RawServer::Then::drip);
  const TransportFailure failure = failure_of(transport->send({.method = "GET", .url = slow.url()}, nullptr, {}));
  CHECK(failure.kind == Kind::broken);
  CHECK(failure.text == "the answer was not there after 1 s");

  RawServer download("HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n", RawServer::Then::drip);
  StringSink sink;
  const Outcome outcome =
      transport->send({.method = "GET", .url = download.url()}, [&](const HttpResponse&) { return &sink; }, {});
  CHECK(std::holds_alternative<HttpResponse>(outcome));
  CHECK(sink.text.size() == 200);
}

TEST_CASE("a connection further inside than allowed carries no request") {
  RawServer server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  const TransportFailure failure = failure_of(
      curl_transport()->send({.method = "GET", .url = server.url(), .reach = Reach::public_only}, nullptr, {}));
  CHECK(failure.kind == Kind::refused);
  CHECK(failure.text == "it leads to the internal address 127.0.0.1, where the registry itself is not");
  CHECK(server.heard().empty());
}

TEST_CASE("other protocols than http are refused") {
  CHECK(failure_of(get("file:///etc/passwd")).kind == Kind::refused);
  CHECK(failure_of(get("gopher://127.0.0.1/")).kind == Kind::refused);
}

TEST_CASE("one transport serves several threads") {
  const auto transport = curl_transport();
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      RawServer server("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody");
      const Outcome outcome = transport->send({.method = "GET", .url = server.url()}, nullptr, {});
      const auto* response = std::get_if<HttpResponse>(&outcome);
      if (response && response->body == "body") ++good;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(good == 8);
}
