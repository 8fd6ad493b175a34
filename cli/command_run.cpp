// whittle run: unpacks an image and starts its process with a runtime found on the host.
#include <unistd.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/image_source.hpp"
#include "cli/platforms.hpp"
#include "cli/runtime.hpp"
#include "layers/assembler.hpp"
#include "layers/image_reader.hpp"

namespace whittle::cli {

namespace {

// "65532:65532", "65532", or empty; names would need the image's passwd, which whittle's images do not rely on.
void set_user(RuntimeProcess& process, const std::string& user) {
  if (user.empty()) return;
  const std::size_t colon = user.find(':');
  const auto uid = parse_number(std::string_view(user).substr(0, colon));
  const auto gid = colon == std::string::npos ? uid : parse_number(std::string_view(user).substr(colon + 1));
  if (!uid || !gid) {
    throw Error(Exit::usage, cat("cannot run as user ", backticked(user), ": it is not a number"))
        .hint("set a numeric user in the image, as in `user = \"65532:65532\"`");
  }
  process.uid = *uid;
  process.gid = *gid;
}

std::vector<std::string> command_of(const oci::Config& config, const RunOptions& options) {
  std::vector<std::string> argv = config.entrypoint;
  if (!options.process.empty()) {
    const auto label = config.labels.find(cat(layers::kProcessLabel, options.process));
    if (label == config.labels.end()) {
      Error error(Exit::usage, cat("the image has no process ", backticked(options.process)));
      for (const auto& [name, value] : config.labels) {
        if (name.starts_with(layers::kProcessLabel))
          error.detail(cat("it has: ", printable(name.substr(layers::kProcessLabel.size()))));
      }
      throw error;
    }
    argv = parse_json(label->second, cat("the label ", label->first)).get<std::vector<std::string>>();
  }
  const std::vector<std::string>& arguments = options.arguments.empty() ? config.command : options.arguments;
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  if (argv.empty())
    throw Error(Exit::usage, cat("the image ", backticked(options.image), " names no program to start"));
  return argv;
}

std::uint64_t memory_limit(const std::string& text) {
  if (text.empty()) return 0;
  const std::optional<std::uint64_t> bytes = parse_size(text);
  if (!bytes || *bytes < 1'000'000) {
    throw Error(Exit::usage, cat(backticked(text), " is not a memory limit of at least 1 MB"))
        .hint("write `--memory 10MB`");
  }
  return *bytes;
}

oci::Platform wanted_platform(const RunOptions& options) {
  if (options.platform.empty()) return oci::Platform::host();
  return oci::Platform::parse(platforms_of({options.platform}).front()).value_or(oci::Platform::host());
}

void refuse_foreign(const oci::Platform& platform, const std::string& name) {
  if (runs_here(platform)) return;
  throw Error(Exit::input_unavailable, cat("the image ", backticked(name), " is for ", platform.str(),
                                           ", and this machine is ", oci::Platform::host().str()))
      .hint("`apt-get install qemu-user-static binfmt-support` lets this machine emulate it");
}

}  // namespace

int run(const RunOptions& options, Session& session) {
  RuntimeProcess process{.memory_limit = memory_limit(options.memory)};
  const ResolvedImage found = resolve_image(options.image, session, options.allow_http);
  const oci::Image image = oci::load_image(found.blobs, found.root, wanted_platform(options));
  const oci::Config config = oci::Config::decode(found.blobs.read(image.config, oci::kMaximumConfig),
                                                 cat("the configuration of ", options.image));
  refuse_foreign(config.platform, options.image);
  process.argv = command_of(config, options);
  process.env = config.env;
  process.env.insert(process.env.end(), options.env.begin(), options.env.end());
  process.folder = config.working_directory.empty() ? "/" : config.working_directory;
  set_user(process, config.user);

  const fs::path parent = session.cache_folder() / "run";
  make_folders(parent);
  const TemporaryFolder bundle(parent);
  const fs::path root = bundle.path() / "rootfs";
  make_folders(root);
  fs::permissions(root, fs::perms(0755));
  layers::unpack(found.blobs, image, root, ::geteuid() == 0, session.events(), session.stop());
  // Mount points; the root is read-only for the process.
  for (const char* folder : {"proc", "dev", "tmp", "etc"}) make_folders(root / folder);
  return run_process(root, process, session);
}

}  // namespace whittle::cli
