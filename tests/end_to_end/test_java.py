"""Java: a runtime of the modules that are used, libraries in a layer of their own, and the application's jar."""

import signal
import subprocess
import time
import urllib.request
import zipfile
from pathlib import Path

from support.case import WhittleTestCase

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>com.example</groupId>
  <artifactId>{name}</artifactId>
  <version>1.0</version>
  <properties>
    <maven.compiler.release>17</maven.compiler.release>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  {more}
</project>
"""
GSON = """<dependencies><dependency>
  <groupId>com.google.code.gson</groupId><artifactId>gson</artifactId><version>2.11.0</version>
</dependency></dependencies>"""
SERVICE = """package com.example;

import com.google.gson.Gson;
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Map;

public class Service {
  public static void main(String[] arguments) throws Exception {
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])), 0);
    server.createContext("/", exchange -> {
      byte[] body = new Gson().toJson(Map.of("text", "VERSION")).getBytes(StandardCharsets.UTF_8);
      exchange.sendResponseHeaders(200, body.length);
      exchange.getResponseBody().write(body);
      exchange.close();
    });
    server.start();
    System.out.println("ready \\u4e16\\u754c");
  }
}
"""
HELLO = 'public class Hello {\n  public static void main(String[] a) {\n    System.out.println("hello");\n  }\n}\n'


def free_port():
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class JavaTest(WhittleTestCase):
    shared_cache = True

    def service(self, text="one"):
        return self.write_tree(
            "service",
            {
                "pom.xml": POM.format(name="service", more=GSON),
                "src/main/java/com/example/Service.java": SERVICE.replace("VERSION", text),
            },
        )

    def answer(self, reference, port):
        process = self.start_whittle("run", reference, "--", str(port))
        try:
            for _ in range(400):
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                        return answer.read().decode()
                except OSError:
                    self.assertIsNone(process.poll(), "it ended")
                    time.sleep(0.05)
            self.fail("no answer")
        finally:
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            result = self.finish(process, expect=None, timeout=60)
            self.ended = time.monotonic() - began
            self.output = result.stdout

    def test_a_change_of_code_leaves_runtime_and_libraries_as_they_are(self):
        before = self.build(self.service("one"))
        self.whittle("check", before.reference)
        self.assertEqual(self.answer(before.reference, free_port()), '{"text":"one"}')
        self.assertIn("ready 世界", self.output)
        self.assertLess(self.ended, 2.0)

        after = self.build(self.service("two"))
        old, new = ([layer.digest for layer in built.image.layers] for built in (before, after))
        self.assertEqual(len(old), len(new))
        self.assertEqual([a == b for a, b in zip(old, new)].count(False), 1, "one layer, the application's, has changed")
        self.assertEqual(self.answer(after.reference, free_port()), '{"text":"two"}')

        names = set(after.image.paths())
        self.assertIn("app/service.jar", names)
        self.assertIn("app/lib/com.google.code.gson.gson-2.11.0.jar", names)
        programs = {Path(name).name for name in names if "/bin/" in f"/{name}" and not name.endswith("/")}
        self.assertEqual(programs, {"java"}, "no shell, no package manager, no compiler")

    def test_an_image_has_the_modules_that_jdeps_finds(self):
        built = self.build(self.service())
        root = self.temporary / "root"
        built.image.unpack(root)
        listed = subprocess.run([root / "usr/lib/java/bin/java", "--list-modules"], capture_output=True, text=True, check=True)
        ours = {line.split("@")[0] for line in listed.stdout.split()}
        found = subprocess.run(
            ["jdeps", "--ignore-missing-deps", "--multi-release", "17", "--print-module-deps", "-q", "-R"]
            + ["-cp", root / "app/lib/com.google.code.gson.gson-2.11.0.jar", root / "app/service.jar"],
            capture_output=True, text=True, check=True,
        )
        self.assertLessEqual(set(found.stdout.strip().split(",")), ours)
        self.assertNotIn("java.desktop", ours)
        self.assertNotIn("jdk.compiler", ours)

    def test_two_builds_on_empty_caches_give_the_same_bytes(self):
        tree = self.write_tree("hello", {"Hello.java": HELLO})
        first = self.build(tree, env={"XDG_CACHE_HOME": self.temporary / "one"})
        again = self.build(tree, env={"XDG_CACHE_HOME": self.temporary / "two"})
        self.assertEqual(first.digest, again.digest)
        self.assertEqual(self.whittle("run", first.reference).stdout, "hello\n")

    def test_a_version_that_no_jdk_here_has_is_named_with_its_place(self):
        tree = self.write_tree(
            "future",
            {"pom.xml": POM.format(name="x", more="").replace("17", "99"), "src/main/java/Hello.java": HELLO},
        )
        result = self.whittle("build", tree, expect=30)
        self.assertIn("and the project wants >=99", result.stderr)
        self.assertIn("pom.xml:7", result.stderr)

    def test_what_maven_cannot_fetch_is_its_own_error(self):
        more = GSON.replace("2.11.0", "0.0.0-nobody-made-this")
        tree = self.write_tree("absent", {"pom.xml": POM.format(name="x", more=more), "src/main/java/Hello.java": HELLO})
        result = self.whittle("build", tree, expect=51)
        self.assertIn("build step `fetch dependencies` failed", result.stderr)
        self.assertIn("gson:jar:0.0.0-nobody-made-this", result.stderr)

    def test_without_the_network_it_is_said_what_has_to_be_fetched(self):
        tree = self.write_tree("cold", {"pom.xml": POM.format(name="x", more=GSON), "src/main/java/Hello.java": HELLO})
        result = self.whittle("build", tree, "--offline", env={"XDG_CACHE_HOME": self.temporary / "cold"}, expect=30)
        self.assertIn("fetch dependencies: mvn", result.stderr)

    def test_a_jar_that_is_built_already_is_packed_with_its_runtime(self):
        folder = self.temporary / "made"
        folder.mkdir()
        (folder / "Hello.java").write_text(HELLO)
        subprocess.run(["javac", "--release", "11", "Hello.java"], cwd=folder, check=True, capture_output=True)
        tree = self.temporary / "jar"
        tree.mkdir()
        with zipfile.ZipFile(tree / "hello.jar", "w") as jar:
            jar.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\nMain-Class: Hello\r\n\r\n")
            jar.write(folder / "Hello.class", "Hello.class")
        self.assertEqual(self.whittle("run", self.build(tree).reference).stdout, "hello\n")

    def test_a_jar_without_a_main_class_and_one_that_is_cut_off_are_refused(self):
        tree = self.temporary / "jar"
        tree.mkdir()
        with zipfile.ZipFile(tree / "x.jar", "w") as jar:
            jar.writestr("a.txt", "text")
        self.assertIn("x.jar names no main class", self.whittle("build", tree, expect=51).stderr)
        whole = (tree / "x.jar").read_bytes()
        (tree / "x.jar").write_bytes(whole[:40])
        self.assertIn("x.jar is no jar", self.whittle("build", tree, expect=51).stderr)
