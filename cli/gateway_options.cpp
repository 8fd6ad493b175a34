#include "cli/gateway_options.hpp"

#include <CLI/CLI.hpp>
#include <memory>

#include "base/text.hpp"
#include "cli/command_line.hpp"
#include "cli/version.hpp"

namespace whittle::cli {

namespace {

// Every parsed value lives here until the command has run; CLI11 keeps references to it.
struct Parsed {
  gateway::InitOptions init;
  gateway::BundleOptions bundle;
  gateway::StatusOptions status;
  gateway::VerifyOptions verify;
  gateway::RollbackOptions rollback;
  gateway::ReceiptOptions receipt;
  gateway::ServeCommandOptions serve;
};

class GatewayTree {
 public:
  GatewayTree(CLI::App& app, std::string program, std::function<void(const GatewayCommand&)> chosen)
      : app_(app), program_(std::move(program)), chosen_(std::move(chosen)), parsed_(std::make_shared<Parsed>()) {}

  void add_all() {
    add_init();
    add_plan();
    add_apply();
    add_status();
    add_verify();
    add_rollback();
    add_receipt();
  }
  // Of the program that knows no registries; whittle's own has an upstream.
  void add_serve() {
    gateway::ServeCommandOptions& options = parsed_->serve;
    CLI::App& app = command("serve", "a read-only registry of this device's images, until it is ended",
                            line("serve --listen :5000"), &Parsed::serve, gateway::command_serve);
    app.add_option("--listen", options.listen,
                   "where clients connect (default: 127.0.0.1:5000); `:5000`: from anywhere")
        ->type_name("ADDRESS:PORT");
    app.add_option("--tls-cert", options.tls_certificate,
                   "serve https with this certificate, its chain in the same file")
        ->type_name("FILE");
    app.add_option("--tls-key", options.tls_key, "and with its key")->type_name("FILE");
    app.add_option("--connections", options.connections, "clients at a time (default: 512)")->type_name("NUMBER");
  }

 private:
  template <class Options>
  CLI::App& command(const char* name, const char* does, const std::string& examples, Options Parsed::*options,
                    int (*run)(const Options&, gateway::CommandContext&)) {
    CLI::App& added = *app_.add_subcommand(name, does);
    added.set_help_flag("-h,--help", "this help");
    added.footer(cat("Examples:\n", examples));
    added
        .add_option("--state", (parsed_.get()->*options).state,
                    "the device's folder (default: $WHITTLE_GATEWAY_STATE, else /var/lib/whittle-gateway)")
        ->type_name("DIR");
    added.callback([parsed = parsed_, chosen = chosen_, options, run] {
      chosen([parsed, options, run](gateway::CommandContext& context) { return run(parsed.get()->*options, context); });
    });
    return added;
  }
  std::string line(const std::string& words) const { return cat("  ", program_, " ", words); }
  static void add_json(CLI::App& app, bool& json) {
    app.add_flag("--json", json, "one JSON document on standard output");
  }

  void add_init() {
    gateway::InitOptions& options = parsed_->init;
    CLI::App& app = command("init", "makes a folder the state of a device: what it is, and whose bundles it believes",
                            cat(line("init --name gw-17 --compatible acme,gw2 --trust line7.trust.json\n"),
                                line("init --name gw-18 --trust line7.trust.json --adapter containerd\n"),
                                line("init --name gw-19 --trust line7.trust.json -- /usr/bin/check-sensors --all")),
                            &Parsed::init, gateway::command_init);
    app.add_option("--name", options.name, "the device's name, for receipts")->required()->type_name("NAME");
    app.add_option("--trust", options.trust, "whose signatures count: what `whittle set trust` wrote")
        ->required()
        ->type_name("FILE");
    app.add_option("--compatible", options.compatible, "its hardware, as bundles name it")->type_name("NAME");
    app.add_option("--platform", options.platform, "of its images (default: this machine's)")->type_name("OS/ARCH");
    app.add_option("--adapter", options.adapter, "who gets the images: layout, containerd, podman or k3s")
        ->type_name("KIND");
    app.add_option("--adapter-option", options.adapter_options,
                   "containerd: address, namespace, snapshotter, root, unpack; podman: storage, folder; k3s: folder")
        ->allow_extra_args(false)
        ->type_name("NAME=VALUE");
    app.add_option("--retain", options.retain, "generations that are kept, the present one included (default: 2)")
        ->type_name("N");
    app.add_option("--reserve", options.reserve, "what stays free on every file system (default: 16MiB)")
        ->type_name("SIZE");
    app.add_option("--health-time", options.health_seconds, "so long the health command may take (default: 60)")
        ->type_name("SECONDS");
    app.add_option("HEALTH", options.health,
                   "after `--`: a command that fails when the new images do not do; then the former ones come back")
        ->type_name("");
  }

  void add_bundle(CLI::App& app, bool is_required) {
    app.add_option("BUNDLE", parsed_->bundle.bundle, "a file of it; other volumes are looked for beside it")
        ->required(is_required)
        ->type_name("");
    add_json(app, parsed_->bundle.json);
  }

  void add_plan() {
    add_bundle(
        command("plan", "says what a bundle would change, with bytes and inodes before and after; writes nothing",
                line("plan /media/stick/line7-43.whittle"), &Parsed::bundle, gateway::command_plan),
        true);
  }
  void add_apply() {
    add_bundle(command("apply", "takes a bundle, or goes on where a power cut interrupted it",
                       cat(line("apply /media/stick/line7-43.whittle\n"),
                           line("apply       goes on with what needs no bundle any more, at a start")),
                       &Parsed::bundle, gateway::command_apply),
               false);
  }
  void add_status() {
    CLI::App& app = command("status", "says what is in use and what is kept; exit code 75 when an apply is incomplete",
                            line("status"), &Parsed::status, gateway::command_status);
    add_json(app, parsed_->status.json);
  }
  void add_verify() {
    gateway::VerifyOptions& options = parsed_->verify;
    CLI::App& app = command("verify", "checks that everything is there; with --deep, every byte",
                            cat(line("verify --deep\n"), line("verify --deep --heal /media/stick/line7-43.whittle")),
                            &Parsed::verify, gateway::command_verify);
    app.add_flag("--deep", options.deep, "read and hash everything");
    app.add_option("--heal", options.heal, "bring what is damaged from this bundle; a file of it, or all")
        ->type_name("BUNDLE");
    add_json(app, options.json);
  }
  void add_rollback() {
    gateway::RollbackOptions& options = parsed_->rollback;
    CLI::App& app =
        command("rollback", "goes back to a generation that is kept", cat(line("rollback\n"), line("rollback --to 4")),
                &Parsed::rollback, gateway::command_rollback);
    app.add_option("--to", options.to, "which (default: the newest before the present one)")->type_name("GENERATION");
    add_json(app, options.json);
  }
  void add_receipt() {
    gateway::ReceiptOptions& options = parsed_->receipt;
    CLI::App& app = command("receipt", "writes what this device has, for `whittle set delta --have`",
                            line("receipt -o /media/stick/gw-17.receipt"), &Parsed::receipt, gateway::command_receipt);
    app.add_option("-o,--output", options.output, "where to (default: standard output)")->type_name("FILE");
    app.add_option("--key", options.key, "a secret key in a PEM file that signs it")->type_name("FILE");
  }

  CLI::App& app_;
  std::string program_;
  std::function<void(const GatewayCommand&)> chosen_;
  std::shared_ptr<Parsed> parsed_;
};

}  // namespace

void add_gateway_commands(CLI::App& app, const std::string& program,
                          std::function<void(const GatewayCommand&)> chosen) {
  GatewayTree(app, program, std::move(chosen)).add_all();
}

GatewayInvocation parse_gateway_line(int argc, const char* const* argv) {
  CLI::App app("Takes bundles of image sets on a device: whole, or not at all.", "whittle-gateway");
  GatewayInvocation invocation;
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("whittle-gateway ") + kVersion);
  app.set_help_flag("-h,--help", "this help");
  app.footer(
      "`whittle-gateway COMMAND --help` says more. Exit codes: 70 nothing was changed, 75 run it again, 71 went back.");
  app.add_flag("-q,--quiet", invocation.global.quiet, "warnings and errors only");
  app.add_flag("-v,--verbose", invocation.global.verbose, "more of what happens");
  app.add_option("--log-format", invocation.global.log_format, "how progress is shown on standard error")
      ->check(CLI::IsMember({"auto", "terminal", "plain", "json"}))
      ->type_name("FORMAT");
  app.fallthrough();
  GatewayCommand command;
  GatewayTree tree(app, "whittle-gateway", [&](const GatewayCommand& chosen) { command = chosen; });
  tree.add_all();
  tree.add_serve();
  if (parse_into(app, argc, argv, invocation.text)) invocation.command = std::move(command);
  return invocation;
}

}  // namespace whittle::cli
