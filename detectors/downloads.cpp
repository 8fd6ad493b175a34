#include "detectors/downloads.hpp"

#include <array>

#include "base/text.hpp"
#include "plan/public_registries.hpp"

namespace whittle::detectors {

namespace {

constexpr PinnedArchive kPip = {
    "25.0.1", "", "c9/bc/b7db44f5f39f9d0494071bddae6880eb645970366d0a200022a1a93d57f5/pip-25.0.1-py3-none-any.whl",
    "sha256:c46efd13b6aa8279f33f2864459c8ce587ea6a1a59ee20de055868d8f7688f7f", 1841526};
constexpr std::array<PinnedArchive, 4> kZig = {
    {{"0.15.2", "linux/amd64",
      "db/81/f9f5c7fd68d80b8edff2a641a1c95ac4125356387d298374227040b8e1e8/"
      "ziglang-0.15.2-py3-none-manylinux_2_12_x86_64.manylinux2010_x86_64.musllinux_1_1_x86_64.whl",
      "sha256:806316453d1ede7174ed3fefb8e5348154629089c3bb5fe812dfd0e172fac130", 93508126},
     {"0.15.2", "linux/arm64",
      "53/7d/8c277208250ffa72f12a10f52dfc1d45850f08244093065b40c5f4628260/"
      "ziglang-0.15.2-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64.whl",
      "sha256:edc0aa60ec964a4cf462d40f68d7de242ddf37fd9a80f2afaee6397059463230", 90542084},
     {"0.16.0", "linux/amd64",
      "3e/ed/7b79023aa27ceb5d461ecf761181e7c33c57bbc1a6256a39535d1c7083d2/"
      "ziglang-0.16.0-py3-none-manylinux_2_12_x86_64.manylinux2010_x86_64.musllinux_1_1_x86_64.whl",
      "sha256:9fcda73f62b851dd72a54b710ad40a209896db14cfb13649e62191243556342b", 97941847},
     {"0.16.0", "linux/arm64",
      "7e/ed/d6663a5e52c504944d578b9e0bfcb7857f292803bcd09ebe0d10fe2b293d/"
      "ziglang-0.16.0-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64.whl",
      "sha256:e27d409812b11e0fb89ed0200cf2e55b6464d43f9461553104e4a4f9a94a1fd5", 95008112}}};
constexpr std::string_view kCompiler = "0.15.2";

constexpr std::array<PinnedArchive, 1> kGo = {
    {{"1.27.4", "linux/amd64", "v0.0.1-go1.27.4.linux-amd64.zip",
      "sha256:7ecd542f86ccbbb5017de33ac529872bc48c71f4edb658d63a18d2206f482b9b", 75846323}}};

std::string go_architecture(std::string_view host) {
  return std::string(host.substr(host.find('/') + 1));
}

// The name of a release has three numbers since 1.21.
std::string release_of(std::string_view version) {
  const std::vector<std::string> parts = split(version, '.');
  const bool is_short = parts.size() == 2 && parse_number(parts[1]).value_or(0) >= 21;
  return is_short ? cat(version, ".0") : std::string(version);
}

}  // namespace

plan::Download pinned_download(const PinnedArchive& archive, std::string_view folder, std::string program) {
  return {.host = std::string(archive.host),
          .version = std::string(archive.version),
          .by = {},
          .url = cat(folder, archive.path),
          .digest = std::string(archive.digest),
          .size = archive.size,
          .program = std::move(program)};
}

std::vector<plan::Download> zig_downloads() {
  return zig_downloads(kCompiler);
}

std::vector<plan::Download> zig_downloads(std::string_view version) {
  const std::string packages = cat(plan::kPythonFiles, "packages/");
  std::vector<plan::Download> downloads;
  for (const PinnedArchive& row : kZig) {
    if (row.version == version) downloads.push_back(pinned_download(row, packages, "ziglang/zig"));
  }
  return downloads;
}

std::vector<std::string> known_zig_versions() {
  std::vector<std::string> versions;
  for (const PinnedArchive& row : kZig) {
    if (versions.empty() || versions.back() != row.version) versions.emplace_back(row.version);
  }
  return versions;
}

std::vector<plan::Download> go_downloads(std::string_view version) {
  std::vector<plan::Download> downloads;
  for (const PinnedArchive& row : kGo) {
    const std::string folder = cat("golang.org/toolchain@v0.0.1-go", row.version, ".linux-", go_architecture(row.host));
    downloads.push_back(pinned_download(row, cat(plan::kGoProxy, "golang.org/toolchain/@v/"), cat(folder, "/bin/go")));
  }
  if (version.empty()) return downloads;
  for (const char* architecture : {"amd64", "arm64"}) {
    const std::string release = release_of(version);
    downloads.push_back(
        {.host = cat("linux/", architecture),
         .version = release,
         .by = "go",
         .url = {},
         .digest = {},
         .size = 0,
         .program = cat("golang.org/toolchain@v0.0.1-go", release, ".linux-", architecture, "/bin/go")});
  }
  return downloads;
}

plan::Tool pip_tool() {
  plan::Tool tool{"pip-wheel", "", ""};
  tool.pin = kPip.version;
  tool.downloads = {pinned_download(kPip, cat(plan::kPythonFiles, "packages/"), "pip/__main__.py")};
  return tool;
}

}  // namespace whittle::detectors
