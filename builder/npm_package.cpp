#include "builder/npm_package.hpp"

#include <algorithm>

#include "base/base64.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "builder/environment.hpp"
#include "plan/versions.hpp"

namespace whittle::builder {

namespace {

class Npm {
 public:
  Npm(const ProbedTool& program, const fs::path& folder, const Host& host, ProcessRunner& runner,
      const std::stop_token& stop)
      : program_(program), folder_(folder), runner_(runner), stop_(stop), env_(network_environment(host)) {
    env_["PATH"] = cat(program.path.parent_path().native(), ":/usr/local/bin:/usr/bin:/bin");
    env_["HOME"] = folder.native();
    env_["npm_config_cache"] = (host.cache / "tools" / "npm").native();
    env_["npm_config_update_notifier"] = "false";
  }

  CapturedOutput run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), program_.path.native());
    const Command command{.argv = std::move(arguments), .env = env_, .folder = folder_};
    return ask_program(runner_, command, stop_);
  }

 private:
  const ProbedTool& program_;
  const fs::path& folder_;
  ProcessRunner& runner_;
  const std::stop_token& stop_;
  Environment env_;
};

// The newest that is not newer than what was wanted, else the oldest.
std::string nearest_version(const std::string& wanted, const std::string& listed) {
  std::string below, above;
  const std::vector<std::uint64_t> numbers = plan::numbers_of(wanted);
  for (const Json& one : parse_json(listed, "the list of versions")) {
    if (!one.is_string() || one.get<std::string>().find('-') != std::string::npos) continue;
    const auto version = one.get<std::string>();
    const std::vector<std::uint64_t> other = plan::numbers_of(version);
    if (other <= numbers && (below.empty() || other > plan::numbers_of(below))) below = version;
    if (other > numbers && (above.empty() || other < plan::numbers_of(above))) above = version;
  }
  return below.empty() ? above : below;
}

Error not_there(const ProbedTool& tool, const std::string& package, const CapturedOutput& said, const Npm& npm) {
  Error error(Exit::input_unavailable, cat("cannot fetch ", tool.name, " ", tool.version));
  error.at(cat("npm pack ", package));
  const auto says = [&](const char* text) { return said.error.find(text) != std::string::npos; };
  if (!says("ETARGET") && !says("E404") && !says("No matching version")) {
    const std::string text(trim(said.error));
    for (const std::string& line : split_lines(text)) error.cause(printable(line));
    return error;
  }
  error.cause("the registry has no such version");
  const CapturedOutput listed = npm.run({"view", package.substr(0, package.rfind('@')), "versions", "--json"});
  if (listed.result.ok()) {
    error.hint(cat("the nearest that there is: ", tool.name, " ", nearest_version(tool.version, listed.out)));
  }
  return error;
}

// "sha512-BASE64" as "sha512:hex".
std::string digest_of_integrity(const std::string& integrity) {
  const std::size_t dash = integrity.find('-');
  return cat(integrity.substr(0, dash), ":", hex_of(base64_decoded(integrity.substr(dash + 1)).value_or("")));
}

}  // namespace

fs::path pack_by_npm(const ProbedTool& tool, const std::string& package, const fs::path& into, const Host& host,
                     ProcessRunner& runner, const std::stop_token& stop) {
  const Npm npm(*tool.helper, into, host, runner, stop);
  const CapturedOutput packed = npm.run({"pack", package, "--json", "--pack-destination", into.native()});
  if (!packed.result.ok()) throw not_there(tool, package, packed, npm);
  const Json answer = parse_json(packed.out, "what npm says of the package");
  const Json& first = answer.is_array() && !answer.empty() ? answer[0] : answer;
  const auto integrity = json_member<std::string>(first, "integrity", "what npm says of the package");
  const std::string digest = digest_of_integrity(integrity);
  if (!tool.download->digest.empty() && digest != tool.download->digest) {
    throw Error(Exit::input_unavailable, cat(tool.name, " ", tool.version, " is not what the project pins"))
        .at("packageManager of package.json")
        .detail(cat("wanted: ", tool.download->digest))
        .detail(cat("found:  ", digest))
        .hint("`corepack use` writes the digest of a version");
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(into)) {
    if (entry.path().extension() == ".tgz") return entry.path();
  }
  throw Error(Exit::input_unavailable, cat("npm made no file of ", backticked(package)));
}

}  // namespace whittle::builder
