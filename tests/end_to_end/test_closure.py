"""`link = "closure"`: dynamic programs run from scratch with exactly the loader and the libraries that they need."""

import json
import shutil
import subprocess
import unittest

from support.case import WhittleTestCase, whittle_program

CLOSURE = '[build]\nlink = "closure"\n'

# A library of the system, one of its own with a run path, exceptions (libgcc_s, libstdc++), and the name service.
CMAKE = """
cmake_minimum_required(VERSION 3.16)
project(mixed CXX)
find_package(ZLIB REQUIRED)
add_library(greeting SHARED greeting.cpp)
add_executable(mixed main.cpp)
target_link_libraries(mixed greeting ZLIB::ZLIB)
"""
MAIN = r"""
#include <pwd.h>
#include <zlib.h>
#include <iostream>
#include <stdexcept>
const char* greeting();
int main() {
  try {
    throw std::runtime_error(greeting());
  } catch (const std::exception& error) {
    const passwd* nonroot = getpwuid(65532);
    std::cout << error.what() << " " << crc32(0, Z_NULL, 0) << " " << (nonroot ? nonroot->pw_name : "nobody") << std::endl;
  }
}
"""


class ClosureTest(WhittleTestCase):
    shared_cache = True

    def files(self, image):
        return [entry["path"] for entry in self.whittle("inspect", "--files", "--json", image).json["files"]]

    def mixed(self, **more):
        return self.write_tree(
            "mixed",
            {"CMakeLists.txt": CMAKE, "main.cpp": MAIN, "greeting.cpp": 'const char* greeting() { return "hello"; }\n', **more},
        )

    def test_a_dynamic_program_runs_under_every_runtime_with_its_libraries(self):
        image = self.build(self.mixed(**{"whittle.toml": CLOSURE})).name
        for runtime in ("runc", "bwrap"):
            result = self.whittle("run", image, env={"WHITTLE_RUNTIME": runtime})
            self.assertEqual(result.stdout, "hello 0 nonroot\n", runtime)
        names = {path.rsplit("/", 1)[1] for path in self.files(image) if ".so" in path}
        self.assertEqual(
            names,
            {"ld-linux-x86-64.so.2", "libc.so.6", "libgcc_s.so.1", "libgreeting.so", "libm.so.6", "libstdc++.so.6", "libz.so.1"},
        )
        check = self.whittle("check", image)
        self.assertIn("/bin/mixed: runs on scratch", check.stdout)
        self.assertIn("brings its loader and libraries: ld-linux-x86-64.so.2, ", check.stdout)

    def test_the_same_bytes_from_another_place(self):
        one = self.build(self.mixed(**{"whittle.toml": CLOSURE}))
        shutil.move(self.temporary / "mixed", self.temporary / "elsewhere")
        cache = {"WHITTLE_CACHE": self.temporary / "other-cache", "WHITTLE_STORE": self.temporary / "other-store"}
        other = self.build(self.temporary / "elsewhere", env=cache)
        self.assertEqual(one.digest, other.digest)

    def test_without_it_a_dynamic_program_is_refused_and_the_remedy_named(self):
        tree = self.write_tree("hello", {"hello.c": "#include <stdio.h>\nint main(void) { return puts(\"hi\") < 0; }\n"})
        subprocess.run(["gcc", "-o", "hello", "hello.c"], cwd=tree, check=True)
        (tree / "hello.c").unlink()
        result = self.whittle("build", tree, expect=55)
        self.assertIn("`src/hello` cannot run in a scratch image: it is dynamically linked", result.stderr)
        self.assertIn('`link = "closure"` under `[build]` in whittle.toml', result.stderr)
        image = self.build(tree, "--link", "closure").name
        self.assertEqual(self.whittle("run", image).stdout, "hi\n")

    def test_a_rust_program_is_linked_dynamically(self):
        tree = self.write_tree(
            "ferris",
            {
                "Cargo.toml": '[package]\nname = "ferris"\nedition = "2021"\n',
                "src/main.rs": 'fn main() { println!("ferris"); }\n',
                "whittle.toml": CLOSURE,
            },
        )
        image = self.build(tree).name
        self.assertEqual(self.whittle("run", image).stdout, "ferris\n")
        self.assertTrue(any(path.endswith("/libc.so.6") for path in self.files(image)))

    def test_whittle_runs_in_an_image_of_its_own(self):
        tree = self.write_tree("whittle", {"whittle.toml": CLOSURE})
        shutil.copy(whittle_program(), tree / "whittle")
        image = self.build(tree)
        self.assertRegex(self.whittle("run", image.name, "--", "--version").stdout, r"^whittle \d")
        root = self.temporary / "root"
        image.image.unpack(root)
        project = self.write_tree("project", {"go.mod": "module example.com/x\n", "main.go": "package main\n"})
        for folder in ("project", "proc"):
            (root / folder).mkdir()
        argv = ["bwrap", "--ro-bind", root, "/", "--ro-bind", project, "/project", "--proc", "/proc", "--clearenv"]
        out = subprocess.run([*argv, "/bin/whittle", "detect", "--json", "/project"], check=True, capture_output=True, text=True)
        self.assertEqual(json.loads(out.stdout)["chosen"], "go")


if __name__ == "__main__":
    unittest.main()
