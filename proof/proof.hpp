// Proves that a program can run on scratch, or lists every reason why it cannot.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/json.hpp"
#include "proof/closure.hpp"
#include "proof/elf.hpp"

namespace whittle::proof {

struct Finding {
  enum class Severity { reason, warning, fact } severity;
  std::string code;    // stable: "interpreter", "needed", "machine", "nss", "iconv", "dlopen", "not-elf", …
  std::string text;    // "needs libpq.so.5"
  std::string remedy;  // may be empty
};

struct Verdict {
  bool runs_on_scratch = false;  // no finding is a reason
  std::vector<Finding> findings;
  ElfFile elf;
  // Evidence for base facts, as the text that was found; empty: none.
  std::string wants_certificates, wants_time_zones, wants_name_service;
  std::vector<ClosureFile> closure;  // what a dynamic program brings along

  Json to_json() const;  // whittle.check/v1
};

// The file system in which a dynamic program may find its loader and libraries, and the program's path in it.
struct LibraryRoot {
  fs::path root = "/";
  std::string program;
};

// Looks at one program for `platform` ("linux/amd64"). Without `libraries` it has to be static. Throws only when the
// file cannot be read.
Verdict check_program(const fs::path& file, std::string_view platform,
                      const std::optional<LibraryRoot>& libraries = std::nullopt);

// The error of exit 55 for a program that failed: every reason, every remedy.
Error not_static_error(std::string_view program, std::string_view step, const Verdict& verdict);

}  // namespace whittle::proof
