// The plan: everything that a build will do, as data. Canonical JSON (`whittle.plan/v1`), equal for
// equal trees, and enough by itself: `build --plan FILE` gives the same digest.
// How programs are named before a build tool has spoken: docs/design/targets.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace whittle::plan {

// A setting with its origin: "go.mod:5", "whittle.toml:3", "--name", "WHITTLE_NAME", "default",
// "inferred from cmd/".
struct Value {
  std::string value, source;
  bool operator==(const Value&) const = default;
};

// Where a tool can be had by a machine that lacks it. It is known by its digest, whether it was fetched already or not.
struct Download {
  std::string host;        // the machines that it runs on: "linux/amd64"; empty: all
  std::string version;     // "0.15.2"
  std::string by;          // the tool that fetches and verifies it ("go", "npm"); empty: whittle, from `url`
  std::string url;         // of an archive (zip, tgz)
  std::string digest;      // of the archive, "sha256:…"; what npm fetches may have "sha512:…" or none
  std::uint64_t size = 0;  // of the archive, bytes
  std::string program;     // below the archive's root, or below the folder that `by` keeps such tools in
  bool operator==(const Download&) const = default;
};

struct Tool {
  std::string name;                      // "go", "cargo", "cmake", "ninja", "make", "cc", "c++"
  std::string constraint;                // ">=1.25.3", empty: any
  std::string source;                    // where the constraint is from; empty without one
  std::string pin = {};                  // the exact version that the project names: better, but not indispensable
  std::string pin_source = {};           // "rust-toolchain.toml:2"
  std::string library = {};              // below the folder above the program's: must be there for the platform
  std::vector<Download> downloads = {};  // in the order of preference
  bool operator==(const Tool&) const = default;
};

// A way to compile and link C and C++. A plan lists them in the order in which they are tried: the next one
// when its programs are missing, a step fails under it, or the result is not proved static.
struct Toolchain {
  std::string name;                        // "musl", "host", "host-fixed"
  std::string cc, cxx;                     // programs: "musl-gcc"; cxx empty: C only
  std::vector<std::string> compile_flags;  // hardening, size, prefix map
  std::vector<std::string> link_flags;     // "-static-pie", …
  std::vector<std::string> signs;          // tried only when an earlier failure has one of these texts; empty: always
  // Passed over when the host has one of these libraries: they are made for the host's own C library.
  std::vector<std::string> unless_host_has;
  std::string ar = "ar", ranlib = "ranlib";     // programs with arguments
  std::map<std::string, std::string> env = {};  // of every step
  std::vector<Download> downloads = {};         // of its program, when no toolchain of the plan is here
  bool operator==(const Toolchain&) const = default;
};

// A module of pkg-config that the build files ask for without saying what to do when it is not there.
struct Module {
  std::string name;            // "libcurl"
  std::string source;          // "meson.build:12"
  bool linked = false;         // into all that is built: what it links has to be there
  bool whole_closure = false;  // and also what its libraries need for themselves, because the build system links that
  bool elsewhere = false;      // a build might find the library in another way
  bool operator==(const Module&) const = default;
};

// How to read what a tool said about the programs that it makes, after its step has run.
enum class Report {
  none,
  go_list,          // `go list -json` on standard output; a program's name is its import path, its path stays empty
  cargo_messages,   // `cargo build --message-format=json…` on standard output; executables and their target names
  cmake_file_api,   // `.cmake/api/v1/reply` below the step's `report_folder`
  meson_targets,    // `meson-info/intro-targets.json` below the step's `report_folder`
  new_executables,  // ELF programs below the work folder that were not there before the step
};

// Another way to do a step, for when it fails, or when what it made is not there or not static. A step's fallbacks are
// tried in order, each once a toolchain; those that worked stay while later ones are tried.
struct Fallback {
  std::string name;                        // "one job"
  std::vector<std::string> signs;          // the failure must have one of these texts; empty: any
  std::vector<std::string> argv;           // in place of the step's; empty: the same
  std::vector<std::string> arguments;      // after those
  std::map<std::string, std::string> env;  // beyond the step's
  std::map<std::string, std::string> files;
  bool goes_on = false;  // in what the failed step has left; otherwise everything starts anew
  std::string warning;   // said of a build that it made possible; empty: nothing is lost
  bool operator==(const Fallback&) const = default;
};

// How a step gets a secret that whoever builds gives by its name. The plan does not know what it is.
struct SecretUse {
  std::string id;             // of `--secret id=…`
  std::string variable;       // that holds the secret itself; empty: none
  std::string file_variable;  // that holds the path of a file with it; empty: none
  std::string home;           // the place of that file below the step's home; empty: none
  bool operator==(const SecretUse&) const = default;
};

inline constexpr const char* kEverything = "**";

// Shaped like a Remote Execution action: nothing implicit. Paths are relative to the work folder,
// whose `src/` holds (or is a link to) the source tree. In argv, env values and file contents stand
//   ${work}           the absolute work folder
//   ${source}         the absolute folder of the source (`${work}/src`, or the user's own)
//   ${keep}           a folder of this source tree that lives on between builds (cargo's target folder)
//   ${cache:NAME}     a folder shared by all builds (Go's build cache, cargo's home)
//   ${jobs}           the number of jobs
//   ${tool:NAME}      the path of a probed tool
//   ${home:NAME}      the folder of a probed tool's installation: of `javac` the JDK
//   ${kernel_headers} a folder with the Linux kernel's headers of the host and nothing else
//   ${path}           the PATH of the clean environment; in env values only
//   ${cc} ${cxx} ${ar} ${ranlib} ${compile_flags} ${link_flags}   of the toolchain that is being tried
// A word of argv that is exactly one of the last line becomes several words; elsewhere they are joined by spaces.
struct Step {
  std::string name;  // "compile whoami"
  std::vector<std::string> argv;
  std::map<std::string, std::string> env;           // beyond the builder's clean environment
  std::string folder = "src";                       // working directory
  std::vector<std::string> inputs = {kEverything};  // what it reads of the source tree (plan/input_patterns.hpp)
  std::vector<std::string> outputs;                 // paths below the work folder
  // Written below the work folder before the step starts; a file that begins with `#!` can be run.
  std::map<std::string, std::string> files;
  bool network = false;
  bool may_fail = false;  // then what it would have made is left out, with a warning
  Report report = Report::none;
  std::string report_folder;  // for cmake_file_api and meson_targets
  std::vector<Fallback> fallbacks;
  std::vector<SecretUse> secrets = {};
  // What it reads of earlier steps' outputs: paths at or below which they lie. The others may not be there when it
  // runs.
  std::vector<std::string> needs = {kEverything};
  bool operator==(const Step&) const = default;
};

struct Output {
  // A program is one file, proved; the others are a file or a folder with everything below it, relative links included.
  //   runtime      an interpreter, its standard library
  //   dependency   packages of others
  //   data         what is the application's own
  // Under `link = "closure"` all of them bring the libraries along that their ELF files need.
  enum class Kind { program, data, runtime, dependency };
  std::string built;      // exact path below the work folder; ends in `/` where the report says the path
  std::string installed;  // absolute path in the image; ends in `/` while the program's name is not known
  Kind kind = Kind::program;
  std::string process;  // process name; programs only
  // The build tool's own name of the program: the step's report must name it, and settles where it lies
  // unless `built` is exact. "*": the installed programs that the report names, without any
  // all but tests and examples, for build systems that cannot be read beforehand.
  std::string target;
  // The digest of a program that whittle brings along, `built` being `shipped/NAME`; empty for what is built.
  std::string shipped = {};
  // Data: only those files and folders directly in `built` whose place in the image a program has in its text.
  bool only_if_named = false;
  bool operator==(const Output&) const = default;
};

// A file of the source tree that goes into the image (`image.files`).
struct FileMapping {
  std::string source;                    // relative to the context root; a final `/` means the folder's content
  std::string path;                      // absolute in the image
  std::string mode;                      // octal, empty: 0644 or 0755 by the source's executable bit
  std::vector<std::string> ignore = {};  // of a folder, beside the image's: patterns relative to the context root
  bool operator==(const FileMapping&) const = default;
};

// `DIGEST PATH`, one line a file of the site, sorted by the bytes of the paths below it.
inline constexpr std::string_view kSiteDigests = "/etc/site.digests";
// Below the work folder: programs that whittle brings along.
inline constexpr std::string_view kShipped = "shipped/";

// What a program was seen to miss when it was run (`--probe`), and is given.
struct Supply {
  enum class Kind { certificates, time_zones, name_service, services, terminal, folder } kind = Kind::certificates;
  std::string value;   // path of a folder, name of a terminal, the file of certificates that is wanted; or empty
  std::string reason;  // what it said: "when it was run it said `…`"
  bool operator==(const Supply&) const = default;
};

struct ImageSettings {
  std::vector<std::string> entrypoint;  // empty until the default program is known
  std::map<std::string, std::vector<std::string>> processes;
  std::string default_process;         // the one `entrypoint` is
  std::vector<std::string> arguments;  // of the entrypoint when who starts it gives none (`Cmd`)
  std::string user = "65532:65532", workdir = "/";
  std::map<std::string, std::string> env;
  std::vector<std::string> ports;  // "8080/tcp"
  std::map<std::string, std::string> labels;
  std::string stop_signal;
  std::string certificates = "auto";              // auto | always | never
  std::vector<std::string> timezones = {"auto"};  // "auto", "all", names; empty: none
  std::vector<FileMapping> files;
  std::vector<std::string> ignore;  // globs left out of the image
  std::string created;              // seconds since 1970, decimal; empty: 0
  // A folder of the image whose files are served as they are: forms of them in fewer bytes are put beside those that
  // have some, and their digests into `kSiteDigests`. Empty: none.
  std::string site = {};
  std::vector<Supply> supplies = {};
  bool operator==(const ImageSettings&) const = default;
};

struct LayerSettings {
  int level = 3;  // zstd
  std::string form = "auto";
  bool gzip_twin = false;  // also a manifest whose layers are gzip; not with the form "dual"
  bool operator==(const LayerSettings&) const = default;
};

// What an image may hold, in bytes; 0: anything. A larger one is made and refused (exit 69): no tag moves.
struct Budget {
  std::uint64_t compressed = 0;  // all blobs of the image
  std::uint64_t installed = 0;   // the content of all files
  bool operator==(const Budget&) const = default;
};

struct BuildPlan {
  std::string name;      // repository name of the image
  std::string language;  // go rust c cpp zig node python java static binary
  std::string detector;
  std::string app_root = ".", context_root = ".";
  std::string platform;            // "linux/amd64"
  std::string link = "static";     // static | closure
  std::string toolchain = "auto";  // auto | zig | musl | host
  std::string sandbox = "auto";    // auto | required | off; no part of any key, since no byte depends on it
  // False: the build system may write into its source folder, so it gets a copy.
  bool leaves_source_alone = false;
  std::map<std::string, Value> values;
  std::vector<Tool> tools;
  std::vector<Toolchain> toolchains;  // tried in this order; empty unless a step says ${cc} or ${cxx}
  std::vector<Module> modules;
  std::vector<Step> steps;
  std::vector<Output> outputs;
  ImageSettings image;
  LayerSettings layers;
  Budget budget;
  std::vector<std::string> warnings;
  bool operator==(const BuildPlan&) const = default;

  Json to_json() const;
  // Throws Error(usage) naming `what` and the member; unknown members are errors.
  static BuildPlan from_json(const Json& json, std::string_view what);
  std::string canonical() const;  // canonical_json(to_json())
};

// A program as a build tool named it. `path` is relative to the work folder, or absolute when the tool
// works elsewhere (`${keep}`); empty when this tool only knows the name.
struct ReportedProgram {
  std::string name, path;
  bool installed = false;  // the build system installs it (stronger than merely building it)
};

// The plan with every output exact and every process named: replaces outputs that have a `target` by
// the programs that were reported. Throws Error(build_failed) when the tool did not make a program
// that the plan promised (listing what it did make), Error(ambiguous) when several are left and none
// is the default. Pure.
BuildPlan settle(BuildPlan plan, const std::vector<ReportedProgram>& reported);

// Picks the default among several processes: `configured`, else "web", else the one named like the
// application, else the only one; otherwise nothing.
std::optional<std::string> default_process(const std::vector<std::string>& processes, std::string_view configured,
                                           std::string_view application);

// Gives every program output its process and chooses the entrypoint: `image.default_process` when set,
// else default_process(). Leaves both open while an output is "*". Throws Error(usage) when the configured one does
// not exist and Error(ambiguous) when there is no default.
void name_processes(BuildPlan& plan);

}  // namespace whittle::plan
