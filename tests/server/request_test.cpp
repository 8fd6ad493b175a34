#include "server/request.hpp"

#include <doctest/doctest.h>

#include <array>

#include "tests/server/support.hpp"

using namespace whittle;
using server::Request;
using test::string_of;
using test::view;

namespace {

int status_of(std::string_view head) {
  Request request;
  return server::parse_request(view(head), request);
}

}  // namespace

TEST_CASE("what is accepted may be said in several fields") {
  Request request;
  const std::string_view head = "GET / HTTP/1.1\r\nHost: a\r\nAccept: a/b\r\nAccept: c/d\r\n\r\n";
  CHECK(parse_request(view(head), request) == 0);
  CHECK(request.accept == "a/b");
}

TEST_CASE("a head is complete with its empty line") {
  CHECK(server::head_size(view("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /b")) == 27);
  CHECK(server::head_size(view("GET / HTTP/1.1\r\nHost: a\r\n")) == 0);
  CHECK(server::head_size(view("GET / HTTP/1.1\r\nHost: a\r\n\r")) == 0);
  CHECK(server::head_size(view("")) == 0);
}

TEST_CASE("a request is read with what decides its answer") {
  const std::string head =
      "GET /a?b HTTP/1.1\r\nhost: example.com:8080\r\nRANGE:  bytes=0-1 \r\nAccept-Encoding: gzip\r\n"
      "Sec-Fetch-Mode: navigate\r\nIf-None-Match: \"x\"\r\nX-Other: y\r\n\r\n";
  Request request;
  REQUIRE(server::parse_request(view(head), request) == 0);
  CHECK(request.method == Request::Method::get);
  CHECK(string_of(request.target) == "/a?b");
  CHECK(string_of(request.range) == "bytes=0-1");
  CHECK(string_of(request.accept_encoding) == "gzip");
  CHECK(string_of(request.fetch_mode) == "navigate");
  CHECK(string_of(request.if_none_match) == "\"x\"");
  CHECK(request.keeps_alive);
  CHECK_FALSE(request.has_body);
}

TEST_CASE("connections are kept as the version and the client want it") {
  const auto keeps = [](std::string_view head) {
    Request request;
    REQUIRE(server::parse_request(view(head), request) == 0);
    return request.keeps_alive;
  };
  CHECK(keeps("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  CHECK_FALSE(keeps("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n"));
  CHECK_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
  CHECK(keeps("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
}

TEST_CASE("a body is seen, and never read") {
  Request request;
  REQUIRE(server::parse_request(view("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"), request) == 0);
  CHECK(request.has_body);
  REQUIRE(server::parse_request(view("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), request) == 0);
  CHECK(request.has_body);
  REQUIRE(server::parse_request(view("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"), request) == 0);
  CHECK_FALSE(request.has_body);
}

TEST_CASE("what two parties could read in two ways is refused") {
  for (const std::string_view head : {
           "GET / HTTP/1.1\r\n\r\n",                                                       // no host
           "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",                                 // two
           "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",                                          // none
           "GET / HTTP/1.1\nHost: a\n\n",                                                  // bare line feeds
           "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",                                      // a folded line
           "GET / HTTP/1.1\r\nHost : a\r\n\r\n",                                           // a blank before the colon
           "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",  // two lengths
           "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n",                    // a list of them
           "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",                      // signed
           "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",    // too many digits
           "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
           "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\nRange: bytes=2-3\r\n\r\n",
           "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET / http/1.1\r\nHost: a\r\n\r\n",
           "GET /\r\n\r\n",
           "G@T / HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nX: a\x01b\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
       }) {
    CAPTURE(head);
    CHECK(status_of(head) == 400);
  }
  using namespace std::string_view_literals;
  CHECK(status_of("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"sv) == 400);
  CHECK(status_of("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"sv) == 400);
}

TEST_CASE("another version of the protocol is named") {
  CHECK(status_of("PRI * HTTP/2.0\r\n\r\n") == 505);
  CHECK(status_of("GET / HTTP/1.2\r\nHost: a\r\n\r\n") == 0);
}

TEST_CASE("a target that is too long is refused as such") {
  const std::string head = "GET /" + std::string(server::kLongestTarget, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n";
  CHECK(status_of(head) == 414);
}
