#include "cli/options.hpp"

#include <CLI/CLI.hpp>
#include <memory>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/command_line.hpp"
#include "cli/gateway_options.hpp"
#include "cli/version.hpp"

namespace whittle::cli {

namespace {

// Every parsed value lives here until the command has run; CLI11 keeps references to it.
struct Parsed {
  GlobalOptions global;
  DetectOptions detect;
  PlanOptions plan;
  DoctorOptions doctor{.build = {.folder = ""}};
  InitOptions init;
  BuildOptions build;
  RunOptions run;
  ImageOptions image;
  WhyOptions why;
  DiffOptions diff;
  LoginOptions login;
  CopyOptions copy;
  ReferrersOptions referrers;
  SetOptions set;
  SetSiteOptions set_site;
  GatewayServeOptions gateway_serve;
  bool json = false;
  std::function<int(Session&)> command;
};

class Tree {
 public:
  Tree()
      : app_("Turns a source tree into the smallest image that runs.", "whittle"), parsed_(std::make_shared<Parsed>()) {
    app_.require_subcommand(1);
    app_.set_version_flag("--version", std::string("whittle ") + kVersion);
    app_.set_help_flag("-h,--help", "this help");
    app_.footer(
        "Examples:\n"
        "  whittle build .                         build what is here, name it after the folder\n"
        "  whittle build . -t host/team/app:1 --push\n"
        "  whittle run app\n\n"
        "`whittle COMMAND --help` says more. Exit codes: docs/exit-codes.md");
    app_.add_flag("-q,--quiet", parsed_->global.quiet, "warnings and errors only");
    app_.add_flag("-v,--verbose", parsed_->global.verbose, "also the output of build steps");
    app_.add_option("--log-format", parsed_->global.log_format, "how progress is shown on standard error")
        ->check(CLI::IsMember({"auto", "terminal", "plain", "json"}))
        ->type_name("FORMAT");
    app_.add_flag_callback(
            "--help-markdown", [] {}, "")
        ->group("");
    app_.fallthrough();
    add_build();
    add_detect();
    add_plan();
    add_init();
    add_run();
    add_check();
    add_images();
    add_inspect();
    add_why();
    add_diff();
    add_validate();
    add_push();
    add_pull();
    add_copy();
    add_tags();
    add_referrers();
    add_login();
    add_set();
    add_gateway();
    add_doctor();
    add_cache();
  }

  CLI::App& app() { return app_; }
  std::shared_ptr<Parsed> parsed() { return parsed_; }

 private:
  CLI::App& command(const char* name, const char* does, const char* examples, std::function<int(Session&)> run) {
    CLI::App& added = *app_.add_subcommand(name, does);
    added.set_help_flag("-h,--help", "this help");
    added.footer(std::string("Examples:\n") + examples);
    added.callback([parsed = parsed_.get(), run = std::move(run)] { parsed->command = run; });
    return added;
  }

  void add_json(CLI::App& app) { app.add_flag("--json", parsed_->json, "one JSON document on standard output"); }
  void add_folder(CLI::App& app, std::string& folder) {
    app.add_option("DIR", folder, "the source tree (default: the present folder)")->type_name("");
  }
  void add_image(CLI::App& app, bool is_required = true) {
    app.add_option("IMAGE", parsed_->image.image,
                   "a name in the store, a registry reference, `oci:DIR[:TAG]` or `archive:FILE`")
        ->required(is_required)
        ->type_name("");
  }
  void add_rate(CLI::App& app, std::string& rate) {
    app.add_option("--limit-rate", rate, "all transfers together take no more a second, as `2MB`")->type_name("SIZE");
  }
  void add_http(CLI::App& app, bool& allow) {
    app.add_flag("--plain-http", allow, "allow http without TLS to hosts other than this one");
  }
  void add_selection(CLI::App& app, BuildOptions& options) {
    app.add_option("--target", options.targets, "build only this program; may be repeated")
        ->allow_extra_args(false)
        ->type_name("NAME");
    app.add_option("--detector", options.detector, "use this detector whatever else matches")->type_name("NAME");
    app.add_option("--toolchain", options.toolchain, "C and C++ toolchain: auto, musl, zig or host")->type_name("NAME");
    app.add_option("--link", options.link, "`static`, or `closure`: dynamic programs ship their libraries")
        ->type_name("KIND");
    app.add_option("--sandbox", options.sandbox, "of build steps: auto, required or off")->type_name("MODE");
    app.add_option("--platform", options.platforms, "what to build for, one or a list (default: this machine)")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->type_name("OS/ARCH,…");
    CLI::Option* const compression =
        app.add_option("--compression", options.compression, "of layers, level 1 to 19 (default: zstd:3)")
            ->type_name("zstd:LEVEL");
    app.add_flag("--release", options.release, "the smallest layers: zstd:19")->excludes(compression);
    app.add_flag("--strict-versions", options.strict_versions,
                 "a tool that is not of the version that the project pins is an error, not a warning");
    app.add_flag("--gzip-twin", options.gzip_twin, "an index with a gzip manifest too, for clients without zstd");
    app.add_option("-t,--tag", options.tag, "name of the image (default: after the tree)")->type_name("NAME[:TAG]");
  }

  void add_build() {
    BuildOptions& options = parsed_->build;
    CLI::App& app = command("build", "builds the tree into an image in the store; prints the pinned reference",
                            "  whittle build .\n  whittle build services/web -t registry.example/web:2 --push\n"
                            "  whittle build . -o archive:web.tar --quiet",
                            [p = parsed_.get()](Session& session) { return build(p->build, p->json, session); });
    add_folder(app, options.folder);
    add_selection(app, options);
    app.add_option("-o,--output", options.outputs, "also write it to `oci:DIR` or `archive:FILE`; may be repeated")
        ->allow_extra_args(false)
        ->type_name("KIND:PATH");
    app.add_flag("--push", options.push, "also push it to the registry that its name begins with");
    app.add_option("--plan", options.plan_file, "build this plan (`whittle plan --json`) instead of deciding anew")
        ->excludes(app.get_option("--platform"))
        ->type_name("FILE");
    app.add_option("--secret", options.secrets,
                   "a secret that steps need: `src=FILE` or `env=VARIABLE`; may be repeated")
        ->allow_extra_args(false)
        ->type_name("id=NAME,src=FILE");
    app.add_flag(
        "--probe", options.probe,
        "run the program for a moment, in its image alone; add what it misses and whittle has, and say the rest");
    app.add_flag("--all", options.all, "an image of its own for every program, called NAME-PROGRAM");
    app.add_option("--timeout", options.timeout, "end the build after this time, as `10m`")->type_name("TIME");
    app.add_flag("--offline", options.offline, "fail rather than use the network; says what is missing");
    add_http(app, options.allow_http);
    add_json(app);
  }

  void add_detect() {
    CLI::App& app =
        command("detect", "says what each detector saw, the verdict, and why the others lost",
                "  whittle detect .\n  whittle detect --json services/web", [p = parsed_.get()](Session& session) {
                  p->detect.json = p->json;
                  return detect(p->detect, session);
                });
    add_folder(app, parsed_->detect.folder);
    add_json(app);
  }

  void add_plan() {
    CLI::App& app = command("plan", "prints the whole plan with the source of every value; runs and fetches nothing",
                            "  whittle plan .\n  whittle plan --json . > plan.json && whittle build --plan plan.json .",
                            [p = parsed_.get()](Session& session) {
                              p->plan.json = p->json;
                              return plan(p->plan, session);
                            });
    add_folder(app, parsed_->plan.build.folder);
    add_selection(app, parsed_->plan.build);
    app.add_flag("--schema", parsed_->plan.schema, "print the JSON schema of whittle.toml instead");
    add_json(app);
  }

  void add_init() {
    CLI::App& app = command("init", "writes the whittle.toml that spells out what was inferred",
                            "  whittle init\n  whittle init --print services/web",
                            [p = parsed_.get()](Session& session) { return init(p->init, session); });
    add_folder(app, parsed_->init.folder);
    app.add_flag("--print", parsed_->init.print, "show it on standard output and write nothing");
  }

  void add_run() {
    RunOptions& options = parsed_->run;
    CLI::App& app = command("run", "starts an image with an OCI runtime of this machine, or bubblewrap",
                            "  whittle run app\n  whittle run --memory 10MB sensor -- --samples 3",
                            [p = parsed_.get()](Session& session) { return run(p->run, session); });
    app.add_option("IMAGE", options.image, "the image, as for other commands")->required()->type_name("");
    app.add_option("ARGS", options.arguments, "arguments for the program, after `--`")->type_name("");
    app.add_option("--process", options.process, "the process to start (default: the image's entry point)")
        ->type_name("NAME");
    app.add_option("--platform", options.platform, "which image of an index (default: this machine's)")
        ->type_name("OS/ARCH");
    app.add_option("--memory", options.memory, "memory limit; needs an OCI runtime")->type_name("SIZE");
    app.add_option("-e,--env", options.env, "set a variable; may be repeated")->type_name("NAME=VALUE")->take_all();
    add_http(app, options.allow_http);
  }

  void add_check() {
    CLI::App& app = command("check", "proves that a program or image can run on scratch; lists every reason why not",
                            "  whittle check ./build/server\n  whittle check app",
                            [p = parsed_.get()](Session& session) { return check(with_json(*p), session); });
    add_image(app);
    app.add_flag("--probe", parsed_->image.probe, "also run it for a moment, in its own root alone");
    add_http(app, parsed_->image.allow_http);
    add_json(app);
  }

  void add_images() {
    CLI::App& app = command("images", "lists the images in the store", "  whittle images",
                            [p = parsed_.get()](Session& session) { return images(p->json, session); });
    add_json(app);
  }

  void add_inspect() {
    CLI::App& app = command("inspect", "shows an image's configuration, layers and, on request, files",
                            "  whittle inspect app\n  whittle inspect --files oci:out",
                            [p = parsed_.get()](Session& session) { return inspect(with_json(*p), session); });
    add_image(app);
    app.add_flag("--files", parsed_->image.files, "list every file with its layer");
    add_http(app, parsed_->image.allow_http);
    add_json(app);
  }

  void add_why() {
    WhyOptions& options = parsed_->why;
    CLI::App& app =
        command("why", "says what put a file into an image: layer, origin, evidence and the value that decided",
                "  whittle why app /etc/ssl/certs/ca-certificates.crt", [p = parsed_.get()](Session& session) {
                  p->why.json = p->json;
                  return why(p->why, session);
                });
    app.add_option("IMAGE", options.image, "the image, as for other commands")->required()->type_name("");
    app.add_option("PATH", options.path, "the file in the image")->required()->type_name("");
    add_http(app, options.allow_http);
    add_json(app);
  }

  void add_diff() {
    DiffOptions& options = parsed_->diff;
    CLI::App& app = command("diff", "lists the files that differ between two images, and what an update would fetch",
                            "  whittle diff app:1 app:2\n  whittle diff registry.example/team/app:1 app --json",
                            [p = parsed_.get()](Session& session) {
                              p->diff.json = p->json;
                              return diff(p->diff, session);
                            });
    app.add_option("FIRST", options.first, "an image, as for other commands")->required()->type_name("");
    app.add_option("SECOND", options.second, "another one")->required()->type_name("");
    add_http(app, options.allow_http);
    add_json(app);
  }

  void add_validate() {
    CLI::App& app = command("validate", "recomputes every digest of an image, or of the whole store",
                            "  whittle validate\n  whittle validate archive:web.tar",
                            [p = parsed_.get()](Session& session) { return validate(with_json(*p), session); });
    add_image(app, false);
    add_http(app, parsed_->image.allow_http);
    add_json(app);
  }

  void add_push() {
    CLI::App& app = command("push", "sends an image to a registry; prints the pinned reference",
                            "  whittle push registry.example/team/app:1\n"
                            "  whittle push app registry.example/team/app:1 registry.example/team/app:latest",
                            [p = parsed_.get()](Session& session) { return push(with_json(*p), session); });
    add_image(app);
    app.add_option("REFERENCE", parsed_->image.destinations,
                   "where to; several are several tags (default: the image's own name)")
        ->type_name("");
    app.add_flag("--dry-run", parsed_->image.dry_run, "send nothing; list what would be sent");
    add_rate(app, parsed_->image.limit_rate);
    add_http(app, parsed_->image.allow_http);
    add_json(app);
  }

  void add_pull() {
    CLI::App& app = command("pull", "brings an image from a registry into the store; prints the pinned reference",
                            "  whittle pull registry.example/team/app:1",
                            [p = parsed_.get()](Session& session) { return pull(with_json(*p), session); });
    add_image(app);
    app.add_flag("--all-platforms", parsed_->image.all_platforms,
                 "every platform of an index, not only this machine's");
    add_rate(app, parsed_->image.limit_rate);
    add_http(app, parsed_->image.allow_http);
    add_json(app);
  }

  void add_tags() {
    CLI::App& app = command("tags", "lists the tags of a repository", "  whittle tags registry.example/team/app",
                            [p = parsed_.get()](Session& session) { return tags(with_json(*p), session); });
    app.add_option("REPOSITORY", parsed_->image.image, "a repository of a registry")->required()->type_name("");
    add_http(app, parsed_->image.allow_http);
    add_json(app);
  }

  void add_copy() {
    CopyOptions& options = parsed_->copy;
    CLI::App& app =
        command("copy", "copies images between registries, layouts and archives; digests stay as they are",
                "  whittle copy registry.example/team/app:1 mirror.example/team/app:1\n"
                "  whittle copy registry.example/team/app mirror.example/team/app --all-tags --newest 5 --prune\n"
                "  whittle copy registry.example/team/app:1 oci:images:app",
                [p = parsed_.get()](Session& session) {
                  p->copy.json = p->json;
                  return copy(p->copy, session);
                });
    app.add_option("SOURCE", options.source,
                   "a registry reference, a name in the store, `oci:DIR[:TAG]` or `archive:FILE`")
        ->required()
        ->type_name("");
    app.add_option("DESTINATION", options.destination, "a registry reference, `oci:DIR[:TAG]` or `archive:FILE`")
        ->required()
        ->type_name("");
    CLI::Option* const all = app.add_flag("--all-tags", options.all_tags, "every tag of the repository or layout");
    app.add_option("--tag", options.tags, "only tags of this pattern, as `1.*`; may be repeated")
        ->needs(all)
        ->type_name("PATTERN");
    app.add_option("--newest", options.newest, "only the highest N versions among the tags")
        ->needs(all)
        ->type_name("N");
    app.add_flag("--prune", options.prune, "remove the destination's other tags")->needs(all);
    app.add_flag("--referrers", options.referrers, "also what refers to the images: signatures, bills of materials");
    add_rate(app, options.limit_rate);
    add_http(app, options.allow_http);
    add_json(app);
  }

  void add_referrers() {
    ReferrersOptions& options = parsed_->referrers;
    CLI::App& app =
        command("referrers", "lists, attaches or deletes what refers to an image",
                "  whittle referrers registry.example/team/app:1\n"
                "  whittle referrers registry.example/team/app:1 --attach sbom.json --type application/spdx+json",
                [p = parsed_.get()](Session& session) {
                  p->referrers.json = p->json;
                  return referrers(p->referrers, session);
                });
    app.add_option("IMAGE", options.image, "an image in a registry")->required()->type_name("");
    app.add_option("--type", options.type, "list only this artifact type; of what is attached, its type")
        ->type_name("TYPE");
    CLI::Option* const attach = app.add_option("--attach", options.attach, "attach this file")->type_name("FILE");
    app.add_option("--delete", options.remove, "delete this referrer")->excludes(attach)->type_name("DIGEST");
    add_http(app, options.allow_http);
    add_json(app);
  }

  void add_login() {
    LoginOptions& options = parsed_->login;
    CLI::App& in = command("login", "keeps credentials for a registry, once it has accepted them",
                           "  whittle login registry.example --username ci-bot --password-stdin < token",
                           [p = parsed_.get()](Session& session) { return login(p->login, session); });
    in.add_option("REGISTRY", options.host, "the registry's host, with its port")->required()->type_name("");
    in.add_option("-u,--username", options.user, "who logs in")->required()->type_name("NAME");
    in.add_flag("--password-stdin", options.password_stdin,
                "read the password from standard input; there is no other way");
    add_http(in, options.allow_http);
    CLI::App& out = command("logout", "forgets the credentials for a registry", "  whittle logout registry.example",
                            [p = parsed_.get()](Session& session) { return logout(p->login, session); });
    out.add_option("REGISTRY", options.host, "the registry's host, with its port")->required()->type_name("");
  }

  void add_doctor() {
    CLI::App& app = command("doctor", "says which toolchains and runtimes are here, and how to install what is missing",
                            "  whittle doctor       what is on this machine\n"
                            "  whittle doctor .     what the source tree here asks for, compared with that",
                            [p = parsed_.get()](Session& session) {
                              p->doctor.json = p->json;
                              return doctor(p->doctor, session);
                            });
    app.add_option("DIR", parsed_->doctor.build.folder, "a source tree")->type_name("");
    add_json(app);
  }

  void add_set_site(CLI::App& set) {
    SetSiteOptions& options = parsed_->set_site;
    CLI::App& app =
        *set.add_subcommand("site", "writes what Kubernetes, Podman, KubeEdge and containerd read, by digest");
    app.set_help_flag("-h,--help", "this help");
    app.footer(
        "Examples:\n  whittle set site --memory sensor=9500KB --gateway 127.0.0.1:5000\n"
        "  whittle set site --registry harbor.yaml -o out");
    app.callback(
        [p = parsed_.get()] { p->command = [p](Session& session) { return set_site(p->set_site, session); }; });
    app.add_option("--file", options.file, "the set (default: imageset.toml); its lock lies beside it")
        ->type_name("FILE");
    app.add_option("--profile", options.profile, "for this kind of device")->type_name("NAME");
    app.add_option("--memory", options.memory, "what an image was seen to need at most; may be repeated")
        ->allow_extra_args(false)
        ->type_name("NAME=SIZE");
    app.add_option("--cpu", options.cpu, "likewise, in thousandths of a processor; may be repeated")
        ->allow_extra_args(false)
        ->type_name("NAME=NUMBER");
    app.add_option("--registry", options.registry,
                   "YAML with `registry:` and its address, instead of what the set says")
        ->type_name("FILE");
    app.add_option("--gateway", options.gateway, "where `whittle gateway serve` runs, for engines to ask first")
        ->type_name("HOST:PORT");
    app.add_flag("--gateway-tls", options.gateway_tls, "it speaks https");
    app.add_option("--pause", options.pause, "Kubernetes' pause image; without it containerd is set up alone")
        ->type_name("IMAGE");
    app.add_option("-o,--output", options.output, "the folder that they go to (default: site)")->type_name("DIR");
  }

  void add_gateway() {
    CLI::App& gateway = *app_.add_subcommand("gateway", "what a device does with bundles of image sets");
    gateway.set_help_flag("-h,--help", "this help");
    gateway.require_subcommand(1);
    gateway.footer("`whittle-gateway` is a small program of its own that has the commands of a device alone.");
    add_gateway_commands(gateway, "whittle gateway", [p = parsed_.get()](const GatewayCommand& run) {
      p->command = [run](Session& session) { return run_gateway(run, session); };
    });
    add_gateway_serve(gateway);
  }

  void add_gateway_serve(CLI::App& gateway) {
    GatewayServeOptions& options = parsed_->gateway_serve;
    CLI::App& app = *gateway.add_subcommand("serve", "a read-only registry from an OCI layout, until it is ended");
    app.set_help_flag("-h,--help", "this help");
    app.footer(
        "Examples:\n  whittle gateway serve --store /var/lib/gateway/store --listen :5000\n"
        "  whittle gateway serve --listen :5000 --upstream docker.io --prefetch docker.io/library/nginx:1");
    app.callback([p = parsed_.get()] {
      p->command = [p](Session& session) { return gateway_serve(p->gateway_serve, session); };
    });
    app.add_option("--store", options.store, "the layout (default: whittle's own store)")->type_name("DIR");
    app.add_option("--listen", options.listen,
                   "where clients connect (default: 127.0.0.1:5000); `:5000`: from anywhere")
        ->type_name("ADDRESS:PORT");
    app.add_option("--tls-cert", options.tls_certificate,
                   "serve https with this certificate, its chain in the same file")
        ->type_name("FILE");
    app.add_option("--tls-key", options.tls_key, "and with its key")->type_name("FILE");
    app.add_option("--upstream", options.upstream, "fetch what is missing from this registry; may be repeated")
        ->allow_extra_args(false)
        ->type_name("HOST");
    app.add_option("--prefetch", options.prefetch, "fetch this image before anybody asks; may be repeated, in order")
        ->allow_extra_args(false)
        ->type_name("IMAGE");
    app.add_option("--cache", options.cache, "a layout for what comes from upstream (default: in whittle's cache)")
        ->type_name("DIR");
    app.add_option("--connections", options.connections, "clients at a time (default: 512)")->type_name("NUMBER");
    add_rate(app, options.limit_rate);
    add_http(app, options.allow_http);
  }

  void add_cache() {
    CLI::App& app = *app_.add_subcommand("cache", "shows or empties what can be made again");
    app.set_help_flag("-h,--help", "this help");
    app.footer("Examples:\n  whittle cache\n  whittle cache gc");
    app.require_subcommand(0, 1);
    app.callback([p = parsed_.get()] {
      if (!p->command) p->command = [p](Session& session) { return cache_info(p->json, session); };
    });
    add_json(app);
    app.add_subcommand("info", "how much is kept")->callback([p = parsed_.get()] {
      p->command = [p](Session& session) { return cache_info(p->json, session); };
    });
    app.add_subcommand("gc", "removes everything that no running build uses")->callback([p = parsed_.get()] {
      p->command = [](Session& session) { return cache_gc(session); };
    });
  }

  // A command below `set`, with what most of them take.
  CLI::App& set_command(CLI::App& set, const char* name, const char* does, const char* examples,
                        int (*run)(const SetOptions&, Session&)) {
    CLI::App& app = *set.add_subcommand(name, does);
    app.set_help_flag("-h,--help", "this help");
    app.footer(std::string("Examples:\n") + examples);
    app.callback([p = parsed_.get(), run] {
      p->command = [p, run](Session& session) {
        p->set.json = p->json;
        return run(p->set, session);
      };
    });
    return app;
  }
  void add_set_file(CLI::App& app) {
    app.add_option("FILE", parsed_->set.file, "the set (default: imageset.toml)")->type_name("");
  }
  void add_keys(CLI::App& app, const char* what) {
    app.add_option("--key", parsed_->set.keys, what)->allow_extra_args(false)->type_name("FILE");
  }
  void add_bundles(CLI::App& app) {
    app.add_option("BUNDLE", parsed_->set.bundles, "a bundle, or any of its volumes")->required()->type_name("");
  }
  void add_bundling(CLI::App& app) {
    SetOptions& options = parsed_->set;
    add_set_file(app);
    app.add_option("--profile", options.profile, "the kind of device (default: the only one)")->type_name("NAME");
    add_keys(app, "sign with this key; may be repeated");
    app.add_option("--trust", options.trust, "which keys devices believe (default: beside the set)")->type_name("FILE");
    app.add_option("--volume-size", options.volume_size, "cut it into files of at most this size; `fat32` is 4 GiB - 1")
        ->type_name("SIZE");
    app.add_option("-o,--output", options.output, "where to (default: SET-EPOCH.whittle)")->type_name("FILE");
    app.add_option("--have", options.have, "carry only what the device of this receipt lacks; may be repeated")
        ->allow_extra_args(false)
        ->type_name("RECEIPT");
    app.add_option("--have-lock", options.have_locks,
                   "carry only what devices lack that have this earlier lock's images")
        ->allow_extra_args(false)
        ->type_name("FILE");
    add_http(app, options.allow_http);
    add_json(app);
  }

  void add_set() {
    SetOptions& options = parsed_->set;
    CLI::App& set = *app_.add_subcommand("set", "image sets for gateways: locks, signs and writes them as one file");
    set.set_help_flag("-h,--help", "this help");
    set.footer("Examples:\n  whittle set lock\n  whittle set bundle --key site.key -o line7.whittle");
    set.require_subcommand(1);

    CLI::App& lock =
        set_command(set, "lock", "builds or fetches every image of the set and pins it by digest",
                    "  whittle set lock\n  whittle set lock --locked     fail if anything has changed", set_lock);
    add_set_file(lock);
    lock.add_flag("--locked", options.locked, "change nothing; fail when the set is not what the lock says");
    add_http(lock, options.allow_http);
    add_json(lock);

    add_bundling(set_command(set, "bundle", "writes the locked images as one signed file, or as volumes",
                             "  whittle set bundle --key site.key\n"
                             "  whittle set bundle --key site.key --volume-size fat32 -o /media/stick/line7.whittle",
                             set_bundle));
    add_bundling(set_command(set, "delta", "the same, of what devices lack only",
                             "  whittle set delta --have gw17.receipt --key site.key\n"
                             "  whittle set delta --have-lock imageset-41.lock --key site.key",
                             set_delta));

    CLI::App& fleet =
        set_command(set, "plan-fleet", "says what one medium must carry to serve many devices, and writes it",
                    "  whittle set plan-fleet receipts/*\n"
                    "  whittle set plan-fleet receipts/* --key site.key -o /media/stick",
                    set_plan_fleet);
    fleet.add_option("RECEIPT", options.have, "of a device")->required()->type_name("");
    fleet.add_option("--file", options.file, "the set (default: imageset.toml)")->type_name("FILE");
    add_keys(fleet, "write the bundles, signed with this key; may be repeated");
    fleet.add_option("--trust", options.trust, "which keys devices believe (default: beside the set)")
        ->type_name("FILE");
    fleet.add_option("--volume-size", options.volume_size, "cut them into files of at most this size")
        ->type_name("SIZE");
    fleet.add_option("-o,--output", options.output, "the folder that they go to (default: this one)")->type_name("DIR");
    add_http(fleet, options.allow_http);
    add_json(fleet);

    CLI::App& sign = set_command(set, "sign", "adds another signature to a bundle, in place",
                                 "  whittle set sign line7.whittle --key second.key", set_sign);
    add_bundles(sign);
    add_keys(sign, "sign with this key; may be repeated");
    add_json(sign);

    CLI::App& verify = set_command(set, "verify", "reads a bundle back: every byte, and who signed it",
                                   "  whittle set verify line7.whittle --trust imageset.trust.json", set_verify);
    add_bundles(verify);
    verify.add_option("--trust", options.trust, "which keys devices believe")->type_name("FILE");
    add_json(verify);

    CLI::App& keygen = set_command(set, "keygen", "makes a key that signs, and FILE.pub, which devices get to know",
                                   "  whittle set keygen site.key", set_keygen);
    keygen.add_option("FILE", options.output, "where the secret key goes")->required()->type_name("");
    keygen.add_option("--algorithm", options.algorithm, "ed25519 or p256")
        ->check(CLI::IsMember({"ed25519", "p256"}))
        ->type_name("NAME");

    CLI::App& trust = set_command(set, "trust", "writes which keys devices believe, or the next version of it",
                                  "  whittle set trust --key a.pub --key b.pub --threshold 2\n"
                                  "  whittle set trust --key c.pub --sign-with a.key --sign-with c.key",
                                  set_trust);
    add_set_file(trust);
    add_keys(trust, "a public key that is believed; may be repeated");
    trust.add_option("--threshold", options.threshold, "so many of them must sign (default: 1)")->type_name("N");
    trust.add_option("--sign-with", options.signing_keys, "secret keys of the version before, and of this one")
        ->allow_extra_args(false)
        ->type_name("FILE");
    trust.add_option("--set", options.set_name, "the set's name, when its file is not here")->type_name("NAME");
    trust.add_option("--trust", options.trust, "where it is (default: beside the set)")->type_name("FILE");

    add_set_site(set);

    CLI::App& out = set_command(set, "export", "writes the images of a whole bundle for other tools",
                                "  whittle set export line7.whittle --to oci:images\n"
                                "  whittle set export line7.whittle --to registry:registry.example:5000",
                                set_export);
    add_bundles(out);
    out.add_option("--to", options.output, "`oci:DIR`, `archives:DIR` or `registry:HOST`")
        ->required()
        ->type_name("KIND:PLACE");
    add_http(out, options.allow_http);
  }

  static ImageOptions with_json(const Parsed& parsed) {
    ImageOptions options = parsed.image;
    options.json = parsed.json;
    return options;
  }

  CLI::App app_;
  std::shared_ptr<Parsed> parsed_;
};

}  // namespace

Invocation parse_command_line(int argc, const char* const* argv) {
  Tree tree;
  Invocation invocation;
  if (!parse_into(tree.app(), argc, argv, invocation.text)) return invocation;
  invocation.global = tree.parsed()->global;
  // The command holds the parsed values; the tree may go.
  invocation.command = [parsed = tree.parsed(), command = tree.parsed()->command](Session& session) {
    return command(session);
  };
  return invocation;
}

}  // namespace whittle::cli
