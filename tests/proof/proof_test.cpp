#include "proof/proof.hpp"

#include <algorithm>

#include "programs.hpp"

using namespace whittle;
using namespace whittle::proof;
using namespace whittle::proof::test;

namespace {

using Severity = Finding::Severity;
using Names = std::vector<std::string>;

Names texts(const Verdict& verdict, Severity severity) {
  Names out;
  for (const Finding& finding : verdict.findings) {
    if (finding.severity == severity) out.push_back(finding.text);
  }
  return out;
}
Names codes(const Verdict& verdict, Severity severity) {
  Names out;
  for (const Finding& finding : verdict.findings) {
    if (finding.severity == severity) out.push_back(finding.code);
  }
  return out;
}
Verdict check(const fs::path& file) {
  return check_program(file, "linux/amd64");
}

}  // namespace

TEST_CASE("static programs of every kind run on scratch") {
  const Programs programs;
  for (const fs::path& file : {programs.c("static", kHello, {"-static"}), programs.c("pie", kHello, {"-static-pie"}),
                               programs.c("musl", kHello, {"-static"}, "musl-gcc"),
                               programs.c("bare", "void _start(void) { for (;;); }\n", {"-nostdlib", "-static"}),
                               programs.go("g", "package main\n\nfunc main() { println(1) }\n"),
                               programs.rust("r", "fn main() { println!(\"hi\"); }\n")}) {
    CAPTURE(file.native());
    const Verdict verdict = check(file);
    CHECK(verdict.runs_on_scratch);
    CHECK(codes(verdict, Severity::reason) == Names{});
    CHECK(codes(verdict, Severity::warning) == Names{});
    CHECK(verdict.wants_certificates.empty());
    CHECK(verdict.wants_time_zones.empty());
    CHECK(verdict.wants_name_service.empty());
  }
}

TEST_CASE("every reason is listed") {
  const Programs programs;
  const auto reasons = [](const fs::path& file, const char* platform = "linux/amd64") {
    return texts(check_program(file, platform), Severity::reason);
  };
  const fs::path dynamic = programs.c("dynamic", kHello, {"-Wl,--no-as-needed", "-lz"});
  CHECK(reasons(dynamic, "linux/arm64") == Names{"is for amd64, and the platform is linux/arm64",
                                                 "needs the interpreter /lib64/ld-linux-x86-64.so.2", "needs libz.so.1",
                                                 "needs libc.so.6"});
  CHECK(reasons(programs.c("lib.so", "int g(void) { return 1; }\n", {"-shared", "-fPIC", "-nostdlib"})) ==
        Names{"is a shared library: it has no entry point of its own"});
  CHECK(reasons(programs.c("object.o", kHello, {"-c"})) ==
        Names{"is no program: it has not been linked into an executable file"});
  CHECK(reasons(programs.c("hole", "int f(void); void _start(void) { f(); }\n",
                           {"-nostdlib", "-shared", "-fPIC", "-Wl,-e,_start"})) == Names{"has the undefined symbol f"});
  write_file(programs.folder() / "script", "#!/bin/sh -e\necho hi\n");
  CHECK(reasons(programs.folder() / "script") == Names{"is a script for `/bin/sh`"});
  write_file(programs.folder() / "empty", "");
  CHECK(reasons(programs.folder() / "empty") == Names{"is an empty file"});
  write_file(programs.folder() / "text", "MZ\x90");
  CHECK(reasons(programs.folder() / "text") == Names{"is no ELF program"});
  write_file(programs.folder() / "broken", std::string("\x7f"
                                                       "ELF") +
                                               std::string(20, 'x'));
  CHECK(codes(check(programs.folder() / "broken"), Severity::reason) == Names{"malformed"});
}

TEST_CASE("surprises of a static glibc program are warnings, stripped or not where it can be seen") {
  const Programs programs;
  const fs::path lookup = programs.c(
      "lookup", "#include <netdb.h>\nint main(void) { struct addrinfo* r; return getaddrinfo(\"a\", 0, 0, &r); }\n",
      {"-static"});
  CHECK(texts(check(lookup), Severity::warning) ==
        Names{"looks up names through glibc's name service switch (getaddrinfo)"});
  CHECK(texts(check(programs.stripped(lookup)), Severity::warning) ==
        Names{"looks up names through glibc's name service switch (/etc/nsswitch.conf)"});
  const fs::path user =
      programs.c("user", "#include <pwd.h>\nint main(void) { return getpwnam(\"a\") == 0; }\n", {"-static"});
  CHECK(texts(check(user), Severity::warning) ==
        Names{"looks up names through glibc's name service switch (getpwnam, getpwnam_r)"});
  CHECK(codes(check(programs.c(
                  "convert", "#include <iconv.h>\nint main(void) { return iconv_open(\"GB18030\", \"UTF-8\") == 0; }\n",
                  {"-static"})),
              Severity::warning) == Names{"iconv"});
  CHECK(texts(check(programs.stripped(programs.c(
                  "plugin", "#include <dlfcn.h>\nint main(void) { return dlopen(\"libplugin.so.2\", 1) == 0; }\n",
                  {"-static"}))),
              Severity::warning) == Names{"may load libraries at run time (libplugin.so.2)"});
}

TEST_CASE("musl has no such surprises, except that dlopen refuses") {
  const Programs programs;
  const auto made = [&](const char* name, std::string_view text) {
    return check(programs.stripped(programs.c(name, text, {"-static"}, "musl-gcc")));
  };
  const Verdict lookup = made(
      "lookup", "#include <netdb.h>\nint main(void) { struct addrinfo* r; return getaddrinfo(\"a\", 0, 0, &r); }\n");
  CHECK(codes(lookup, Severity::warning).empty());
  CHECK(lookup.wants_name_service == "/etc/hosts");
  CHECK(made("user", "#include <pwd.h>\nint main(void) { return getpwnam(\"a\") == 0; }\n").wants_name_service ==
        "/etc/passwd");
  CHECK(codes(made("plugin", "#include <dlfcn.h>\nint main(int c, char** v) { return dlopen(v[c], 1) == 0; }\n"),
              Severity::warning) == Names{"dlopen"});
}

TEST_CASE("Go programs want what the functions that they can reach want") {
  const Programs programs;
  const Verdict clock = check(programs.go(
      "clock",
      "package main\n\nimport (\"fmt\"; \"time\")\n\nfunc main() { fmt.Println(time.Now().Format(time.RFC3339)) }\n"));
  CHECK(clock.wants_time_zones.empty());
  CHECK(clock.wants_certificates.empty());
  const Verdict zones = check(programs.go("zones",
                                          "package main\n\nimport (\"os\"; \"time\")\n\nfunc main() { l, _ := "
                                          "time.LoadLocation(os.Args[1]); println(l.String()) }\n"));
  CHECK(zones.wants_time_zones == "time.LoadLocation");
  const Verdict embedded =
      check(programs.go("embedded",
                        "package main\n\nimport (\"os\"; \"time\"; _ \"time/tzdata\")\n\nfunc main() { l, _ := "
                        "time.LoadLocation(os.Args[1]); println(l.String()) }\n"));
  CHECK(embedded.wants_time_zones.empty());
  const Verdict parser = check(programs.go("parser",
                                           "package main\n\nimport (\"crypto/x509\"; \"os\")\n\nfunc main() { _, e := "
                                           "x509.ParseCertificate([]byte(os.Args[1])); println(e) }\n"));
  CHECK(parser.wants_certificates.empty());
  const Verdict client = check(programs.go("client",
                                           "package main\n\nimport \"net/http\"\n\nfunc main() { r, _ := "
                                           "http.Get(\"https://example.org\"); println(r.Status) }\n"));
  CHECK_FALSE(client.wants_certificates.empty());
  CHECK(client.wants_name_service == "/etc/nsswitch.conf");
  CHECK(codes(client, Severity::warning).empty());
  const Verdict user = check(programs.go(
      "user", "package main\n\nimport \"os/user\"\n\nfunc main() { u, _ := user.Lookup(\"x\"); println(u.Uid) }\n"));
  CHECK(user.wants_name_service == "/etc/passwd");
}

TEST_CASE("C programs want time zones when they name one, or read the database themselves") {
  const Programs programs;
  const auto wants = [&](const char* name, std::string_view text, const char* compiler) {
    return check(programs.stripped(programs.c(name, text, {"-static"}, compiler))).wants_time_zones;
  };
  const std::string_view local =
      "#include <stdio.h>\n#include <time.h>\nint main(void) { time_t t = time(0); puts(asctime(localtime(&t))); "
      "return 0; }\n";
  const std::string_view named =
      "#include <stdio.h>\n#include <stdlib.h>\n#include <time.h>\nint main(void) { setenv(\"TZ\", \"Europe/Berlin\", "
      "1); time_t t = time(0); puts(asctime(localtime(&t))); return 0; }\n";
  for (const char* compiler : {"gcc", "musl-gcc"}) {
    CHECK(wants("local", local, compiler).empty());
    CHECK(wants("named", named, compiler) == "Europe/Berlin");
  }
}

TEST_CASE("a linked OpenSSL wants CA roots, and says where it looks for them") {
  const Programs programs;
  const Verdict verdict =
      check(programs.stripped(programs.c("tls",
                                         "#include <openssl/ssl.h>\nint main(void) { return "
                                         "SSL_CTX_set_default_verify_paths(SSL_CTX_new(TLS_client_method())); }\n",
                                         {"-static", "-lssl", "-lcrypto"})));
  CHECK(verdict.runs_on_scratch);
  CHECK(verdict.wants_certificates == "SSL_CERT_FILE");
  CHECK(codes(verdict, Severity::warning) == Names{"nss", "openssl-folder"});
}

TEST_CASE("texts are found across the borders of what is read at once") {
  const Programs programs;
  // One text begins in each of many places around a mebibyte.
  for (const int before : {1048570, 1048575, 1048576, 1048577, 2097140}) {
    const std::string text =
        cat("static const char padding[", before, "] = {1};\nstatic const char name[] = \"SSL_CERT_FILE\";\n",
            "void _start(void) { const volatile char* p = padding; const volatile char* n = name; for (;;) { (void)*p; "
            "(void)*n; } }\n");
    CHECK(check(programs.c(cat("far", before), text, {"-O0", "-nostdlib", "-static"})).wants_certificates ==
          "SSL_CERT_FILE");
  }
}

TEST_CASE("text in debug information is no evidence") {
  const Programs programs;
  const fs::path file =
      programs.c("debug", "/* */ struct SSL_CERT_FILE { int x; } v; void _start(void) { for (;;) v.x++; }\n",
                 {"-g", "-nostdlib", "-static"});
  CHECK(read_file(file).find("SSL_CERT_FILE") != std::string::npos);
  CHECK(check(file).wants_certificates.empty());
}

TEST_CASE("the verdict as JSON follows whittle.check/v1") {
  const Programs programs;
  const Json json = check(programs.c("dynamic", kHello, {"-s", "-Wl,--build-id=none"})).to_json();
  CHECK(json.at("schema") == "whittle.check/v1");
  CHECK(json.at("runsOnScratch") == false);
  CHECK(json.at("findings").at(0) == Json{{"severity", "reason"},
                                          {"code", "interpreter"},
                                          {"text", "needs the interpreter /lib64/ld-linux-x86-64.so.2"},
                                          {"remedy", "link the program with `-static-pie`, or with `-static`"}});
  CHECK(json.at("program") == Json{{"machine", "amd64"},
                                   {"bits", 64},
                                   {"littleEndian", true},
                                   {"interpreter", "/lib64/ld-linux-x86-64.so.2"},
                                   {"needed", {"libc.so.6"}},
                                   {"runPaths", Json::array()},
                                   {"positionIndependent", true},
                                   {"relro", true},
                                   {"bindsAtStart", false},
                                   {"executableStack", false},
                                   {"stackProtector", "no"},
                                   {"symbols", false},
                                   {"debug", false},
                                   {"buildId", ""},
                                   {"go", false}});
  CHECK(json.at("wants") == Json{{"certificates", ""}, {"timeZones", ""}, {"nameService", ""}});
  write_file(programs.folder() / "text", "x");
  CHECK(check(programs.folder() / "text").to_json().at("program").is_null());
}

TEST_CASE("the error lists every reason once and every remedy once") {
  const Programs programs;
  const Verdict verdict = check(programs.c("web", kHello, {"-Wl,--no-as-needed", "-lz", "-lm"}));
  const Error error = not_static_error("out/web", "compile web", verdict);
  CHECK(error.exit() == Exit::not_static);
  CHECK(error.message() == "`out/web` cannot run in a scratch image: it is dynamically linked");
  CHECK(error.where() == "made by step `compile web`");
  CHECK(error.details() == Names{"needs the interpreter /lib64/ld-linux-x86-64.so.2", "needs libz.so.1",
                                 "needs libm.so.6", "needs libc.so.6"});
  CHECK(error.hints() == Names{"link the program with `-static-pie`, or with `-static`",
                               "install the static archive `libz.a` and link with it",
                               "or ship its loader and libraries with it: `link = \"closure\"` under `[build]` in "
                               "whittle.toml"});
  write_file(programs.folder() / "script", "#!/usr/bin/env python3\n");
  const Error script = not_static_error("run", "", check(programs.folder() / "script"));
  CHECK(script.message() == "`run` cannot run in a scratch image");
  CHECK(script.where().empty());
}
