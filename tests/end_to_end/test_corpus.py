"""The trees of tests/corpus that say what they print are built, unconfigured, and run."""

import re
import unittest

from support.case import ROOT, WhittleTestCase

CORPUS = ROOT / "tests/corpus"


def read_case(path):
    """({key: value}, {path: content}); keys that stand several times keep their last value."""
    head, *sections = re.split(r"^-- (.+) --\n", path.read_text(), flags=re.MULTILINE)
    expected = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line and not line.startswith("#"))
    return expected, dict(zip(sections[::2], sections[1::2]))


class CorpusTest(WhittleTestCase):
    shared_cache = True

    def build_and_run(self, name, expected, files):
        tree = self.write_tree(name, files)
        (tree / ".git").mkdir()
        image = self.build(tree / expected.get("app", ""))
        output = self.whittle("run", image.name).stdout
        self.assertEqual(output, expected["runs"] + "\n")


def add_tests():
    for path in sorted(CORPUS.glob("*.txt")):
        expected, files = read_case(path)
        if "runs" not in expected:
            continue

        def test(self, name=path.stem, expected=expected, files=files):
            self.build_and_run(name, expected, files)

        setattr(CorpusTest, "test_" + path.stem.replace("-", "_"), test)


add_tests()

if __name__ == "__main__":
    unittest.main()
