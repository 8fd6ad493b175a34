// Golden files: whole outputs kept beside the tests and reviewed as code; UPDATE_GOLDEN=1 rewrites them.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "base/files.hpp"

namespace whittle::test {

inline void check_golden(const fs::path& file, std::string_view actual) {
  const char* update = std::getenv("UPDATE_GOLDEN");
  if (update != nullptr && std::string_view(update) == "1") {
    make_folders(file.parent_path());
    write_file(file, actual);
  }
  INFO("golden file: ", file.string());
  CHECK(read_file_if_exists(file).value_or("(missing: run with UPDATE_GOLDEN=1)") == actual);
}

}  // namespace whittle::test
