#include <doctest/doctest.h>

#include "base/text.hpp"
#include "detectors/gradle_project.hpp"
#include "detectors/java_project.hpp"
#include "detectors/maven_project.hpp"
#include "tests/detectors/support.hpp"

using namespace whittle;
using namespace whittle::detectors;
using test::Files;
using test::Project;

namespace {

const std::string kMain = "package com.example;\nclass App {\n  public static void main(String[] a) {}\n}\n";

std::string pom(const std::string& more) {
  return "<project>\n<artifactId>x</artifactId>\n" + more + "</project>\n";
}

Files project(const std::string& more, const Files& others = {}) {
  Files files = {{"pom.xml", pom(more)}, {"src/main/java/com/example/App.java", kMain}};
  for (const auto& [path, text] : others) files[path] = text;
  return files;
}

std::string mains_of(const std::string& path, const std::string& text) {
  const Project tree(Files{{path, text}});
  std::string names;
  const detectors::Surroundings surroundings = tree.surroundings();
  for (const MainClass& main : main_classes(surroundings.app, ".", surroundings)) {
    names += cat(names.empty() ? "" : " ", main.name, "@", main.source);
  }
  return names;
}

const plan::Step& step_of(const plan::BuildPlan& plan, const std::string& name) {
  for (const plan::Step& step : plan.steps) {
    if (step.name == name) return step;
  }
  FAIL(name);
  return plan.steps.front();
}

const plan::Tool& tool_of(const plan::BuildPlan& plan, const std::string& name) {
  for (const plan::Tool& tool : plan.tools) {
    if (tool.name == name) return tool;
  }
  FAIL(name);
  return plan.tools.front();
}

}  // namespace

TEST_CASE("versions of Java are read as people write them") {
  CHECK(java_version_of("17") == "17");
  CHECK(java_version_of("1.8") == "8");
  CHECK(java_version_of("1.8.0_292") == "8.0");
  CHECK(java_version_of("temurin-21.0.2+13.0.LTS") == "21.0.2");
  CHECK(java_version_of("17.0.9-tem") == "17.0.9");
  CHECK(java_version_of("openjdk64-11.0.1") == "11.0.1");
  CHECK(java_version_of("latest").empty());
}

TEST_CASE("comments and texts are no code") {
  CHECK(without_comments("a // b\nc /* d\n */ e", false) == "a     \nc     \n    e");
  CHECK(without_comments("x = \"// no\" + 'a\\'b'", true) == "x = \"// no\" + 'a\\'b'");
  CHECK(without_comments("x = \"// no\"; y", false) == "x = \"     \"; y");
  CHECK(without_comments("\"\"\"\nmain \" \"\"\" z", false) == "\"\"\"\n       \"\"\" z");
  CHECK(without_comments("\"open\nnext // c", false) == "\"    \nnext     ");
  CHECK(without_comments("/* never closed", false) == "               ");
  CHECK(without_comments("\"ends with \\", false).size() == 12);
}

TEST_CASE("a main class is one whose main would be called") {
  CHECK(mains_of("a/App.java", kMain) == "com.example.App@a/App.java:3");
  CHECK(mains_of("App.java", "class App { static public void main(final String... a) {} }") == "App@App.java:1");
  CHECK(mains_of("App.java", "class App {\n public static\n void main (\n String[] a) {} }") == "App@App.java:3");
  CHECK(mains_of("App.java", "// public static void main(String[] a) {}\nclass App {}").empty());
  CHECK(mains_of("App.java", "class App { String s = \"static void main(String\"; }").empty());
  CHECK(mains_of("App.java", "class App { static int main(String[] a) { return 1; } }").empty());
  CHECK(mains_of("App.java", "class App { void run() { main(new String[0]); } }").empty());
  CHECK(mains_of("my-app.kt", "package p\n\nsuspend fun main(args: Array<String>) {}") == "p.My_appKt@my-app.kt:3");
  CHECK(mains_of("a.kt", "class A {\n  fun main() {}\n}").empty());
}

TEST_CASE("Maven is run without tests, offline for the second time, in a repository of ours") {
  const plan::BuildPlan plan = Project(project("")).plan();
  const plan::Step &fetch = step_of(plan, "fetch dependencies"), &compile = step_of(plan, "compile");
  CHECK(fetch.network);
  CHECK(!compile.network);
  CHECK(join(compile.argv, " ").find("--offline -Dmaven.test.skip=true") != std::string::npos);
  CHECK(join(fetch.argv, " ").find("-Dmaven.repo.local=${cache:maven}") != std::string::npos);
  CHECK(fetch.inputs == std::vector<std::string>{"**/pom.xml", "**/.mvn/**"});
  CHECK(compile.inputs == std::vector<std::string>{"**", "!target/**"});
  CHECK(plan.link == "closure");
  CHECK(plan.image.processes.at("x") == std::vector<std::string>{"/usr/lib/java/bin/java", "-jar", "/app/x.jar"});
  CHECK(plan.outputs.at(1).kind == plan::Output::Kind::dependency);
  CHECK(plan.outputs.at(2).kind == plan::Output::Kind::runtime);
}

TEST_CASE("modules that the configuration names are added to the runtime") {
  test::Files files = project("");
  files["whittle.toml"] = "[image]\njava-modules = [\"java.sql\", \"jdk.crypto.ec\"]\n";
  const plan::BuildPlan plan = Project(files).plan();
  CHECK(join(step_of(plan, "assemble").argv, " ").find("modules=java.sql,jdk.crypto.ec") != std::string::npos);
  CHECK(plan.values.at("java-modules") == plan::Value{"java.sql jdk.crypto.ec", "whittle.toml:2"});
}

TEST_CASE("the version that the code is for is the least that the JDK may have") {
  CHECK(tool_of(Project(project("<properties><java.version>21</java.version></properties>")).plan(), "javac")
            .constraint == ">=21");
  const plan::BuildPlan old = Project(project("<properties><java.version>1.8</java.version></properties>")).plan();
  CHECK(tool_of(old, "javac").constraint == ">=11");
  CHECK(tool_of(old, "javac").source == "jlink");
  const plan::BuildPlan indirect =
      Project(project("<properties><v>21</v><maven.compiler.release>${v}</maven.compiler.release></properties>"))
          .plan();
  CHECK(indirect.values.at("java") == plan::Value{"21", "pom.xml:3"});
  const plan::BuildPlan endless =
      Project(project("<properties><java.version>${java.version}</java.version></properties>")).plan();
  CHECK(!endless.values.contains("java"));
}

TEST_CASE("wrappers pin what they would have fetched") {
  const plan::BuildPlan plan = Project(project("", {{".mvn/wrapper/maven-wrapper.properties",
                                                     "# x\ndistributionUrl=https://a/b/apache-maven-3.9.9-bin.zip\n"}}))
                                   .plan();
  CHECK(tool_of(plan, "mvn").pin == "3.9.9");
  CHECK(tool_of(plan, "mvn").pin_source == ".mvn/wrapper/maven-wrapper.properties:2");
}

TEST_CASE("plugins of a parent in the tree count for its modules") {
  const plan::BuildPlan plan =
      Project(Files{{"pom.xml",
                     pom("<packaging>pom</packaging><modules><module>api</module></modules>\n<build><plugins><plugin>"
                         "<artifactId>spring-boot-maven-plugin</artifactId></plugin></plugins></build>")},
                    {"api/pom.xml",
                     "<project><parent><artifactId>x</artifactId></parent><artifactId>api</artifactId></project>"}})
          .plan();
  CHECK(plan.image.default_process == "api");
  CHECK(join(step_of(plan, "compile").argv, " ").find("--projects :api --also-make") != std::string::npos);
}

TEST_CASE("a pom.xml that is its own parent is refused") {
  const Error error =
      Project(
          Files{{"pom.xml", pom("<parent><artifactId>x</artifactId><relativePath>pom.xml</relativePath></parent>")}})
          .error();
  CHECK(error.exit() == Exit::detector_failed);
  CHECK(error.causes().at(0) == "it is its own parent");
}

TEST_CASE("a parent that is not in the tree is Maven's to find, with a warning when its place is named") {
  const Project tree(project("<parent><artifactId>p</artifactId><relativePath>../gone</relativePath></parent>\n"));
  const plan::BuildPlan plan = tree.plan();
  REQUIRE(plan.warnings.size() == 1);
  CHECK(plan.warnings[0] ==
        "pom.xml:3: the parent `../gone` is not in the tree, so that Maven looks for it in repositories");
}

TEST_CASE("Java for another platform is refused with the reason") {
  Project tree(project(""));
  tree.platform = "linux/arm64";
  tree.host = "linux/amd64";
  CHECK(tree.error().causes().at(0) == "a Java runtime for linux/arm64 needs the JDK of that platform; build it there");
}

TEST_CASE("included projects of Gradle are found in both dialects") {
  CHECK(gradle_projects_in("include 'a', ':b:c'\ninclude(\":d\")\n") == std::vector<std::string>{"a", "b/c", "d"});
  CHECK(gradle_projects_in("include(\n  'a',\n  'b'\n)\nrootProject.name = 'c'\n") ==
        std::vector<std::string>{"a", "b"});
  CHECK(gradle_projects_in("includeBuild('tools')\n").empty());
}

TEST_CASE("a Gradle toolchain wants its version exactly") {
  const Files files = {{"build.gradle.kts", "plugins {\n  application\n}\nkotlin { jvmToolchain(21) }\n"},
                       {"src/main/kotlin/A.kt", "fun main() {}\n"}};
  const plan::BuildPlan plan = Project(files).plan();
  CHECK(tool_of(plan, "javac").constraint == "=21");
  CHECK(plan.values.at("java").source == "build.gradle.kts:4");
}
