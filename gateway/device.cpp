#include "gateway/device.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "gateway/state_file.hpp"

namespace whittle::gateway {

namespace {

constexpr std::uint64_t kMostGenerations = 64;
constexpr std::uint64_t kMaximumTrust = 1 << 20;

Json json_of(const Device& device) {
  return {{"name", device.name},
          {"compatible", device.compatible},
          {"platform", device.platform.str()},
          {"adapter", {{"kind", device.adapter}, {"options", device.options}}},
          {"retain", device.retain},
          {"reserve", device.reserve},
          {"health", {{"command", device.health}, {"seconds", device.health_seconds}}}};
}

Device device_from(const Json& json) {
  const std::string what = "device.json";
  Device device;
  device.name = json_member<std::string>(json, "name", what);
  device.compatible = json_member<std::string>(json, "compatible", what);
  const auto platform = json_member<std::string>(json, "platform", what);
  const auto parsed = oci::Platform::parse(platform);
  if (!parsed) throw Error(Exit::usage, cat(backticked(platform), " is no platform"));
  device.platform = *parsed;
  const auto adapter = json_member<Json>(json, "adapter", what);
  device.adapter = json_member<std::string>(adapter, "kind", what);
  device.options = json_member_or<std::map<std::string, std::string>>(adapter, "options", {}, what);
  device.retain = json_member<std::uint64_t>(json, "retain", what);
  device.reserve = json_member<std::uint64_t>(json, "reserve", what);
  const auto health = json_member<Json>(json, "health", what);
  device.health = json_member_or<std::vector<std::string>>(health, "command", {}, what);
  device.health_seconds = json_member<std::uint64_t>(health, "seconds", what);
  return device;
}

void check(const Device& device) {
  if (device.name.empty()) throw Error(Exit::usage, "a device needs a name").hint("give it with `--name`");
  if (!is_utf8(device.name) || !is_utf8(device.compatible)) throw Error(Exit::usage, "a name must be UTF-8");
  if (device.retain < 1 || device.retain > kMostGenerations) {
    throw Error(Exit::usage, cat("a device keeps 1 to ", kMostGenerations, " generations, not ", device.retain));
  }
  if (device.health_seconds < 1) throw Error(Exit::usage, "a health command needs at least one second");
}

}  // namespace

StateFolder StateFolder::create(const fs::path& folder, const Device& device, const bundle::Trust& trust) {
  check(device);
  if (fs::exists(folder / "device.json")) {
    throw Error(Exit::usage, cat("there is a device in ", backticked(folder.native()), " already"))
        .hint("`whittle gateway status` shows it")
        .note("nothing was changed");
  }
  make_folders(folder);
  StateFolder state(folder, device);
  const FileLock lock = state.lock();
  make_folders(state.generations());
  state.believe(trust);
  // Last: it is what makes the folder a device.
  write_state(folder / "device.json", json_of(device));
  return state;
}

StateFolder StateFolder::open(const fs::path& folder) {
  const std::optional<Json> json = read_state(folder / "device.json");
  if (!json) {
    throw Error(Exit::usage, cat("there is no device in ", backticked(folder.native())))
        .hint("`whittle gateway init` makes one; `--state` names another folder");
  }
  Device device;
  reading_state(folder / "device.json", [&] { check(device = device_from(*json)); });
  return {folder, std::move(device)};
}

bundle::Trust StateFolder::trust() const {
  const fs::path file = folder_ / "trust.json";
  const std::optional<std::string> text = read_file_if_exists(file, kMaximumTrust);
  if (!text) throw Error(Exit::export_failed, cat("the file ", backticked(file.native()), " is missing"));
  bundle::Trust trust;
  reading_state(file, [&] { trust = bundle::Trust::decode(*text, "trust.json"); });
  return trust;
}

void StateFolder::believe(const bundle::Trust& trust) const {
  write_file(folder_ / "trust.json", trust.encode(), 0600);
}

FileLock StateFolder::lock() const {
  std::optional<FileLock> lock = FileLock::try_exclusive(folder_ / "lock");
  if (!lock) {
    throw Error(Exit::transient, cat("another process is changing the device in ", backticked(folder_.native())))
        .hint("wait for it to end, and run this command again")
        .note("this command changed nothing");
  }
  return std::move(*lock);
}

}  // namespace whittle::gateway
