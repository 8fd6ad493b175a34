"""What bad input gets: one clear error with its exit code, and nothing lost. The texts are goldens: UPDATE_GOLDEN=1 rewrites them."""

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

from support.case import WhittleTestCase

GOLDEN = Path(__file__).parent / "golden"
HELLO = '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n'


class BadInput(WhittleTestCase):
    shared_cache = True

    def golden(self, name, result):
        """Compares standard error and the exit code with the file, places of this run replaced."""
        text = f"exit {result.code}\n{result.stderr}"
        for place, stands_for in ((self.temporary, "TMP"), (self.environment()["XDG_CACHE_HOME"], "CACHE")):
            text = text.replace(str(place), stands_for)
        text = re.sub(r"logs/[0-9a-zA-Z._-]+", "logs/LOG", text)
        text = re.sub(r"work/[0-9a-zA-Z._-]+", "work/WORK", text)
        path = GOLDEN / f"{name}.txt"
        if os.environ.get("UPDATE_GOLDEN"):
            GOLDEN.mkdir(exist_ok=True)
            path.write_text(text)
            return
        self.assertEqual(text, path.read_text() if path.exists() else "(no golden file)")

    def refused(self, name, code, *arguments, **options):
        result = self.whittle(*arguments, expect=code, **options)
        self.assertEqual(result.stdout, "")
        self.golden(name, result)

    def refused_tree(self, name, code, files, *arguments, **options):
        tree = self.write_tree("tree", files)
        self.refused(name, code, "build", str(tree), *arguments, **options)

    def own_cache(self):
        """For another user, who may not write to the shared one."""
        return {"XDG_CACHE_HOME": str(self.home / ".cache")}

    # the folder

    def test_a_missing_folder(self):
        self.refused("missing_folder", 2, "build", str(self.temporary / "nowhere"))

    def test_a_file_instead_of_a_folder(self):
        tree = self.write_tree("tree", {"file": "x"})
        self.refused("file_for_folder", 2, "build", str(tree / "file"))

    def test_an_empty_folder(self):
        self.refused_tree("empty_folder", 20, {})

    def test_an_unreadable_folder(self):
        tree = self.write_tree("tree", {"main.c": HELLO})
        prefix = self.become_nobody()
        tree.chmod(0)
        self.addCleanup(tree.chmod, 0o700)
        self.refused("unreadable_folder", 2, "build", str(tree), prefix=prefix, env=self.own_cache())

    # the language

    def test_a_tree_in_no_known_language(self):
        self.refused_tree("no_language", 20, {"notes.txt": "x", "data/table.csv": "1,2\n"})

    def test_a_tree_in_a_language_that_whittle_does_not_build(self):
        self.refused_tree("ruby", 20, {"Gemfile": "source 'x'\n", "app.rb": "puts 1\n"})

    def test_two_equal_candidates(self):
        self.refused_tree(
            "two_languages",
            21,
            {
                "go.mod": "module example.test/both\n\ngo 1.19\n",
                "main.go": "package main\n\nfunc main() {}\n",
                "Cargo.toml": '[package]\nname = "both"\nversion = "0.1.0"\nedition = "2021"\n',
                "src/main.rs": "fn main() {}\n",
            },
        )

    def test_several_programs_and_no_default(self):
        main = "package main\n\nfunc main() {}\n"
        self.refused_tree(
            "no_default",
            21,
            {"go.mod": "module example.test/tools\n\ngo 1.19\n", "cmd/one/main.go": main, "cmd/two/main.go": main},
        )

    # manifests

    def test_a_broken_go_mod(self):
        self.refused_tree("broken_go_mod", 22, {"go.mod": "modul example.test/x\n", "main.go": "package main\n\nfunc main() {}\n"})

    def test_a_broken_cargo_toml(self):
        self.refused_tree("broken_cargo_toml", 22, {"Cargo.toml": "[package\nname = 1\n", "src/main.rs": "fn main() {}\n"})

    def test_a_broken_cmakelists(self):
        # CMake writes to two streams, whose lines come in any order.
        files = {"CMakeLists.txt": "project(x C)\nadd_executable(x main.c)\nno_such_command(1)\n", "main.c": HELLO}
        result = self.whittle("build", str(self.write_tree("tree", files)), expect=51)
        self.assertIn("error: build step `configure` failed with exit status 1\n  --> cmake -S ", result.stderr)
        self.assertIn('    CMake Error at CMakeLists.txt:3 (no_such_command):\n      Unknown CMake command "no_such_command"', result.stderr)
        self.assertIn("note: with toolchain `musl`: build step `configure` failed", result.stderr)

    def test_an_unknown_key_in_the_configuration(self):
        self.refused_tree("unknown_key", 2, {"main.c": HELLO, "whittle.toml": "[build]\ndetecter = 'go'\n"})

    def test_configuration_that_is_not_toml(self):
        self.refused_tree("not_toml", 2, {"main.c": HELLO, "whittle.toml": "[build\n"})

    def test_an_image_above_its_budget(self):
        """Refused before a tag moves, also when nothing has changed since; accepted with a larger budget."""
        def tree_with(limit):
            configuration = f'[image]\nfiles = [{{ source = "data", path = "/data" }}]\n[budget]\ninstalled = "{limit}"\n'
            return self.write_tree("tree", {"main.c": HELLO, "data": b"x" * 3_000_000, "whittle.toml": configuration})

        tree = tree_with("1MB")
        for _ in range(2):
            result = self.whittle("build", str(tree), expect=69)
            self.assertEqual(result.stdout, "")
            self.assertRegex(result.stderr, r"error: the image is 3\.\d MB installed, and its budget is 1\.0 MB\n")
            self.assertIn("whittle.toml:4", result.stderr)
            self.assertRegex(result.stderr, r"\d+ k?B  assets\n")
            self.assertIn("no tag was moved", result.stderr)
            self.assertEqual(self.whittle("images").stdout, "")
        self.whittle("build", str(tree_with("4MB")))
        self.assertIn("tree:latest", self.whittle("images").stdout)

    def test_an_unknown_target(self):
        self.refused_tree(
            "unknown_target", 2, {"go.mod": "module example.test/x\n\ngo 1.19\n", "main.go": "package main\n\nfunc main() {}\n"}, "--target", "y"
        )

    # tools and steps

    def test_a_missing_toolchain(self):
        tools = self.temporary / "bin"
        tools.mkdir()
        self.refused_tree(
            "missing_toolchain",
            30,
            {"go.mod": "module example.test/x\n\ngo 1.19\n", "main.go": "package main\n\nfunc main() {}\n"},
            "--toolchain",
            "host",
            env={"PATH": str(tools)},
        )

    def test_a_toolchain_that_is_too_old(self):
        tree = self.write_tree("tree", {"go.mod": "module example.test/x\n\ngo 1.999\n", "main.go": "package main\n\nfunc main() {}\n"})
        result = self.whittle("build", str(tree), "--toolchain", "host", expect=30)
        self.assertIn("1.999", result.stderr)
        self.assertIn("go.mod:3", result.stderr)

    def test_source_that_does_not_compile(self):
        result = self.whittle("build", str(self.write_tree("tree", {"broken.c": "int main(void) { return nothing; }\n"})), expect=51)
        self.assertIn("nothing", result.stderr)
        log = re.search(r"`([^`]*logs/[^`]*)`", result.stderr)
        self.assertTrue(log, result.stderr)
        self.assertIn("nothing", Path(log[1]).read_text())

    def test_a_program_that_links_dynamically(self):
        source = self.write_tree("source", {"hello.c": HELLO})
        tree = self.write_tree("tree", {})
        subprocess.run(["gcc", str(source / "hello.c"), "-o", str(tree / "hello")], check=True)
        self.refused("dynamic", 55, "build", str(tree))
        result = self.whittle("check", str(tree / "hello"), expect=55)
        self.assertIn("libc.so.6", result.stdout)

    # names and links

    def test_names_with_spaces_line_ends_and_other_bytes(self):
        names = ["with space", "with\nline end", os.fsdecode(b"not \xff utf-8"), "-dash", "q'uote\"", "ünïcode"]
        tree = self.write_tree("tree", {"hello.c": HELLO, "whittle.toml": '[image]\nfiles = [{ source = "data/", path = "/data" }]\n'})
        (tree / "data").mkdir()
        for name in names:
            (tree / "data" / name).write_text("content")
        built = self.build(tree)
        rootfs = built.image.unpack(self.temporary / "rootfs")
        self.assertEqual(sorted(os.fsencode(name) for name in os.listdir(rootfs / "data")), sorted(os.fsencode(name) for name in names))
        self.assert_store_valid()

    def test_a_tree_whose_own_path_is_odd(self):
        tree = self.write_tree("a tree'with\nodd name", {"hello.c": HELLO})
        self.build(tree)

    def test_a_link_that_leaves_the_tree_is_not_followed(self):
        secret = self.temporary / "secret"
        secret.write_text("[package]\nname = 'secret'\n")
        tree = self.write_tree("tree", {"hello.c": HELLO})
        (tree / "Cargo.toml").symlink_to(secret)
        result = self.whittle("detect", "--json", str(tree), expect=None)
        self.assertNotIn("secret", result.stdout)
        built = self.build(tree)
        self.assertNotIn("Cargo.toml", " ".join(built.image.paths()))

    def test_a_link_in_the_image_files_that_leaves_the_tree_is_refused(self):
        tree = self.write_tree("tree", {"hello.c": HELLO, "whittle.toml": '[image]\nfiles = [{ source = "data/", path = "/data" }]\n'})
        (tree / "data").mkdir()
        (tree / "data" / "shadow").symlink_to("/etc/shadow")
        result = self.whittle("build", str(tree), expect=2)
        self.assertIn("shadow", result.stderr)

    def test_a_read_only_tree_is_left_as_it_was(self):
        files = {"CMakeLists.txt": "cmake_minimum_required(VERSION 3.20)\nproject(x C)\nadd_executable(x main.c)\n", "main.c": HELLO}
        tree = self.write_tree("tree", files)
        prefix = self.become_nobody()
        for path in [*tree.rglob("*"), tree]:
            path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)
        before = {path: (path.stat().st_mtime_ns, path.stat().st_ctime_ns) for path in [tree, *tree.rglob("*")]}
        self.build(tree, prefix=prefix, env=self.own_cache())
        self.assertEqual({path: (path.stat().st_mtime_ns, path.stat().st_ctime_ns) for path in [tree, *tree.rglob("*")]}, before)

    # images

    def test_an_image_that_is_not_there(self):
        self.refused("no_image", 30, "inspect", "nothing/here")

    def test_a_name_that_is_no_reference(self):
        self.refused("bad_reference", 2, "inspect", "UPPER/case")

    def test_pushing_a_name_without_a_registry(self):
        self.refused_tree("push_nowhere", 2, {"hello.c": HELLO}, "--push")

    def test_a_registry_that_is_down(self):
        self.build(self.write_tree("tree", {"hello.c": HELLO}), "-t", "127.0.0.1:9/team/app:1")
        result = self.whittle("push", "127.0.0.1:9/team/app:1", expect=75)
        self.assertIn("127.0.0.1:9", result.stderr)
        self.assertNotIn("bug", result.stderr)

    def test_an_archive_that_is_none(self):
        (self.temporary / "junk.tar").write_bytes(os.urandom(5000))
        result = self.whittle("inspect", f"archive:{self.temporary / 'junk.tar'}", expect=None)
        self.assertIn(result.code, (2, 66))
        self.assertIn("junk.tar", result.stderr)


class Promises(WhittleTestCase):
    shared_cache = True

    def test_nothing_is_written_to_standard_output_but_the_reference(self):
        tree = self.write_tree("tree", {"hello.c": HELLO})
        result = self.whittle("build", str(tree))
        self.assertRegex(result.stdout, r"\A[a-z0-9/._-]+@sha256:[0-9a-f]{64}\n\Z")
        quiet = self.whittle("--quiet", "build", str(tree))
        self.assertEqual((quiet.stdout, quiet.stderr), (result.stdout, ""))

    def test_a_build_with_nothing_changed_starts_no_process(self):
        tree = self.write_tree("tree", {"hello.c": HELLO})
        first = self.whittle("build", str(tree))
        trace = self.temporary / "trace"
        second = self.whittle("build", str(tree), prefix=("strace", "-f", "-e", "trace=execve", "-o", str(trace)))
        self.assertEqual(second.stdout, first.stdout)
        started = [line for line in trace.read_text().splitlines() if "execve(" in line and "= 0" in line]
        self.assertEqual(len(started), 1, "\n".join(started))

    def test_each_program_of_an_image_can_be_started(self):
        main = 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("%s") }\n'
        files = {"go.mod": "module example.test/site\n\ngo 1.19\n", "cmd/web/main.go": main % "web", "cmd/worker/main.go": main % "worker"}
        built = self.build(self.write_tree("tree", files))
        self.assertEqual(self.whittle("run", built.reference).stdout, "web\n")
        self.assertEqual(self.whittle("run", "--process", "worker", built.reference).stdout, "worker\n")
        refused = self.whittle("run", "--process", "wroker", built.reference, expect=2)
        self.assertIn("it has: worker", refused.stderr)

    def test_a_plan_in_a_file_builds_the_same_image(self):
        tree = self.write_tree("tree", {"hello.c": HELLO})
        built = self.whittle("build", str(tree))
        plan = self.temporary / "plan.json"
        plan.write_text(self.whittle("plan", "--json", str(tree)).stdout)
        shutil.rmtree(self.store)
        again = self.whittle("build", "--plan", str(plan), str(tree))
        self.assertEqual(again.stdout, built.stdout)
