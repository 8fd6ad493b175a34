"""whittle.toml: written by `init`, described by a JSON schema that a validator understands."""

import json
import re
import shutil
import subprocess
import tomllib

from support.case import ROOT, WhittleTestCase

# Debian's own interpreter has the package, whatever runs the tests.
VALIDATE = """
import json, sys, jsonschema
schema, document = json.load(sys.stdin)
jsonschema.Draft202012Validator.check_schema(schema)
for error in jsonschema.Draft202012Validator(schema).iter_errors(document):
    print(error.message)
"""


class Init(WhittleTestCase):
    def test_what_it_writes_builds_the_same_image(self):
        tree = self.temporary / "hello"
        shutil.copytree(ROOT / "examples/c-hello", tree)
        (tree / "whittle.toml").unlink(missing_ok=True)
        before = self.whittle("build", str(tree)).stdout
        self.whittle("init", str(tree))
        text = (tree / "whittle.toml").read_text()
        self.assertIn('detector = "single-file"', text)
        self.assertIn("# default", text)
        self.assertEqual(self.whittle("build", str(tree)).stdout, before)

    def test_an_existing_file_stays_as_it_is(self):
        tree = self.write_tree("tree", {"main.c": "int main(void) { return 0; }\n", "whittle.toml": 'name = "mine"\n'})
        result = self.whittle("init", str(tree), expect=2)
        self.assertIn("there is a `whittle.toml` already", result.stderr)
        self.assertEqual((tree / "whittle.toml").read_text(), 'name = "mine"\n')
        self.assertIn('name = "mine"', self.whittle("init", "--print", str(tree)).stdout)


class Schema(WhittleTestCase):
    def complaints(self, document):
        schema = json.loads(self.whittle("plan", "--schema").stdout)
        result = subprocess.run(
            ["/usr/bin/python3", "-c", VALIDATE], input=json.dumps([schema, document]), capture_output=True, text=True, check=True
        )
        return result.stdout.splitlines()

    def test_a_validator_accepts_what_the_documentation_shows(self):
        shown = re.search(r"```toml\n(.*?)```", (ROOT / "docs/configuration.md").read_text(), re.DOTALL).group(1)
        self.assertEqual(self.complaints(tomllib.loads(shown)), [])

    def test_a_validator_finds_what_whittle_refuses(self):
        for document in ({"nme": "x"}, {"build": {"toolchain": "gcc"}}, {"image": {"files": [{"source": "a"}]}}, {"process": {"web": {}}}):
            self.assertEqual(len(self.complaints(document)), 1, document)
