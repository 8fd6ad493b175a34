#include "server/content_type.hpp"

#include <doctest/doctest.h>

#include "tests/server/support.hpp"

using namespace whittle;
using test::string_of;
using test::view;

TEST_CASE("files are what their names say") {
  const auto type = [](std::string_view path) { return string_of(server::content_type_of(view(path)).name); };
  CHECK(type("index.html") == "text/html; charset=utf-8");
  CHECK(type("a/b.JS") == "text/javascript; charset=utf-8");
  CHECK(type("a.wasm") == "application/wasm");
  CHECK(type("a.tar.gz") == "application/gzip");
  CHECK(type("a.webmanifest") == "application/manifest+json");
  CHECK(type("README") == "application/octet-stream");
  CHECK(type("a.b/c") == "application/octet-stream");
  CHECK(type("a.unknown") == "application/octet-stream");
}

TEST_CASE("what a bundler has named by its content never changes") {
  for (const std::string_view path :
       {"assets/index-BXk3x2Qd.js", "assets/index-DiwrgTda.css", "assets/vendor-C1uBFmk_.js", "main.3f2a1b9c.js",
        "static/js/main.3f2a1b9c.chunk.js", "static/css/main.3f2a1b9c.css.map", "_next/static/chunks/framework.js",
        "_app/immutable/entry/start.js", "_astro/page.DxT0y9aQ.css", "assets/chunk-K7XYZ2AB.js",
        "img/logo.0123456789abcdef0123.png", "styles.d41d8cd98f00b204e9800998ecf8427e.css"}) {
    CAPTURE(path);
    CHECK(server::is_named_by_content(view(path)));
  }
}

TEST_CASE("names that people give are not taken for digests") {
  for (const std::string_view path :
       {"index.html", "main.js", "assets/jquery.slim.min.js", "assets/my-document.js", "photo-20240101.jpg",
        "assets/apple-iPhone15.png", "report-2024.pdf", "css/bootstrap-grid.css", "assets/some-Document.js",
        "js/deadbeef.js", "facade.js", "page.3f2a1b9c.html", "v1.2.3/app.js", "assets/font-awesome.css"}) {
    CAPTURE(path);
    CHECK_FALSE(server::is_named_by_content(view(path)));
  }
}
