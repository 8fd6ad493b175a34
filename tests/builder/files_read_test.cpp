#include "builder/files_read.hpp"

#include <doctest/doctest.h>

using namespace whittle;
using namespace whittle::builder;
using Paths = std::vector<fs::path>;

TEST_CASE("go list tells the files of all packages but Go's own") {
  CHECK(read_by_go("{\n\t\"Dir\": \"/go/src/fmt\",\n\t\"Standard\": true,\n\t\"GoFiles\": [\"print.go\"]\n}\n"
                   "{\n\t\"Dir\": \"/w/src/a\",\n\t\"GoFiles\": [\"a.go\"],\n\t\"EmbedFiles\": [\"t/x.txt\"]\n}\n") ==
        Paths{"/w/src/a/a.go", "/w/src/a/t/x.txt"});
}

TEST_CASE("rustc's dependency file may have blanks in names") {
  CHECK(read_by_rustc("/k/app: /w/src/a\\ b.rs /w/src/c.rs\n\n") == Paths{"/w/src/a b.rs", "/w/src/c.rs"});
  CHECK(read_by_rustc("").empty());
  CHECK(read_by_rustc("/k/app:\n").empty());
}

TEST_CASE("what a tool has read is compared with the inputs, wherever it saw the tree") {
  const std::vector<std::string> inputs = {"**", "!b/**", "b/Cargo.toml"};
  const Paths roots = {"/w/src", "/home/tree"};
  CHECK(beyond_inputs({"/w/src/a/x.rs", "/home/tree/b/Cargo.toml", "/cargo/b/x.rs"}, roots, inputs).empty());
  CHECK(beyond_inputs({"/w/src/a/../b/x.rs"}, roots, inputs) == "b/x.rs");
  CHECK(beyond_inputs({"/home/tree/b/y.rs"}, roots, inputs) == "b/y.rs");
}
