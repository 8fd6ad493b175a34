// Which paths and names belong to the product, rather than to its tests, examples and borrowed code.
#pragma once

#include <string_view>

namespace whittle::plan {

// Below a folder of tests, examples, benchmarks or other people's code: nothing there is the product.
bool is_aside(std::string_view path);
// The name of a program that tests, measures or shows the product rather than being it.
bool is_test_name(std::string_view name);

}  // namespace whittle::plan
