"""Python: what a change rebuilds, what an image holds, equal bytes under other circumstances, and what is refused."""

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request
import zipfile

from support.case import ROOT, WhittleTestCase
from support.parties import free_port

SERVICE = """import json
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"modules": sorted(sys.modules), "user": os.getuid(), "greeting": "hello"}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    HTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
"""
# What would let an intruder look around, or install more.
FORBIDDEN = {"sh", "bash", "dash", "busybox", "env", "apt", "apt-get", "dpkg", "apk", "rpm", "pip", "pip3", "easy_install", "gcc", "cc"}


class Python(WhittleTestCase):
    shared_cache = True

    def service(self, port):
        configuration = f'[image]\nenv = {{ PORT = "{port}" }}\nports = ["{port}/tcp"]\n'
        return self.write_tree("service", {"main.py": SERVICE, "whittle.toml": configuration})

    def layers_of(self, built):
        return {layer.digest: set(layer.names()) for layer in built.image.layers}

    def test_a_line_of_code_leaves_runtime_and_packages_as_they_are(self):
        tree = self.temporary / "tree"
        shutil.copytree(ROOT / "examples/python-flask", tree)
        before = self.layers_of(self.build(tree))
        code = tree / "app.py"
        code.write_text(code.read_text().replace("hello from greeter", "good morning"))
        after = self.layers_of(self.build(tree))
        changed = set(before) - set(after)
        self.assertEqual(len(changed), 1, "more than the application's layer has changed")
        others = ("usr/bin/", "usr/lib/python3.", "usr/lib/python3/site-packages/", "lib/")
        self.assertFalse([name for name in before[changed.pop()] if name.startswith(others)])

    def test_a_line_of_code_leaves_a_model_as_it_is_and_brings_nothing_back_from_the_cache(self):
        code = 'import http.server\nprint(open("model/weights.onnx").read())\n'
        lock = (ROOT / "examples/python-flask/uv.lock").read_text()
        project = (ROOT / "examples/python-flask/pyproject.toml").read_text()
        files = {"main.py": code, "model/weights.onnx": "0.5 0.25", "uv.lock": lock, "pyproject.toml": project, "Procfile": "web: python main.py\n"}
        tree = self.write_tree("tree", files)
        before = self.layers_of(self.build(tree))
        (tree / "main.py").write_text(code + "# changed\n")
        result = self.whittle("build", "-v", tree)
        after = self.layers_of(self.built(result))
        changed = set(before) - set(after)
        self.assertEqual(len(changed), 1)
        self.assertNotIn("app/model/weights.onnx", before[changed.pop()])
        self.assertTrue(any("app/model/weights.onnx" in names and "app/main.py" not in names for names in after.values()))
        self.assertIn("install packages: stays in the cache", result.stderr)

    def test_an_image_serves_as_nobody_without_a_shell_and_ends_at_once(self):
        port = free_port()
        built = self.build(self.service(port))
        names = {name.rsplit("/", 1)[-1] for layer in built.image.layers for name in layer.names()}
        self.assertEqual(names & FORBIDDEN, set())
        self.whittle("check", built.reference)
        process = self.start_whittle("run", built.reference)
        try:
            answer = self.answer_of(port, process)
        finally:
            asked = time.monotonic()
            process.send_signal(signal.SIGTERM)
            self.finish(process, expect=None, timeout=20)
        self.assertLess(time.monotonic() - asked, 2, "it did not end when it was asked to")
        self.assertEqual(answer["user"], 65532)
        self.assertNotIn("unittest", answer["modules"])

    def answer_of(self, port, process):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                    return json.load(answer)
            except OSError:
                time.sleep(0.05)
        self.fail("no answer")

    def test_the_bytes_do_not_depend_on_who_builds_where_and_when(self):
        files = {"main.py": SERVICE, "text.py": "NAMES = {'a', 'b', 'c'}\n", "deep/__init__.py": "import text\n"}
        one = self.build(self.write_tree("one/app", files))
        other = self.write_tree("two/some where/app", files)
        environment = {"XDG_CACHE_HOME": self.temporary / "other cache", "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
        for path in other.rglob("*.py"):
            os.utime(path, (1, 1))
        prefix = (shutil.which("setpriv"), "--no-new-privs", shutil.which("sh"), "-c", 'umask 077; exec "$@"', "sh")
        self.assertEqual(self.build(other, env=environment, prefix=prefix).digest, one.digest)

    def test_the_full_library_is_a_setting(self):
        tree = self.write_tree("tree", {"main.py": "print(1)\n"})
        imported = self.build(tree).image
        (tree / "whittle.toml").write_text('[image]\npython = "full"\n')
        full = self.build(tree).image
        names = {name for layer in full.layers for name in layer.names()}
        self.assertTrue(any(name.endswith("/unittest/case.py") for name in names), "sources are there")
        self.assertGreater(full.compressed_size, imported.compressed_size)

    def wheel_with_library(self, folder):
        """A wheel whose extension module needs a library that nobody has."""
        (folder / "nothere.c").write_text("int nothere(void) { return 1; }\n")
        (folder / "native.c").write_text("int nothere(void);\nint PyInit_native(void) { return nothere(); }\n")
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", "libnothere.so.4", "-Wl,-soname,libnothere.so.4", "nothere.c"], cwd=folder, check=True)
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", "native.so", "native.c", "./libnothere.so.4"], cwd=folder, check=True)
        info = "native-1.0.dist-info/"
        files = {
            "native.abi3.so": (folder / "native.so").read_bytes(),
            info + "METADATA": b"Metadata-Version: 2.1\nName: native\nVersion: 1.0\n",
            info + "WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = "".join(f"{name},,\n" for name in [*files, info + "RECORD"])
        with zipfile.ZipFile(folder / "native-1.0-py3-none-any.whl", "w") as archive:
            for name, data in {**files, info + "RECORD": record.encode()}.items():
                archive.writestr(name, data)
        for name in ("nothere.c", "native.c", "native.so", "libnothere.so.4"):
            (folder / name).unlink()

    def test_a_module_whose_library_is_missing_is_named(self):
        tree = self.write_tree("tree", {"requirements.txt": "--no-index\n--find-links wheels\nnative==1.0\n", "main.py": "import native\n"})
        (tree / "wheels").mkdir()
        self.wheel_with_library(tree / "wheels")
        error = self.whittle("build", tree, expect=55).stderr
        self.assertIn("libraries are missing that the image would need", error)
        self.assertIn("/usr/lib/python3/site-packages/native.abi3.so: libnothere.so.4", error)

    def test_a_package_without_a_wheel_is_named(self):
        tree = self.write_tree("tree", {"requirements.txt": "--no-index\nnot-anywhere==1.0\n", "main.py": ""})
        error = self.whittle("build", tree, expect=51).stderr
        self.assertIn("no wheel of not-anywhere==1.0 fits Python 3.", error)

    def test_an_interpreter_that_is_not_there(self):
        project = '[project]\nname = "x"\nrequires-python = ">=3.99"\n'
        tree = self.write_tree("tree", {"pyproject.toml": project, "main.py": ""})
        error = self.whittle("build", tree, expect=30).stderr
        self.assertIn("and the project wants >=3.99", error)
        self.assertIn("pyproject.toml:3", error)

    def test_a_pin_that_is_not_there_is_a_warning_and_an_error_when_versions_are_strict(self):
        tree = self.write_tree("tree", {".python-version": "3.8.1\n", "main.py": "print(1)\n"})
        self.assertIn("and the project pins 3.8.1 (.python-version:1)", self.whittle("build", tree).stderr)
        self.whittle("build", tree, "--strict-versions", expect=30)

    def test_what_dockerignore_names_is_not_in_the_image(self):
        files = {"main.py": "print(1)\n", "data/large.bin": "x", "data/keep.txt": "x", ".dockerignore": "data/\n!data/keep.txt\n", ".env": "KEY=1"}
        image = self.build(self.write_tree("tree", files)).image
        names = {name for layer in image.layers for name in layer.names() if name.startswith("app/")}
        self.assertIn("app/data/keep.txt", names)
        self.assertEqual({"app/data/large.bin", "app/.env"} & names, set())
