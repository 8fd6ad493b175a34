#include "gateway/serve.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>

#include <atomic>
#include <future>
#include <thread>

#include "base/error.hpp"
#include "base/text.hpp"
#include "oci/partial_blob.hpp"
#include "server/descriptor.hpp"
#include "tests/gateway/layouts.hpp"

using namespace whittle;
using namespace whittle::gateway;
using test::put_image;
using test::TemporaryLayout;
using namespace std::chrono_literals;

namespace {

// Serves until it goes out of scope.
class Serving {
 public:
  explicit Serving(ServeOptions options) {
    std::promise<std::uint16_t> started;
    auto port = started.get_future();
    options.listen = {.host = "127.0.0.1", .port = 0};
    thread_ = std::jthread([this, options, started = std::move(started)](std::stop_token stop) mutable {
      serve(options, events_, stop, [&](std::uint16_t taken) { started.set_value(taken); });
    });
    port_ = port.get();
  }
  std::uint16_t port() const { return port_; }

 private:
  RecordingEvents events_;
  std::uint16_t port_ = 0;
  std::jthread thread_;
};

class Client {
 public:
  explicit Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval limit{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    REQUIRE(::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  }
  void send(std::string_view text) {
    REQUIRE(::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
  }
  void ask(std::string_view path) { send(cat("GET ", path, " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")); }
  // At least `wanted` bytes, unless the far side ends before.
  std::string receive(std::size_t wanted = std::string::npos) {
    std::string all;
    char room[4096];
    while (all.size() < wanted) {
      const ssize_t count = ::recv(socket_.get(), room, sizeof(room), 0);
      if (count <= 0) break;
      all.append(room, static_cast<std::size_t>(count));
    }
    return all;
  }

 private:
  server::Descriptor socket_;
};

std::string body_of(const std::string& answer) {
  return answer.substr(std::min(answer.size(), answer.find("\r\n\r\n") + 4));
}

std::string get(std::uint16_t port, std::string_view path) {
  Client client(port);
  client.ask(path);
  return client.receive();
}

// Has one image, whose layer comes in two halves: the second when it is told to.
class FakeUpstream : public Upstream {
 public:
  explicit FakeUpstream(std::string layer) : layer_(std::move(layer)) {
    image_ = put_image(at_.layout.blobs(), layer_);
  }

  bool covers(const oci::Reference&) const override { return true; }
  std::optional<oci::Descriptor> manifest(const oci::Reference& image, oci::BlobStore& into) override {
    ++asked;
    if (has_no_link) throw Error(Exit::transient, "there is no link");
    if (image.repository != "edge/sensor") return std::nullopt;
    return into.put(at_.layout.blobs().read(image_, oci::kMaximumManifest), image_.media_type);
  }
  void blob(const oci::Reference&, const oci::Descriptor& blob, oci::BlobStore& into) override {
    ++asked;
    const std::string text = sends_wrong_bytes ? std::string(layer_.size(), 'x') : layer_;
    oci::PartialBlob partial(into, blob);
    const std::size_t half = text.size() / 2;
    partial.write(bytes_of(text.substr(0, half)));
    go_on.get_future().wait();
    partial.write(bytes_of(text.substr(half)));
    if (!partial.is_whole()) {
      partial.restart();
      throw Error(Exit::registry_content, "upstream has something else");
    }
    partial.commit();
  }

  std::atomic<int> asked = 0;
  std::atomic<bool> has_no_link = false, sends_wrong_bytes = false;
  std::promise<void> go_on;

 private:
  TemporaryLayout at_;
  std::string layer_;
  oci::Descriptor image_;
};

ServeOptions options_for(TemporaryLayout& at) {
  ServeOptions options;
  options.store = at.layout.root();
  options.cache = at.folder.path() / "cache";
  return options;
}

std::string blob_path(std::string_view content) {
  return cat("/v2/edge/sensor/blobs/", digest_of(bytes_of(content)).str());
}

const std::string kLayer(200'000, 'l');

}  // namespace

TEST_CASE("a blob is sent while it still comes from upstream") {
  TemporaryLayout at;
  FakeUpstream upstream(kLayer);
  ServeOptions options = options_for(at);
  options.upstream = &upstream;
  const Serving serving(options);
  CHECK(get(serving.port(), "/v2/edge/sensor/manifests/1").starts_with("HTTP/1.1 200"));

  Client client(serving.port());
  client.ask(blob_path(kLayer));
  std::string answer = client.receive(50'000);
  CHECK(answer.starts_with("HTTP/1.1 200"));
  CHECK(answer.size() >= 50'000);
  upstream.go_on.set_value();
  answer += client.receive();
  CHECK(body_of(answer) == kLayer);
  // From the cache from now on.
  const int asked = upstream.asked;
  CHECK(body_of(get(serving.port(), blob_path(kLayer))) == kLayer);
  CHECK(get(serving.port(), "/v2/edge/sensor/manifests/1").starts_with("HTTP/1.1 200"));
  CHECK(upstream.asked == asked);
}

TEST_CASE("what proves wrong in the end is never sent whole") {
  TemporaryLayout at;
  FakeUpstream upstream(kLayer);
  upstream.sends_wrong_bytes = true;
  ServeOptions options = options_for(at);
  options.upstream = &upstream;
  const Serving serving(options);
  get(serving.port(), "/v2/edge/sensor/manifests/1");
  Client client(serving.port());
  client.ask(blob_path(kLayer));
  std::string answer = client.receive(50'000);
  upstream.go_on.set_value();
  answer += client.receive();
  CHECK(body_of(answer).size() < kLayer.size());
}

TEST_CASE("without a link the answer is that, and the link is not asked again at once") {
  TemporaryLayout at;
  FakeUpstream upstream(kLayer);
  upstream.has_no_link = true;
  ServeOptions options = options_for(at);
  options.upstream = &upstream;
  const Serving serving(options);
  for (int i = 0; i < 5; ++i) {
    const std::string answer = get(serving.port(), "/v2/edge/sensor/manifests/1");
    CHECK(answer.starts_with("HTTP/1.1 503"));
    CHECK(answer.find("there is no link") != std::string::npos);
    CHECK(answer.find("Retry-After: ") != std::string::npos);
  }
  CHECK(upstream.asked == 1);
}

TEST_CASE("what upstream does not have is not there") {
  TemporaryLayout at;
  FakeUpstream upstream(kLayer);
  ServeOptions options = options_for(at);
  options.upstream = &upstream;
  const Serving serving(options);
  CHECK(get(serving.port(), "/v2/edge/other/manifests/1").starts_with("HTTP/1.1 404"));
  // A blob that no manifest names is not asked for.
  CHECK(get(serving.port(), blob_path("anything")).starts_with("HTTP/1.1 404"));
  CHECK(upstream.asked == 1);
}

TEST_CASE("a client that does not finish its question is let go") {
  TemporaryLayout at;
  ServeOptions options = options_for(at);
  options.limits.head = 100ms;
  const Serving serving(options);
  Client client(serving.port());
  client.send("GET /v2/ HT");
  CHECK(client.receive().starts_with("HTTP/1.1 408"));
}

TEST_CASE("a client that says nothing is let go, and so is one that takes nothing") {
  TemporaryLayout at;
  const std::string large(20'000'000, 'x');
  put_image(at.layout.blobs(), large);
  ServeOptions options = options_for(at);
  options.limits.idle = 100ms;
  options.limits.progress = 300ms;
  const Serving serving(options);
  Client silent(serving.port());
  CHECK(silent.receive().empty());
  Client lazy(serving.port());
  lazy.ask(blob_path(large));
  std::this_thread::sleep_for(2s);
  CHECK(lazy.receive().size() < large.size());
}

TEST_CASE("questions that are sent ahead are answered in order") {
  TemporaryLayout at;
  at.layout.tag("edge/sensor:1", put_image(at.layout.blobs(), kLayer));
  const Serving serving(options_for(at));
  Client client(serving.port());
  std::string questions;
  for (int i = 0; i < 50; ++i) questions += cat("GET ", blob_path(kLayer), " HTTP/1.1\r\nHost: a\r\n\r\n");
  client.send(questions + "GET /v2/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const std::string answers = client.receive();
  std::size_t count = 0;
  for (std::size_t at_byte = 0; (at_byte = answers.find("HTTP/1.1 200", at_byte)) != std::string::npos; ++at_byte)
    ++count;
  CHECK(count == 51);
  CHECK(answers.ends_with("{}"));
}

TEST_CASE("lists come in pages") {
  TemporaryLayout at;
  const oci::Descriptor image = put_image(at.layout.blobs(), "a");
  for (const char* tag : {"c", "a", "b"}) at.layout.tag(cat("r.example.org/app:", tag), image);
  const Serving serving(options_for(at));
  const std::string first = get(serving.port(), "/v2/app/tags/list?n=2&ns=r.example.org");
  CHECK(body_of(first) == R"({"name":"app","tags":["a","b"]})");
  CHECK(first.find(R"(Link: </v2/app/tags/list?last=b&n=2&ns=r.example.org>; rel="next")") != std::string::npos);
  const std::string second = get(serving.port(), "/v2/app/tags/list?last=b&n=2&ns=r.example.org");
  CHECK(body_of(second) == R"({"name":"app","tags":["c"]})");
  CHECK(second.find("Link: ") == std::string::npos);
  CHECK(body_of(get(serving.port(), "/v2/app/tags/list?n=0")) == R"({"name":"app","tags":[]})");
}

TEST_CASE("addresses to listen on") {
  CHECK(ListenAddress::parse("127.0.0.1:5000").port == 5000);
  CHECK(ListenAddress::parse("[::1]:0").host == "::1");
  CHECK(ListenAddress::parse(":80").host.empty());
  CHECK(ListenAddress::parse("localhost:1").host == "127.0.0.1");
  for (const char* bad : {"", "5000", "a:1", "1.2.3:4", "[::1:5", "[]:5", "1.2.3.4:", "1.2.3.4:65536", "::1:5"}) {
    CHECK_THROWS_AS(ListenAddress::parse(bad), Error);
  }
}
