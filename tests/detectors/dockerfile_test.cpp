#include "detectors/dockerfile.hpp"

#include <doctest/doctest.h>

#include "base/text.hpp"
#include "detectors/dockerfile_hints.hpp"
#include "tests/detectors/support.hpp"

using namespace whittle;
using namespace whittle::detectors;
using test::Files;
using test::Project;
using test::Strings;

namespace {

const Stage last_stage(std::string_view text) {
  const std::vector<Stage> stages = stages_of(parse_dockerfile(text));
  REQUIRE_FALSE(stages.empty());
  return stages.back();
}

std::string variable(std::string_view text, const std::string& name = "V") {
  const Stage stage = last_stage(cat("FROM scratch\n", text, "\n"));
  const auto found = stage.env.find(name);
  return found == stage.env.end() ? "(none)" : found->second.value;
}

Strings mistakes(std::string_view text) {
  return mistakes_in(stages_of(parse_dockerfile(text)), "Dockerfile");
}

Files go_with(const std::string& dockerfile, Files more = {}) {
  more.insert({{"go.mod", "module example.com/whoami\n\ngo 1.25.3\n"}, {"main.go", "package main\n"}});
  more["Dockerfile"] = dockerfile;
  return more;
}

}  // namespace

TEST_CASE("instructions have their lines; comments, continued lines and empty lines do not disturb them") {
  const Dockerfile file = parse_dockerfile(
      "# syntax=docker/dockerfile:1\n\nfrom alpine\nRUN a \\\n  # not this\n\n  b \\  \n  c\n  EXPOSE 80\nRUN x "
      "\\\\\nUSER 1\n");
  REQUIRE(file.instructions.size() == 5);
  CHECK(file.instructions[0].name == "FROM");
  CHECK(file.instructions[0].line == 3);
  CHECK(file.instructions[1].text == "a   b   c");
  CHECK(file.instructions[1].line == 4);
  CHECK(file.instructions[2].name == "EXPOSE");
  CHECK(file.instructions[2].line == 9);
  CHECK(file.instructions[3].text == "x \\\\");
  CHECK(file.instructions[4].line == 11);
}

TEST_CASE("the escape directive counts above everything else only") {
  CHECK(parse_dockerfile("# escape=`\nFROM a\nRUN x `\n y\n").instructions.at(1).text == "x  y");
  CHECK(parse_dockerfile("# hello\n# escape=`\nFROM a\nRUN x `\nUSER 1\n").instructions.size() == 3);
  CHECK(parse_dockerfile("# syntax=a\n# Escape = `\nFROM a\nRUN x `\n y\n").instructions.size() == 2);
}

TEST_CASE("a here-document is part of its instruction") {
  const Dockerfile file = parse_dockerfile(
      "FROM a\nRUN <<EOF cat <<-'TWO'\nUSER root\nEOF\n\tEXPOSE 1\n\tTWO\nCOPY <<conf /etc/x\nUSER 0\nconf\nRUN cat "
      "<<< x\nUSER "
      "5\n");
  Strings names;
  for (const Instruction& one : file.instructions) names.push_back(one.name);
  CHECK(names == Strings{"FROM", "RUN", "COPY", "RUN", "USER"});
  CHECK(file.instructions[1].text.ends_with("\nUSER root\nEXPOSE 1"));
  CHECK(file.instructions[4].line == 11);
}

TEST_CASE("variables are filled in as Docker does it, and left out when they are not known") {
  CHECK(variable("ENV V a b  c") == "a b  c");
  CHECK(variable("ENV V=\"a b\" W=c") == "a b");
  CHECK(variable("ENV V=a\\ b") == "a b");
  CHECK(variable("ENV A=x\nENV V=${A}y$A") == "xyx");
  CHECK(variable("ENV A=x\nENV A=y V=$A") == "x");
  CHECK(variable("ENV V='$A'") == "$A");
  CHECK(variable("ENV V=\\$A") == "$A");
  CHECK(variable("ENV V=${A:-d}${A:+e}") == "d");
  CHECK(variable("ENV A=\nENV V=${A:-d}${A-e}${A:+f}${A+g}") == "dg");
  CHECK(variable("ENV V=${A:-${B:-deep}}") == "deep");
  CHECK(variable("ENV V=$UNKNOWN") == "(none)");
  CHECK(variable("ENV V=${V:?must}") == "(none)");
  CHECK(variable("ENV V=${A") == "(none)");
  CHECK(variable("ARG P=80\nENV V=$P") == "80");
  CHECK(variable("ARG P\nENV V=$P") == "(none)");
  CHECK(last_stage("ARG G=1\nFROM a:$G\nARG G\nENV V=$G").env.at("V").value == "1");
  CHECK(last_stage("ARG G=1\nFROM a:$G").base == "a:1");
  CHECK_FALSE(last_stage("ARG G=1\nFROM a\nENV V=$G").env.contains("V"));
}

TEST_CASE("a stage has what the stages that it is based on have, and not what others have") {
  const Stage stage = last_stage(
      "FROM debian AS Base\nENV A=1\nUSER 7\nEXPOSE 80\nWORKDIR /app\nCMD [\"a\"]\nFROM alpine AS other\nUSER 9\nFROM "
      "base\n"
      "WORKDIR data\nENTRYPOINT [\"/b\"]\n");
  CHECK(stage.base == "debian");
  CHECK(stage.env.at("A").line == 2);
  CHECK(stage.user->value == "7");
  CHECK(stage.folder->value == "/app/data");
  CHECK(stage.ports.at(0).value == "80");
  CHECK(stage.entrypoint == Strings{"/b"});
  CHECK(stage.command.empty());
  CHECK(last_stage("FROM a\nCMD [\"x\"]\nENTRYPOINT [\"/b\"]\n").command == Strings{"x"});
  CHECK(last_stage("FROM a\nCMD x y\n").has_shell_form);
}

TEST_CASE("the last stage gives user, ports, variables, stop signal and start, each with its line") {
  const Files files = go_with(
      "FROM golang:1.25 AS build\nENV IN_BUILD=1\nCOPY . .\nRUN CGO_ENABLED=0 go build -o /out/server .\n"
      "FROM gcr.io/distroless/static\nCOPY --from=build /out/server /usr/bin/server\nENV GIN_MODE=release PATH=/x\n"
      "EXPOSE 8080 53/udp 9000-9001\nUSER nonroot:nonroot\nSTOPSIGNAL SIGINT\nWORKDIR /data\n"
      "ENTRYPOINT [\"/tini\", \"--\", \"/usr/bin/server\"]\nCMD [\"--port\", \"8080\"]\n");
  const plan::BuildPlan plan = Project(files).plan();
  CHECK(plan.image.entrypoint == Strings{"/bin/whoami"});
  CHECK(plan.image.arguments == Strings{"--port", "8080"});
  CHECK(plan.values.at("arguments") == plan::Value{"--port 8080", "Dockerfile:12"});
  CHECK(plan.values.at("default") == plan::Value{"whoami", "Dockerfile:12"});
  CHECK(plan.image.ports == Strings{"8080/tcp", "53/udp", "9000/tcp", "9001/tcp"});
  CHECK(plan.values.at("ports").source == "Dockerfile:8");
  CHECK(plan.image.env == std::map<std::string, std::string>{{"GIN_MODE", "release"}});
  CHECK(plan.values.at("env GIN_MODE") == plan::Value{"release", "Dockerfile:7"});
  CHECK(plan.values.at("user") == plan::Value{"65532:65532", "Dockerfile:9"});
  CHECK(plan.values.at("stop-signal") == plan::Value{"SIGINT", "Dockerfile:10"});
  CHECK(plan.values.at("workdir") == plan::Value{"/data", "Dockerfile:11"});
  CHECK(plan.warnings.empty());
}

TEST_CASE("whittle.toml and the Procfile come before the Dockerfile") {
  const std::string dockerfile =
      "FROM scratch\nENV A=docker B=docker\nUSER 5\nENTRYPOINT [\"/whoami\", \"--docker\"]\n";
  const plan::BuildPlan plan =
      Project(go_with(dockerfile, {{"whittle.toml", "[image]\nuser = \"1000\"\nenv = { A = \"own\" }\n"},
                                   {"Procfile", "web: whoami --procfile\n"}}))
          .plan();
  CHECK(plan.values.at("user") == plan::Value{"1000", "whittle.toml:2"});
  CHECK(plan.image.env == std::map<std::string, std::string>{{"A", "own"}, {"B", "docker"}});
  CHECK(plan.image.default_process == "web");
  CHECK(plan.image.entrypoint == Strings{"/bin/whoami", "--procfile"});
}

TEST_CASE("what CMD says gives way to the arguments of who starts it, the program stays") {
  const plan::ImageSettings alone = Project(go_with("FROM scratch\nCMD [\"whoami\", \"--help\"]\n")).plan().image;
  CHECK(alone.entrypoint == Strings{"/bin/whoami"});
  CHECK(alone.arguments == Strings{"--help"});
  const plan::ImageSettings starter =
      Project(go_with("FROM x\nENTRYPOINT [\"tini\", \"--\"]\nCMD [\"whoami\", \"-v\"]\n")).plan().image;
  CHECK(starter.entrypoint == Strings{"/bin/whoami"});
  CHECK(starter.arguments == Strings{"-v"});
  const std::string both = "FROM x\nENTRYPOINT [\"whoami\", \"-a\"]\nCMD [\"-b\"]\n";
  CHECK(Project(go_with(both)).plan().image.entrypoint == Strings{"/bin/whoami", "-a"});
  const plan::ImageSettings other = Project(go_with(both, {{"Procfile", "web: whoami\n"}})).plan().image;
  CHECK(other.arguments.empty());
}

TEST_CASE("what cannot be had without the base image is left out") {
  for (const char* start : {"CMD whoami --port 80", "CMD [\"sh\", \"-c\", \"whoami\"]", "ENTRYPOINT [\"/entry.sh\"]",
                            "CMD []", "CMD [1]", "CMD [\"whoami\""}) {
    CAPTURE(start);
    const plan::BuildPlan plan = Project(go_with(cat("FROM debian\nUSER root\n", start, "\n"))).plan();
    CHECK(plan.image.entrypoint == Strings{"/bin/whoami"});
    CHECK(plan.values.at("default").source == "inferred");
    CHECK(plan.image.user == "65532:65532");
  }
  const plan::BuildPlan plan = Project(go_with("FROM debian\nUSER app\nEXPOSE 99999 x 5-1\nWORKDIR /usr/src\n")).plan();
  CHECK(plan.warnings ==
        Strings{"Dockerfile:2: the user `app` is a name that only the base image knows; whittle's image runs as 65532 "
                "unless `user` says otherwise"});
  CHECK(plan.image.ports.empty());
  CHECK(plan.image.workdir == "/");
}

TEST_CASE("a module that nothing copies is named") {
  CHECK(mistakes("FROM golang:1.25\nWORKDIR /src\nCOPY main.go .\nRUN go mod download\nCOPY . .\n") ==
        Strings{"Dockerfile:4: `go mod download` has no go.mod in Docker's image: nothing above it copies one"});
  for (const char* copy : {"COPY . .", "COPY go.mod go.sum ./", "COPY go.* ./", "ADD [\".\", \"/src\"]",
                           "COPY src /src", "COPY --from=other /src /src", "RUN git clone https://example.com/x"}) {
    CAPTURE(copy);
    CHECK(mistakes(cat("FROM golang:1.25\n", copy, "\nRUN go build ./...\n")).empty());
  }
  CHECK(mistakes("FROM golang:1.25\nRUN --mount=type=bind,target=. go build -o /x .\n").empty());
}

TEST_CASE("a compiler in an image that has none is named") {
  CHECK(mistakes("FROM alpine:3.20\nCOPY . .\nRUN cd /x && make all\n") ==
        Strings{
            "Dockerfile:3: `make` is called in `alpine:3.20`, which does not have it, and nothing above installs it"});
  CHECK(mistakes("FROM scratch\nRUN mkdir /x\n") ==
        Strings{"Dockerfile:2: `RUN` needs a shell, which `scratch` does not have"});
  CHECK(mistakes("FROM alpine\nRUN apk add --no-cache build-base && make\n").empty());
  CHECK(mistakes("FROM gcc:14\nCOPY . .\nRUN gcc -o x x.c\n").empty());
  CHECK(mistakes("FROM debian\nCOPY --from=tools /usr /usr\nRUN gcc x.c\n").empty());
  CHECK(mistakes("FROM our.registry/base\nRUN gcc x.c\n").empty());
}

TEST_CASE("a program for glibc on a base with musl is named") {
  CHECK(mistakes("FROM rust:1.80 AS build\nCOPY . .\nRUN cargo build --release\nFROM alpine:3.20\n"
                 "COPY --from=build /target/release/x /x\n") ==
        Strings{"Dockerfile:5: what `rust:1.80` links may need glibc, which `alpine:3.20` does not have; whittle's "
                "programs are static"});
  CHECK(
      mistakes("FROM golang:1.25 AS b\nCOPY . .\nRUN CGO_ENABLED=0 go build -o /x\nFROM alpine\nCOPY --from=b /x /x\n")
          .empty());
  CHECK(mistakes("FROM golang:1.25-alpine AS b\nCOPY . .\nRUN go build -o /x\nFROM alpine\nCOPY --from=0 /x /x\n")
            .empty());
  CHECK(mistakes("FROM rust:1.80 AS b\nRUN cargo build\nFROM debian:12-slim\nCOPY --from=b /x /x\n").empty());
}

TEST_CASE("a Dockerfile that grows without end is read to its limits") {
  std::string text = "FROM a AS s0\nENV V=xxxxxxxxxxxxxxxx\n";
  for (int i = 0; i < 40; ++i) text += "ENV V=$V$V$V$V\n";
  for (int i = 1; i < 300; ++i) text += cat("FROM s", i - 1, " AS s", i, "\nRUN x\n");
  for (int i = 0; i < 20'000; ++i) text += "EXPOSE 1\n";
  CHECK_FALSE(stages_of(parse_dockerfile(text)).empty());
  CHECK(parse_dockerfile(text).instructions.size() == 10'000);
  CHECK(parse_dockerfile("").instructions.empty());
  CHECK(stages_of(parse_dockerfile("RUN <<EOF")).empty());
  CHECK(hints_of_dockerfile(std::string(100, '$'), "Dockerfile").argv.empty());
}
