"""Secrets: steps that are named for one have it, and nothing that a build leaves behind does."""

import os
import unittest
from pathlib import Path

from support.case import WhittleTestCase

SECRET = "npm_hunter2hunter2hunter2"
PROGRAM = '#include <stdio.h>\nint main(void) { puts("built"); return 0; }\n'
CONFIGURATION = """[build.secrets.npm]
steps = ["compile*"]
variable = "TOKEN"
file-variable = "TOKEN_FILE"
home = ".npmrc"
"""
USES = f'test "$$TOKEN" = "$$(cat $$TOKEN_FILE)" && test "$$TOKEN" = "$$(cat $$HOME/.npmrc)" && test "$${{#TOKEN}}" = {len(SECRET)}'


class Secrets(WhittleTestCase):
    def tree(self, recipe, configuration=CONFIGURATION):
        makefile = f"tool: tool.o\n\t@{recipe}\n\t$(CC) -o $@ $^\n"
        return self.write_tree("tool", {"Makefile": makefile, "tool.c": PROGRAM, "whittle.toml": configuration})

    def secret_file(self):
        folder = self.temporary / "secret"  # beside all that whittle has
        folder.mkdir()
        (folder / "npm").write_text(SECRET + "\n")
        return folder / "npm"

    def assert_unseen(self, *results):
        """Neither in what was said nor in any file of store and cache, nor in memory that has names."""
        for result in results:
            self.assertNotIn(SECRET, result.stdout + result.stderr)
        searched = 0
        for root in (self.store, self.home, Path("/dev/shm")):
            for folder, _, files in os.walk(root):
                for name in files:
                    path = Path(folder) / name
                    if path.is_file() and not path.is_symlink():
                        self.assertNotIn(SECRET.encode(), path.read_bytes(), path)
                        searched += 1
        self.assertGreater(searched, 3)
        self.assertEqual([path for path in Path("/dev/shm").glob("whittle-*-tool-*")], [])

    def assert_not_in_images(self):
        for image in self.layout().images():
            for layer in image.layers:
                self.assertNotIn(SECRET.encode(), layer.tar())
            self.assertNotIn(SECRET, str(image.config))

    def test_a_build_that_uses_one(self):
        tree = self.tree(f"{USES} && echo the token is $$TOKEN; printf 'in pieces '; printf %.9s $$TOKEN; sleep 0.1; printf %s\\\\n $${{TOKEN#?????????}}")
        secret = f"id=npm,src={self.secret_file()}"
        for sandbox in ("required", "off"):
            with self.subTest(sandbox):
                said = self.whittle("--verbose", "build", "--json", tree, f"--sandbox={sandbox}", "--secret", secret)
                if sandbox == "required":
                    self.assertIn("the token is ***\n", said.stderr)
                    self.assertIn("in pieces ***\n", said.stderr)
                records = self.whittle("--log-format=json", "--verbose", "build", tree, "--secret", secret)
                plan = self.whittle("plan", "--json", tree)
                self.assertEqual(plan.json["steps"][0]["secrets"], [{"id": "npm", "variable": "TOKEN", "fileVariable": "TOKEN_FILE", "home": ".npmrc"}])
                self.assert_unseen(said, records, plan, self.whittle("why", "--json", "tool", "/bin/tool"))
                self.assert_not_in_images()

    def test_a_build_that_fails_and_prints_it(self):
        tree = self.tree("echo error: wrong token $$TOKEN; cat $$HOME/.npmrc >&2; false")
        secret = f"id=npm,src={self.secret_file()}"
        for arguments in ((), ("--verbose",), ("--log-format=json", "--verbose")):
            result = self.whittle(*arguments, "build", tree, "--secret", secret, expect=51)
            self.assertIn("wrong token ***", result.stderr)
            self.assert_unseen(result)
        log = next((self.home / ".cache/whittle/logs").rglob("*.log"))
        self.assertIn("error: wrong token ***\n***\n", log.read_text())

    def test_a_secret_of_a_variable_and_its_value_in_no_key(self):
        tree = self.tree(USES)
        first = self.whittle("build", "--json", tree, "--secret", "id=npm,env=MINE", env={"MINE": SECRET})
        again = self.whittle("build", "--json", tree, "--secret", "id=npm,env=MINE", env={"MINE": "another one"})
        self.assertEqual((again.json["unchanged"], again.json["digest"]), (True, first.json["digest"]))
        self.assert_unseen(first, again)

    def test_other_steps_have_none(self):
        files = {
            "CMakeLists.txt": 'cmake_minimum_required(VERSION 3.14)\nproject(tool C)\nadd_executable(tool tool.c)\nif(DEFINED ENV{TOKEN})\nmessage(FATAL_ERROR "configure has it")\nendif()\n'
            'add_custom_command(TARGET tool POST_BUILD COMMAND sh -c "test -s $TOKEN_FILE" VERBATIM)\n',
            "tool.c": PROGRAM,
            "whittle.toml": '[build.secrets.npm]\nsteps = ["compile*"]\nvariable = "TOKEN"\nfile-variable = "TOKEN_FILE"\n',
        }
        tree = self.write_tree("tool", files)
        steps = [step["name"] for step in self.whittle("plan", "--json", tree, expect=None).json["steps"]]
        self.assertEqual(steps, ["configure", "compile tool"])
        result = self.whittle("build", tree, "--secret", f"id=npm,src={self.secret_file()}")
        self.assert_unseen(result)

    def test_a_program_that_would_hold_it(self):
        tree = self.tree('printf \'const char secret[] = "%s";\\n\' "$$TOKEN" > s.c && $(CC) -c s.c && $(CC) -o $@ tool.o s.o; exit $$?')
        (tree / "tool.c").write_text('#include <stdio.h>\nextern const char secret[];\nint main(void) { puts(secret); return 0; }\n')
        (tree / "Makefile").write_text((tree / "Makefile").read_text().replace("\t$(CC) -o $@ $^\n", ""))
        result = self.whittle("build", tree, "--secret", f"id=npm,src={self.secret_file()}", expect=69)
        self.assertIn("error: `/bin/tool` holds the secret `npm`\n  --> what step `compile` has made\n", result.stderr)
        self.assert_unseen(result)

    def test_one_that_is_not_given(self):
        tree = self.tree(USES)
        result = self.whittle("build", tree, expect=2)
        self.assertIn("error: step `compile tool` needs the secret `npm`, which is not given\n  --> whittle.toml:1\n", result.stderr)
        self.assertIn("hint: give it with `--secret id=npm,src=FILE` or `--secret id=npm,env=VARIABLE`\n", result.stderr)

    def test_wrong_ways_to_give_one(self):
        tree = self.tree(":", "")
        for text, complaint in {
            SECRET: "`--secret` has a part that is neither `id=…`, `src=…` nor `env=…`",
            "id=npm": "`--secret` needs one of `src=…` and `env=…`",
            "src=file": "`--secret` has no `id=…`",
            "id=../npm,env=MINE": "`--secret` has an `id` that must be a name",
            "id=npm,env=NOT_SET": "the variable `NOT_SET` for the secret `npm` is not set",
            "id=npm,src=/nowhere": "cannot read the secret `npm`",
        }.items():
            result = self.whittle("build", tree, "--secret", text, expect=2)
            self.assertIn(complaint, result.stderr)
            self.assertNotIn(SECRET, result.stderr)
        result = self.whittle("build", tree, "--secret", "id=npm,env=MINE", env={"MINE": SECRET})
        self.assertIn("warning: no step asks for the secret `npm`\n", result.stderr)

    def test_wrong_configurations(self):
        for table, complaint in {
            'variable = "T"': "`build.secrets.npm` needs `steps`, which get it",
            'steps = ["compile *"]': "`build.secrets.npm` needs `variable`, `file-variable` or `home`",
            'steps = ["fetch"]\nvariable = "T"': "there is no step `fetch` for `build.secrets.npm`",
            'steps = ["compile *"]\nhome = "../x"': "`build.secrets.npm.home` must be a path below the step's home",
            'steps = ["compile *"]\nvarable = "T"': "unknown key `varable`",
        }.items():
            tree = self.tree(":", f"[build.secrets.npm]\n{table}\n")
            result = self.whittle("build", tree, "--secret", "id=npm,env=MINE", env={"MINE": SECRET}, expect=2)
            self.assertIn(complaint, result.stderr)
            self.assertIn("--> whittle.toml:", result.stderr)


if __name__ == "__main__":
    unittest.main()
