"""Every folder of examples/ with an expect.json goes through the whole pipeline and must come out as it says."""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import time
import unittest
import urllib.request
from pathlib import Path

from support.case import ROOT, WhittleTestCase
from support.parties import runc_run

EXAMPLES = ROOT / "examples"


def snapshot(folder):
    """Path, mode, time and content of everything in a tree: the source tree is never written to."""
    seen = {}
    for path in sorted(Path(folder).rglob("*")):
        status = path.lstat()
        content = os.readlink(path) if path.is_symlink() else hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        seen[str(path.relative_to(folder))] = (oct(status.st_mode), status.st_mtime_ns, content)
    return seen


@contextlib.contextmanager
def port_for_us_alone(port):
    """Services listen on a fixed port of the host, so two tests with the same one take turns."""
    with open(f"/tmp/whittle-test-port-{port}", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Example:
    """The tests of one example; mixed into a WhittleTestCase by classes_of_examples."""

    shared_cache = True
    source = None
    expect = None

    def setUp(self):
        super().setUp()
        # Outside our own repository, whose .git and workspace files are not the example's.
        self.tree = self.temporary / "tree"
        shutil.copytree(self.source, self.tree, symlinks=True)
        before = snapshot(self.tree)
        self.addCleanup(lambda: self.assertEqual(snapshot(self.tree), before, "the source tree was written to"))

    def test_detect(self):
        detection = self.whittle("detect", "--json", self.tree).json
        self.assertEqual(detection["schema"], "whittle.detect/v1")
        self.assertEqual(detection["chosen"], self.expect["detector"])
        chosen = [candidate for candidate in detection["candidates"] if candidate["detector"] == detection["chosen"]]
        self.assertEqual(len(chosen), 1)
        self.assertEqual(chosen[0]["language"], self.expect["language"])
        self.assertTrue(chosen[0]["evidence"])
        for evidence in chosen[0]["evidence"]:
            self.assertTrue((self.tree / evidence["file"]).exists(), evidence)
        self.assertEqual(self.whittle("detect", "--json", ".", cwd=self.tree).json, detection)

    def test_plan(self):
        printed = self.whittle("plan", "--json", self.tree)
        plan = printed.json
        self.assertEqual(plan["schema"], "whittle.plan/v1")
        for key in ("name", "language", "detector"):
            self.assertEqual(plan[key], self.expect[key], key)
        self.assertEqual(sorted(plan["image"]["processes"]), sorted(self.expect["processes"]))
        for name, value in plan["values"].items():
            self.assertTrue(value["source"], f"{name} does not say where it comes from")
        elsewhere = self.temporary / "some where else"
        shutil.copytree(self.tree, elsewhere, symlinks=True)
        again = self.whittle("plan", "--json", elsewhere)
        self.assertEqual(again.stdout, printed.stdout, "equal trees, different plans")
        self.assertFalse(self.store.exists(), "planning wrote to the store")

    def test_build_and_run(self):
        built = self.build(self.tree)
        self.assertEqual(built.name.split(":")[0], self.expect["name"])
        self.assert_store_valid()
        self.whittle("check", built.reference)
        self.assertLessEqual(built.image.compressed_size, self.expect["maxCompressed"], "the image has grown")
        for layer in built.image.layers:
            names = layer.names()
            self.assertEqual(len(names), len(set(names)), f"a path twice in {layer.digest}")
            for line in layer.listing():
                self.assertIn(" 1970-01-01 00:00:00 ", line)

        self.assertEqual(self.build(self.tree).reference, built.reference, "nothing changed, but the digest did")
        plan = self.temporary / "plan.json"
        plan.write_text(self.whittle("plan", "--json", self.tree).stdout)
        self.assertEqual(self.build(self.tree, "--plan", plan).digest, built.digest, "the committed plan gives another image")

        if "http" in self.expect:
            self.check_service(built)
        else:
            self.check_program(built)

    def check_program(self, built):
        run = self.expect["run"]
        arguments = run.get("args", [])
        result = self.whittle("run", built.reference, *(["--", *arguments] if arguments else []), expect=run.get("exit", 0))
        self.assertRegex(result.stdout, run["stdout"])
        if "memory" in self.expect:
            limited = runc_run(built.image, *arguments, memory_limit_bytes=self.expect["memory"])
            self.assertEqual(limited.returncode, run.get("exit", 0), f"with {self.expect['memory']} bytes: {limited}")
            self.assertRegex(limited.stdout, run["stdout"])

    def check_service(self, built):
        http = self.expect["http"]
        url = f"http://127.0.0.1:{http['port']}{http['path']}"
        with port_for_us_alone(http["port"]):
            process = self.start_whittle("run", built.reference)
            try:
                body = self.body_of(url, process)
            finally:
                process.send_signal(signal.SIGTERM)
                result = self.finish(process, expect=None, timeout=20)
            self.assertIsNotNone(body, f"no answer from {url}\n{result}")
            self.assertRegex(body, http["body"])
            with self.assertRaises(OSError, msg="still answering after whittle ended"):
                urllib.request.urlopen(url, timeout=2)

    def body_of(self, url, process, seconds=20):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and process.poll() is None:
            try:
                with urllib.request.urlopen(url, timeout=5) as answer:
                    return answer.read().decode(errors="replace")
            except OSError:
                time.sleep(0.05)
        return None


class Examples(unittest.TestCase):
    def test_every_example_says_what_it_expects(self):
        folders = [folder for folder in sorted(EXAMPLES.iterdir()) if folder.is_dir()]
        self.assertTrue(folders)
        for folder in folders:
            with self.subTest(folder.name):
                expect = json.loads((folder / "expect.json").read_text())
                for key in ("detector", "language", "name", "processes", "maxCompressed"):
                    self.assertIn(key, expect)
                self.assertTrue("run" in expect or "http" in expect, "an example is run, or asked over HTTP")


def classes_of_examples():
    """A class for each example, so that the runner can do several at a time."""
    for file in sorted(EXAMPLES.glob("*/expect.json")):
        name = re.sub(r"\W", "_", file.parent.name)
        body = {"source": file.parent, "expect": json.loads(file.read_text()), "__module__": __name__}
        yield name, type(name, (Example, WhittleTestCase), body)


globals().update(classes_of_examples())
