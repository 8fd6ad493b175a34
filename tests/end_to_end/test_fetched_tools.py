"""Tools that a machine lacks come from their registry: once, by their digest, resumed, through mirrors.

The archive that is served here holds a `zig` that starts Debian's compiler for arm64, so that what is built is a real program.
"""

import contextlib
import hashlib
import io
import json
import threading
import unittest
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from support.case import WhittleTestCase
from support.parties import call

NAME = "ziglang-9.9.9-py3-none-any.whl"
ZIG = '#!/bin/sh\n# zig cc -target TRIPLE …\nshift 3\nexec aarch64-linux-gnu-gcc "$@"\n'
HELLO = {"hello.c": '#include <stdio.h>\nint main(void) { puts("hello from arm64"); }\n'}


def archive():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("ziglang/zig", ZIG)
        packed.writestr("ziglang/lib/padding", hashlib.shake_256(b"padding").digest(300_000))
    return file.getvalue()


class Registry:
    """Serves one file below /files, and an index page that links to it; `cut` breaks the first answer off after so many bytes."""

    def __init__(self, content, cut=None):
        self.requests, self.content, self.cut = [], content, cut
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                registry.answer(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request):
        self.requests.append((request.path, request.headers.get("Range")))
        if request.path == "/simple/ziglang/":
            body, status = f'<a href="/files/{NAME}#sha256=00">{NAME}</a>'.encode(), 200
        elif request.path == f"/files/{NAME}":
            body, status = self.content, 200
        else:
            body, status = b"", 404
        total, start = len(body), 0
        if status == 200 and (wanted := request.headers.get("Range")):
            start, status = int(wanted.removeprefix("bytes=").rstrip("-")), 206
            body = body[start:]
        request.send_response(status)
        if status == 206:
            request.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        cut, self.cut = self.cut, None
        request.wfile.write(body[:cut])
        if cut is not None:
            request.close_connection = True


class FetchedTools(WhittleTestCase):
    def serve(self, content, cut=None):
        registry = Registry(content, cut)
        self.addCleanup(registry.close)
        return registry

    def plan(self, registry, content, url=None):
        """The plan for arm64 with zig as its only toolchain, had from `registry` alone."""
        self.tree = self.write_tree("tree", HELLO)
        plan = self.whittle("plan", "--json", "--platform", "linux/arm64", self.tree).json
        zig = [toolchain for toolchain in plan["toolchains"] if toolchain["name"] == "zig"]
        self.assertTrue(zig[0]["downloads"], "zig cannot be fetched")
        for download in zig[0]["downloads"]:
            self.assertRegex(download["digest"], "^sha256:[0-9a-f]{64}$")
        zig[0]["downloads"] = [
            {
                "host": "linux/amd64",
                "version": "9.9.9",
                "url": url or f"{registry.url}/files/{NAME}",
                "digest": "sha256:" + hashlib.sha256(content).hexdigest(),
                "size": len(content),
                "program": "ziglang/zig",
            }
        ]
        plan["toolchains"] = zig
        file = self.temporary / "plan.json"
        file.write_text(json.dumps(plan))
        return file

    def check_program(self, built):
        root = self.temporary / f"root-{built.digest[-8:]}"
        built.image.unpack(root)
        self.assertEqual(call("qemu-aarch64-static", root / "bin/hello").stdout, "hello from arm64\n")

    def built_for_arm(self, *arguments, **options):
        result = self.whittle("build", self.tree, *arguments, **options)
        reference = result.stdout.strip()
        digest = reference.split("@")[1]
        image = self.layout().image(digest, architecture="arm64")
        return type("Built", (), {"digest": digest, "image": image, "stderr": result.stderr})

    def test_what_is_missing_is_fetched_once_and_told_offline(self):
        content = archive()
        registry = self.serve(content)
        plan = self.plan(registry, content)
        refused = self.whittle("build", self.tree, "--plan", plan, "--offline", expect=30)
        self.assertIn("error: a tool needs the network, and `--offline` forbids it", refused.stderr)
        self.assertIn(f"zig 9.9.9: {registry.url}/files/{NAME}", refused.stderr)
        self.assertEqual(registry.requests, [])

        built = self.built_for_arm("--plan", plan)
        self.check_program(built)
        self.assertIn("fetch zig 9.9.9", built.stderr)
        (self.tree / "hello.c").write_text(HELLO["hello.c"] + "\n")
        self.assertEqual(self.built_for_arm("--plan", plan, "--offline").image.config["architecture"], "arm64")
        self.assertEqual(len(registry.requests), 1)

    def test_another_file_than_the_plan_names_is_refused_with_both_digests(self):
        content = archive()
        other = content[:-1] + b"?"
        registry = self.serve(other)
        refused = self.whittle("build", "--plan", self.plan(registry, content), self.tree, expect=30)
        self.assertIn("error: cannot fetch zig 9.9.9", refused.stderr)
        for one in (content, other):
            self.assertIn("sha256:" + hashlib.sha256(one).hexdigest(), refused.stderr)
        self.assertEqual(list((self.home / ".cache/whittle/toolchains").glob("*/ziglang")), [])

    def test_an_interrupted_download_goes_on_where_it_was(self):
        content = archive()
        registry = self.serve(content, cut=200_000)
        self.check_program(self.load(registry, content))
        self.assertEqual([wanted for _, wanted in registry.requests], [None, "bytes=200000-"])

    def load(self, registry, content):
        return self.built_for_arm("--plan", self.plan(registry, content))

    def test_two_builds_at_once_fetch_once(self):
        content = archive()
        registry = self.serve(content)
        plan = self.plan(registry, content)
        other = self.write_tree("other", {"hello.c": HELLO["hello.c"] + "\n\n"})
        with contextlib.ExitStack() as stack:
            running = [self.start_whittle("build", tree, "--plan", plan) for tree in (self.tree, other)]
            for process in running:
                stack.callback(process.kill)
            for process in running:
                self.finish(process)
        self.assertEqual(len(registry.requests), 1)

    def test_the_python_index_of_the_environment_is_asked(self):
        content = archive()
        registry = self.serve(content)
        plan = self.plan(registry, content, url=f"https://files.pythonhosted.org/packages/00/{NAME}")
        self.check_program(self.built_for_arm("--plan", plan, env={"PIP_INDEX_URL": f"{registry.url}/simple"}))
        self.assertEqual([path for path, _ in registry.requests], ["/simple/ziglang/", f"/files/{NAME}"])


if __name__ == "__main__":
    unittest.main()
