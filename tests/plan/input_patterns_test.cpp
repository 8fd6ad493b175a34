#include "plan/input_patterns.hpp"

#include <doctest/doctest.h>

#include <vector>

using whittle::plan::is_input;
using Patterns = std::vector<std::string>;

TEST_CASE("the last pattern that matches decides whether a step reads a file") {
  const Patterns patterns = {"**", "!b/**", "b/keep/**", "!**/*_test.go"};
  CHECK(is_input("a/x.go", patterns));
  CHECK_FALSE(is_input("b/x.go", patterns));
  CHECK(is_input("b/keep/x.go", patterns));
  CHECK_FALSE(is_input("b/keep/x_test.go", patterns));
  CHECK_FALSE(is_input("a", Patterns{}));
  CHECK_FALSE(is_input("a.txt", Patterns{"**/go.mod"}));
  CHECK(is_input("go.mod", Patterns{"**/go.mod"}));
}
