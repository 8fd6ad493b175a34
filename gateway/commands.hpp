// The commands of a device, for `whittle gateway …` and for the program `whittle-gateway`. Each returns the exit code
// and throws Error for what fails; data goes to `out`, everything else to `events`.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "gateway/apply.hpp"

namespace whittle::gateway {

struct CommandContext {
  EventSink& events;
  std::ostream& out;
  ProcessRunner& runner;
  const std::map<std::string, std::string>& environment;
  std::stop_token stop;
  AdapterFactories adapters = {};  // that live above this folder
};

// --state, else $WHITTLE_GATEWAY_STATE, else /var/lib/whittle-gateway.
fs::path state_folder(const std::string& given, const std::map<std::string, std::string>& environment);

struct InitOptions {
  std::string state, name, compatible, platform, trust;
  std::string adapter = "layout";
  std::vector<std::string> adapter_options;  // "NAME=VALUE"
  std::uint64_t retain = 2;
  std::string reserve = "16MiB";
  std::uint64_t health_seconds = 60;
  std::vector<std::string> health;
};
struct BundleOptions {
  std::string state;
  std::vector<std::string> bundle;  // a file of it, or all
  bool json = false;
};
struct StatusOptions {
  std::string state;
  bool json = false;
};
struct VerifyOptions {
  std::string state;
  std::vector<std::string> heal;  // files of a bundle
  bool deep = false, json = false;
};
struct RollbackOptions {
  std::string state;
  std::uint64_t to = 0;  // 0: the one before
  bool json = false;
};
struct ReceiptOptions {
  std::string state;
  std::string key;     // a PEM file that signs it
  std::string output;  // a file; empty: `out`
};
struct ServeCommandOptions {
  std::string state;
  std::string listen = "127.0.0.1:5000";
  std::string tls_certificate, tls_key;
  unsigned connections = 0;  // 0: serve()'s own limit
};

int command_init(const InitOptions& options, CommandContext& context);
int command_plan(const BundleOptions& options, CommandContext& context);
int command_apply(const BundleOptions& options, CommandContext& context);
int command_status(const StatusOptions& options, CommandContext& context);
int command_verify(const VerifyOptions& options, CommandContext& context);
int command_rollback(const RollbackOptions& options, CommandContext& context);
int command_receipt(const ReceiptOptions& options, CommandContext& context);
// The device's own images, without an upstream; until `context.stop`.
int command_serve(const ServeCommandOptions& options, CommandContext& context);

}  // namespace whittle::gateway
