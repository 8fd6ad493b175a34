// Where things lie in a tree: which folders hold the product, and how a plan names its paths.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "detectors/detector.hpp"
#include "plan/product.hpp"

namespace whittle::detectors {

using plan::is_aside;
using plan::is_test_name;

std::string folder_of(std::string_view path);     // "." at the root
std::string stem_of(std::string_view path);       // "b" of "a/b.c"
std::string extension_of(std::string_view path);  // "c"; empty without one
// "a/b", where "." and empty parts vanish; "." when nothing is left; `..` goes up as far as it can.
std::string joined(std::string_view folder, std::string_view path);

bool is_c(std::string_view path);
bool is_cpp(std::string_view path);
// C or C++ sources of the product.
std::vector<std::string> c_sources(const plan::SourceTree& tree);

// The folder of the application, or a path in it, below the work folder ("src", "src/services/api")
// and as the value of an option ("${source}/services/api").
std::string step_folder(const Surroundings& surroundings, std::string_view path = ".");
std::string source_folder(const Surroundings& surroundings);
// A file of the context root as seen from the application: "../../go.work".
std::string from_application(const Surroundings& surroundings, std::string_view path);

// A word that can be a program, a process and a part of an image's name.
std::string safe_name(std::string_view text);

Error failure(std::string_view file, int line, std::string why);

std::vector<std::string> build_arguments(const plan::Config& config);
// `link = "closure"`: programs may be dynamic, and ship their libraries.
bool accepts_libraries(const plan::Config& config);
// True when `build.targets` is absent or names the program by its name or its folder.
bool is_wanted(const plan::Config& config, std::string_view name, std::string_view path);

}  // namespace whittle::detectors
