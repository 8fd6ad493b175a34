// Real programs, made on the spot by the compilers of this machine.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "base/process.hpp"
#include "base/text.hpp"

namespace whittle::proof::test {

class Programs {
 public:
  const fs::path& folder() const { return folder_.path(); }

  // Writes `text` to `source` and runs `argv` beside it; returns the path of `program`.
  fs::path make(const std::string& program, const std::string& source, std::string_view text,
                std::vector<std::string> argv) const {
    if (!source.empty()) write_file(folder() / source, text);
    SystemProcessRunner runner;
    const std::string home = std::getenv("HOME") == nullptr ? "/" : std::getenv("HOME");
    const std::string path = std::getenv("PATH") == nullptr ? "/usr/bin:/bin" : std::getenv("PATH");
    const CapturedOutput made = run_captured(
        runner,
        {.argv = std::move(argv),
         .env = {{"PATH", path}, {"HOME", home}, {"CGO_ENABLED", "0"}, {"GOFLAGS", ""}, {"GOTOOLCHAIN", "local"}},
         .folder = folder()});
    INFO(made.error);
    REQUIRE(made.result.ok());
    return folder() / program;
  }

  fs::path c(const std::string& program, std::string_view text, std::vector<std::string> flags,
             const std::string& compiler = "gcc") const {
    std::vector<std::string> argv = {compiler, "-o", program, cat(program, ".c")};
    argv.insert(argv.end(), flags.begin(), flags.end());
    return make(program, cat(program, ".c"), text, std::move(argv));
  }

  fs::path go(const std::string& program, std::string_view text) const {
    make_folders(folder() / program);
    write_file(folder() / program / "main.go", text);
    write_file(folder() / program / "go.mod", cat("module example.com/", program, "\n\ngo 1.20\n"));
    return make(cat(program, ".bin"), "", "",
                {"go", "build", "-C", program, "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o",
                 cat("../", program, ".bin"), "."});
  }

  fs::path rust(const std::string& program, std::string_view text) const {
    return make(program, cat(program, ".rs"), text,
                {"rustc", "-O", "-Ctarget-feature=+crt-static", "-Cstrip=symbols", "--target",
                 "x86_64-unknown-linux-gnu", "-o", program, cat(program, ".rs")});
  }

  fs::path stripped(const fs::path& program) const {
    const std::string name = cat(program.filename().native(), ".stripped");
    return make(name, "", "", {"strip", "-o", name, program.native()});
  }

 private:
  TemporaryFolder folder_{fs::temp_directory_path(), "whittle-proof-"};
};

inline constexpr std::string_view kHello = "#include <stdio.h>\nint main(void) { puts(\"hi\"); return 0; }\n";

}  // namespace whittle::proof::test
