// Plans as detectors write them, one a language, and a machine of its own to build them on.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

#include "base/text.hpp"
#include "builder/builder.hpp"

namespace whittle::builder::test {

inline std::string caller_variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// A folder with a source tree, a home and a cache, all empty.
struct Machine {
  TemporaryFolder folder{fs::temp_directory_path(), "whittle-builder-"};
  fs::path source = folder.path() / "tree";
  Host host{.environment = {{"PATH", caller_variable("PATH")}, {"HOME", (folder.path() / "home").native()}},
            .cache = folder.path() / "cache"};
  SystemProcessRunner runner;
  RecordingEvents events;

  Machine() {
    make_folders(source);
    make_folders(folder.path() / "home");
    // rustup's toolchains live in the caller's home.
    const std::string rustup = caller_variable("RUSTUP_HOME");
    host.environment["RUSTUP_HOME"] = rustup.empty() ? cat(caller_variable("HOME"), "/.rustup") : rustup;
  }

  void write(const std::string& path, std::string_view text, unsigned mode = 0644) const {
    make_folders((source / path).parent_path());
    write_file(source / path, text, mode);
  }

  Built build(const plan::BuildPlan& plan, const Options& options = {}) {
    return build(plan, options, runner, events, {});
  }
  Built build(const plan::BuildPlan& plan, const Options& options, ProcessRunner& with, EventSink& to,
              const std::stop_token& stop) {
    return builder::build(plan, input_key(plan, source, host, with, to, stop), host, options, with, to, stop);
  }

  std::vector<std::string> notes() const {
    std::vector<std::string> texts;
    for (const Event& event : events.events()) {
      if (const Note* note = std::get_if<Note>(&event)) texts.push_back(note->text);
    }
    return texts;
  }
};

inline plan::Toolchain musl() {
  return {.name = "musl",
          .cc = "musl-gcc",
          .cxx = "",
          .compile_flags = {"-Os", "-ffile-prefix-map=${work}=."},
          .link_flags = {"-static", "-s", "-Wl,--build-id=none"}};
}
inline plan::Toolchain host_compiler() {
  return {.name = "host",
          .cc = "gcc",
          .cxx = "g++",
          .compile_flags = {"-Os", "-ffile-prefix-map=${work}=."},
          .link_flags = {"-static-pie", "-s", "-Wl,--build-id=none"}};
}

inline plan::BuildPlan plan_of(std::string name, std::string language) {
  plan::BuildPlan plan;
  plan.name = std::move(name);
  plan.language = std::move(language);
  plan.platform = "linux/amd64";
  return plan;
}

inline plan::Output program(std::string built, const std::string& name, std::string target = "") {
  plan::Output output;
  output.built = std::move(built);
  output.installed = cat("/bin/", name);
  output.process = name;
  output.target = std::move(target);
  return output;
}

inline plan::BuildPlan c_plan() {
  plan::BuildPlan plan = plan_of("hello", "c");
  plan.toolchains = {musl(), host_compiler()};
  plan.steps = {{.name = "compile hello",
                 .argv = {"${cc}", "${compile_flags}", "hello.c", "${link_flags}", "-o", "${work}/out-hello"},
                 .env = {},
                 .outputs = {"out-hello"},
                 .files = {}}};
  plan.outputs = {program("out-hello", "hello")};
  return plan;
}

inline plan::BuildPlan cpp_plan() {
  plan::BuildPlan plan = c_plan();
  plan.language = "cpp";
  plan.toolchains = {host_compiler()};
  plan.steps[0].argv = {"${cxx}", "${compile_flags}", "hello.cpp", "${link_flags}", "-o", "${work}/out-hello"};
  return plan;
}

inline plan::BuildPlan go_plan() {
  plan::BuildPlan plan = plan_of("svc", "go");
  plan.leaves_source_alone = true;
  plan.tools = {{"go", ">=1.20", "go.mod:3"}};
  const std::map<std::string, std::string> env = {
      {"CGO_ENABLED", "0"}, {"GOCACHE", "${cache:go-build}"}, {"GOMODCACHE", "${cache:go-mod}"}, {"GOFLAGS", ""},
      {"GOPROXY", "off"},   {"GOTOOLCHAIN", "local"}};
  plan.steps = {{.name = "list programs",
                 .argv = {"go", "list", "-find", "-json=ImportPath,Name", "."},
                 .env = env,
                 .outputs = {},
                 .files = {},
                 .report = plan::Report::go_list},
                {.name = "compile svc",
                 .argv = {"go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o",
                          "${work}/out/svc", "."},
                 .env = env,
                 .outputs = {"out/svc"},
                 .files = {}}};
  plan.outputs = {program("out/svc", "svc", "example.com/svc")};
  return plan;
}

inline plan::BuildPlan rust_plan() {
  plan::BuildPlan plan = plan_of("grain", "rust");
  plan.tools = {{"cargo", "", ""}};
  plan.steps = {
      {.name = "compile grain",
       .argv = {"cargo", "build", "--release", "--offline", "--target", "x86_64-unknown-linux-gnu", "--target-dir",
                "${keep}/target", "--jobs", "${jobs}", "--message-format=json-render-diagnostics"},
       .env = {{"CARGO_HOME", "${cache:cargo}"},
               {"CARGO_TERM_COLOR", "never"},
               {"CARGO_INCREMENTAL", "0"},
               {"CARGO_ENCODED_RUSTFLAGS",
                "-Ctarget-feature=+crt-static\x1f-Cstrip=symbols\x1f--remap-path-prefix=${keep}=/keep"}},
       .outputs = {},
       .files = {},
       .report = plan::Report::cargo_messages}};
  plan.outputs = {program("", "grain", "grain")};
  return plan;
}

inline plan::BuildPlan cmake_plan() {
  plan::BuildPlan plan = plan_of("calc", "c");
  plan.tools = {{"cmake", ">=3.14", ""}, {"ninja", "", ""}};
  plan.toolchains = {musl(), host_compiler()};
  plan.steps = {
      {.name = "configure",
       .argv = {"cmake", "-S", "${source}", "-B", "${work}/build", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                "-DCMAKE_C_FLAGS=${compile_flags}", "-DCMAKE_EXE_LINKER_FLAGS=${link_flags}"},
       .env = {{"CC", "${cc}"}},
       .outputs = {},
       .files = {{"build/.cmake/api/v1/query/codemodel-v2", ""}}},
      {.name = "compile",
       .argv = {"cmake", "--build", "${work}/build", "--parallel", "${jobs}"},
       .env = {},
       .outputs = {},
       .files = {},
       .report = plan::Report::cmake_file_api,
       .report_folder = "build"}};
  plan.outputs = {program("build/", "calc", "calc")};
  return plan;
}

inline plan::BuildPlan make_plan() {
  plan::BuildPlan plan = plan_of("tool", "c");
  plan.tools = {{"make", "", ""}};
  plan.toolchains = {musl(), host_compiler()};
  plan.steps = {{.name = "compile",
                 .argv = {"make", "-j${jobs}", "CC=${cc}", "CFLAGS=${compile_flags}", "LDFLAGS=${link_flags}"},
                 .env = {},
                 .outputs = {},
                 .files = {},
                 .report = plan::Report::new_executables}};
  plan.outputs = {program("", "", "*")};
  plan.outputs[0].installed = "/bin/";
  plan.outputs[0].process.clear();
  return plan;
}

// A tree for each plan.
inline void write_c(const Machine& machine) {
  machine.write("hello.c", "#include <stdio.h>\nint main(void) { puts(\"hello from \" __FILE__); return 0; }\n");
}
inline void write_cpp(const Machine& machine) {
  machine.write("hello.cpp",
                "#include <iostream>\nint main() { std::cout << \"hello from \" << __FILE__ << '\\n'; }\n");
}
inline void write_go(const Machine& machine) {
  machine.write("go.mod", "module example.com/svc\n\ngo 1.20\n");
  machine.write("main.go",
                "package main\n\nimport (\n\t\"fmt\"\n\t\"runtime\"\n)\n\n"
                "func main() { _, file, _, _ := runtime.Caller(0); fmt.Println(\"hello from\", file) }\n");
}
inline void write_rust(const Machine& machine) {
  machine.write("Cargo.toml", "[package]\nname = \"grain\"\nversion = \"0.1.0\"\nedition = \"2021\"\n");
  machine.write("src/main.rs", "fn main() { println!(\"hello from {}\", file!()); }\n");
}
inline void write_cmake(const Machine& machine) {
  machine.write("CMakeLists.txt",
                "cmake_minimum_required(VERSION 3.14)\nproject(calc C)\nadd_library(sum sum.c)\n"
                "add_executable(calc main.c)\ntarget_link_libraries(calc sum)\n");
  machine.write("sum.c", "int sum(int a, int b) { return a + b; }\n");
  machine.write("main.c",
                "#include <stdio.h>\nint sum(int, int);\n"
                "int main(void) { printf(\"hello from %s: %d\\n\", __FILE__, sum(1, 2)); return 0; }\n");
}
inline void write_make(const Machine& machine) {
  machine.write("Makefile", "tool: tool.o\n\t$(CC) $(LDFLAGS) -o $@ $^\n");
  machine.write("tool.c", "#include <stdio.h>\nint main(void) { puts(\"hello from \" __FILE__); return 0; }\n");
}

}  // namespace whittle::builder::test
