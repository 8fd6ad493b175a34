#include "cli/tool_downloads.hpp"

#include <doctest/doctest.h>

using namespace whittle;
using cli::link_in_index;

TEST_CASE("a file is found in an index of packages, wherever its link leads") {
  const std::string page = "https://mirror.example/simple/tool/";
  CHECK(link_in_index(R"(<a href="../../files/tool-1.whl#sha256=00">tool-1.whl</a>)", page, "tool-1.whl") ==
        "https://mirror.example/files/tool-1.whl");
  CHECK(link_in_index(R"(<a href="/other-1.whl">x</a><a href="https://files.example/a/tool-1.whl">y</a>)", page,
                      "tool-1.whl") == "https://files.example/a/tool-1.whl");
}

TEST_CASE("a page that does not link to the file has no address for it") {
  const std::string page = "https://mirror.example/simple/tool/";
  for (const char* text : {"", "tool-1.whl", "<a href=\"tool-1.whl", "<a href=\"tool-2.whl\">tool-1.whl</a>"}) {
    CHECK(link_in_index(text, page, "tool-1.whl").empty());
  }
}
