"""Steps in a sandbox: what they may not do is an error that says so, what was used is told, and where there is none."""

import json
import shutil
import subprocess
import unittest
from pathlib import Path

from support.case import WhittleTestCase

PROGRAM = '#include <stdio.h>\nint main(void) { puts("built"); return 0; }\n'


class Sandbox(WhittleTestCase):
    def tree(self, recipe=":", configuration="", name="tool"):
        makefile = f"tool: tool.o\n\t{recipe}\n\t$(CC) -o $@ $^\n"
        return self.write_tree(name, {"Makefile": makefile, "tool.c": PROGRAM, "whittle.toml": configuration})

    def sandbox_of(self, tree, *options, **more):
        return self.whittle("build", "--json", tree, *options, **more).json["platforms"][0]["sandbox"]

    def path_without_bubblewrap(self):
        folder = self.temporary / "bin"
        folder.mkdir()
        for program in Path("/usr/bin").iterdir():
            if program.name != "bwrap":
                (folder / program.name).symlink_to(program)
        return str(folder)

    def test_a_step_that_wants_the_network(self):
        tree = self.tree("curl --silent --show-error http://registry.example/x")
        result = self.whittle("build", tree, expect=51)
        self.assertIn("error: build step `compile tool` wanted the network, which it may not use\n", result.stderr)
        self.assertIn("  caused by: curl: (6) Could not resolve host: registry.example\n", result.stderr)
        self.assertIn('hint: `network = ["compile tool"]` under `[build]` in whittle.toml lets it\n', result.stderr)

    def test_a_step_that_may_use_the_network(self):
        own = Path("/proc/self/ns/net").readlink()
        tree = self.tree(f'test "$$(readlink /proc/self/ns/net)" = "{own}"', '[build]\nnetwork = ["compile *"]\n')
        self.assertEqual(self.sandbox_of(tree), "bubblewrap")
        plan = self.whittle("plan", "--json", tree).json
        self.assertTrue(plan["steps"][0]["network"])
        self.assertEqual(plan["values"]["network"], {"source": "whittle.toml:2", "value": "compile *"})

    def test_a_step_that_nobody_has(self):
        tree = self.tree(configuration='[build]\nnetwork = ["compile tol"]\n')
        result = self.whittle("build", tree, expect=2)
        self.assertIn("error: there is no step `compile tol` for `build.network`\n  --> whittle.toml:2\n", result.stderr)
        self.assertIn("hint: did you mean `compile tool`?\n", result.stderr)

    def test_a_step_that_writes_elsewhere(self):
        tree = self.tree("touch /usr/local/whittle-was-here")
        result = self.whittle("build", tree, expect=51)
        self.assertIn("error: build step `compile tool` wanted to write `/usr/local/whittle-was-here`, which it may not\n", result.stderr)
        self.assertFalse(Path("/usr/local/whittle-was-here").exists())

    def test_a_step_that_reads_the_home(self):
        (self.home / "notes").write_text("mine")
        tree = self.tree(f"cat {self.home}/notes")
        result = self.whittle("build", tree, expect=51)
        self.assertIn(f"wanted to read `{self.home}/notes`, which is neither in the source tree nor of a tool\n", result.stderr)
        self.assertNotIn("mine", result.stderr)

    def test_what_was_used_is_told_and_counts_for_nobody_but_who_requires_it(self):
        tree = self.tree()
        first = self.build(tree, "--sandbox=off")
        self.assertIn("  sandbox none\n", self.whittle("why", first.name, "/bin/tool").stdout)
        again = self.whittle("build", "--json", tree).json
        self.assertEqual((again["unchanged"], again["platforms"][0]["sandbox"]), (True, "none"))
        required = self.whittle("build", "--json", tree, env={"WHITTLE_SANDBOX": "required"}).json
        self.assertEqual((required["unchanged"], required["platforms"][0]["sandbox"]), (False, "bubblewrap"))
        self.assertEqual(required["digest"], first.digest)
        self.assertEqual(self.whittle("why", "--json", first.name, "/bin/tool").json["sandbox"], "bubblewrap")
        self.assertEqual(self.sandbox_of(tree, "--sandbox=off"), "bubblewrap")

    def test_the_mode_has_a_source(self):
        tree = self.tree(configuration='[build]\nsandbox = "off"\n')
        sources = {}
        for arguments, variable in (((), None), ((), "required"), (("--sandbox=auto",), "required")):
            plan = self.whittle("plan", "--json", tree, *arguments, env={"WHITTLE_SANDBOX": variable}).json
            sources[plan["values"]["sandbox"]["source"]] = plan.get("sandbox", "auto")
        self.assertEqual(sources, {"whittle.toml:2": "off", "WHITTLE_SANDBOX": "required", "--sandbox": "auto"})
        result = self.whittle("build", tree, "--sandbox=always", expect=2)
        self.assertIn("error: `--sandbox` must be one of `auto`, `required`, `off`, not `always`\n", result.stderr)

    def test_without_bubblewrap(self):
        path = {"PATH": self.path_without_bubblewrap()}
        tree = self.tree()
        result = self.whittle("build", tree, "--sandbox=required", env=path, expect=30)
        self.assertIn("error: steps must run in a sandbox, and this machine has none\n", result.stderr)
        self.assertIn("  caused by: bubblewrap is not on this machine\n\nhint: install it with `apt-get install bubblewrap`\n", result.stderr)
        result = self.whittle("build", tree, env=path)
        self.assertEqual(result.stderr.count("warning: steps run without a sandbox: bubblewrap is not on this machine"), 1)
        self.assertNotIn("warning", self.whittle("build", tree, "--sandbox=off", env=path).stderr)
        plan = self.temporary / "plan.json"
        plan.write_text(self.whittle("plan", "--json", tree).stdout)
        self.whittle("build", "--plan", plan, tree, "--sandbox=required", env=path, expect=30)

    def test_in_a_container_that_allows_no_namespaces(self):
        tree = self.tree()
        prefix = self.become_nobody()
        # No user namespace may be made in there: the one that bubblewrap would need.
        bars = ("bwrap", "--bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-user", "--disable-userns", "--")
        result = self.whittle("build", tree, prefix=(*prefix, *bars))
        self.assertEqual(result.stderr.count("warning: steps run without a sandbox: "), 1)
        self.assertIn("or accept it with `--sandbox=off`", result.stderr)
        result = self.whittle("build", tree, "--sandbox=required", prefix=(*prefix, *bars), expect=30)
        self.assertRegex(result.stderr, r"caused by: bwrap: .*\n\nhint: ")
        # What the last build has learned is not believed out here.
        self.assertEqual(json.loads(self.whittle("build", tree, "--sandbox=required", "--json", prefix=prefix).stdout)["platforms"][0]["sandbox"], "bubblewrap")

    def test_an_image_is_the_same_with_and_without(self):
        for name, files in {
            "one": {"main.c": '#include <stdio.h>\nint main(void) { puts(__FILE__); return 0; }\n'},
            "svc": {"go.mod": "module example.com/svc\n\ngo 1.20\n", "main.go": 'package main\n\nfunc main() { println("hi") }\n'},
            "calc": {"CMakeLists.txt": "cmake_minimum_required(VERSION 3.14)\nproject(calc C)\nadd_executable(calc a.c)\n", "a.c": "int main(void) { return __LINE__; }\n"},
        }.items():
            with self.subTest(name):
                tree = self.write_tree(name, files)
                first = self.build(tree, "--sandbox=required").digest
                for folder in ("steps", "builds", "layers"):  # what the tools keep for themselves stays
                    shutil.rmtree(self.home / ".cache/whittle" / folder)
                self.assertEqual(self.build(tree, "--sandbox=off").digest, first)


if __name__ == "__main__":
    unittest.main()
