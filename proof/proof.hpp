// Proves that a program can run on scratch, or lists every reason why it cannot.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/json.hpp"
#include "proof/closure.hpp"
#include "proof/elf.hpp"
#include "proof/evidence.hpp"

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
  std::vector<std::string> missing;  // what of it is not there: "libx.so.1, needed by /bin/x"

  // Of a library: whether a program here could load it at all. Packages carry files for other machines too, and objects
  // for linkers, that nobody loads.
  bool is_loadable() const;
  Json to_json() const;  // whittle.check/v1
};

// The file system in which a dynamic program may find its loader and libraries, and the program's path in it.
struct LibraryRoot {
  fs::path root = "/";
  std::string program;
  // What the texts of libraries said that earlier ones have needed too; borrowed, may be null.
  std::map<fs::path, Evidence>* known = nullptr;
};

// Looks at one program for `platform` ("linux/amd64"). Without `libraries` it has to be static. Throws only when the
// file cannot be read.
Verdict check_program(const fs::path& file, std::string_view platform,
                      const std::optional<LibraryRoot>& libraries = std::nullopt);

// The same for a shared library that a program of the image loads by itself: an extension module of an interpreter.
Verdict check_library(const fs::path& file, std::string_view platform, const LibraryRoot& libraries);

// The error of exit 55 for a program that failed: every reason, every remedy.
Error not_static_error(std::string_view program, std::string_view step, const Verdict& verdict);

}  // namespace whittle::proof
