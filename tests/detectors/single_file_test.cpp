#include <doctest/doctest.h>

#include <algorithm>

#include "tests/detectors/support.hpp"

using namespace whittle;
using test::Files;
using test::Project;
using test::Strings;

namespace {

const std::string kMain = "#include <stdio.h>\nint main(void) { return 0; }\n";

std::string elf(char type) {
  std::string head(
      "\x7f"
      "ELF\x02\x01\x01",
      7);
  head.resize(64);
  head[16] = type;
  return head;
}

}  // namespace

TEST_CASE("one C file is a program of its name") {
  const plan::BuildPlan plan = Project(Files{{"hello.c", kMain}, {"README.md", ""}}).plan();
  CHECK(plan.name == "hello");
  CHECK(plan.language == "c");
  CHECK(plan.detector == "single-file");
  CHECK(plan.values.at("program hello").source == "hello.c:2");
  CHECK(plan.steps[0].argv == Strings{"${cc}", "-Os", "${compile_flags}", "-o", "${work}/out/hello", "hello.c",
                                      "${link_flags}", "-lm", "-lpthread"});
  CHECK(plan.outputs[0].built == "out/hello");
  CHECK(plan.steps[0].outputs == Strings{"out/hello"});
}

TEST_CASE("files of one folder are linked together, in C++ when one of them is") {
  const plan::BuildPlan plan =
      Project(Files{{"app.cc", kMain}, {"part.c", "int f;"}, {"include/x.h", ""}, {"tests/t.c", kMain}}).plan();
  CHECK(plan.language == "cpp");
  CHECK(plan.steps[0].argv == Strings{"${cxx}", "-Os", "${compile_flags}", "-Iinclude", "-o", "${work}/out/app",
                                      "app.cc", "part.c", "${link_flags}", "-lm", "-lpthread"});
  CHECK(Project(Files{{"src/tool.c", kMain}}).plan().name == "tool");
}

TEST_CASE("main.c is called like its folder") {
  CHECK(Project(Files{{"main.c", kMain}}, "Sensor Node").plan().name == "sensor-node");
}

TEST_CASE("every file with a main is a program of its own") {
  const Project project(
      Files{{"a.c", kMain}, {"b.c", kMain}, {"shared.c", "int x;"}, {"whittle.toml", "[image]\ndefault = \"a\"\n"}});
  CHECK(project.processes() == "*a b");
  CHECK(project.plan().steps.size() == 2);
}

TEST_CASE("a main in a comment, a text or a block is none") {
  for (const char* text : {"// int main() {}\n", "/* int main(void) */", "const char* s = \"int main()\";",
                           "void f(void) { main(); }", "int domain(void);", "int mainly;", "'\\''; \"\\\"main(\""}) {
    CAPTURE(text);
    CHECK(Project(Files{{"a.c", text}}).survey().candidates.empty());
  }
  for (const char* text : {"int\nmain (void) {}", "extern \"C\" { int main() {} }", "void _start(void) {}",
                           "int x[] = {1};\nint main() {}"}) {
    CAPTURE(text);
    CHECK(Project(Files{{"a.cpp", text}}).survey().chosen == "single-file");
  }
}

TEST_CASE("a program without a C library is linked without start files and what they promise") {
  const plan::BuildPlan plan =
      Project(Files{{"tiny.c", "void _start(void) {}"}, {"whittle.toml", "[build]\nargs = [\"-nostdlib\"]\n"}}).plan();
  CHECK(plan.steps[0].argv.back() == "-nostdlib");
  for (const plan::Toolchain& toolchain : plan.toolchains) {
    CHECK(std::count(toolchain.link_flags.begin(), toolchain.link_flags.end(), "-l:rcrt1.o") == 0);
    CHECK(std::count(toolchain.compile_flags.begin(), toolchain.compile_flags.end(), "-fstack-protector-strong") == 0);
    CHECK(toolchain.link_flags.front() == "-static");
  }
}

TEST_CASE("file names that would be options are not, and names that are no UTF-8 are refused") {
  const plan::BuildPlan plan = Project(Files{{"-o.c", kMain}, {"with space.c", ""}}).plan();
  CHECK(std::count(plan.steps[0].argv.begin(), plan.steps[0].argv.end(), "./-o.c") == 1);
  CHECK(std::count(plan.steps[0].argv.begin(), plan.steps[0].argv.end(), "with space.c") == 1);
  const Error error = Project(Files{{"a\xff.c", kMain}}).error();
  CHECK(error.exit() == Exit::detector_failed);
  CHECK(error.causes() == Strings{"its name is not UTF-8, so that no plan can name it"});
}

TEST_CASE("the only executable ELF file of a folder is a prebuilt program") {
  const plan::BuildPlan plan =
      Project(Files{{"sensor", elf(2)}, {"libx.so", elf(3)}, {"part.o", elf(1)}, {"notes.txt", std::string(100, 'x')}})
          .plan();
  CHECK(plan.detector == "prebuilt");
  CHECK(plan.language == "binary");
  CHECK(plan.steps.empty());
  CHECK(plan.tools.empty());
  CHECK(plan.leaves_source_alone);
  CHECK(plan.outputs[0].built == "src/sensor");
  CHECK(plan.outputs[0].installed == "/bin/sensor");
  CHECK(Project(Files{{"a", elf(3)}, {"b", elf(3)}}).survey().candidates.empty());
  CHECK(Project(Files{{"a.o", elf(1)}}).survey().candidates.empty());
  CHECK(Project(Files{{"tool", elf(2)}, {"main.c", kMain}}).survey().chosen == "single-file");
}
