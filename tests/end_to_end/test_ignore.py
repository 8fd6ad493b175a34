"""Ignore files leave out of an image what Docker leaves out of its context, by Docker's own code."""

import random

from support.case import WhittleTestCase
from support.oracles import oracle

PATHS = [
    "main.c", "README.md", "notes.md", "a b.txt", ".env", ".hidden/key", "docs/index.html", "docs/api/index.md", "docs/api/v1/index.md",
    "web/dist/app.js", "web/dist/app.js.map", "web/src/app.ts", "web/node_modules/left/index.js", "node_modules/right/index.js",
    "build/out.o", "build/keep/file", "data/1.csv", "data/2.csv", "data/10.csv", "data/x[1].csv", "data/deep/er/3.csv", "star*/file", "z",
]  # fmt: skip
CONFIGURATION = '[image]\nfiles = [{ source = ".", path = "/app" }]\n'
FILES = [
    "docs\n*.md\n!README.md\n",
    "**\n!web/dist\n**/*.map\n",
    "**/node_modules\n.hidden/\n# a comment\n\n/build\n!build/keep\n",
    "*\n!data/**\n!main.c\n",
    "data/[0-9].csv\n",
    "data/[^0-9]*\ndata/?.csv\n",
    "data/**/3.csv\ndocs/**\n",
    "star\\*/file\na b.txt\n",
    "./docs/../web\nbuild/\n",
    "\ufeff*.md\r\n!notes.md\r\n",
    "we*/**/*.js\n!**/left\n",
    "**/index.*\n!docs/api\ndocs/api/v1\n",
]


class Ignored(WhittleTestCase):
    def image_files(self, text):
        files = {path: "int main(void) { return 0; }\n" if path == "main.c" else path for path in PATHS}
        tree = self.write_tree("tree", {**files, "whittle.toml": CONFIGURATION, ".dockerignore": text})
        self.whittle("build", str(tree), "--quiet")
        listed = self.whittle("inspect", "--json", "--files", "tree").json
        return {entry["path"].removeprefix("/app/") for entry in listed["files"] if entry["path"].startswith("/app/")}

    def assert_as_docker(self, text):
        ignored = oracle("ignore", {"file": text, "paths": PATHS})["ignored"]
        self.assertEqual(sorted(set(PATHS) - self.image_files(text)), sorted(ignored), text)

    def test_files_as_people_write_them(self):
        for text in FILES:
            self.assert_as_docker(text)

    def test_random_ones(self):
        chooser = random.Random(7)
        pieces = ["**", "*", "docs", "data", "web", "index.*", "*.md", "?", "[a-d]*", "dist", "app.js", "node_modules"]
        for _ in range(12):
            lines = []
            for _ in range(chooser.randint(1, 5)):
                pattern = "/".join(chooser.choices(pieces, k=chooser.randint(1, 3)))
                lines.append(chooser.choice(["", "", "!"]) + pattern)
            self.assert_as_docker("\n".join(lines) + "\n")
