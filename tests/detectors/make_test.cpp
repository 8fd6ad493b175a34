#include <doctest/doctest.h>

#include "base/text.hpp"

#include "tests/detectors/support.hpp"

using namespace whittle;
using test::Files;
using test::Project;
using test::Strings;

namespace {

plan::BuildPlan plan_of(const std::string& makefile, const std::string& toml = "") {
  Files files = {{"Makefile", makefile}, {"src/main.c", ""}, {"src/part.c", ""}};
  if (!toml.empty()) files["whittle.toml"] = toml;
  return Project(files).plan();
}

std::string programs(const plan::BuildPlan& plan) {
  std::string names;
  for (const plan::Output& output : plan.outputs) names += (names.empty() ? "" : " ") + output.built + output.target;
  return names;
}

}  // namespace

TEST_CASE("a Makefile in BSD's language is made by bmake, and its program is the one that it names") {
  const plan::BuildPlan plan =
      Project(Files{{"Makefile", "PROG=\thello\nSRCS=\tmain.c\nMAN=\n.include <bsd.prog.mk>\n"},
                    {"main.c", "int main(void) {}"}})
          .plan();
  CHECK(plan.tools == std::vector<plan::Tool>{{"bmake", "", ""}});
  CHECK(plan.name == "hello");
  CHECK(plan.steps.at(0).argv.front() == "bmake");
  CHECK(plan.steps.at(0).argv.back() == "hello");
}

TEST_CASE("a Makefile for one of many systems is run at the root, by the goal that finds out about the system") {
  const plan::BuildPlan plan =
      Project({{"unix/Makefile", "list:\n\techo choose\ngeneric: tool\ntool: main.o\n\t$(CC) -o tool main.o\n"},
               {"msdos/makefile.bor", "x:\n"},
               {"main.c", "int main(void) {}"}})
          .plan();
  const std::vector<std::string>& argv = plan.steps.at(0).argv;
  CHECK(std::vector<std::string>(argv.begin(), argv.begin() + 4) ==
        std::vector<std::string>{"make", "-j${jobs}", "-f", "unix/Makefile"});
  CHECK(argv.back() == "generic");
  CHECK(plan.name == "tool");
}

TEST_CASE("a rule that links is a program, under whatever name the variables give it") {
  const plan::BuildPlan plan = plan_of(
      "PROG = checksums\nOBJ := src/main.o src/part.o\nall: $(PROG)\n$(PROG): $(OBJ)\n\t$(CC) $(LDFLAGS) -o $@ "
      "$^\n%.o: %.c\n\t$(CC) -c -o $@ $<\n");
  CHECK(programs(plan) == "src/checksums");
  CHECK(plan.name == "checksums");
  CHECK(plan.values.at("name").source == "Makefile:4");
  CHECK(plan.image.entrypoint == Strings{"/bin/checksums"});
  CHECK(plan.steps[0].argv == Strings{"make", "-j${jobs}", "CC=${cc} -O2 ${compile_flags} ${link_flags}", "checksums"});
  CHECK(plan.steps[0].report == plan::Report::new_executables);
  CHECK(plan.language == "c");
}

TEST_CASE("several styles of Makefile name the same program") {
  for (const char* makefile : {
           "tool: src/main.o\n\tcc -o tool src/main.o\n",
           "all:\n\t$(CC) -Iinclude src/*.c -o tool\n",
           "BIN ?= tool\nall: bin/$(BIN)\nbin/$(BIN): $(patsubst %.c,%.o,$(wildcard src/*.c)) | bin\n\t$(CC) $^ -o "
           "$@\nbin:\n\tmkdir -p $@\n",
           "SRC=$(wildcard src/*.c)\ntool: ${SRC:.c=.o}\n\t@${CC} -o $@ ${SRC:.c=.o} ${LDFLAGS}\n",
           "ifeq ($(shell uname),Darwin)\nNAME = mac\nelse\nNAME = tool\nendif\n$(NAME): src/main.o ; $(CC) -o $@ $<\n",
           "ifeq ($(OS),Windows_NT)\nEXE=.exe\nendif\nall: tool$(EXE)\ntool$(EXE): src/main.o\n\t$(CC) \\\n\t  -o $@ "
           "$<\n",
           "tool: tool.o part.o\n",
           "include build.mk\n",
           "define help\nnot: a rule\nendef\n.PHONY: all\nall: tool\ntool: ; $(CC) -o tool src/main.c\nlib.so: "
           "src/part.o\n\t$(CC) -shared -o $@ $^\n",
           "all: tool\ntool: src/main.o\n\t$(LINK.o) $^ -o $@\ncheck: tool_test\ntool_test: src/part.o\n\t$(CC) -o $@ "
           "$^\n",
       }) {
    CAPTURE(makefile);
    const plan::BuildPlan plan =
        Project(Files{{"Makefile", makefile}, {"src/main.c", ""}, {"build.mk", "tool: src/main.o\n\t$(CC) -o $@ $^\n"}})
            .plan();
    CHECK(plan.image.default_process == "tool");
    CHECK(plan.outputs.size() == 1);
  }
}

TEST_CASE("what the default goal does not make is no program of the image") {
  CHECK(programs(plan_of("all: app\napp: src/main.o\n\t$(CC) -o $@ $^\nbenchtool: src/part.o\n\t$(CC) -o $@ $^\n")) ==
        "src/app");
  CHECK(programs(plan_of("help:\n\t@echo help\napp: src/main.o\n\t$(CC) -o $@ $^\n")) == "src/app");
  CHECK(programs(
            plan_of(".DEFAULT_GOAL := two\none: src/main.o\n\t$(CC) -o $@ $^\ntwo: src/part.o\n\t$(CC) -o $@ $^\n")) ==
        "src/two");
}

TEST_CASE("several programs need a default") {
  const std::string two = "all: a b\na b: src/main.o\n\t$(CC) -o $@ $^\n";
  CHECK(programs(plan_of(two, "[image]\ndefault = \"b\"\n")) == "src/a src/b");
  CHECK_THROWS_AS(plan_of(two), Error);
  CHECK(programs(plan_of(two, "[build]\ntargets = [\"b\"]\n")) == "src/b");
}

TEST_CASE("a Makefile that cannot be read promises nothing, with a warning") {
  const plan::BuildPlan plan = plan_of("all:\n\t$(MAKE) -C src\n");
  CHECK(programs(plan) == "src/*");
  CHECK(plan.image.entrypoint.empty());
  CHECK(plan.warnings == Strings{"no program could be read from Makefile: the programs will be those that appear"});
  CHECK(plan.steps[0].argv.size() == 3);
}

TEST_CASE("a compiler that is called by name, or comes with flags of its own, is reached by a wrapper") {
  for (const char* makefile :
       {"all:\n\tgcc -o tool src/main.c\n", "CC = gcc -std=c99 -Isrc\nall:\n\t$(CC) -o tool src/main.c\n"}) {
    const plan::BuildPlan plan = plan_of(makefile);
    CHECK(plan.warnings.empty());
    CHECK(plan.steps[0].argv == Strings{"make", "-j${jobs}"});  // the goal `all` writes the file
    CHECK(plan.steps[0].env.at("PATH") == "${work}/wrappers:${path}");
    CHECK(plan.steps[0].files.at("wrappers/gcc").starts_with("#!/bin/sh\n"));
  }
}

TEST_CASE("a step of make falls back to one job, to what can be made, to a wrapper and to the default goal") {
  const plan::BuildPlan plan = plan_of("tool: src/main.c\n\t$(CC) -o $@ $^ -lcurses -lm\n");
  Strings names;
  for (const plan::Fallback& fallback : plan.steps[0].fallbacks) names.push_back(fallback.name);
  CHECK(names == Strings{"one job", "whatever can be made", "compiler wrapper", "-fcommon", "the default goal"});
  CHECK(plan.steps[0].fallbacks[2].argv == Strings{"make", "-j${jobs}", "tool"});
  CHECK(plan.toolchains[0].unless_host_has == Strings{"curses"});
  const plan::BuildPlan chosen = Project(Files{{"Makefile", "tool: src/main.c\n\t$(CC) -o $@ $^ -lcurses\n"},
                                               {"src/main.c", "int main(void) { return 0; }\n"},
                                               {"whittle.toml", "[build]\ntoolchain = \"musl\"\n"}})
                                     .plan();
  CHECK(chosen.toolchains.at(0).unless_host_has.empty());
}

TEST_CASE("`make install` is run for data and links, and only when all that it does stays below DESTDIR") {
  const auto installs = [](const std::string& recipe) {
    const plan::BuildPlan plan =
        plan_of(cat("tool: src/main.c\n\t$(CC) -o $@ $^\nD = $(DESTDIR)/usr\ninstall: tool\n", recipe));
    return plan.steps.back().name == "install data" && plan.steps.back().may_fail;
  };
  CHECK(installs("\tinstall -m755 tool $(D)/bin/tool\n\tinstall -m 644 words $(D)/share/tool/words\n"));
  CHECK(installs("\t@mkdir -p $(D)/bin && cp tool $(D)/bin; ln -sf tool $(D)/bin/other\n"));
  CHECK_FALSE(installs("\tinstall tool $(D)/bin/tool\n"));                          // nothing beside the program
  CHECK_FALSE(installs("\tcp words /usr/share/tool/words\n"));                      // elsewhere
  CHECK_FALSE(installs("\tcp words $(D)/share/tool\n\tcp -t/etc words\n"));         // elsewhere too
  CHECK_FALSE(installs("\tcp words $(D)/share/tool\n\tldconfig\n"));                // changes the machine
  CHECK_FALSE(installs("\tcp words $(D)/share/tool && useradd tool\n"));            // the same
  CHECK_FALSE(installs("\tcp words $(D)/share/tool\n\t$(MAKE) -C doc install\n"));  // cannot be read
  CHECK_FALSE(installs("\tcp words $(shell where)/share $(D)/share/tool\n"));       // nor can this
}

TEST_CASE("a library that the tree itself makes is none of the host's") {
  const plan::BuildPlan plan =
      plan_of("tool: main.o libown.a\n\t$(CC) -o $@ main.o -L. -lown\nlibown.a: own.o\n\tar r $@ $^\n");
  CHECK(plan.toolchains[0].unless_host_has.empty());
}

TEST_CASE("a Makefile without C, or beside the manifest of another language, is a task runner") {
  CHECK(Project(Files{{"Makefile", "all:\n\techo\n"}}).survey().candidates.empty());
  const Files go = {
      {"Makefile", "all:\n\tgo build\n"}, {"go.mod", "module example.com/x\n"}, {"main.go", "package main\n"}};
  CHECK(Project(go).survey().chosen == "go");
  const Files ruby = {{"Makefile", "all:\n\tbundle\n"}, {"Gemfile", ""}, {"addon/main.c", ""}};
  CHECK(Project(ruby).survey().candidates.empty());
  CHECK(Project(ruby).error().exit() == Exit::nothing_detected);
}

TEST_CASE("C++ programs get a C++ compiler") {
  const plan::BuildPlan plan =
      Project(Files{{"GNUmakefile", "x: x.o\n\t$(CXX) -o $@ $^\n"}, {"Makefile", "wrong:\n"}, {"x.cpp", ""}}).plan();
  CHECK(plan.language == "cpp");
  CHECK(plan.steps[0].argv[3] == "CXX=${cxx} -O2 ${compile_flags} ${link_flags}");
}

TEST_CASE("Makefiles that refer to themselves come to an end") {
  const plan::BuildPlan plan = plan_of(
      "A = $(A)$(B)\nB = $(A)\nC = $(call C)$(\ninclude Makefile\n$(A): x\nx: $(A)\nall: app\napp: src/main.o\n\t$(CC) "
      "-o $@ $^ $(A)\n");
  CHECK(programs(plan) == "src/app");
}

TEST_CASE("a linker that is a compiler is the static one too") {
  const auto words = [](const std::string& head) {
    return Project(Files{{"Makefile", head + "app: main.o\n\t$(LD) $(LDFLAGS) -o $@ main.o\n"}, {"main.c", ""}})
        .plan()
        .steps[0]
        .argv;
  };
  CHECK(words("LD = gcc\n")[3] == "LD=${cc} -O2 ${compile_flags} ${link_flags}");
  for (const std::string& word : words("LD = ld -r\n")) CHECK_FALSE(word.starts_with("LD="));
}
