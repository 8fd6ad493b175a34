#include "builder/fetched_tool.hpp"

#include <doctest/doctest.h>

#include "base/event.hpp"
#include "base/text.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/fake_runner.hpp"

using namespace whittle;
using namespace whittle::builder;
using test::error_of;

namespace {

void put_number(std::string& out, std::uint32_t number, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>((number >> (8 * i)) & 0xffU);
}

std::uint32_t crc_of(std::string_view text) {
  std::uint32_t crc = 0xffffffffU;
  for (const char c : text) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ (0xedb88320U & (0U - (crc & 1U)));
  }
  return ~crc;
}

// A zip archive of stored files, as APPNOTE.TXT 4.3 has it.
std::string zip_of(const std::vector<std::pair<std::string, std::string>>& files) {
  std::string out, directory;
  for (const auto& [name, content] : files) {
    std::string entry;
    for (const std::uint32_t number : {20U, 0U, 0U, 0U, 0x21U}) put_number(entry, number, 2);
    put_number(entry, crc_of(content), 4);
    put_number(entry, static_cast<std::uint32_t>(content.size()), 4);
    put_number(entry, static_cast<std::uint32_t>(content.size()), 4);
    put_number(entry, static_cast<std::uint32_t>(name.size()), 2);
    put_number(entry, 0, 2);
    directory += cat("PK\x01\x02", std::string("\x14\x03", 2), entry);
    directory += std::string(10, '\0');
    put_number(directory, static_cast<std::uint32_t>(out.size()), 4);
    directory += name;
    out += cat("PK\x03\x04", entry, name, content);
  }
  const auto start = static_cast<std::uint32_t>(out.size());
  const auto count = static_cast<std::uint32_t>(files.size());
  out += cat(directory, "PK\x05\x06", std::string(4, '\0'));
  put_number(out, count, 2);
  put_number(out, count, 2);
  put_number(out, static_cast<std::uint32_t>(directory.size()), 4);
  put_number(out, start, 4);
  put_number(out, 0, 2);
  return out;
}

// A machine with the tools that a test installs, and a registry that has one archive.
struct Bench : Downloader {
  TemporaryFolder folder{fs::temp_directory_path()};
  fs::path bin = folder.path() / "bin";
  Host host{.environment = {{"PATH", bin.native()}, {"HOME", folder.path().native()}},
            .cache = folder.path() / "cache"};
  std::string says = "go version go1.22.1 linux/amd64\n";
  int fetched = 0;
  std::string archive = zip_of({{"sdk/bin/go", "#!/bin/sh\n"}, {"sdk/_go.mod", "module std\n"}, {"sdk/x", "data"}});
  FakeRunner runner{[this](const Command& command) {
    const auto wanted = command.env.find("GOTOOLCHAIN");
    if (wanted != command.env.end() && wanted->second.starts_with("go")) {
      const fs::path program = fs::path(command.env.at("GOMODCACHE")) / wanted->second;
      make_folders(program.parent_path());
      write_file(program, "#!/bin/sh\n", 0755);
    }
    return FakeRunner::Answer{.out = says};
  }};
  RecordingEvents events;

  Bench() { make_folders(bin); }
  void install(const std::string& name) const { write_file(bin / name, "#!/bin/sh\n", 0755); }

  plan::Download from_archive() const {
    return {.host = "linux/amd64",
            .version = "1.27.4",
            .by = {},
            .url = "https://registry.example/go.zip",
            .digest = digest_of(archive).str(),
            .size = archive.size(),
            .program = "sdk/bin/go"};
  }
  static plan::Download by_go(const std::string& version) {
    return {.host = "linux/amd64",
            .version = version,
            .by = "go",
            .url = {},
            .digest = {},
            .size = 0,
            .program = cat("go", version)};
  }
  ProbedTool choose(const plan::Tool& tool) {
    return probe_tools(std::vector<plan::Tool>{tool}, folder.path(), host, runner, {}).at(0);
  }
  void bring_it(const ProbedTool& tool) { bring(tool, host, *this, runner, events, {}); }

  fs::path fetch(const plan::Download&) override {
    ++fetched;
    write_file(folder.path() / "go.zip", archive);
    return folder.path() / "go.zip";
  }
  void release(const plan::Download&) override { fs::remove(folder.path() / "go.zip"); }
};

}  // namespace

TEST_CASE("a tool that fits is not fetched") {
  Bench bench;
  bench.install("go");
  const ProbedTool tool =
      bench.choose({.name = "go", .constraint = ">=1.20", .source = "go.mod:3", .downloads = {bench.from_archive()}});
  CHECK(tool.path == bench.bin / "go");
  CHECK(missing_parts(tool).empty());
}

TEST_CASE("a tool that is missing is known before it is fetched, and the same afterwards") {
  Bench bench;
  const plan::Tool wanted{
      .name = "go", .constraint = ">=1.20", .source = "go.mod:3", .downloads = {bench.from_archive()}};
  const ProbedTool before = bench.choose(wanted);
  CHECK(before.version == "1.27.4");
  CHECK(missing_parts(before) ==
        std::vector<std::string>{cat("go 1.27.4: https://registry.example/go.zip (", bench.archive.size(), " B)")});
  bench.bring_it(before);
  const ProbedTool after = bench.choose(wanted);
  CHECK(after.digest == before.digest);
  CHECK(after.path == before.path);
  CHECK(missing_parts(after).empty());
  bench.bring_it(after);
  CHECK(bench.fetched == 1);
}

TEST_CASE("what an archive holds is a program when it looks like one") {
  Bench bench;
  const ProbedTool tool =
      bench.choose({.name = "go", .constraint = {}, .source = {}, .downloads = {bench.from_archive()}});
  bench.bring_it(tool);
  const auto is_executable = [](const fs::path& path) {
    return (fs::status(path).permissions() & fs::perms::owner_exec) != fs::perms::none;
  };
  CHECK(is_executable(tool.path));
  const fs::path root = tool.path.parent_path().parent_path();
  CHECK_FALSE(is_executable(root / "x"));
  CHECK(read_file(root / "go.mod") == "module std\n");
}

TEST_CASE("an archive that leads out of itself is refused and leaves nothing") {
  Bench bench;
  bench.archive = zip_of({{"../outside", "#!/bin/sh\n"}});
  const ProbedTool tool =
      bench.choose({.name = "go", .constraint = {}, .source = {}, .downloads = {bench.from_archive()}});
  const Error error = error_of([&] { bench.bring_it(tool); });
  CHECK(error.exit() == Exit::input_unavailable);
  CHECK(error.message() == "go 1.27.4 has an entry outside of itself: ../outside");
  CHECK_FALSE(fs::exists(bench.folder.path() / "cache/outside"));
}

TEST_CASE("a newer Go is fetched by the one that is there") {
  Bench bench;
  bench.install("go");
  const ProbedTool tool = bench.choose(
      {.name = "go", .constraint = ">=1.27.1", .source = "go.mod:3", .downloads = {Bench::by_go("1.27.1")}});
  CHECK(tool.version == "1.27.1");
  CHECK(missing_parts(tool) == std::vector<std::string>{"go 1.27.1: by `go` from the module proxy"});
  bench.bring_it(tool);
  CHECK(bench.runner.commands.back().argv == std::vector<std::string>{(bench.bin / "go").native(), "version"});
  CHECK(missing_parts(tool).empty());
}

TEST_CASE("a machine without Go fetches one that fetches the other") {
  Bench bench;
  const ProbedTool tool = bench.choose({.name = "go",
                                        .constraint = ">=1.28.1",
                                        .source = "go.mod:3",
                                        .downloads = {bench.from_archive(), Bench::by_go("1.28.1")}});
  CHECK(missing_parts(tool).size() == 2);
  bench.bring_it(tool);
  CHECK(bench.fetched == 1);
  CHECK(missing_parts(tool).empty());
}

TEST_CASE("a version that differs from the pinned one is a warning with both, or an error when it must not") {
  Bench bench;
  bench.install("cargo");
  bench.says = "cargo 1.95.0 (f2d3ce0bd 2026-03-21)\n";
  plan::Tool tool{.name = "cargo",
                  .constraint = ">=1.80",
                  .source = "Cargo.toml:4",
                  .pin = "1.90.0",
                  .pin_source = "rust-toolchain.toml:2"};
  const std::vector<ProbedTool> found = {bench.choose(tool)};
  CHECK(version_warnings(std::vector<plan::Tool>{tool}, found) ==
        std::vector<std::string>{"`cargo` is 1.95.0, and the project pins 1.90.0 (rust-toolchain.toml:2)"});
  tool.constraint = ">=1.80,=1.90.0";
  tool.source = tool.pin_source;
  const Error error = error_of([&] { bench.choose(tool); });
  CHECK(error.exit() == Exit::input_unavailable);
  CHECK(error.where() == "rust-toolchain.toml:2");
}

TEST_CASE("a standard library for another platform that is not there is named with the command that adds it") {
  Bench bench;
  bench.install("cargo");
  bench.says = "cargo 1.95.0\n";
  plan::Tool tool{.name = "cargo", .constraint = {}, .source = {}};
  tool.library = "lib/rustlib/aarch64-unknown-linux-musl/lib";
  const Error error = error_of([&] { bench.choose(tool); });
  CHECK(error.exit() == Exit::input_unavailable);
  CHECK(error.message() == "`cargo` has no standard library for `aarch64-unknown-linux-musl`");
  CHECK(error.hints() == std::vector<std::string>{"`rustup target add aarch64-unknown-linux-musl` installs it"});
  make_folders(bench.folder.path() / tool.library);
  CHECK(bench.choose(tool).version == "1.95.0");
}
